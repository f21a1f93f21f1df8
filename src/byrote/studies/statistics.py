"""How sure a figure is: confidence intervals over seeds and over test examples."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy import stats


@dataclass(frozen=True)
class Interval:
    """A mean with the ends of its confidence interval; the ends are NaN where n cannot give one."""

    mean: float
    low: float
    high: float
    n: int
    """The number of values (seeds, test examples) behind it."""


def mean_interval(values: Sequence[float] | np.ndarray, confidence: float = 0.95) -> Interval:
    """The mean of independent values, one per seed, with Student's t interval.

    One value has no interval: its ends are NaN. A NaN among the values (a run that never fitted has no time
    to fit) makes everything but n NaN, since leaving it out would flatter the mean. No values give NaN.
    """
    array = np.asarray(values, dtype=float)
    n = array.size
    mean = float(array.mean()) if n else math.nan
    if n < 2:
        return Interval(mean, math.nan, math.nan, n)
    half_width = float(stats.t.ppf((1 + confidence) / 2, n - 1) * array.std(ddof=1) / math.sqrt(n))
    return Interval(mean, mean - half_width, mean + half_width, n)


def binomial_interval(accuracy: float, n: int, confidence: float = 0.95) -> Interval:
    """An accuracy measured on n independent examples, with Wilson's score interval (Wilson, 1927).

    It covers the draw of the examples, not that of the seed. A NaN accuracy, or n = 0, gives NaN.
    """
    if n == 0 or math.isnan(accuracy):
        return Interval(math.nan, math.nan, math.nan, n)
    ends = stats.binomtest(round(accuracy * n), n).proportion_ci(confidence, method="wilson")
    return Interval(accuracy, float(ends.low), float(ends.high), n)
