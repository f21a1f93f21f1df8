"""How many of the rows on a ranked list are errors, learnt from errors that were planted.

N rows have a score each, high where an error is likely, and planted errors have theirs. *Recall* R(t) is the share of
planted errors whose score is t or more, F(t) the number of rows as they are with such a score. If true errors are found
as planted ones are,

    F(t) = M R(t) + (right rows with a score of t or more)  >=  M R(t),

so F / R is nowhere below the number M of errors, and equal to it where the list holds errors alone. Where it is least
estimates M: the mixture proportion of a known part, which is as large as the data allow. Of the k rows up to a cut then
M R are errors, and the false discovery rate is 1 - M R / k. The chance that a single row is an error falls along the
list: it is the slope of the least concave line above M R(t) over F(t), by isotonic regression, and the rate at each cut
is the mean of 1 - p up to there.

Least where    A minimum of noisy ratios is too low: it is taken where the ratio with CAUTION standard deviations of the
               count on top, and as many of R, which few planted errors leave open, is least, among cuts with a recall
               of LEAST_RECALL or more.
Purity         Where errors and right rows overlap everywhere, F / R falls to the very top of the list, and what it
               reaches is only an upper bound. So it must have stopped falling at a recall of PURE_RECALL.
Planted rows   A row that is wrong already may be planted into being right. So rows count as planted ones with the
               chance that they are right, which is found in turn.
Intervals      Rows are drawn again with replacement, in F and R alike, and all is computed anew.
Source     Scott, A rate of convergence for mixture proportion estimation (AISTATS 2015); Efron et al., Empirical Bayes
           analysis of a microarray experiment (JASA 96, 2001), for the rate of a single row.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Float64, Int64, Real
from scipy import stats
from scipy.optimize import isotonic_regression

from byrote.evidence.intervals import Interval
from byrote.randomness import stream

LEAST_RECALL = 0.1
PURE_RECALL = 0.3
CAUTION = 3.0
_CUTS = 200
RESAMPLES = 200
_ROUNDS, _FURTHER_ROUNDS = 6, 2
_LEAST_RIGHT = 1e-6


@dataclass(frozen=True, eq=False)
class Planted:
    """Errors of one kind, each in a row that is otherwise as it was."""

    rows: Int64[np.ndarray, " P"]
    """Of the N; a row may be there several times, with an error each."""
    scores: Real[np.ndarray, " P"]


@dataclass(frozen=True, eq=False)
class ErrorRates:
    """Of N rows; cuts are in the order of the list, strictest first."""

    order: Int64[np.ndarray, " N"]
    """Rows, the likeliest errors first."""
    p_wrong: Float64[np.ndarray, " N"]
    """Of the rows, in their own order."""
    p_low: Float64[np.ndarray, " N"]
    p_high: Float64[np.ndarray, " N"]
    num_errors: Interval
    least_at: float
    """The recall at the cut that the number of errors was read off; NaN where no cut allowed it."""
    cut_scores: Float64[np.ndarray, " G"]
    cut_sizes: Int64[np.ndarray, " G"]
    """Rows up to each cut."""
    recall: Float64[np.ndarray, " G"]
    recall_by_kind: Mapping[str, Float64[np.ndarray, " G"]]
    false_share: Float64[np.ndarray, " G"]
    """The stated rate of false discoveries up to each cut."""
    false_low: Float64[np.ndarray, " G"]
    false_high: Float64[np.ndarray, " G"]

    @property
    def is_pure(self) -> bool:
        """Whether the list holds errors alone up to somewhere: else their number is only bounded."""
        return self.least_at >= PURE_RECALL

    @property
    def num_likely(self) -> int:
        """Rows that are more likely wrong than right."""
        return int((self.p_wrong > 0.5).sum())

    def cut_at(self, size: int) -> int:
        """The place of the strictest cut with `size` rows or more; the last, if none has."""
        return min(int(np.searchsorted(self.cut_sizes, size)), len(self.cut_sizes) - 1)


def share_found(own: Real[np.ndarray, " N"], planted: Real[np.ndarray, " P"], length: int) -> float:
    """Of planted errors, those that score no less than the last of the `length` likeliest rows."""
    length = min(length, len(own))
    return float((planted >= np.partition(own, len(own) - length)[len(own) - length]).mean())


def error_rates(
    scores: Real[np.ndarray, " N"], planted: Mapping[str, Planted], seed: int = 0, resamples: int = RESAMPLES
) -> ErrorRates:
    """
    Args:
        scores: of the rows as they are; above 0 where another label is likelier than the one that is given.
        planted: of each kind of error; the first is the kind that true errors are taken to be of.
        resamples: that intervals are made of.
    """
    numbers = np.asarray(scores, dtype=np.float64)
    cuts = _cuts(numbers, np.concatenate([each.scores for each in planted.values()]))
    own = _places(numbers, cuts)
    others = {kind: (each.rows, _places(np.asarray(each.scores, np.float64), cuts)) for kind, each in planted.items()}
    rows, places = next(iter(others.values()))
    num_rows, once, suspects = len(numbers), np.ones(len(numbers)), (numbers > 0).astype(np.float64)
    found = _estimated(own, rows, places, once, len(cuts), suspects, _ROUNDS)
    draw = stream(seed, "resampled rows")
    drawn = []
    for _ in range(max(resamples, 1)):
        weights = np.bincount(draw.integers(num_rows, size=num_rows), minlength=num_rows).astype(np.float64)
        drawn.append(_estimated(own, rows, places, weights, len(cuts), found.p_wrong[own], _FURTHER_ROUNDS))
    low, high = np.quantile([each.num_errors for each in drawn], [0.025, 0.975])
    p_low, p_high = _ends([each.p_wrong for each in drawn], found.p_wrong)
    false_low, false_high = _ends([each.false for each in drawn], found.false)
    right = 1 - found.p_wrong[own]
    return ErrorRates(
        np.argsort(-numbers, kind="stable"),
        found.p_wrong[own],
        p_low[own],
        p_high[own],
        Interval(
            found.num_errors,
            min(float(low), found.num_errors),
            max(float(high), _most_errors(found)),
            num_rows,
        ),
        found.least_at,
        cuts,
        found.sizes.astype(np.int64),
        found.recall,
        {kind: _recall(*each, right, len(cuts)) for kind, each in others.items()},
        found.false,
        false_low,
        false_high,
    )


@dataclass(frozen=True, eq=False)
class _Estimate:
    num_errors: float
    least_at: float
    sizes: Float64[np.ndarray, " G"]
    recall: Float64[np.ndarray, " G"]
    p_wrong: Float64[np.ndarray, " G"]
    """Of the rows between a cut and the stricter one before it."""
    false: Float64[np.ndarray, " G"]


def _cuts(scores: Float64[np.ndarray, " N"], planted: Float[np.ndarray, " P"]) -> Float64[np.ndarray, " G"]:
    """Scores of rows at growing lengths of the list, and scores of planted errors, falling; the last has all rows."""
    ordered = np.sort(scores)[::-1]
    lengths = np.unique(np.geomspace(1, len(ordered), _CUTS).astype(int)) - 1
    shares = np.quantile(planted, np.linspace(0, 1, _CUTS), method="inverted_cdf")
    least = min(float(ordered[-1]), float(shares.min()))
    return np.unique(np.concatenate([ordered[lengths], shares, [least]]))[::-1].astype(np.float64)


def _places(scores: Float64[np.ndarray, "*N"], cuts: Float64[np.ndarray, " G"]) -> Int64[np.ndarray, "*N"]:
    """The strictest cut that each score passes."""
    return np.searchsorted(-cuts, -scores, side="left").astype(np.int64)


def _estimated(
    own: Int64[np.ndarray, " N"],
    rows: Int64[np.ndarray, " P"],
    places: Int64[np.ndarray, " P"],
    weights: Float64[np.ndarray, " N"],
    num_cuts: int,
    p_wrong: Float64[np.ndarray, " N"],
    rounds: int,
) -> _Estimate:
    """
    Args:
        p_wrong: of each row, to begin with.
    """
    sizes = np.cumsum(np.bincount(own, weights, num_cuts))
    for _ in range(rounds):
        right = weights * (1 - p_wrong)
        # Where all seem wrong, none is left to plant errors in.
        right = right if right[rows].sum() > _LEAST_RIGHT * weights[rows].sum() else weights
        found = _read_off(sizes, _recall(rows, places, right, num_cuts), len(rows))
        p_wrong = found.p_wrong[own]
    return found


def _recall(
    rows: Int64[np.ndarray, " P"], places: Int64[np.ndarray, " P"], weights: Float64[np.ndarray, " N"], num_cuts: int
) -> Float64[np.ndarray, " G"]:
    counts = np.bincount(places, weights[rows], num_cuts)
    return np.cumsum(counts) / max(counts.sum(), 1e-12)


def _read_off(sizes: Float64[np.ndarray, " G"], recall: Float64[np.ndarray, " G"], num_planted: int) -> _Estimate:
    allowed = np.flatnonzero(recall >= LEAST_RECALL)
    luck = np.sqrt(sizes[allowed] * (1 - recall[allowed]) + 1)
    own_luck = np.sqrt(np.clip(1 - recall[allowed], 0, 1) / (recall[allowed] * num_planted))
    at = allowed[np.argmin((sizes[allowed] + CAUTION * luck) / recall[allowed] * (1 + CAUTION * own_luck))]
    num_errors = min(sizes[at] / recall[at], sizes[-1])
    errors = np.minimum(num_errors * recall, sizes)
    steps, gains = np.diff(sizes, prepend=0.0), np.diff(errors, prepend=0.0)
    filled = steps > 0
    p_wrong = np.zeros(len(sizes))
    if filled.any():
        # Errors of cuts without rows count for the next that has some.
        gains = np.diff(errors[filled], prepend=0.0)
        slopes = isotonic_regression(gains / steps[filled], weights=steps[filled], increasing=False).x
        p_wrong[filled] = np.clip(slopes, 0, 1)
        behind = np.maximum(np.cumsum(filled) - 1, 0)
        p_wrong = p_wrong[filled][behind]
    expected = np.cumsum(steps * p_wrong)
    false = 1 - np.divide(expected, sizes, out=np.ones_like(sizes), where=sizes > 0)
    false = np.where(sizes > 0, false, 1 - p_wrong)
    return _Estimate(float(num_errors), float(recall[at]), sizes, recall, p_wrong, np.clip(false, 0, 1))


def _most_errors(found: _Estimate) -> float:
    """By the count alone where the number was read off (Poisson, 97.5%): resampling no rows gives none."""
    count = found.num_errors * found.least_at
    return min(float(stats.chi2.ppf(0.975, 2 * (count + 1)) / 2) / max(found.least_at, 1e-12), found.sizes[-1])


def _ends(
    drawn: list[Float64[np.ndarray, " G"]], middle: Float64[np.ndarray, " G"]
) -> tuple[Float64[np.ndarray, " G"], Float64[np.ndarray, " G"]]:
    low, high = np.quantile(np.array(drawn), [0.025, 0.975], axis=0)
    return np.minimum(low, middle), np.maximum(high, middle)
