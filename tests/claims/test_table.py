"""The table of all claims: none is missing, and each is wrong in 5% of cases at most."""

from __future__ import annotations

import re

import numpy as np
import pandas as pd
import pytest
from claims.regenerate import PAGE, all_cells, page
from claims.simulation import MOST, Cell
from claims.table import FACTS, SIMULATIONS

from byrote.data.sources import from_arrays, load
from byrote.evidence.chance import tests_at_chance as outcome_of
from byrote.runs.run import run
from byrote.studies.architectures.study import architectures_study
from byrote.studies.expressivity.study import expressivity_study
from byrote.studies.implicit.study import ImplicitStudy
from byrote.studies.largest_n.study import LargestNStudy
from byrote.studies.memorization.study import MemorizationStudy
from byrote.studies.min_norm.study import MinNormStudy
from byrote.studies.overparameterization.study import overparameterization_study
from byrote.studies.rademacher.study import rademacher_study
from byrote.studies.random_labels import memorizing_recipe
from byrote.studies.randomization.study import RandomizationStudy
from byrote.studies.regularization.study import regularization_study
from byrote.studies.stability.study import StabilityStudy
from byrote.studies.strengths.study import StrengthStudy
from byrote.studies.table1.study import table1_study
from byrote.studies.table2.study import table2_study
from byrote.studies.table4.study import table4_study

SOME_DRAWS = 200


@pytest.mark.slow
@pytest.mark.timeout(3600)  # it takes more than ten minutes where cores are shared
def test_no_claim_is_wrong_more_often_than_it_may_be():
    assert [cell for cell in all_cells(SOME_DRAWS, power=False) if not cell.holds] == []


@pytest.mark.slow
def test_networks_that_were_trained_on_random_labels_are_seldom_called_away_from_chance(tmp_path):
    """Their accuracies spread as `chance_deviation` says, and seeds that share a test set are as if they did not."""
    train, test = load("digits").train, load("digits").test
    data = from_arrays(train.inputs[:100], train.true_labels[:100], test.inputs[:200], test.true_labels[:200])
    study = RandomizationStudy(data=data, models=["mlp-1x16"], settings=["random-labels"], rates=(), seeds=100)
    runs = study.summarise(run(study, store=str(tmp_path / "runs.db"), quiet=True))
    leads = (runs["test_accuracy"] - 0.1) / runs["chance_deviation"]
    assert 0.8 < leads.std() < 1.2
    assert (leads.abs() > 1.96).mean() <= 0.11
    for seeds in (1, 3, 5):
        outcomes = [outcome_of(runs[start : start + seeds]) for start in range(0, 100 - seeds + 1, seeds)]
        assert outcomes.count("not supported") <= 0.05 * len(outcomes)
        # The mean of several spreads by the root of their number less.
        means = leads[: 100 // seeds * seeds].to_numpy().reshape(-1, seeds).mean(axis=1) * seeds**0.5
        assert 0.65 < means.std() < 1.35


@pytest.mark.parametrize("simulation", SIMULATIONS, ids=lambda one: f"{one.study} {one.name}".strip())
def test_every_claim_is_found_once_in_a_verdict(simulation):
    for seeds in (simulation.seeds[0], simulation.seeds[-1]):
        verdict = simulation.draw(np.random.default_rng(0), seeds, simulation.test_examples[-1], simulation.effects[0])
        for claim in simulation.claims:
            assert sum(bool(re.fullmatch(claim.pattern, each.claim)) for each in verdict) == 1, claim.words


def test_the_page_has_every_claim():
    written = PAGE.read_text()
    for simulation in SIMULATIONS:
        for claim in simulation.claims:
            assert f"| {claim.study or simulation.study} | {claim.words}" in written
            for _, words in (claim.false, claim.true, claim.planted):
                assert words in written
    for fact in FACTS:
        assert fact.words in written


def test_a_cell_holds_within_the_error_of_its_draws():
    shares = ((MOST, MOST), (0.07, 0), (0.09, 0), (0, 0.09))
    cells = [Cell("s", "c", "c", "", 1, 50, 1000, yes, no, 1.0) for yes, no in shares]
    assert [cell.holds for cell in cells] == [True, True, False, False]
    simulation, claim = SIMULATIONS[0], SIMULATIONS[0].claims[0]
    own = Cell(simulation.study, claim.words, claim.pattern, simulation.name, 1, 50, 9, 0.02, 0, 1)
    assert "| 1 | 2.0 | 0.0 | 100 |" in page([own], 9)


def test_no_study_makes_a_claim_that_the_table_lacks(tiny):
    """Studies of which nothing has run say all that they would claim."""
    studies = [
        make(tiny, "laptop", seeds=3)
        for make in (
            table1_study, table2_study, table4_study, regularization_study, architectures_study,
            overparameterization_study, expressivity_study,
        )
    ]  # fmt: skip
    recipe = memorizing_recipe("mlp-1x512", tiny)
    studies += [make(tiny, recipe=recipe, seeds=3) for make in (rademacher_study, LargestNStudy)]
    studies += [rademacher_study(tiny, recipe=recipe, n_train=8, exhaustive=True)]
    studies += [StabilityStudy(tiny, recipe=recipe, seeds=3, replacements=8)]
    studies += [MemorizationStudy(tiny, recipe=recipe)]
    studies += [RandomizationStudy(data=tiny, models=["mlp-1x512"])]
    studies += [StrengthStudy(data=tiny, models=["mlp-1x512"], sizes=3)]
    studies += [ImplicitStudy(data=tiny, models=["inception", "inception-no-batchnorm"]), MinNormStudy(data=tiny)]
    for study in studies:
        claims = [claim for one in SIMULATIONS for claim in one.claims if (claim.study or one.study) == study.name]
        known = [_general(claim.words) for claim in claims]
        known += [fact.pattern for fact in FACTS if fact.study == study.name]
        for finding in study.verdict(pd.DataFrame()):
            assert any(re.fullmatch(pattern, finding.claim) for pattern in known), (study.name, finding.claim)


def _general(words: str) -> str:
    """What stands for a name may be any."""
    return re.sub("[A-Z]{4,}", ".+", re.escape(words)) + "(,? .+)?"
