"""Whether a network has learned what its labels say: the one rule, for the page's first sentence and for every verdict.

*Guessing* is the best constant prediction: always naming the largest class of the test set. A network *learns* where
the lower end of the interval of its test accuracy lies above that, on test examples that are not in training; where
classes are unequal, balanced accuracy may show it too, of which every constant has 1 over the number of classes that
occur in the test set. It is *no better than guessing* only where the interval leaves no lead of LITTLE open: that noise
explains a lead does not make it none. A test set of one class tells nothing, as a constant has all of it.

A claim that a network is far above guessing, or keeps most of another's lead over it, is held against the same
yardsticks: one that shows it suffices, and it is refuted where all of them do.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal, TypeAlias, TypeVar

import numpy as np
import pandas as pd
from jaxtyping import Bool, Int64, UInt64
from scipy import stats

from byrote.data.dataset import Dataset, Split
from byrote.evidence.columns import Column
from byrote.evidence.finding import Outcome
from byrote.evidence.intervals import (
    Interval,
    accuracy_interval,
    exact_ends,
    joined,
    mean_interval,
    within_0_and_1,
)
from byrote.evidence.seed_tests import Sides, seeds_in_words, seeds_wanted
from byrote.evidence.tested import Tested
from byrote.evidence.verdicts import LITTLE, exceeds, lead_kept
from byrote.evidence.words import percent
from byrote.training.outcome import TrainOutcome

SURE = 0.95
STRICT = 0.999
"""Confidence of intervals over test examples, and of those of one seed, which tells nothing of others."""
UNEQUAL = 1.25
"""Classes are called unequal where the largest has more than this times its equal share of the test set: accuracy and
balanced accuracy then begin to tell different things."""
T = TypeVar("T")
LearningOutcome: TypeAlias = Literal["learns", "no better than guessing", "not known"]
_SMALLEST = 1e-9
"""A level below this is told as this."""
_PRECISE = 1.02
"""Times the least level that one is told: at most."""
MOST_EXAMPLES = 1_000_000
"""A lead over guessing that takes more test examples than this to see is none to speak of."""


@dataclass(frozen=True)
class Learning:
    """Whether a network learns."""

    outcome: LearningOutcome
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
    Column("balanced_half_width_strict", "float64", "The half of its 99.9% interval."),
    Column("balanced_guessing", "float64", "What any constant prediction has of it: 1 over the classes that occur."),
    Column("largest_class", "float64", "The share of the largest class among the true training labels."),
)


STANDING = tuple(column.name for column in LEARNING if column.name != "largest_class")


@dataclass(frozen=True)
class Yardstick:
    """What networks have, and what guessing has, on test examples that are not in training."""

    name: Literal["test accuracy", "balanced accuracy"]
    interval: Interval
    guessing: float

    def share(self, accuracy: float) -> float:
        """How much of the errors of guessing is gone, from 0 to 1."""
        return max(accuracy - self.guessing, 0.0) / (1 - self.guessing) if self.guessing < 1 else 0.0


def learning_columns(outcomes: Sequence[TrainOutcome], data: Dataset) -> dict[str, list[float]]:
    """The entries of LEARNING for each run, in the order of `outcomes`, which were made on `data`."""
    labels, train_labels = data.test.true_labels, data.train.true_labels
    largest = float(np.bincount(train_labels).max() / len(train_labels))
    rows = []
    for outcome in outcomes:
        unseen = np.ones(len(labels), dtype=bool)
        unseen[outcome.test_leaked] = False
        rows.append(standing(outcome.test_predictions, labels, unseen, data.test.input_hashes))
    columns = {name: [row[name] for row in rows] for name in STANDING}
    return columns | {"largest_class": [largest] * len(rows)}


def standing(
    predictions: np.ndarray,
    labels: Int64[np.ndarray, " T"],
    unseen: Bool[np.ndarray, " T"],
    inputs: UInt64[np.ndarray, " T"],
) -> dict[str, float]:
    """What one network's predictions come to beside guessing, on the test examples that are not in training:

    guessing: accuracy of the best constant prediction on them; NaN without such.
    balanced_test_accuracy: the mean over the classes that occur of the share of each that is right.
    balanced_half_width, balanced_half_width_strict: of its intervals over test examples, at SURE and STRICT.
    balanced_guessing: what any constant prediction has of it, 1 over the number of classes that occur.

    Args:
        predictions: a class for each test example; NaN follows where there are not as many.
        inputs: equal where those of the examples are: a class of m equal examples counts as one.
    """
    own = labels[unseen]
    if not len(own):
        return dict.fromkeys(STANDING, math.nan)
    sizes = np.bincount(own)
    present = sizes > 0
    found = dict.fromkeys(STANDING, math.nan) | {
        "guessing": float(sizes.max() / len(own)),
        "balanced_guessing": float(1 / np.count_nonzero(sizes)),
    }
    if len(predictions) != len(labels):
        return found
    right = np.bincount(own[predictions[unseen] == own], minlength=len(sizes))
    shares = right[present] / sizes[present]
    found["balanced_test_accuracy"] = float(shares.mean())
    worth = _worth_by_class(own, inputs[unseen], sizes)[present]
    for name, confidence in (("balanced_half_width", SURE), ("balanced_half_width_strict", STRICT)):
        # Wilson's is too short for the few of a rare class.
        low, high = exact_ends(shares * worth, worth, confidence)
        # MOVER: half-widths of independent parts add in squares (Zou and Donner, 2008), the wider side of each.
        half = np.maximum(shares - low, high - shares)
        found[name] = float(np.sqrt((half**2).sum()) / len(half))
    return found


def _worth_by_class(
    labels: Int64[np.ndarray, " T"], inputs: UInt64[np.ndarray, " T"], sizes: Int64[np.ndarray, " K"]
) -> np.ndarray:
    """How many independent draws the examples of each class are worth (`Tested.worth`)."""
    places = np.unique(inputs, return_inverse=True)[1]
    pairs, counts = np.unique(labels * (int(places.max()) + 1) + places, return_counts=True)
    squares = np.bincount(pairs // (int(places.max()) + 1), counts.astype(float) ** 2, minlength=len(sizes))
    return np.divide(sizes.astype(float) ** 2, squares, out=np.zeros(len(sizes)), where=squares > 0)


def top_guessing(test: Split, top: int) -> float:
    """The share of these examples that the best constant list of `top` classes has right; NaN where there are none."""
    sizes = np.sort(np.bincount(test.true_labels))[::-1]
    return float(sizes[:top].sum() / len(test)) if len(test) else math.nan


def unseen_accuracies(runs: pd.DataFrame) -> np.ndarray:
    """Test accuracy of each run on the examples that it was not trained on."""
    leaked = runs["num_test_leaked"].to_numpy(int) > 0
    return np.where(leaked, runs["test_accuracy_unleaked"].to_numpy(float), runs["test_accuracy"].to_numpy(float))


def on_unseen(runs: pd.DataFrame) -> pd.DataFrame:
    """The runs with the test accuracy and generalization gap that they have on the examples that they were not trained
    on: what conditions are compared by, as levels are judged by it."""
    accuracies = unseen_accuracies(runs)
    return runs.assign(test_accuracy=accuracies, generalization_gap=runs["train_accuracy"].to_numpy(float) - accuracies)


def classes_are_unequal(runs: pd.DataFrame) -> bool:
    """Whether one class has clearly more test examples than others."""
    return bool(runs["guessing"].iloc[0] * int(runs["num_classes"].iloc[0]) > UNEQUAL)


def yardsticks(runs: pd.DataFrame, *, strict: float = STRICT, confidence: float = SURE) -> list[Yardstick]:
    """Test accuracy, and balanced accuracy where classes are unequal; none where a constant has all of the test set,
    or no test example is left.

    Args:
        runs: one a seed, on true labels, with the columns of `learning_columns`.
        strict: confidence of the interval of one seed; `confidence` is that of several.
    """
    guessing, constant = (float(runs[name].iloc[0]) for name in ("guessing", "balanced_guessing"))
    if math.isnan(guessing) or constant == 1:
        return []
    found = [_by_accuracy(runs, strict, confidence)]
    balanced = _balanced(runs, strict, confidence) if classes_are_unequal(runs) else None
    return found if balanced is None else [*found, Yardstick("balanced accuracy", balanced, constant)]


def _by_accuracy(runs: pd.DataFrame, strict: float, confidence: float) -> Yardstick:
    interval = accuracy_interval(unseen_accuracies(runs), Tested.on_unseen(runs).worth, strict, confidence)
    return Yardstick("test accuracy", interval, float(runs["guessing"].iloc[0]))


def far_above_guessing(sticks: Sequence[Yardstick], share: float) -> Outcome:
    """Whether this share of the errors of guessing is gone; 0 asks for any lead."""
    return _by_any(sticks, lambda stick: exceeds(stick.interval, stick.guessing + share * (1 - stick.guessing)))


def lead_is_kept(own: Sequence[Yardstick], best: Sequence[Yardstick], share: float) -> Outcome:
    """Whether networks have this share of the lead over guessing that the best have.

    Where the best have none, it is refuted of networks that surely fall short of guessing, and open of others.
    """

    def kept(pair: tuple[Yardstick, Yardstick]) -> Outcome:
        one, other = pair
        if other.interval.mean <= other.guessing:
            return "not supported" if one.interval.high < one.guessing else "no conclusion"
        return exceeds(lead_kept(one.interval, other.interval, one.guessing, share), 0.0)

    return _by_any(list(zip(own, best, strict=True)), kept)


def lead_in_words(own: Sequence[Yardstick], best: Sequence[Yardstick]) -> str:
    """ "without any, 71% to 83% of its lead over guessing in test accuracy are there"; what kept it is left out."""
    told = [
        f"{one.share(one.interval.low) / other.share(other.interval.mean):.0%} to "
        f"{one.share(one.interval.high) / other.share(other.interval.mean):.0%} of its lead over guessing in {one.name}"
        for one, other in zip(own, best, strict=True)
        if other.interval.mean > other.guessing
    ]
    return f"without any, {' and '.join(told)} are there" if told else "there is no lead over guessing"


def _by_any(sticks: Sequence[T], decide: Callable[[T], Outcome]) -> Outcome:
    """Supported by one of them, refuted by all."""
    outcomes = [decide(stick) for stick in sticks]
    if "supported" in outcomes:
        return "supported"
    return "not supported" if outcomes and set(outcomes) == {"not supported"} else "no conclusion"


def beside_guessing(sticks: Sequence[Yardstick]) -> str:
    """Of each yardstick: "has a test accuracy of 93.1% (92.2% to 94.0%), where guessing has 92.0%, of whose errors 2.5%
    to 25.0% are gone".
    """
    if not sticks:
        return "has nothing to show it on: there are not two classes among the test examples that are not in training"
    told = [
        f"a {stick.name} of {percent(stick.interval.mean)} ({percent(stick.interval.low)} to "
        f"{percent(stick.interval.high)}), where guessing has {percent(stick.guessing)}, of whose errors "
        f"{percent(stick.share(stick.interval.low))} to {percent(stick.share(stick.interval.high))} are gone"
        for stick in sticks
    ]
    return f"has {', and '.join(told)}"


def learning(runs: pd.DataFrame) -> Learning:
    """What the runs of one model on true labels show, one a seed, with the columns of `learning_columns`."""
    accuracies, tested = unseen_accuracies(runs), Tested.on_unseen(runs)
    accuracy, balanced = _lead(runs, SURE)
    interval, guessing, constant = accuracy.interval, accuracy.guessing, float(runs["balanced_guessing"].iloc[0])
    outcome = _learned(runs, SURE)
    words = (
        f"{percent(interval.mean)} of {tested.in_words} "
        f"({interval_ends(interval)}), where guessing, which is to name the largest class always, gives "
        f"{percent(guessing)}"
    )
    if balanced is not None:
        words += (
            f"; classes are unequal, and balanced accuracy is {percent(balanced.mean)} ({interval_ends(balanced)}), "
            f"where guessing gives {percent(constant)}"
        )
    wanted = ""
    if outcome == "not known":
        if constant == 1:
            wanted = "Test examples of more than one class would tell."
        elif balanced is not None and interval.high < guessing + LITTLE:
            wanted = _wanted_balanced(runs, balanced, constant)
        else:
            wanted = _wanted(accuracies, interval, tested, guessing)
    return Learning(outcome, interval, guessing, words, wanted)


def learning_sides(runs: pd.DataFrame) -> Sides:
    """The least levels at which intervals would say that they learn, and that they are no better than guessing."""

    def least(outcome: LearningOutcome) -> float:
        if _learned(runs, 0.0) != outcome:
            return 1.0
        found, lost = 1.0, _SMALLEST
        while found > _PRECISE * lost:
            middle = math.sqrt(found * lost)
            if _learned(runs, 1 - middle) == outcome:
                found = middle
            else:
                lost = middle
        return found

    return Sides(least("learns"), least("no better than guessing"))


def _lead(runs: pd.DataFrame, confidence: float) -> tuple[Yardstick, Interval | None]:
    """By accuracy, and by balanced accuracy where classes are unequal."""
    balanced = _balanced(runs, confidence, confidence) if classes_are_unequal(runs) else None
    return _by_accuracy(runs, confidence, confidence), balanced


def _learned(runs: pd.DataFrame, confidence: float) -> LearningOutcome:
    (accuracy, balanced), constant = _lead(runs, confidence), float(runs["balanced_guessing"].iloc[0])
    interval, guessing = accuracy.interval, accuracy.guessing
    if constant == 1:
        return "not known"
    if interval.low > guessing or (balanced is not None and balanced.low > constant):
        return "learns"
    if interval.high < guessing + LITTLE and (balanced is None or balanced.high < constant + LITTLE):
        return "no better than guessing"
    return "not known"


def interval_ends(interval: Interval) -> str:
    """ "95% interval 91% to 94%"."""
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


def _wanted(accuracies: np.ndarray, interval: Interval, tested: Tested, guessing: float) -> str:
    threshold = guessing if interval.mean > guessing + LITTLE / 2 else guessing + LITTLE
    number = examples_wanted(interval.mean, threshold)
    if number is not None and number > tested.worth:
        return f"Some {number:,} test examples{_that_differ(tested)} would tell."
    return seeds_in_words(seeds_wanted(accuracies, threshold))


def _wanted_balanced(runs: pd.DataFrame, balanced: Interval, constant: float) -> str:
    """Where accuracy has been found to be no better than guessing, and balanced accuracy leaves a lead open."""
    threshold = constant if balanced.mean > constant + LITTLE / 2 else constant + LITTLE
    tested, half = Tested.on_unseen(runs), float(runs["balanced_half_width"].mean())
    if half > abs(balanced.mean - threshold) > 0:
        # Half-widths shrink with the root of the number.
        number = tested.worth * (half / (balanced.mean - threshold)) ** 2
        if number > MOST_EXAMPLES:
            return ""
        return f"Some {two_digits(number):,} test examples{_that_differ(tested)} would tell."
    return seeds_in_words(seeds_wanted(runs["balanced_test_accuracy"].to_numpy(float), threshold))


def _that_differ(tested: Tested) -> str:
    return " that differ" if round(tested.worth) < tested.number else ""


def _balanced(runs: pd.DataFrame, strict: float, confidence: float) -> Interval | None:
    values = runs["balanced_test_accuracy"].to_numpy(float)
    if np.isnan(values).any():
        return None
    mean, half = float(values.mean()), _half_width(runs, strict if len(values) == 1 else confidence)
    over_examples = Interval(mean, mean - half, mean + half, Tested.on_unseen(runs).number)
    if len(values) == 1:
        return within_0_and_1(over_examples)
    return within_0_and_1(joined(mean_interval(values, confidence), over_examples))


def _half_width(runs: pd.DataFrame, confidence: float) -> float:
    """Of balanced accuracy over test examples, by what is known of it at SURE and at STRICT."""
    places = [float(stats.norm.ppf((1 + level) / 2)) for level in (SURE, STRICT, confidence)]
    halves = [float(runs[f"balanced_half_width{name}"].mean()) for name in ("", "_strict")]
    return halves[0] + (halves[1] - halves[0]) * (places[2] - places[0]) / (places[1] - places[0])
