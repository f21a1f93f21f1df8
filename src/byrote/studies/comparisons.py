"""Which of two conditions tests better: over seeds where there are several, over test examples where there is one."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float
from scipy import stats

from byrote.studies.statistics import Interval, mean_interval


@dataclass(frozen=True)
class Comparison:
    """By how much the first of two conditions has the higher test accuracy."""

    difference: Interval
    """As a fraction, with its 95% interval; n counts seeds, or test examples with one seed."""
    p_value: float
    """Two-sided, that there is no difference."""
    num_seeds: int


def compare(only_first: Sequence[int], only_second: Sequence[int], n_test: int) -> Comparison:
    """Two conditions with the same seeds and test set.

    Several seeds: Student's t on the differences, seed by seed. One seed: McNemar's exact test (1947) on the test
    examples that only one of the two gets right; it covers the draw of the test set, not that of the seed.

    Args:
        only_first, only_second: a number for each seed: the test examples that only that one gets right.
    """
    won, lost = np.asarray(only_first), np.asarray(only_second)
    if len(won) > 1:
        differences = (won - lost) / n_test
        if np.ptp(differences) == 0:
            p_value = 0.0 if differences[0] else 1.0
        else:
            p_value = float(stats.ttest_1samp(differences, 0).pvalue)
        return Comparison(mean_interval(differences), p_value, len(won))
    discordant, lead = int(won[0] + lost[0]), int(won[0] - lost[0])
    p_value = float(stats.binomtest(int(won[0]), discordant).pvalue) if discordant else 1.0
    half_width = float(stats.norm.ppf(0.975)) * math.sqrt(max(discordant - lead**2 / n_test, 0)) / n_test
    difference = lead / n_test
    return Comparison(Interval(difference, difference - half_width, difference + half_width, n_test), p_value, 1)


def holm(p_values: Sequence[float]) -> Float[np.ndarray, " M"]:
    """The p-values, adjusted so that all M may be read at once (Holm, 1979)."""
    array = np.asarray(p_values, dtype=np.float64)
    order = np.argsort(array)
    adjusted = np.empty_like(array)
    adjusted[order] = np.minimum(np.maximum.accumulate((len(array) - np.arange(len(array))) * array[order]), 1)
    return adjusted
