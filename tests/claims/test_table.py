"""The table of all claims: none is missing, and each is wrong in 5% of cases at most."""

from __future__ import annotations

import re

import pandas as pd
import pytest
from claims.regenerate import PAGE, all_cells, page
from claims.simulation import MOST, SEEDS, Cell
from claims.table import FACTS, SIMULATIONS

from byrote.studies.architectures import architectures_study
from byrote.studies.expressivity import expressivity_analysis
from byrote.studies.implicit import ImplicitStudy
from byrote.studies.largest_n import largest_n_analysis
from byrote.studies.min_norm import MinNormAnalysis
from byrote.studies.overparameterization import overparameterization_study
from byrote.studies.rademacher import rademacher_analysis
from byrote.studies.random_label_analysis import memorizing_recipe
from byrote.studies.regularization import regularization_study
from byrote.studies.stability import stability_analysis
from byrote.studies.strengths import StrengthStudy
from byrote.studies.table1 import table1_study
from byrote.studies.table2 import table2_study
from byrote.studies.table4 import table4_study

SOME_DRAWS = 40


@pytest.mark.slow
@pytest.mark.parametrize("study", sorted({simulation.study for simulation in SIMULATIONS}))
def test_no_claim_is_wrong_more_often_than_it_may_be(study):
    own = [simulation for simulation in SIMULATIONS if simulation.study == study]
    found = all_cells(SOME_DRAWS, own)
    assert [cell for cell in found if not cell.holds] == []


@pytest.mark.parametrize("simulation", SIMULATIONS, ids=lambda one: f"{one.study} {one.name}".strip())
def test_every_claim_is_found_once_in_a_verdict(simulation):
    import numpy as np

    for seeds in (SEEDS[0], SEEDS[-1]):
        verdict = simulation.draw(np.random.default_rng(0), seeds, simulation.test_examples[-1], simulation.effects[0])
        for claim in simulation.claims:
            assert sum(bool(re.fullmatch(claim.pattern, each.claim)) for each in verdict) == 1, claim.words


def test_the_page_has_every_claim():
    written = PAGE.read_text()
    for simulation in SIMULATIONS:
        for claim in simulation.claims:
            assert f"**{claim.words}**" in written
            for _, words in (claim.false, claim.true, claim.planted):
                assert words in written
    for fact in FACTS:
        assert fact.words in written


def test_a_cell_holds_within_the_error_of_its_draws():
    cells = [Cell("s", "c", 1, 50, 1000, yes, no, 1.0) for yes, no in ((MOST, MOST), (0.07, 0), (0.09, 0), (0, 0.09))]
    assert [cell.holds for cell in cells] == [True, True, False, False]
    assert "| 1 | 50 |" in page([Cell(SIMULATIONS[0].study, SIMULATIONS[0].claims[0].words, 1, 50, 9, 0, 0, 1)], 9)


def test_no_study_makes_a_claim_that_the_table_lacks(tiny):
    """Studies of which nothing has run say all that they would claim."""
    studies = [
        make(tiny, "laptop", seeds=3)
        for make in (
            table1_study, table2_study, table4_study, regularization_study, architectures_study,
            overparameterization_study, expressivity_analysis,
        )
    ]  # fmt: skip
    recipe = memorizing_recipe("mlp-1x512", tiny)
    studies += [make(tiny, recipe=recipe, seeds=3) for make in (rademacher_analysis, largest_n_analysis)]
    studies += [rademacher_analysis(tiny, recipe=recipe, n_train=8, exhaustive=True)]
    studies += [stability_analysis(tiny, recipe=recipe, seeds=3, replacements=8)]
    studies += [StrengthStudy(data=tiny, models=["mlp-1x512"], sizes=3)]
    studies += [ImplicitStudy(data=tiny, models=["inception", "inception-no-batchnorm"]), MinNormAnalysis(data=tiny)]
    for study in studies:
        known = [claim.pattern for one in SIMULATIONS if one.study == study.name for claim in one.claims]
        known += [_general(claim.words) for one in SIMULATIONS if one.study == study.name for claim in one.claims]
        known += [fact.pattern for fact in FACTS if fact.study == study.name]
        if study.name == "table1":
            known.append("(Random cropping|Weight decay|Batch norm) raises .+|.+ generalises better than .+")
        for finding in study.verdict(pd.DataFrame()):
            assert any(re.fullmatch(pattern, finding.claim) for pattern in known), (study.name, finding.claim)


def _general(words: str) -> str:
    """What stands for a name may be any."""
    return re.sub("[A-Z]{4,}", ".+", re.escape(words))
