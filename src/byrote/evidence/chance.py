"""What accuracies on true test labels are chance, for a network that was trained on random ones.

Classes are exchangeable under random labels: any renaming of what the network calls them was as likely. But a network
that gives the images of one class few different labels is no die thrown for each image: they all count, or none does.
Its accuracy spreads around 1/K more widely than the draw of the test examples explains, and the more so the fewer
examples it was trained on.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import pandas as pd
from jaxtyping import Int64
from scipy import stats
from scipy.special import ndtri

from byrote.evidence.columns import Column
from byrote.evidence.finding import Outcome
from byrote.evidence.intervals import Interval
from byrote.evidence.seed_tests import Sides, sides_of
from byrote.evidence.tested import Tested
from byrote.evidence.words import count_of_seeds
from byrote.training.outcome import TrainOutcome

SURE, DECISIVE = 0.95, 0.999
"""Confidence at which an accuracy is chance but for a little, and at which it is none: the law of an accuracy over all
renamings may have a heavier tail than the normal one, the heavier the fewer classes a network tells apart."""
NEAR = 0.1
"""An accuracy is near chance within this share of the way from there to all right."""


def chance_deviation(labels: Int64[np.ndarray, " N"], predictions: Int64[np.ndarray, " N"], num_classes: int) -> float:
    """Standard deviation of the accuracy of `predictions` over all K! renamings of their classes; its mean is 1/K.

    The sum of a matrix C along a random permutation has the variance sum d² / (K - 1), where d is C less the means of
    its rows and columns (Hoeffding, A combinatorial central limit theorem, 1951); here C counts predictions by class.
    """
    if num_classes < 2:
        return 0.0
    counts = np.zeros((num_classes, num_classes))
    np.add.at(counts, (labels, predictions), 1)
    centred = counts - counts.mean(0) - counts.mean(1, keepdims=True) + counts.mean()
    return float(np.sqrt((centred**2).sum() / (num_classes - 1)) / len(labels))


CHANCE_DEVIATION = Column(
    "chance_deviation",
    "float64",
    "The standard deviation of the test accuracy over all renamings of the classes.",
)


def chance_deviations(outcomes: Sequence[TrainOutcome], labels: Int64[np.ndarray, " N"]) -> list[float]:
    """The entries of CHANCE_DEVIATION; `labels` are those of the test set."""
    return [
        chance_deviation(labels, np.asarray(outcome.test_predictions, dtype=np.int64), outcome.num_classes)
        for outcome in outcomes
    ]


def chance_of(runs: pd.DataFrame) -> float:
    """1 over the number of classes, of these rows of a study's table."""
    return 1 / int(runs["num_classes"].iloc[0])


def chance_interval(runs: pd.DataFrame, confidence: float) -> Interval:
    """Where the mean test accuracy of these runs on random labels lies, with this probability, if it is chance.

    Args:
        runs: one per seed, with n_test_effective and chance_deviation, which is taken no smaller than a die thrown for
            each example has it.
    """
    chance, half = chance_of(runs), _half_width(runs, confidence)
    return Interval(chance, max(chance - half, 0.0), min(chance + half, 1.0), len(runs))


def _half_width(runs: pd.DataFrame, confidence: float) -> float:
    chance = chance_of(runs)
    least = np.sqrt(chance * (1 - chance) / runs["n_test_effective"].to_numpy(float))
    spread = np.maximum(runs["chance_deviation"].to_numpy(float), least)
    return float(ndtri((1 + confidence) / 2)) * float(np.sqrt((spread**2).sum())) / len(runs)


def _half_width_beyond(runs: pd.DataFrame) -> float:
    """Of the mean accuracy of networks that are NEAR better than chance, at SURE."""
    mean, worth = chance_of(runs) + _near(runs), Tested.on_all(runs).worth
    shared = float(ndtri((1 + SURE) / 2)) * math.sqrt(mean * (1 - mean) / worth)
    return max(shared, _half_width(runs, SURE))


