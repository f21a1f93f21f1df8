"""What accuracies on true test labels are chance, for a network that was trained on random ones.

Classes are exchangeable under random labels: any renaming of what the network calls them was as likely. But a network
that gives the images of one class few different labels is no die thrown for each image: they all count, or none does.
Its accuracy spreads around 1/K more widely than the draw of the test examples explains, and the more so the fewer
examples it was trained on.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd
from jaxtyping import Int64
from scipy import stats

from byrote.studies.statistics import Interval
from byrote.studies.study import Outcome
from byrote.studies.verdicts import LITTLE
from byrote.training.outcome import TrainOutcome

SURE, DECISIVE = 0.95, 0.999
"""Confidence at which an accuracy is chance but for a little, and at which it is none: several are read at once."""


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


def chance_deviations(outcomes: Sequence[TrainOutcome], labels: Int64[np.ndarray, " N"]) -> list[float]:
    """The column chance_deviation of a study's table; `labels` are those of its test set."""
    return [
        chance_deviation(labels, np.asarray(outcome.test_predictions, dtype=np.int64), outcome.num_classes)
        for outcome in outcomes
    ]


def chance_interval(runs: pd.DataFrame, confidence: float) -> Interval:
    """Where the mean test accuracy of these runs on random labels lies, with this probability, if it is chance.

    Args:
        runs: one per seed, with chance_deviation. It is taken no smaller than a die thrown for each example has it.
    """
    chance, half = chance_of(runs), _half_width(runs, confidence)
    return Interval(chance, max(chance - half, 0.0), min(chance + half, 1.0), len(runs))


def chance_of(runs: pd.DataFrame) -> float:
    return 1 / int(runs["num_classes"].iloc[0])


def _half_width(runs: pd.DataFrame, confidence: float) -> float:
    chance = chance_of(runs)
    least = np.sqrt(chance * (1 - chance) / runs["n_test"].to_numpy(float))
    spread = np.maximum(runs["chance_deviation"].to_numpy(float), least)
    return float(stats.norm.ppf((1 + confidence) / 2)) * float(np.sqrt((spread**2).sum())) / len(runs)


def is_at_chance(runs: pd.DataFrame, confidence: float) -> bool:
    interval = chance_interval(runs, confidence)
    return interval.low <= float(runs["test_accuracy"].mean()) <= interval.high


def tests_at_chance(runs: pd.DataFrame) -> Outcome:
    """Whether networks like these test at chance; by the draw of test examples, of seeds and of the classes' names.

    Not supported where 99.9% of all renamings explain less. Supported only where what 95% of them explain leaves no
    lead over guessing of LITTLE open: that noise explains an accuracy does not make it chance, and with few classes or
    few test examples noise explains nearly any.
    """
    away = abs(float(runs["test_accuracy"].mean()) - chance_of(runs))
    if not is_at_chance(runs, DECISIVE):
        return "not supported"
    return "supported" if away + _half_width(runs, SURE) < LITTLE else "no conclusion"


def verdict_in_words(runs: pd.DataFrame) -> str:
    """ "at chance (...)", "away from chance (...)", or why that cannot be told."""
    outcome, told = tests_at_chance(runs), chance_in_words(runs, DECISIVE)
    if outcome != "no conclusion":
        return f"{'at' if outcome == 'supported' else 'away from'} chance ({told})"
    return (
        f"not known to be at chance or away from it ({told}): renamings of its classes explain that, and a lead of "
        f"{100 * LITTLE:g} points over guessing as well; more test examples or seeds would tell, unless classes are few"
    )


def chance_in_words(runs: pd.DataFrame, confidence: float) -> str:
    """ "10.0%; 6.8% to 13.2% is chance for 99.9% of all renamings of the classes, one seed"."""
    interval, seeds = chance_interval(runs, confidence), f"{len(runs)} seeds" if len(runs) > 1 else "one seed"
    return (
        f"{100 * interval.mean:.1f}%; {100 * interval.low:.1f}% to {100 * interval.high:.1f}% is chance for "
        f"{100 * confidence:g}% of all renamings of the classes, {seeds}"
    )
