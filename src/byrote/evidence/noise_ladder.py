"""What is kept of a lead over guessing when labels are random with some chance: the ladder of label noise.

All by balanced accuracy, the mean over classes of the share that is right: every constant has 1 over the number of
classes that occur, and a rule that names the label of a training example nearby, as the nearest neighbour does, falls
in a straight line from what it has on true labels to 1/K, where each label is redrawn uniformly from all K with the
chance r. So the share of its lead over 1/K that a model keeps is told beside 1 - r.

*Benign*: at r = 1/2 more than three quarters are kept, halfway between losing nothing and losing in proportion.
*Catastrophic*: at r = 1/5 less than half is. *Tempered*: neither. The words are those of Mallinar et al. (Benign,
tempered, or catastrophic: a taxonomy of overfitting, NeurIPS 2022), who define them in the limit of many examples, for
models that fit all labels; what is measured here is one n.

Luck has two sources, which the intervals join: which labels are redrawn, with the seed of the fit, and which test rows
there are (whole groups, where rows belong to groups).
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float64, Int64
from scipy import stats

from byrote.evidence.intervals import Interval, joined, joined_p, mean_interval, within_0_and_1

LOW, HALF = 0.2, 0.5
"""The chances of a redrawn label: at a half, what learns through noise is told from what copies labels; at a fifth,
what a few wrong labels destroy."""
RATES = (0.0, LOW, HALF)
BENIGN_KEEPS, CATASTROPHIC_KEEPS = 0.75, 0.5
LEAST_KEPT, MOST_KEPT = -0.5, 1.5
"""Ends of intervals of the share that is kept are looked for between these."""
_HALVINGS = 9


@dataclass(frozen=True)
class Effect:
    """A mean with its 95% interval, and the one-sided p-values that it is 0 or less, and 0 or more."""

    interval: Interval
    p_above: float
    p_below: float


def effect(
    values: Float64[np.ndarray, "D T"],
    labels: Int64[np.ndarray, " T"],
    groups: Int64[np.ndarray, " T"] | None = None,
) -> Effect:
    """The mean over D draws of the mean over classes of what each of T test rows has.

    One draw tells nothing of others: p-values are 1. An error of less than one row is not believed.
    """
    per_draw, rows, freedom = _summary(values, labels, groups)
    mean = float(per_draw.mean())
    half = float(stats.t.ppf(0.975, freedom)) * rows
    over_rows = Interval(mean, mean - half, mean + half, len(labels))
    over_draws = mean_interval(per_draw)
    if len(per_draw) < 2:
        return Effect(over_draws, 1.0, 1.0)
    first = 2 * float(stats.t.sf(abs(mean) / rows, freedom))
    spread = float(per_draw.std(ddof=1)) / math.sqrt(len(per_draw))
    second = 2 * float(stats.t.sf(abs(mean) / spread, len(per_draw) - 1)) if spread > 0 else 0.0
    outer = joined_p(first, second) / 2 if mean else 0.5
    above, below = (outer, 1 - outer) if mean >= 0 else (1 - outer, outer)
    return Effect(joined(over_draws, over_rows), above, below)


def balanced_accuracy(
    right: Bool[np.ndarray, "D T"], labels: Int64[np.ndarray, " T"], groups: Int64[np.ndarray, " T"] | None = None
) -> Interval:
    """Of D fits, with the interval of `effect`; of one fit, that of the test rows."""
    values = right.astype(np.float64)
    if len(values) > 1:
        return within_0_and_1(effect(values, labels, groups).interval)
    per_draw, rows, freedom = _summary(values, labels, groups)
    half = float(stats.t.ppf(0.975, freedom)) * rows
    return within_0_and_1(Interval(float(per_draw[0]), per_draw[0] - half, per_draw[0] + half, len(labels)))


def against_guessing(
    right: Bool[np.ndarray, "D T"],
    labels: Int64[np.ndarray, " T"],
    groups: Int64[np.ndarray, " T"] | None = None,
    margin: float = 0.0,
) -> Effect:
    """The balanced accuracy beyond that of a constant, 1 over the number of classes that occur, and `margin`."""
    return effect(right - (1 / len(np.unique(labels)) + margin), labels, groups)


def kept_beyond(
    share: float,
    after: Bool[np.ndarray, "D T"],
    before: Bool[np.ndarray, "D T"],
    labels: Int64[np.ndarray, " T"],
    num_classes: int,
    groups: Int64[np.ndarray, " T"] | None = None,
) -> Effect:
    """By how much the balanced accuracy on noisy labels exceeds what keeps `share` of the lead over 1/K that there is
    on true labels.

    Args:
        after, before: which test rows are right in each of D fits, on noisy and on true labels.
    """
    return effect(after - share * before.astype(np.float64) - (1 - share) / num_classes, labels, groups)


def kept_share(
    after: Bool[np.ndarray, "D T"],
    before: Bool[np.ndarray, "D T"],
    labels: Int64[np.ndarray, " T"],
    num_classes: int,
    groups: Int64[np.ndarray, " T"] | None = None,
) -> Interval:
    """The share of the lead over 1/K that is kept, with the interval of the shares that `kept_beyond` does not refute
    at 5% (Fieller, 1954), between LEAST_KEPT and MOST_KEPT; NaN without a lead."""
    lead = effect(before - 1 / num_classes, labels, groups)
    if min(lead.p_above, lead.p_below) > 0.025 or lead.interval.mean <= 0:
        return Interval(math.nan, math.nan, math.nan, len(after))
    lost = effect(after - 1 / num_classes, labels, groups)
    mean = lost.interval.mean / lead.interval.mean

    def is_open(share: float) -> bool:
        found = kept_beyond(share, after, before, labels, num_classes, groups)
        return min(found.p_above, found.p_below) > 0.025

    return Interval(mean, _end(is_open, mean, LEAST_KEPT), _end(is_open, mean, MOST_KEPT), len(after))


def _end(is_open: Callable[[float], bool], inner: float, outer: float) -> float:
    """Where shares begin to be refuted, on the way from `inner` to `outer`."""
    if is_open(outer):
        return outer
    for _ in range(_HALVINGS):
        middle = (inner + outer) / 2
        inner, outer = (middle, outer) if is_open(middle) else (inner, middle)
    return outer


def _summary(
    values: Float64[np.ndarray, "D T"], labels: Int64[np.ndarray, " T"], groups: Int64[np.ndarray, " T"] | None
) -> tuple[Float64[np.ndarray, " D"], float, float]:
    """Each draw's mean over classes; the standard error over rows, or groups, of the mean of all; its degrees of
    freedom."""
    _, codes, sizes = np.unique(labels, return_inverse=True, return_counts=True)
    weights = 1 / (len(sizes) * sizes[codes])
    per_draw = values @ weights
    own = values.mean(axis=0)
    means = np.bincount(codes, own) / sizes
    means = np.where(sizes > 1, means, own.mean())
    part = weights * (own - means[codes]) * np.sqrt(np.where(sizes > 1, sizes / np.maximum(sizes - 1, 1), 1.0))[codes]
    units = len(labels)
    if groups is not None:
        _, places = np.unique(groups, return_inverse=True)
        part = np.bincount(places, part)
        units = len(part)
        part = part * math.sqrt(units / max(units - 1, 1))
    error = max(float(np.sqrt((part**2).sum())), 1 / units)
    return per_draw, error, float(max(units - 1, 1))
