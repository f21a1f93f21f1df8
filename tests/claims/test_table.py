"""The table of all claims: none is missing, and each is wrong in 5% of cases at most."""

from __future__ import annotations

import re

import pytest
from claims.regenerate import PAGE, all_cells, page
from claims.simulation import MOST, SEEDS, Cell
from claims.table import FACTS, SIMULATIONS

SOME_DRAWS = 200


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
