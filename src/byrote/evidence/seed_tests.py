"""Whether a figure that every seed gives lies above or below what it would be if there were no effect.

The seed is what a claim about training generalises over: the data are given, initial weights, batch order and random
labels are drawn anew. One seed has no interval, and that of two is nearly all there is.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from jaxtyping import Float
from scipy import stats

from byrote.evidence.intervals import Interval

LEAST_SEEDS = 3
MOST_SEEDS = 30
"""An effect that takes more seeds than this to see is not worth seeing."""
LEVEL = 0.05
"""Of two-sided p-values, so that a claim is supported falsely, and refuted falsely, with a chance of half as much."""


class Sides(NamedTuple):
    """Two-sided p-values: the one of the side on which the figure lies, and 1 for the other."""

    above: float
    below: float


UNKNOWN = Sides(1.0, 1.0)


def sides(
    values: Sequence[float] | Float[np.ndarray, " S"], threshold: float = 0.0, *, least_deviation: float = 0.0
) -> Sides:
    """Student's test that the mean of one value a seed is `threshold`; nothing of seeds that all agree, which do not
    show how others would differ.

    Args:
        least_deviation: of each value, by the measurement alone: seeds that agree to one epoch of training may have a
            difference of less than that.
    """
    array = np.asarray(values, dtype=float)
    if len(array) < LEAST_SEEDS or not np.isfinite(array).all() or array.mean() == threshold:
        return UNKNOWN
    error = max(float(array.std(ddof=1)), least_deviation) / math.sqrt(len(array))
    away = float(array.mean()) - threshold
    if error <= 1e-12 * abs(away):
        return UNKNOWN
    p_value = 2 * float(stats.t.sf(abs(away) / error, len(array) - 1))
    return Sides(p_value, 1.0) if away > 0 else Sides(1.0, p_value)


def sides_of(interval: Interval, threshold: float) -> Sides:
    """Of a 95% interval, with half-widths that grow with confidence as a normal distribution's do; nothing of one
    without a width."""
    away = interval.mean - threshold
    half_width = interval.mean - interval.low if away > 0 else interval.high - interval.mean
    if not math.isfinite(half_width) or not away or not half_width:
        return UNKNOWN
    p_value = 2 * float(stats.norm.sf(abs(away) * float(stats.norm.ppf(0.975)) / half_width))
    return Sides(p_value, 1.0) if away > 0 else Sides(1.0, p_value)


def all_of(*parts: Sides) -> Sides:
    """A claim that says several things: each must hold, and each may refute it (Holm over them)."""
    return Sides(max(part.above for part in parts), min(1.0, len(parts) * min(part.below for part in parts)))


def seeds_wanted(values: Sequence[float] | Float[np.ndarray, " S"], threshold: float = 0.0) -> int | None:
    """The least number of seeds that would tell the mean from `threshold`, if more were like these.

    Three where one or two do not show how seeds differ; None where more than MOST_SEEDS would be needed, or no number
    of values is known.
    """
    array = np.asarray(values, dtype=float)
    if not len(array) or not np.isfinite(array).all():
        return None
    if len(array) < LEAST_SEEDS:
        return LEAST_SEEDS
    away, deviation = abs(float(array.mean()) - threshold), float(array.std(ddof=1))
    if away and deviation <= 1e-12 * away:
        return len(array) + 1  # one that does not agree with the others shows how seeds differ
    for number in range(len(array) + 1, MOST_SEEDS + 1):
        if away * math.sqrt(number) > float(stats.t.ppf(1 - LEVEL / 2, number - 1)) * deviation:
            return number
    return None


def seeds_in_words(number: int | None) -> str:
    """What would decide a claim, as a sentence."""
    if number is None:
        return f"As these seeds differ, {MOST_SEEDS} would not tell: the effect, if there is one, is small."
    if number == LEAST_SEEDS:
        return "Three seeds that agree would tell (`--seeds 3`): fewer do not show by how much seeds differ."
    return f"As these seeds differ, {number} would tell (`--seeds {number}`)."
