from __future__ import annotations

import numpy as np
import pytest

from byrote.report.answers import answers, overall, percent
from byrote.studies.study import tabulate
from byrote.training.outcome import Check

BROKEN = (Check("share of changed labels", False, "Found 0.5, expected 0.9."),)
ROTE = "Learns, and can learn by rote."


@pytest.mark.parametrize(
    ("runs", "headline", "told"),
    [
        ([("true-labels", {}), ("random-labels", {})], ROTE, "fits random labels of all 64 examples"),
        ([("true-labels", {"test_accuracy": 0.1}), ("random-labels", {})], "Learns by rote only.", "no better than"),
        ([("random-labels", {})], "Can learn by rote.", "not tried"),
        ([("true-labels", {"fitted": False}), ("random-labels", {})], "Can learn by rote.", "do not compare"),
        ([("true-labels", {})], "Not asked.", "No run has random labels"),
        ([("true-labels", {}), ("random-labels", {"fitted": False})], "No conclusion.", "train accuracy 40.0%"),
        ([("true-labels", {}), ("random-labels", {"checks": BROKEN})], "No conclusion.", "share of changed labels"),
        ([("true-labels", {"checks": BROKEN}), ("random-labels", {})], "No conclusion.", "self-check"),
    ],
)
def test_headline(outcome, runs, headline, told) -> None:
    (answer,) = answers(tabulate("randomization", [outcome(name, **fields) for name, fields in runs]))
    assert answer.headline == headline
    assert told in answer.sentence
    assert answer.decided is (headline not in ("No conclusion.", "Not asked."))
    assert answer.chance == 0.1


def test_one_unfitted_seed_is_enough_for_no_conclusion(outcome) -> None:
    runs = [outcome("random-labels", seed=seed, fitted=seed > 0) for seed in range(3)]
    (answer,) = answers(tabulate("randomization", runs))
    assert answer.headline == "No conclusion."
    assert answer.sentence.startswith("1 of 3 runs stopped before fitting")


def test_overall_counts_models_that_differ(outcome) -> None:
    both = [outcome(name, model=model) for name in ("true-labels", "random-labels") for model in ("a", "b")]
    assert overall(answers(tabulate("x", both))) == ROTE
    one = [run for run in both if (run.spec.model, run.spec.corruption) != ("b", "random-labels")]
    assert overall(answers(tabulate("x", one))) == "1 of 2 models can learn by rote."
    none = [run for run in both if run.spec.corruption == "true-labels"]
    assert overall(answers(tabulate("x", none))) == "No conclusion about learning by rote."


@pytest.mark.parametrize(
    ("fraction", "shown"), [(1.0, "100.0%"), (0.99999, "99.9%"), (0.9714, "97.1%"), (0.0, "0.0%"), (np.nan, "–")]
)
def test_only_all_of_it_reads_100_percent(fraction, shown) -> None:
    assert percent(fraction) == shown
