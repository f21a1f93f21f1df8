"""The score on all test rows, on those that are not in training too, and the difference, each with its interval.

A share of right answers on rows that belong to no groups has Wilson's interval, and the difference Newcombe's (1998) of
two shares of different rows. Any other score, and any score on rows in groups, is computed anew on rows (or whole
groups) drawn again with replacement; with several fits, the interval over them is joined to that."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float64, Int64

from byrote.audits.metric import Metric, Prediction
from byrote.evidence.intervals import Interval, binomial_interval, joined, mean_interval, within_0_and_1
from byrote.randomness import stream

_RESAMPLES = 1000
_FEWEST_GROUPS = 5


@dataclass(frozen=True)
class HonestScore:
    everything: Interval
    """On all test rows."""
    honest: Interval
    """On those without a copy or a shared group in training; NaN where there are none."""
    difference: Interval
    """By how much the first exceeds the second."""


def honest_score(
    metric: Metric,
    labels: Int64[np.ndarray, " N"],
    predictions: Sequence[Prediction],
    clean: Bool[np.ndarray, " N"],
    groups: Int64[np.ndarray, " N"] | None = None,
) -> HonestScore:
    """The scores of several fits on the same test rows, their mean.

    Args:
        clean: the rows that are honest.
    """
    seeds = [_pair(metric, labels, each, clean) for each in predictions]
    means = np.mean(seeds, axis=0)
    if metric.is_share and groups is None:
        everything, honest, difference = _exact(labels, clean, float(means[0]), float(means[1]))
    else:
        everything, honest, difference = _resampled(metric, labels, predictions, clean, groups, means)
    if len(predictions) > 1:
        array = np.array(seeds)
        everything, honest, difference = (
            joined(mean_interval(values), found)
            for values, found in zip(
                (array[:, 0], array[:, 1], array[:, 0] - array[:, 1]), (everything, honest, difference), strict=True
            )
        )
    if metric.is_share:
        everything, honest = within_0_and_1(everything), within_0_and_1(honest)
    return HonestScore(everything, honest, difference)


def _pair(
    metric: Metric, labels: Int64[np.ndarray, " N"], prediction: Prediction, clean: Bool[np.ndarray, " N"]
) -> tuple[float, float]:
    return metric.value(labels, prediction), metric.value(labels[clean], prediction.take(clean))


def _exact(
    labels: Int64[np.ndarray, " N"], clean: Bool[np.ndarray, " N"], whole: float, honest: float
) -> tuple[Interval, Interval, Interval]:
    n, n_clean = len(labels), int(clean.sum())
    first, second = binomial_interval(whole, n), binomial_interval(honest, n_clean)
    n_leaked = n - n_clean
    if not n_leaked:
        return first, second, Interval(0.0, 0.0, 0.0, n)
    if not n_clean:
        return first, second, Interval(math.nan, math.nan, math.nan, n)
    weight = n_leaked / n
    leaked_mean = min(max((whole * n - honest * n_clean) / n_leaked, 0.0), 1.0)
    leaked = binomial_interval(leaked_mean, n_leaked)
    gap = leaked.mean - second.mean
    low = gap - math.hypot(leaked.mean - leaked.low, second.high - second.mean)
    high = gap + math.hypot(leaked.high - leaked.mean, second.mean - second.low)
    return first, second, Interval(weight * gap, weight * low, weight * high, n)


def _resampled(
    metric: Metric,
    labels: Int64[np.ndarray, " N"],
    predictions: Sequence[Prediction],
    clean: Bool[np.ndarray, " N"],
    groups: Int64[np.ndarray, " N"] | None,
    means: Float64[np.ndarray, " 2"],
) -> tuple[Interval, Interval, Interval]:
    draw = stream(0, "resampled test rows")
    units = _units(len(labels), groups)
    drawn = []
    if len(units) >= _FEWEST_GROUPS:
        for _ in range(_RESAMPLES):
            rows = np.concatenate([units[unit] for unit in draw.integers(len(units), size=len(units))])
            found = [_pair(metric, labels[rows], each.take(rows), clean[rows]) for each in predictions]
            drawn.append(np.mean(found, axis=0))
    array = np.array(drawn).reshape(-1, 2)
    counts = (len(labels), int(clean.sum()), len(labels))
    values = (array[:, 0], array[:, 1], array[:, 0] - array[:, 1])
    centres = (float(means[0]), float(means[1]), float(means[0] - means[1]))
    first, second, third = (
        _interval(centre, found, n) for centre, found, n in zip(centres, values, counts, strict=True)
    )
    return first, second, third


def _units(num_rows: int, groups: Int64[np.ndarray, " N"] | None) -> list[Int64[np.ndarray, " _"]]:
    if groups is None:
        return list(np.arange(num_rows)[:, None])
    order = np.argsort(groups, kind="stable")
    starts = np.flatnonzero(np.diff(groups[order])) + 1
    return np.split(order, starts)


def _interval(centre: float, drawn: Float64[np.ndarray, " B"], n: int) -> Interval:
    known = drawn[~np.isnan(drawn)]
    if not len(known) or math.isnan(centre):
        return Interval(centre, math.nan, math.nan, n)
    low, high = np.quantile(known, [0.025, 0.975])
    return Interval(centre, float(low), float(high), n)
