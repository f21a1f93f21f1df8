"""The score on all test rows, on those that are not in training too, and the difference, each with its interval.

A share of right answers on rows that belong to no groups has Wilson's interval, and the difference Newcombe's (1998) of
two shares of different rows; copies of one row are right or wrong together, so that rows count as what they are worth
(Kish, Survey sampling, 1965). Any other score, and any score on rows in groups, is computed anew on rows (or whole
groups, or rows with their copies) drawn again with replacement, which tells nothing where all answers are right, or
none: there a share of right answers in groups has the former intervals. With several fits, the interval over them is
joined to that.

Percentiles of resamples are too near to each other where units are few: they are taken as far out as makes those of a
mean Student's interval (Hesterberg, What teachers should know about the bootstrap, 2015), of as many units as groups of
such sizes are worth."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np
from jaxtyping import Bool, Float64, Int64, Real
from scipy import stats

from byrote.audits.metric import Metric, Prediction
from byrote.evidence.comparisons import compare, discordant_columns
from byrote.evidence.intervals import Interval, binomial_interval, joined, mean_interval, within_0_and_1
from byrote.evidence.tested import Tested, worth
from byrote.randomness import stream

_RESAMPLES = 1000
_RECHOSEN = 200
_FEWEST_GROUPS = 5


@dataclass(frozen=True)
class HonestScore:
    """The score with and without what training knows."""

    everything: Interval
    """On all test rows."""
    honest: Interval
    """On those without a copy or a shared group in training; NaN where there are none."""
    difference: Interval
    """By how much the first exceeds the second."""


def honest_score(
    metric: Metric,
    labels: Real[np.ndarray, " N"],
    predictions: Sequence[Prediction],
    clean: Bool[np.ndarray, " N"],
    groups: Int64[np.ndarray, " N"] | None = None,
    copies: Int64[np.ndarray, " N"] | None = None,
) -> HonestScore:
    """The scores of several fits on the same test rows, their mean.

    Args:
        clean: the rows that are honest.
        copies: equal for copies of one row; of no account where there are groups.
    """
    seeds = [_pair(metric, labels, each, clean) for each in predictions]
    means = np.mean(seeds, axis=0)
    units = copies if groups is None else groups
    if metric.is_share and (groups is None or means[0] in (0.0, 1.0)):
        everything, honest, difference = _exact(units, clean, float(means[0]), float(means[1]))
    else:

        def pair(rows: Int64[np.ndarray, " M"]) -> tuple[float, float]:
            found = [_pair(metric, labels[rows], each.take(rows), clean[rows]) for each in predictions]
            whole, honest = np.mean(found, axis=0).tolist()
            return whole, honest

        everything, honest, difference = _resampled(pair, units, (len(labels), int(clean.sum())))
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
    metric: Metric, labels: Real[np.ndarray, " N"], prediction: Prediction, clean: Bool[np.ndarray, " N"]
) -> tuple[float, float]:
    whole = metric.value(labels, prediction)
    return whole, whole if clean.all() else metric.value(labels[clean], prediction.take(clean))


def score_and_lead(
    metric: Metric,
    labels: Real[np.ndarray, " N"],
    predictions: Sequence[Prediction],
    groups: Int64[np.ndarray, " N"] | None = None,
    copies: Int64[np.ndarray, " N"] | None = None,
) -> tuple[Interval, Interval]:
    """The mean score of several fits, and by how much it exceeds that of the best constant, on the same rows.

    Of shares of right answers on rows that belong to no groups, the lead is that of `compare`; of a constant it is
    never above 0. All else is resampled as in `honest_score`.

    The constant is chosen on these very rows, and would have less on others: the lead over it is too small, which its
    lower end may be. Its upper end is that over this constant on rows drawn again, and what choosing it was worth.
    """
    everywhere, constant = np.ones(len(labels), dtype=bool), metric.best_constant(labels)
    if metric.is_share and groups is None:
        right = [each.labels == labels for each in predictions]
        others = [constant.labels == labels] * len(right)
        won, lost, agreed = discordant_columns("constant", right, others, [0] * len(right)).values()
        lead = compare(won, lost, agreed, Tested(len(labels), _worth(copies, everywhere))).difference
        lead = replace(lead, high=min(lead.high + _optimism(metric, labels, copies), 1.0))
        if all(len(np.unique(each.labels)) == 1 for each in predictions):
            lead = replace(lead, high=min(lead.high, 0.0))
        return honest_score(metric, labels, predictions, everywhere, None, copies).everything, lead

    def pair(rows: Int64[np.ndarray, " M"]) -> tuple[float, float]:
        scores = [metric.value(labels[rows], each.take(rows)) for each in predictions]
        return float(np.mean(scores)), metric.constant_value(labels[rows], constant.take(rows))

    units, counts = copies if groups is None else groups, (len(labels), len(labels))
    score, _, lead = _resampled(pair, units, counts)
    if metric.of_quantities:

        def against_one(rows: Int64[np.ndarray, " M"]) -> tuple[float, float]:
            scores = [metric.value(labels[rows], each.take(rows)) for each in predictions]
            return float(np.mean(scores)), metric.value(labels[rows], constant.take(rows))

        lead = replace(lead, high=_resampled(against_one, units, counts)[2].high)
    if metric.of_quantities or metric.is_share:
        lead = replace(lead, high=lead.high + _optimism(metric, labels, units))
    seeds = np.array([metric.value(labels, each) for each in predictions])
    if len(seeds) > 1:
        score = joined(mean_interval(seeds), score)
        lead = joined(mean_interval(seeds - metric.chance(labels)), lead)
    if metric.is_share:
        if score.mean in (0.0, 1.0):
            score = honest_score(metric, labels, predictions, everywhere, groups).everything
        score = within_0_and_1(score)
    return score, lead


def _optimism(metric: Metric, labels: Real[np.ndarray, " N"], of_unit: Int64[np.ndarray, " N"] | None) -> float:
    """By how much the best constant of rows is better on them than on those that they are drawn from (Efron & Gong, A
    leisurely look at the bootstrap, 1983)."""
    draw, units = stream(0, "constants chosen anew"), _units(len(labels), of_unit)
    found = []
    for _ in range(_RECHOSEN):
        rows = draw.integers(len(units), size=len(units))
        if of_unit is not None:
            rows = np.concatenate([units[unit] for unit in rows])
        constant = np.full(max(len(labels), len(rows)), metric.simple_constant(labels[rows]))
        found.append(
            metric.value(labels[rows], Prediction(constant[: len(rows)]))
            - metric.value(labels, Prediction(constant[: len(labels)]))
        )
    known = np.array(found)[~np.isnan(found)]
    return max(float(known.mean()), 0.0) if len(known) else 0.0


def _worth(units: Int64[np.ndarray, " N"] | None, chosen: Bool[np.ndarray, " N"]) -> float:
    """How many independent rows the chosen ones are worth, where those of a unit say the same."""
    num = float(chosen.sum())
    return num if units is None else num * worth(units, np.flatnonzero(~chosen))


def _exact(
    units: Int64[np.ndarray, " N"] | None, clean: Bool[np.ndarray, " N"], whole: float, honest: float
) -> tuple[Interval, Interval, Interval]:
    n, n_clean = len(clean), int(clean.sum())
    first = replace(binomial_interval(whole, _worth(units, np.ones(n, dtype=bool))), n=n)
    second = replace(binomial_interval(honest, _worth(units, clean)), n=n_clean)
    n_leaked = n - n_clean
    if not n_leaked:
        return first, second, Interval(0.0, 0.0, 0.0, n)
    if not n_clean:
        return first, second, Interval(math.nan, math.nan, math.nan, n)
    weight = n_leaked / n
    leaked_mean = min(max((whole * n - honest * n_clean) / n_leaked, 0.0), 1.0)
    leaked = binomial_interval(leaked_mean, _worth(units, ~clean))
    gap = leaked.mean - second.mean
    low = gap - math.hypot(leaked.mean - leaked.low, second.high - second.mean)
    high = gap + math.hypot(leaked.high - leaked.mean, second.mean - second.low)
    return first, second, Interval(weight * gap, weight * low, weight * high, n)


def _resampled(
    pair: Callable[[Int64[np.ndarray, " M"]], tuple[float, float]],
    of_unit: Int64[np.ndarray, " N"] | None,
    counts: tuple[int, int],
) -> tuple[Interval, Interval, Interval]:
    """Of two scores and their difference, by what `pair` says of these rows; without ends where units are few.

    Args:
        of_unit: the unit that each row belongs to; None draws rows.
        counts: the number of rows behind each score; all N behind the first.
    """
    draw = stream(0, "resampled test rows")
    units = _units(counts[0], of_unit)
    outside = _share_outside(_worth(of_unit, np.ones(counts[0], dtype=bool)))
    num = _RESAMPLES if len(units) >= _FEWEST_GROUPS else 0
    chosen = (draw.integers(len(units), size=len(units)) for _ in range(num))
    drawn = [pair(np.concatenate([units[unit] for unit in each])) for each in chosen]
    array, (whole, other) = np.array(drawn).reshape(-1, 2), pair(np.arange(counts[0]))
    values = (array[:, 0], array[:, 1], array[:, 0] - array[:, 1])
    first, second, third = (
        _interval(centre, found, n, outside)
        for centre, found, n in zip((whole, other, whole - other), values, (*counts, counts[0]), strict=True)
    )
    return first, second, third


def _units(num_rows: int, groups: Int64[np.ndarray, " N"] | None) -> list[Int64[np.ndarray, " _"]]:
    if groups is None:
        return list(np.arange(num_rows)[:, None])
    order = np.argsort(groups, kind="stable")
    starts = np.flatnonzero(np.diff(groups[order])) + 1
    return np.split(order, starts)


def _share_outside(num_units: float) -> float:
    """Of resamples, on each side of an interval; 2.5% of very many units."""
    num = max(num_units, 2.0)
    return float(stats.norm.sf(math.sqrt(num / (num - 1)) * stats.t.ppf(0.975, num - 1)))


def _interval(centre: float, drawn: Float64[np.ndarray, " B"], n: int, outside: float) -> Interval:
    known = drawn[~np.isnan(drawn)]
    if not len(known) or math.isnan(centre):
        return Interval(centre, math.nan, math.nan, n)
    low, high = np.quantile(known, [outside, 1 - outside])
    return Interval(centre, float(low), float(high), n)
