import numpy as np
import pandas as pd
import pytest

from byrote.evidence.intervals import Interval
from byrote.studies.largest_n.findings import findings, in_words

ENDS = "net fits random labels up to some n and not beyond"
SATURATES = "The bits that net memorises stop growing with n"
GROWS = "Memorised bits grow with the number of parameters"


def row(model="net", seed=0, **fields):
    values = {
        "model": model,
        "seed": seed,
        "n_train": 1000,
        "largest_n": 200,
        "next_n": 240,
        "next_accuracy": 0.9,
        "next_gain": 0.001,
        "next_stop": "epochs",
        "bits": 600.0,
        "bits_per_parameter": 2.0,
        "bits_growth": 1.02,
        "parameters": 300,
        "failed_checks": "",
    }
    return values | fields


def judged(*rows, models=("net",), seeds=1):
    return {finding.claim: finding for finding in findings(models, pd.DataFrame(rows), seeds)}


def test_a_capacity_that_ends_and_bits_that_saturate():
    found = judged(row(), row(seed=1, bits_growth=1.03), row(seed=2), seeds=3)
    assert found[ENDS].outcome == found[SATURATES].outcome == "supported"
    assert "multiplied them by 1.02. Less than 1.1 counts as none (95% interval over seeds: 1.01 to 1.04)" in (
        found[SATURATES].statement
    )
    one = judged(row())[SATURATES]
    assert one.outcome == "no conclusion"
    assert one.statement.endswith("Three seeds would tell.")
    assert "The largest n is 200 ± 0 (grid steps of a fifth)" in found[ENDS].statement
    assert "At n = 240 runs did not fit: they were ended by their limit of epochs, at a mean accuracy of 0.900" in (
        found[ENDS].statement
    )
    assert "holds 600 ± 0 bits of random labels at most, 2 ± 0 per parameter" in found[SATURATES].statement


def test_seeds_have_an_interval():
    found = judged(row(), row(seed=1, largest_n=240, next_n=285), seeds=2)
    assert "The largest n is 220 ± 254" in found[ENDS].statement
    assert "At n = 240, 285" in found[ENDS].statement


def test_an_accuracy_that_still_rose_has_no_end():
    found = judged(row(next_gain=0.02))
    assert found[ENDS].outcome == "no conclusion"
    assert "with more epochs it may fit more" in found[ENDS].statement


@pytest.mark.parametrize(
    ("stop", "words"), [("steps", "their number of steps"), ("non-finite loss", "the loss was no longer finite")]
)
def test_it_says_what_ended_runs(stop, words):
    assert words in judged(row(next_stop=stop))[ENDS].statement


def test_all_fitted_has_no_end_either():
    missing = dict.fromkeys(("next_n", "next_accuracy", "next_gain", "bits_growth"), np.nan)
    found = judged(row(largest_n=1000, next_stop="", **missing))
    assert {finding.outcome for finding in found.values()} == {"no conclusion"}
    assert "The random labels of all 1,000 examples are fitted" in found[ENDS].statement
    assert "too few examples to see what comes beyond" in found[SATURATES].statement


def test_where_nothing_fitted_nothing_follows():
    found = judged(row(largest_n=np.nan, next_n=10))
    assert {finding.outcome for finding in found.values()} == {"no conclusion"}
    assert "Not even the smallest n tried is fitted. At n = 10 runs did not fit" in found[ENDS].statement


def test_bits_that_still_grow_do_not_saturate():
    rows = [row(seed=seed, bits_growth=growth) for seed, growth in enumerate((1.4, 1.38, 1.41))]
    assert judged(*rows, seeds=3)[SATURATES].outcome == "not supported"
    rows[0]["bits_growth"] = 1.08
    assert judged(*rows, seeds=3)[SATURATES].outcome == "no conclusion"


def test_what_failed_or_is_missing_decides_nothing():
    found = judged(row(failed_checks="labels fixed"))
    assert {finding.outcome for finding in found.values()} == {"no conclusion"}
    assert "A self-check failed (labels fixed)" in found[ENDS].statement
    assert "1 of 2 calculations have not finished" in judged(row(), seeds=2)[SATURATES].statement


@pytest.mark.parametrize(("many", "outcome"), [(2000.0, "supported"), (650.0, "no conclusion")])
def test_parameters_add_bits_where_seeds_tell(many, outcome):
    wide = {"model": "wide", "parameters": 5000}
    rows = [row(), row(seed=1, bits=700.0), row(**wide, bits=many), row(**wide, seed=1, bits=many + 120)]
    found = judged(*rows, models=("net", "wide"), seeds=2)
    assert found[GROWS].outcome == outcome
    assert "in 300 parameters to" in found[GROWS].statement


def test_one_seed_does_not_tell():
    found = judged(row(), row("wide", bits=2000.0), models=("net", "wide"))
    assert found[GROWS].outcome == "no conclusion"
    assert "one seed has no interval" in found[GROWS].statement


def test_figures_in_words():
    assert in_words(Interval(1234.4, np.nan, np.nan, 1)) == "1,234"
    assert in_words(Interval(2.0, 1.75, 2.25, 3), ".2g") == "2 ± 0.25"
