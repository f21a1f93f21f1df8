from __future__ import annotations

import numpy as np
import pytest
from made_up_runs import outcome, outcomes  # noqa: F401  (fixtures)

from byrote.data.check import Check
from byrote.studies.randomization.answers import answers, overall
from byrote.studies.randomization.findings import findings
from byrote.studies.randomization.study import RandomizationStudy
from byrote.studies.study import tabulate

BROKEN = (Check("share of changed labels", False, "Found 0.5, expected 0.9."),)
ROTE = "Learns, and can learn by rote."


DIVERGED = {"fitted": False, "stop_reason": "non-finite loss"}


def tabled(outcomes, *, guessing=0.1, diverged_at=12.0, largest_class=0.1):
    """The columns that answers read, of a test set whose largest class has this share."""
    table = tabulate("randomization", outcomes)
    return table.reindex(columns=[column.name for column in RandomizationStudy.columns]).assign(
        guessing=guessing,
        balanced_test_accuracy=0.1,
        balanced_half_width=0.1,
        balanced_half_width_strict=0.2,
        balanced_guessing=0.5,
        largest_class=largest_class,
        chance_deviation=0.01,
        initial_weights="a",
        predictable=0.1,
        diverged_at_step=diverged_at,
    )


def answered(outcomes, **columns):
    """What is answered by the findings of these runs alone, as if no others had been planned."""
    return _answers(tabled(outcomes, **columns), outcomes)


def _answers(table, outcomes):
    return answers(table, findings(table, [outcome.spec for outcome in outcomes]), {})


@pytest.mark.parametrize(
    ("runs", "headline", "told"),
    [
        ([("true-labels", {}), ("random-labels", {})], ROTE, "fits random labels of all 64 examples"),
        (
            [("true-labels", {"test_accuracy": 0.1}), ("random-labels", {})],
            "Learns by rote only.",
            "no better than guessing",
        ),
        (
            [("true-labels", {"test_accuracy": 0.12, "n_test": 50}), ("random-labels", {})],
            "Can learn by rote.",
            "With true labels mlp-1x512 gets 12.0% of 50 test examples",
        ),
        ([("random-labels", {})], "Can learn by rote.", "not tried"),
        (
            [("true-labels", {"fitted": False}), ("random-labels", {})],
            "Can learn by rote.",
            "The one run stopped before it had fitted",
        ),
        ([("true-labels", {})], "Not asked.", "No run has random labels"),
        ([("true-labels", {}), ("random-labels", {"fitted": False})], "No conclusion.", "train accuracy 0.400"),
        ([("true-labels", {}), ("random-labels", {"checks": BROKEN})], "No conclusion.", "share of changed labels"),
        ([("true-labels", {"checks": BROKEN}), ("random-labels", {})], "Can learn by rote.", "self-check"),
        (
            [("true-labels", {}), ("random-labels", DIVERGED)],
            "No conclusion.",
            "it has diverged, and more training would not help; try `--learning-rate 0.001`",
        ),
        ([("true-labels", DIVERGED), ("random-labels", {})], "Can learn by rote.", "loss was no longer finite"),
        (
            [("true-labels", {}), ("random-labels", {"ceiling": 0.675, "train_accuracy": 0.675})],
            ROTE,
            "as far as they can be fitted: identical inputs with different labels leave a train accuracy of 67.5% at",
        ),
        (
            [("true-labels", {}), ("random-labels", {"ceiling": 0.11, "train_accuracy": 0.11})],
            "No conclusion.",
            "naming one class always does so well by luck",
        ),
    ],
)
def test_headline(outcome, runs, headline, told) -> None:
    (answer,) = answered([outcome(name, **fields) for name, fields in runs])
    assert answer.headline == headline, answer.sentence
    assert told in answer.sentence
    assert answer.decided is (headline not in ("No conclusion.", "Not asked."))
    assert {gap.guessing for gap in answer.gaps} == {0.1}


def test_always_naming_the_largest_class_is_no_learning(outcome) -> None:
    """92% where one class has 95%, and where one class has 60%."""
    runs = [outcome("true-labels", test_accuracy=0.92), outcome("random-labels")]
    found = {share: answered(runs, guessing=share)[0].headline for share in (0.95, 0.6)}
    assert found[0.95] != ROTE
    assert found[0.6] == ROTE


@pytest.mark.parametrize(
    ("leaked", "right", "headline", "told"),
    [
        (360, 360, "Can learn by rote.", "All 360 test examples are also in the training set: they test memory"),
        (180, 180, "Can learn by rote.", "180 of 360 test examples are also in the training set: what follows about"),
        (36, 36, ROTE, "36 of 360 test examples"),
    ],
)
def test_test_examples_that_are_in_training_come_first_and_do_not_count(outcome, leaked, right, headline, told) -> None:
    """What is right beyond them is chance in the first two, and nearly all in the third."""
    accuracy = (right + (0.1 if leaked > 100 else 0.9) * (360 - leaked)) / 360
    fields = {"test_leaked": np.arange(leaked), "test_leaked_correct": right}
    runs = [outcome("true-labels", test_accuracy=accuracy, **fields), outcome("random-labels", **fields)]
    (answer,) = answered(runs, guessing=np.nan if leaked == 360 else 0.1)
    assert answer.headline == headline, answer.sentence
    assert answer.sentence.startswith(told)


def test_a_loss_that_never_was_a_number_is_the_models_own(outcome) -> None:
    (answer,) = answered([outcome("random-labels", **DIVERGED)], diverged_at=1.0)
    assert "from the very first batch on" in answer.sentence
    assert "--learning-rate" not in answer.sentence


def test_one_unfitted_seed_is_enough_for_no_conclusion(outcome) -> None:
    runs = [outcome("random-labels", seed=seed, fitted=seed > 0) for seed in range(3)]
    (answer,) = answered(runs)
    assert answer.headline == "No conclusion."
    assert answer.sentence.startswith("1 of 3 runs stopped before they had fitted")


@pytest.mark.parametrize(("stop", "unit"), [("at_interpolation", "epochs"), ("at_steps", "steps")])
def test_the_limit_is_told_in_the_unit_that_the_remedy_raises(outcome, stop: str, unit: str) -> None:
    runs = [outcome("random-labels", fitted=False)]
    (answer,) = _answers(tabled(runs).assign(stop=stop), runs)
    assert f"try `--{unit}" in answer.sentence


def test_overall_counts_models_that_differ(outcome) -> None:
    both = [outcome(name, model=model) for name in ("true-labels", "random-labels") for model in ("a", "b")]
    assert overall(answered(both)) == ROTE
    one = [run for run in both if (run.spec.model, run.spec.corruption) != ("b", "random-labels")]
    assert overall(answered(one)) == "1 of 2 models can learn by rote."
    none = [run for run in both if run.spec.corruption == "true-labels"]
    assert overall(answered(none)) == "No conclusion about learning by rote."
