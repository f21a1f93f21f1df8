import numpy as np
import pandas as pd
import pytest

from byrote.studies.rademacher.findings import STUMPS, findings, pooled
from byrote.theory.complexity.rademacher import deviation, generalization_bound


def row(model="net", n=400, complexity=1.0, seed=0, **fields):
    fitted = 64 if complexity == 1 else 0
    values = {
        "model": model,
        "n_train": n,
        "seed": seed,
        "complexity": complexity,
        "standard_deviation": 0.0 if complexity == 1 else 0.02,
        "num_draws": 64,
        "num_interpolated": fitted,
        "num_interrupted": 64 - fitted,
        "parameters": {"net": 100, "wide": 1000}[model],
        "failed_checks": "",
    }
    return values | fields


def judged(*rows, models=("net",), sizes=(100, 400), seeds=1):
    table = pd.DataFrame(rows)
    return {finding.claim: finding for finding in findings(models, sizes, table, seeds)}


FITS = "net fits coin flips: its Rademacher complexity is near 1"
VACUOUS = "The bound on the test error that follows from the complexity of net is vacuous"
FALLS = "What training of net reaches falls with the number of examples"
GROWS = "What training reaches grows with width"


def test_a_network_that_fits_all_signs():
    found = judged(row(n=100), row(n=400))
    assert found[FITS].outcome == found[VACUOUS].outcome == "supported"
    assert found[FALLS].outcome == "not supported"
    figures = "fits all signs of 64 of 64 draws, and reaches 1.000 in the mean: R is at least 0.985"
    assert figures in found[FITS].statement
    assert "is at least 1.19, without any training error" in found[VACUOUS].statement
    assert "It is 1 from n = 100 to 400" in found[FALLS].statement


def test_a_network_that_does_not_proves_nothing_but_a_fall():
    found = judged(row(n=100, complexity=0.9), row(n=400, complexity=0.3))
    assert found[FITS].outcome == found[VACUOUS].outcome == "no conclusion"
    assert (
        "64 of 64 runs were ended by their limit of epochs or steps. A better search may find more."
        in found[FITS].statement
    )
    assert "which says something; but R is a lower estimate" in found[VACUOUS].statement
    assert found[FALLS].outcome == "supported"
    assert "a difference of 0.600 (95% interval ± 0.007)" in found[FALLS].statement


def test_a_change_within_its_interval_is_none():
    found = judged(row(n=100, complexity=0.301), row(n=400, complexity=0.3))
    assert found[FALLS].outcome == "no conclusion"
    assert judged(row(n=100, complexity=0.3), row(n=400, complexity=0.4))[FALLS].outcome == "not supported"


def test_one_draw_has_no_interval():
    single = {"num_draws": 1, "standard_deviation": np.nan}
    found = judged(row(n=100, complexity=0.9, **single), row(n=400, complexity=0.3, **single))
    assert found[FALLS].outcome == "no conclusion"
    assert "one draw has no interval" in found[FALLS].statement


def test_width_is_compared_at_the_largest_n():
    rows = [row(model, n, complexity) for model, complexity in (("net", 0.4), ("wide", 1.0)) for n in (100, 400)]
    found = judged(*rows, models=("net", "wide"))
    assert found[GROWS].outcome == "supported"
    assert "On n = 400, from 0.400 with 100 parameters (net) to 1.000 with 1,000 (wide)" in found[GROWS].statement


@pytest.mark.parametrize(
    ("rows", "words"),
    [
        ([row(n=100), row(n=400, failed_checks="labels fixed")], "A self-check failed (labels fixed): nothing follows"),
        ([row(n=100)], "The one set of draws for n = 400 has not finished"),
    ],
)
def test_what_failed_or_is_missing_decides_nothing(rows, words):
    found = judged(*rows)
    assert {finding.outcome for finding in found.values()} == {"no conclusion"}
    assert words in found[FITS].statement


def test_seeds_pool_their_draws():
    table = pd.DataFrame([row(complexity=0.8, seed=0), row(complexity=0.9, seed=1)])
    (own,) = pooled(table).to_dict("records")
    assert own["complexity"] == pytest.approx(0.85)
    assert own["num_draws"] == 128
    assert own["low"] == pytest.approx(0.85 - deviation(np.ones(400), 128, 0.05))
    assert own["bound"] == pytest.approx(generalization_bound(0.0, own["low"], 400))
    assert own["standard_error"] == pytest.approx(np.sqrt((0.02**2 + 0.05**2) / 128))
    assert pooled(pd.DataFrame()).empty


def test_stumps_are_not_trained():
    table = pd.DataFrame([row(), row() | {"model": STUMPS}])
    assert len(pooled(table)) == 1
