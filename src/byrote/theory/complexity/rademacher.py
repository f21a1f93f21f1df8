"""Empirical Rademacher complexity: how well a class of functions fits coin flips on n given points.

R = E_sigma sup_h (1/n) sum_i sigma_i h(x_i), where the sigma_i are independent and +1 or -1 with chance 1/2; without a
factor 2 and without an absolute value. Of functions with values in [-1, 1] it lies between 0 and 1, where 1 means that
the class fits every labelling of the points.

Source     Bartlett & Mendelson, Rademacher and Gaussian complexities (JMLR 2002); Mohri, Rostamizadeh & Talwalkar,
           Foundations of machine learning (2nd edition, 2018), chapter 3.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float64

from byrote.randomness import stream

MOST_ENUMERATED = 16
"""Up to so many points all 2^n sign vectors are gone through: 65,536 of them."""
_BLOCK = 4096


class HypothesisClass(ABC):
    """Functions h on N given points, of which only their values there matter. Subclasses are final and frozen."""

    @property
    @abstractmethod
    def ranges(self) -> Float64[np.ndarray, " N"]:
        """The largest |h(x_i)| of the class on each point."""

    @abstractmethod
    def suprema(self, signs: Float64[np.ndarray, "M N"]) -> Float64[np.ndarray, " M"]:
        """sup_h (1/n) sum_i sigma_i h(x_i), exactly, for each of M sign vectors."""

    @property
    @abstractmethod
    def upper_bound(self) -> float:
        """A proven upper bound on the expectation over sign vectors."""

    @property
    def num_points(self) -> int:
        """N."""
        return len(self.ranges)


@dataclass(frozen=True)
class RademacherComplexity:
    """The complexity R of a class on its points."""

    value: float
    """R itself where it is enumerated, else the mean over the draws."""
    low: float
    high: float
    """R lies between them with the confidence asked for; both are `value` where it is enumerated."""
    upper_bound: float
    """What the class proves of itself."""
    num_draws: int
    """Sign vectors behind it: all 2^n, or as many as were drawn."""
    is_exact: bool


def rademacher_complexity(
    hypotheses: HypothesisClass, *, draws: int = 1000, seed: int = 0, confidence: float = 0.95
) -> RademacherComplexity:
    """The empirical Rademacher complexity: the mean over all sign vectors for up to 16 points, over `draws` beyond.

    The interval of a mean over draws is McDiarmid's (see `deviation`): it assumes nothing and holds for any number.
    """
    n = hypotheses.num_points
    if n <= MOST_ENUMERATED:
        value = _mean_supremum(hypotheses, all_signs(n))
        return RademacherComplexity(value, value, value, hypotheses.upper_bound, 2**n, True)
    value = _mean_supremum(hypotheses, draw_signs(draws, n, seed))
    radius = deviation(hypotheses.ranges, draws, (1 - confidence) / 2)
    low, high = max(value - radius, 0.0), min(value + radius, float(hypotheses.ranges.mean()))
    return RademacherComplexity(value, low, high, hypotheses.upper_bound, draws, False)


def deviation(ranges: Float64[np.ndarray, " N"], draws: int, risk: float) -> float:
    """How far below (or above) R the mean of `draws` suprema lies with a chance of at most `risk` (McDiarmid, 1989).

    Changing one sign moves its draw's supremum by at most 2 r_i / n, and so their mean by c_i = 2 r_i / (n M). The
    chance of a deviation t is at most exp(-2 t^2 / sum of all c_i^2), and that sum is 4 |r|^2 / (n^2 M).
    """
    squares = 4 * float(ranges @ ranges) / len(ranges) ** 2
    return math.sqrt(squares * math.log(1 / risk) / (2 * draws))


def massart_bound(num_patterns: int, num_points: int) -> float:
    """Massart's lemma: a class with values +1 and -1, which makes so many patterns of them on n points, has R at most
    sqrt(2 log(patterns) / n). A pattern has the norm sqrt(n) (Mohri et al., 2018, theorem 3.7)."""
    return math.sqrt(2 * math.log(num_patterns) / num_points)


def generalization_bound(training_error: float, complexity: float, num_examples: int, risk: float = 0.05) -> float:
    """What R bounds: with a chance of at least 1 - `risk` over the n examples, every h of the class with values +1 and
    -1 has a 0-1 error of at most training error + R + 3 sqrt(log(2 / risk) / (2 n)).

    Mohri et al. (2018), theorem 3.5. The bound has twice the complexity of the losses (1 - y h) / 2, and that is R / 2,
    since y_i sigma_i is as random as sigma_i: R comes with the factor 1. Of the factor 3, one part goes to the errors,
    and two to the distance of twice that complexity, which is that of the given points, from its mean over samples.
    """
    return training_error + complexity + 3 * math.sqrt(math.log(2 / risk) / (2 * num_examples))


def all_signs(num_points: int) -> Float64[np.ndarray, "M N"]:
    """All 2^n sign vectors; row m has +1 where the binary digits of m have 1, the first point's digit lowest."""
    digits = (np.arange(2**num_points)[:, None] >> np.arange(num_points)) & 1
    return 2.0 * digits - 1.0


def draw_signs(draws: int, num_points: int, seed: int) -> Float64[np.ndarray, "M N"]:
    """M vectors of fair signs, the same for the same seed."""
    return np.where(stream(seed, "signs").random((draws, num_points)) < 0.5, -1.0, 1.0)


def _mean_supremum(hypotheses: HypothesisClass, signs: Float64[np.ndarray, "M N"]) -> float:
    blocks = [signs[start : start + _BLOCK] for start in range(0, len(signs), _BLOCK)]
    return float(np.concatenate([hypotheses.suprema(block) for block in blocks]).mean())
