"""Which of two conditions tests better: over test examples, and over seeds where there are several."""

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

    One seed: McNemar's exact test (1947) on the discordant test examples, those that only one of the two gets right,
    with the interval of Agresti and Min (2005). It covers the draw of the test set, not that of the seed.

    Several seeds: Student's t on the differences, seed by seed, and the one-seed test on the examples of all seeds
    together: the larger p-value, the wider interval. Few seeds may agree, and those that tie have no spread at all,
    while the examples alone make them differ: where both conditions get an example right with chance p, independently,
    the difference there has a variance of 2 p (1 - p), which is also how often it is discordant. So the mean over S
    seeds has a variance of (discordant examples of all seeds) / (S n_test)² at least, with a seed's own luck on top.

    Args:
        only_first, only_second: a number for each seed: the test examples that only that one gets right.
    """
    won, lost = np.asarray(only_first), np.asarray(only_second)
    differences = (won - lost) / n_test
    low, high, p_value = _over_examples(int(won.sum()), int(lost.sum()), len(won) * n_test)
    if len(won) == 1:
        return Comparison(Interval(float(differences[0]), low, high, n_test), p_value, 1)
    over_seeds = mean_interval(differences)
    if np.ptp(differences) > 0:
        p_value = max(p_value, float(stats.ttest_1samp(differences, 0).pvalue))
    ends = min(low, over_seeds.low), max(high, over_seeds.high)
    return Comparison(Interval(over_seeds.mean, *ends, len(won)), p_value, len(won))


def compare_accuracies(first: Sequence[float], second: Sequence[float], n_test: int) -> Comparison:
    """As `compare` with several seeds, where only their accuracies are known.

    The accuracies of a seed tell the least number of examples that are discordant: those by which they differ.
    """
    leads = np.rint((np.asarray(first) - np.asarray(second)) * n_test).astype(int)
    return compare(np.maximum(leads, 0).tolist(), np.maximum(-leads, 0).tolist(), n_test)


def _over_examples(won: int, lost: int, n: int) -> tuple[float, float, float]:
    """The ends of the 95% interval of (won - lost) / n, and the p-value that it is 0.

    Agresti and Min, Simple improved confidence intervals for comparing matched proportions (2005): Wald's, with half
    an example more of each of the four kinds, so that it has a width even where none is discordant, or all are.
    """
    p_value = float(stats.binomtest(won, won + lost).pvalue) if won + lost else 1.0
    centre = (won - lost) / (n + 2)
    half_width = float(stats.norm.ppf(0.975)) * math.sqrt(won + lost + 1 - (won - lost) * centre) / (n + 2)
    return max(centre - half_width, -1.0), min(centre + half_width, 1.0), p_value


def holm(p_values: Sequence[float]) -> Float[np.ndarray, " M"]:
    """The p-values, adjusted so that all M may be read at once (Holm, 1979)."""
    array = np.asarray(p_values, dtype=np.float64)
    order = np.argsort(array)
    adjusted = np.empty_like(array)
    adjusted[order] = np.minimum(np.maximum.accumulate((len(array) - np.arange(len(array))) * array[order]), 1)
    return adjusted
