"""Whether test error, as networks grow, peaks near the interpolation threshold and falls again: double descent.

Source     Belkin, Hsu, Ma, Mandal, Reconciling modern machine-learning practice and the classical bias-variance
           trade-off (PNAS 2019); Nakkiran et al., Deep double descent (ICLR 2020), hypothesis 1.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cache

import numpy as np
from jaxtyping import Bool, Float
from scipy import stats

NEAR = 4.0
"""A peak is near the threshold within this factor of its parameters: sizes may be a factor of two apart, and noisy
labels are fitted gradually."""
CONFIDENCE = 0.95


@dataclass(frozen=True)
class Peak:
    """Positions along the sizes, and test errors as fractions."""

    size: int
    best_below: int
    """The size with the lowest mean test error among the smaller ones."""
    best_above: int
    prominence: float
    """By how much its mean test error exceeds the higher of these two; negative where there is no peak."""


def interpolation_threshold(fitted: Bool[np.ndarray, "S W"]) -> int | None:
    """The first of W sizes from which on every size has fitted with all S seeds; None if the largest has not."""
    every = np.atleast_1d(fitted.all(axis=0))
    unfitted = np.flatnonzero(~every)
    first = int(unfitted[-1]) + 1 if unfitted.size else 0
    return first if first < len(every) else None


def highest_peak(errors: Float[np.ndarray, "S W"], parameters: Float[np.ndarray, " W"], threshold: int) -> Peak | None:
    """The most prominent peak of mean test error within a factor NEAR of the size at `threshold`.

    None where no size near it has one on either side.
    """
    mean = errors.mean(axis=0)
    peaks = []
    for size in range(1, len(mean) - 1):
        if abs(math.log(parameters[size] / parameters[threshold])) > math.log(NEAR) + 1e-9:
            continue
        below, above = int(mean[:size].argmin()), size + 1 + int(mean[size + 1 :].argmin())
        peaks.append(Peak(size, below, above, float(mean[size] - max(mean[below], mean[above]))))
    return max(peaks, key=lambda peak: peak.prominence, default=None)


def honest_difference(errors: Float[np.ndarray, "S W"], first: int, second: int, worth: int | float) -> float:
    """By how much the mean test errors of these two out of W sizes must differ to differ beyond noise (95%).

    The two were picked by their errors, so the bound holds for all pairs at once. For the draw of examples, the spread
    of two errors measured on so many examples each as the test set is worth (as many for all seeds, which share them;
    one more right and one more wrong, so that it is never 0), with Bonferroni's correction. With one seed that is all,
    and covers no luck of seeds. For several, Tukey's honestly significant difference with the seeds as blocks, from the
    spread of seeds that is pooled over all sizes; the squares of the two add up.
    """
    num_seeds, num_sizes = errors.shape
    pair = (errors[:, [first, second]].mean(axis=0) * worth + 1) / (worth + 2)
    of_examples = math.sqrt(float((pair * (1 - pair)).sum()) / worth)
    of_examples *= float(stats.norm.ppf(1 - (1 - CONFIDENCE) / (num_sizes * (num_sizes - 1))))
    if num_seeds == 1:
        return of_examples
    residual = errors - errors.mean(axis=0) - errors.mean(axis=1, keepdims=True) + errors.mean()
    freedom = (num_seeds - 1) * (num_sizes - 1)
    spread = math.sqrt(float((residual**2).sum()) / freedom / num_seeds)
    return math.hypot(_studentized_range(num_sizes, freedom) * spread, of_examples)


@cache
def _studentized_range(num_sizes: int, freedom: int) -> float:
    """The quantile takes a tenth of a second."""
    return float(stats.studentized_range.ppf(CONFIDENCE, num_sizes, freedom))


def stands_out(errors: Float[np.ndarray, "S W"], peak: Peak, worth: int | float) -> bool:
    """Whether the test error at a peak exceeds that on both of its sides beyond noise."""
    mean = errors.mean(axis=0)
    return all(
        mean[peak.size] - mean[side] > honest_difference(errors, peak.size, side, worth)
        for side in (peak.best_below, peak.best_above)
    )
