"""Whether a network has learned what its labels say: the one rule, for the page's first sentence and for every verdict.

*Guessing* is the best constant prediction: always naming the largest class of the test set. A network *learns* where
the lower end of the interval of its test accuracy lies above that, on test examples that are not in training; where
classes are unequal, balanced accuracy may show it too, of which every constant has 1 over the number of classes that
occur in the test set. It is *no better than guessing* only where the interval leaves no lead of LITTLE open: that noise
explains a lead does not make it none. A test set of one class tells nothing, as a constant has all of it.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import pandas as pd
from jaxtyping import Int64
from scipy import stats

from byrote.evidence.columns import Column
from byrote.evidence.intervals import (
    Interval,
    accuracy_interval,
    exact_ends,
    joined,
    mean_interval,
    within_0_and_1,
)
from byrote.evidence.seed_tests import seeds_in_words, seeds_wanted
from byrote.evidence.verdicts import LITTLE
from byrote.evidence.words import percent
from byrote.training.outcome import TrainOutcome

SURE = 0.95
UNEQUAL = 1.25
"""Classes are called unequal where the largest has more than this times its equal share of the test set: accuracy and
balanced accuracy then begin to tell different things."""
MOST_EXAMPLES = 1_000_000
"""A lead over guessing that takes more test examples than this to see is none to speak of."""


@dataclass(frozen=True)
class Learning:
    outcome: Literal["learns", "no better than guessing", "not known"]
    accuracy: Interval
    """On test examples that are not in training, with its 95% interval over seeds and test examples."""
    guessing: float
    words: str
    """The accuracy beside guessing: "97.2% of 360 test examples (95% interval 94.9% to 98.5%), where ..."."""
    wanted: str
    """What would tell, as a sentence; "" where it is known."""


LEARNING = (
    Column(
        "guessing",
        "float64",
        "The accuracy of the best constant prediction on the test examples that are not in training; missing without.",
    ),
    Column(
        "balanced_test_accuracy", "float64", "On them, the mean over the classes that occur of the share that is right."
    ),
    Column("balanced_half_width", "float64", "The half of the 95% interval of that over test examples."),
    Column("balanced_guessing", "float64", "What any constant prediction has of it: 1 over the classes that occur."),
    Column("largest_class", "float64", "The share of the largest class among the true training labels."),
)


def learning_columns(
    outcomes: Sequence[TrainOutcome], labels: Int64[np.ndarray, " T"], train_labels: Int64[np.ndarray, " N"]
) -> dict[str, list[float]]:
    """The entries of LEARNING for each run, in the order of `outcomes`; `labels` are those of the test set,
    `train_labels` the true ones."""
    largest = float(np.bincount(train_labels).max() / len(train_labels))
    rows = [_row(outcome, labels) for outcome in outcomes]
    return {column.name: [(*row, largest)[place] for row in rows] for place, column in enumerate(LEARNING)}


def _row(outcome: TrainOutcome, labels: Int64[np.ndarray, " T"]) -> tuple[float, float, float, float]:
    unseen = np.ones(len(labels), dtype=bool)
    unseen[outcome.test_leaked] = False
    own = labels[unseen]
    if not len(own):
        return math.nan, math.nan, math.nan, math.nan
    sizes = np.bincount(own)
    guessing = float(sizes.max() / len(own))
    balanced_guessing = float(1 / np.count_nonzero(sizes))
    if len(outcome.test_predictions) != len(labels):
        return guessing, math.nan, math.nan, balanced_guessing
    right = np.bincount(own[outcome.test_predictions[unseen] == own], minlength=len(sizes))
    present = sizes > 0
    shares = right[present] / sizes[present]
    low, high = exact_ends(right[present], sizes[present], SURE)  # Wilson's is too short for the few of a rare class
    # MOVER: half-widths of independent parts add in squares (Zou and Donner, 2008), the wider side of each.
    half = np.maximum(shares - low, high - shares)
    return guessing, float(shares.mean()), float(np.sqrt((half**2).sum()) / len(half)), balanced_guessing


def unseen_accuracies(runs: pd.DataFrame) -> np.ndarray:
    """Test accuracy of each run on the examples that it was not trained on."""
    leaked = runs["num_test_leaked"].to_numpy(int) > 0
    return np.where(leaked, runs["test_accuracy_unleaked"].to_numpy(float), runs["test_accuracy"].to_numpy(float))


def num_unseen(runs: pd.DataFrame) -> int:
    """Test examples that are not in training."""
    return int((runs["n_test"] - runs["num_test_leaked"]).min())


def classes_are_unequal(runs: pd.DataFrame) -> bool:
    return bool(runs["guessing"].iloc[0] * int(runs["num_classes"].iloc[0]) > UNEQUAL)


def learning(runs: pd.DataFrame) -> Learning:
    """What the runs of one model on true labels show, one a seed, with the columns of `learning_columns`."""
    accuracies, n_test, guessing = unseen_accuracies(runs), num_unseen(runs), float(runs["guessing"].iloc[0])
    interval = accuracy_interval(accuracies, n_test, SURE)
    balanced = _balanced(runs) if classes_are_unequal(runs) else None
    constant = float(runs["balanced_guessing"].iloc[0])
    outcome: Literal["learns", "no better than guessing", "not known"] = "not known"
    if constant == 1:
        outcome = "not known"
    elif interval.low > guessing or (balanced is not None and balanced.low > constant):
        outcome = "learns"
    elif interval.high < guessing + LITTLE and (balanced is None or balanced.high < constant + LITTLE):
        outcome = "no better than guessing"
    examples = "test example" if n_test == 1 else "test examples"
    words = (
        f"{percent(interval.mean)} of {n_test:,} {examples}{_not_in_training(runs)} "
        f"({interval_of(interval)}), where guessing, which is to name the largest class always, gives "
        f"{percent(guessing)}"
    )
    if balanced is not None:
        words += (
            f"; classes are unequal, and balanced accuracy is {percent(balanced.mean)} ({interval_of(balanced)}), "
            f"where guessing gives {percent(constant)}"
        )
    wanted = ""
    if outcome == "not known":
        if constant == 1:
            wanted = "Test examples of more than one class would tell."
        elif balanced is not None and interval.high < guessing + LITTLE:
            wanted = _wanted_balanced(runs, balanced, constant)
        else:
            wanted = _wanted(accuracies, interval, n_test, guessing)
    return Learning(outcome, interval, guessing, words, wanted)


def interval_of(interval: Interval) -> str:
    return f"95% interval {percent(interval.low)} to {percent(interval.high)}"


def examples_wanted(mean: float, threshold: float) -> int | None:
    """How many test examples would tell an accuracy from a threshold, to two digits; None for more than
    MOST_EXAMPLES."""
    if mean == threshold:
        return None
    spread = max(mean * (1 - mean), threshold * (1 - threshold))
    number = float(stats.norm.ppf((1 + SURE) / 2)) ** 2 * spread / (mean - threshold) ** 2
    if number > MOST_EXAMPLES:
        return None
    return two_digits(number)


def two_digits(number: float) -> int:
    """Rounded up to two digits; 10 at least."""
    unit = 10 ** max(math.floor(math.log10(max(number, 1))) - 1, 0)
    return max(unit * math.ceil(number / unit), 10)


def _wanted(accuracies: np.ndarray, interval: Interval, n_test: int, guessing: float) -> str:
    threshold = guessing if interval.mean > guessing + LITTLE / 2 else guessing + LITTLE
    number = examples_wanted(interval.mean, threshold)
    if number is not None and number > n_test:
        return f"Some {number:,} test examples would tell."
    return seeds_in_words(seeds_wanted(accuracies, threshold))


def _wanted_balanced(runs: pd.DataFrame, balanced: Interval, constant: float) -> str:
    """Where accuracy has been found to be no better than guessing, and balanced accuracy leaves a lead open."""
    threshold = constant if balanced.mean > constant + LITTLE / 2 else constant + LITTLE
    n_test, half = num_unseen(runs), float(runs["balanced_half_width"].mean())
    if half > abs(balanced.mean - threshold) > 0:
        number = n_test * (half / (balanced.mean - threshold)) ** 2  # half-widths shrink with the root of the number
        return f"Some {two_digits(number):,} test examples would tell." if number <= MOST_EXAMPLES else ""
    return seeds_in_words(seeds_wanted(runs["balanced_test_accuracy"].to_numpy(float), threshold))


def _balanced(runs: pd.DataFrame) -> Interval | None:
    values = runs["balanced_test_accuracy"].to_numpy(float)
    if np.isnan(values).any():
        return None
    mean, half = float(values.mean()), float(runs["balanced_half_width"].mean())
    over_examples = Interval(mean, mean - half, mean + half, num_unseen(runs))
    return within_0_and_1(joined(mean_interval(values), over_examples) if len(values) > 1 else over_examples)


def _not_in_training(runs: pd.DataFrame) -> str:
    return " that are not in training" if runs["num_test_leaked"].max() else ""
