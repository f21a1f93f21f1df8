"""How much of a quantity a single column tells: the means of its ranks in bins of the column, cross-validated.

Ranks make outliers of no account: whoever knows the order of targets knows them. Rows of one group, or copies of one
another, are in one fold: a column that only tells groups apart tells nothing of new ones.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float64, Int64
from scipy import stats
from scipy.stats import rankdata

from byrote.evidence.label_permutations import exchange_of, share_as_large
from byrote.evidence.verdicts import SIGNIFICANCE
from byrote.randomness import permutation, stream

MOST_BINS = 64
_ROWS_A_BIN = 4
_FOLDS = 5
_SHUFFLES = 199


@dataclass(frozen=True)
class TellingColumn:
    """The column whose values tell the target best."""

    place: int
    """The column that tells most."""
    removed: float
    """The share of the squared error of a constant, of ranks, that it removes on rows that it was not fitted on."""
    low: float
    """What that exceeds, but for 5 of 100 times, for all columns at once (Bonferroni)."""
    high: float
    """The upper end of its own 95% interval."""
    most: float
    """What the target itself, as a column, removes: of few rows, bins are wide."""


def most_telling(
    values: Float64[np.ndarray, "N D"],
    targets: Float64[np.ndarray, " N"],
    units: Int64[np.ndarray, " N"],
    num_columns: int,
) -> TellingColumn | None:
    """The column that tells the target best; None where there are fewer than five units, or one target alone.

    Args:
        units: equal for rows that are no independent witnesses of one another.
        num_columns: of how many these are the best.
    """
    folds = _folds(units)
    if folds is None or targets.min() == targets.max():
        return None
    ranks = rankdata(targets)[None]
    errors = np.stack([_errors(_bins(column), ranks, folds)[0] for column in values.T])
    guessing = (ranks[0] - ranks.mean()) ** 2
    removed = 1 - errors.mean(axis=1) / guessing.mean()
    best = int(np.argmax(removed))
    parts = (guessing * (1 - removed[best]) - errors[best]) / guessing.mean()
    deviation = math.sqrt(float((np.bincount(np.unique(units, return_inverse=True)[1], parts) ** 2).sum())) / len(parts)
    found = float(removed[best])
    ends = (stats.norm.isf(SIGNIFICANCE / num_columns), stats.norm.isf(SIGNIFICANCE / 2))
    most = 1 - float(_errors(_bins(ranks[0]), ranks, folds).mean() / guessing.mean())
    return TellingColumn(best, found, found - float(ends[0]) * deviation, found + float(ends[1]) * deviation, most)


def chance_of_telling(
    values: Float64[np.ndarray, "N P"],
    targets: Float64[np.ndarray, " N"],
    groups: Int64[np.ndarray, " N"] | None,
    copies: Int64[np.ndarray, " N"],
    reached: float,
) -> float:
    """That some of these columns removes as much of exchanged targets."""
    folds = _folds(copies if groups is None else groups)
    if folds is None:
        return 1.0
    draw = stream(0, "exchanged targets of columns")
    ranks = exchange_of(rankdata(targets), groups, None, copies, of_quantities=True).draw(draw, _SHUFFLES)
    guessing = ((ranks - ranks.mean(axis=1, keepdims=True)) ** 2).mean(axis=1)
    removed = [1 - _errors(_bins(column), ranks, folds).mean(axis=1) / guessing for column in values.T]
    return share_as_large(np.max(removed, axis=0), reached)


def _folds(units: Int64[np.ndarray, " N"]) -> Int64[np.ndarray, " N"] | None:
    names, codes = np.unique(units, return_inverse=True)
    if len(names) < _FOLDS:
        return None
    return (permutation(stream(0, "folds of columns"), len(names)) % _FOLDS)[codes]


def _bins(column: Float64[np.ndarray, " N"]) -> Int64[np.ndarray, " N"]:
    """Each value its own bin where they are few, else as many rows in each; what is missing has one."""
    known = column[~np.isnan(column)]
    num = int(np.clip(len(column) // _ROWS_A_BIN, 2, MOST_BINS))
    edges = np.unique(known)
    if len(edges) > num:
        edges = np.unique(np.quantile(known, np.arange(1, num) / num))
    codes = np.searchsorted(edges, column, side="right")  # NaN comes last
    return np.where(np.isnan(column), len(edges) + 1, codes).astype(np.int64)


def _errors(
    bins: Int64[np.ndarray, " N"], ranks: Float64[np.ndarray, "B N"], folds: Int64[np.ndarray, " N"]
) -> Float64[np.ndarray, "B N"]:
    """Squared, of the means of each bin over the rows of other folds; of all rows where there are none."""
    told = np.empty_like(ranks)
    members = np.equal.outer(bins, np.arange(bins.max() + 1)).astype(np.float64)
    for fold in range(_FOLDS):
        is_held = folds == fold
        counts = members[~is_held].sum(axis=0)
        fitted = ranks[:, ~is_held]
        means = np.where(counts > 0, fitted @ members[~is_held] / np.maximum(counts, 1), fitted.mean(axis=1)[:, None])
        told[:, is_held] = means[:, bins[is_held]]
    return (ranks - told) ** 2