def chance_sides(runs: pd.DataFrame) -> Sides:
    """p-values of "networks like these test at chance": `above` for it, `below` against it.

    Against it at DECISIVE, for it where noise leaves no more than NEAR open: that noise explains an accuracy does not
    make it chance. Under chance seeds are independent, though they share their test set: each has the mean 1/K over
    renamings, whatever the examples. Networks that are NEAR better would not be: the same examples may be right with
    all of them, and their number spreads as that of one network's. Nothing follows where even a network that is right
    everywhere would be explained, as with two classes, of which either name is as likely (`seeds_for_power`), nor where
    there are fewer examples than classes.
    """
    if len(runs) < seeds_for_power(runs) or _too_few_examples(runs):
        return Sides(1.0, 1.0)
    mean, chance = float(runs["test_accuracy"].mean()), chance_of(runs)
    away = abs(mean - chance)
    half = _half_width_beyond(runs)
    near = sides_of(Interval(away, away - half, away + half, len(runs)), _near(runs))
    against = float(stats.norm.sf(ndtri((1 + DECISIVE) / 2) * away / _half_width(runs, DECISIVE)))
    return Sides(near.below, min(1.0, 2 * against * (1 - SURE) / (1 - DECISIVE)))


def tests_at_chance(runs: pd.DataFrame) -> Outcome:
    """Whether networks like these test at chance: see `chance_sides`."""
    found = chance_sides(runs)
    if found.below <= 1 - SURE:
        return "not supported"
    return "supported" if found.above <= 1 - SURE else "no conclusion"


def seeds_for_power(runs: pd.DataFrame) -> int:
    """The least number of seeds with which networks that get all examples right are told from chance at DECISIVE.

    One such network is K - 1 deviations above chance (`chance_deviation` of a permutation is 1 / K), S of them are
    (K - 1) sqrt(S).
    """
    num_classes = int(runs["num_classes"].iloc[0])
    if num_classes < 2:
        return len(runs) + 1
    return math.ceil((float(ndtri((1 + DECISIVE) / 2)) / (num_classes - 1)) ** 2)


def _near(runs: pd.DataFrame) -> float:
    return NEAR * (1 - chance_of(runs))


def _too_few_examples(runs: pd.DataFrame) -> bool:
    return bool((runs["n_train"] < runs["num_classes"]).any())


def verdict_in_words(runs: pd.DataFrame) -> str:
    """ "at chance (...)", "away from chance (...)", or "which tells nothing of chance: ...", with what would tell."""
    outcome = tests_at_chance(runs)
    if outcome != "no conclusion":
        return f"{'at' if outcome == 'supported' else 'away from'} chance ({_chance_in_words(runs)})"
    return f"which tells nothing of chance: {_why_not_known(runs)}"


def _why_not_known(runs: pd.DataFrame) -> str:
    num_classes, needed = int(runs["num_classes"].iloc[0]), seeds_for_power(runs)
    if num_classes < 2:
        return "there is one class alone"
    if _too_few_examples(runs):
        return f"{int(runs['n_train'].min())} training examples cannot show all {num_classes} classes"
    if len(runs) < needed:
        return (
            f"with {num_classes} classes, a network that is right or wrong everywhere is one renaming of its classes "
            f"among few, and random labels give each as often; {needed} seeds would tell (`--seeds {needed}`)"
        )
    chance = chance_interval(runs, DECISIVE)
    return (
        f"chance is {100 * chance.mean:.1f}%, and for {100 * DECISIVE:g}% of all renamings of the classes anything "
        f"from {100 * chance.low:.1f}% to {100 * chance.high:.1f}% ({count_of_seeds(len(runs))}), which leaves "
        f"more than {100 * _near(runs):.1f} points open; {_enough(runs)} would tell"
    )


def _enough(runs: pd.DataFrame) -> str:
    """So many test examples, or seeds of whom each shows as much as one of these does, that the mean would be known to
    half of NEAR."""
    beyond = _half_width_beyond(runs)
    if beyond > _half_width(runs, SURE):
        number = math.ceil(float(runs["n_test"].min()) * (2 * beyond / _near(runs)) ** 2)
        return f"some {number:,} test examples"
    seeds = max(math.ceil(len(runs) * (2 * _half_width(runs, SURE) / _near(runs)) ** 2), len(runs) + 1)
    return f"some {seeds} seeds (`--seeds {seeds}`), or more test examples,"


def _chance_in_words(runs: pd.DataFrame) -> str:
    """ "10.0%; 6.8% to 13.2% is chance for 99.9% of all renamings of the classes, one seed"."""
    interval = chance_interval(runs, DECISIVE)
    return (
        f"{100 * interval.mean:.1f}%; {100 * interval.low:.1f}% to {100 * interval.high:.1f}% is chance for "
        f"{100 * DECISIVE:g}% of all renamings of the classes, {count_of_seeds(len(runs))}"
    )
