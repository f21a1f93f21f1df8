"""Rank correlation with an interval that is honest about few points."""

from __future__ import annotations

import math

import numpy as np
from jaxtyping import Float
from scipy import stats

from byrote.evidence.intervals import Interval

FEWEST = 4
"""Points that an interval needs: its width has n - 3 in the denominator."""


def rank_correlation(x: Float[np.ndarray, " M"], y: Float[np.ndarray, " M"]) -> Interval:
    """Spearman's rank correlation of M pairs, ties at their mean rank, with the 95% interval of Bonett and Wright
    (2000).

    On Fisher's scale the estimate has a standard error of sqrt((1 + r²/2) / (M - 3)). A perfect correlation, where that
    scale ends, is taken half a step towards the next largest that M ranks without ties can have, 1 - 12 / (M³ - M).

    The ends are NaN with fewer than four pairs; all is NaN where all x or all y are equal.
    """
    ranks = np.stack([stats.rankdata(values) for values in (x, y)])
    num = ranks.shape[1]
    if num < 2 or (np.ptp(ranks, axis=1) == 0).any():
        return Interval(math.nan, math.nan, math.nan, num)
    correlation = float(np.clip(np.corrcoef(ranks)[0, 1], -1, 1))
    if num < FEWEST:
        return Interval(correlation, math.nan, math.nan, num)
    largest = 1 - 6 / (num**3 - num)
    place = math.atanh(max(-largest, min(correlation, largest)))
    half = float(stats.norm.ppf(0.975)) * math.sqrt((1 + correlation**2 / 2) / (num - 3))
    return Interval(correlation, math.tanh(place - half), math.tanh(place + half), num)
