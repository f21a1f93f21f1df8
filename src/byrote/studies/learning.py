"""Whether a network has learned what its labels say: the one rule, for the page's first sentence and for every verdict.

*Guessing* is the best constant prediction: always naming the largest class of the test set. A network *learns* where
the lower end of the interval of its test accuracy lies above that, on test examples that are not in training; where
classes are unequal, balanced accuracy may show it too, of which every constant has 1/K. It is *no better than guessing*
only where the interval leaves no lead of LITTLE open: that noise explains a lead does not make it none.
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

from byrote.studies.seed_tests import seeds_in_words, seeds_wanted
from byrote.studies.statistics import Interval, accuracy_interval, binomial_interval, joined, mean_interval
from byrote.studies.verdicts import LITTLE
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


def learning_columns(
    outcomes: Sequence[TrainOutcome], labels: Int64[np.ndarray, " T"], train_labels: Int64[np.ndarray, " N"]
) -> dict[str, list[float]]:
    """Per run, in the order of `outcomes`; `labels` are those of the test set, `train_labels` the true ones:

    guessing: accuracy of the best constant prediction on the test examples that are not in training; NaN without such.
    balanced_test_accuracy: on them, the mean over the classes that occur of the share of each that is right.
    balanced_half_width: of its 95% interval over test examples.
    largest_class: the share of the largest class among the true training labels.
    """
    largest = float(np.bincount(train_labels).max() / len(train_labels))
    rows = [_row(outcome, labels) for outcome in outcomes]
    columns = {name: [row[place] for row in rows] for place, name in enumerate(_COLUMNS)}
    return columns | {"largest_class": [largest] * len(rows)}


_COLUMNS = ("guessing", "balanced_test_accuracy", "balanced_half_width")


def _row(outcome: TrainOutcome, labels: Int64[np.ndarray, " T"]) -> tuple[float, float, float]:
    unseen = np.ones(len(labels), dtype=bool)
    unseen[outcome.test_leaked] = False
    own = labels[unseen]
    if not len(own):
        return math.nan, math.nan, math.nan
    sizes = np.bincount(own)
    guessing = float(sizes.max() / len(own))
    if len(outcome.test_predictions) != len(labels):
        return guessing, math.nan, math.nan
    right = np.bincount(own[outcome.test_predictions[unseen] == own], minlength=len(sizes))
    present = sizes > 0
    of_classes = [
        binomial_interval(int(hits) / int(size), int(size), SURE)
        for hits, size in zip(right[present], sizes[present], strict=True)
    ]
    shares = np.array([one.mean for one in of_classes])
    # MOVER: half-widths of independent parts add in squares (Zou and Donner, 2008), the wider side of each.
    half = np.array([max(one.mean - one.low, one.high - one.mean) for one in of_classes])
    return guessing, float(shares.mean()), float(np.sqrt((half**2).sum()) / len(half))


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
    constant = 1 / int(runs["num_classes"].iloc[0])
    outcome: Literal["learns", "no better than guessing", "not known"] = "not known"
    if interval.low > guessing or (balanced is not None and balanced.low > constant):
        outcome = "learns"
    elif interval.high < guessing + LITTLE and (balanced is None or balanced.high < constant + LITTLE):
        outcome = "no better than guessing"
    words = (
        f"{_percent(interval.mean)} of {n_test:,} test examples{_not_in_training(runs)} "
        f"({interval_of(interval)}), where guessing, which is to name the largest class always, gives "
        f"{_percent(guessing)}"
    )
    if balanced is not None:
        words += (
            f"; classes are unequal, and balanced accuracy is {_percent(balanced.mean)} ({interval_of(balanced)}), "
            f"where guessing gives {_percent(constant)}"
        )
    wanted = "" if outcome != "not known" else _wanted(accuracies, interval, n_test, guessing)
    return Learning(outcome, interval, guessing, words, wanted)


def interval_of(interval: Interval) -> str:
    return f"95% interval {_percent(interval.low)} to {_percent(interval.high)}"


def examples_wanted(mean: float, threshold: float) -> int | None:
    """How many test examples would tell an accuracy from a threshold, to two digits; None for more than
    MOST_EXAMPLES."""
    if mean == threshold:
        return None
    spread = max(mean * (1 - mean), threshold * (1 - threshold))
    number = float(stats.norm.ppf((1 + SURE) / 2)) ** 2 * spread / (mean - threshold) ** 2
    if number > MOST_EXAMPLES:
        return None
    unit = 10 ** max(math.floor(math.log10(max(number, 1))) - 1, 0)
    return max(unit * math.ceil(number / unit), 10)


def _wanted(accuracies: np.ndarray, interval: Interval, n_test: int, guessing: float) -> str:
    threshold = guessing if interval.mean > guessing + LITTLE / 2 else guessing + LITTLE
    number = examples_wanted(interval.mean, threshold)
    if number is not None and number > n_test:
        return f"Some {number:,} test examples would tell."
    return seeds_in_words(seeds_wanted(accuracies, threshold))


def _balanced(runs: pd.DataFrame) -> Interval | None:
    values = runs["balanced_test_accuracy"].to_numpy(float)
    if np.isnan(values).any():
        return None
    mean, half = float(values.mean()), float(runs["balanced_half_width"].mean())
    over_examples = Interval(mean, mean - half, mean + half, num_unseen(runs))
    found = joined(mean_interval(values), over_examples) if len(values) > 1 else over_examples
    return Interval(found.mean, max(found.low, 0.0), min(found.high, 1.0), found.n)


def _not_in_training(runs: pd.DataFrame) -> str:
    return " that are not in training" if runs["num_test_leaked"].max() else ""


def _percent(fraction: float) -> str:
    """Only all of it reads 100.0%."""
    shown = round(100 * fraction, 1)
    return f"{99.9 if shown == 100 and fraction < 1 else shown:.1f}%"
