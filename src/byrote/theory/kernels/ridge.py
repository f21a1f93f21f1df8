"""Kernel ridge regression, and how it changes when one example is left out or replaced: in closed form.

f minimises (1/n) sum_j (f(x_j) - y_j)^2 + strength |f|^2 over the kernel's space, |f| its norm there. Without example i
the sum has one term less and 1/n stays, as in the source.

Closed form   With Q = (K + n strength I)^-1 and a = Q y: f(x) = k(x).a, and f - f_without_i = (a_i / Q_ii) k(x).Q e_i.
Bound         Let A = (1/n) sum_{j != i} k_j k_j^T + strength, k_j = k(x_j, .). The two normal equations differ by
              A (f - f_without_i) = (1/n) (y_i - f(x_i)) k_i, and A >= strength, so that
                  |f(x) - f_without_i(x)| <= kappa^2 |y_i - f(x_i)| / (strength n)   if k(x, x) <= kappa^2.
              The squared loss changes by |f - f'| |f + f' - 2 y|. With targets and predictions in [0, B] both factors
              are bounded, by kappa^2 B / (strength n) and by 2 B: their product is the constant below. Leaving one
              example out and putting another in changes it by twice that.

Source     Bousquet & Elisseeff, Stability and generalization (JMLR 2002), theorem 22 and example 3; the leave-one-out
           formula is older (PRESS; Allen, 1974).
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property

import torch
from jaxtyping import Float64, Int64
from torch import Tensor

from byrote.theory.kernels.exact import left_out_errors
from byrote.theory.kernels.kernel import Kernel, gram


@dataclass(frozen=True, eq=False)
class KernelRidge:
    """
    Args:
        inputs: the training points.
        strength: of the squared norm, beside the mean of the squared errors; positive.
    """

    kernel: Kernel
    inputs: Float64[Tensor, "N D"]
    targets: Float64[Tensor, " N"]
    strength: float

    def predictions(self, points: Float64[Tensor, "M D"]) -> Float64[Tensor, " M"]:
        """f at `points`."""
        return self._coefficients @ gram(self.kernel, self.inputs, points)

    def without_each(self, points: Float64[Tensor, "M D"]) -> Float64[Tensor, "N M"]:
        """The predictions at `points` of the fit that example i was left out of, for every i."""
        cross = gram(self.kernel, self.inputs, points)
        return self._coefficients @ cross - self._left_out_errors[:, None] * (self._inverse @ cross)

    def with_replaced(
        self,
        places: Int64[Tensor, " P"],
        new_inputs: Float64[Tensor, "P D"],
        new_targets: Float64[Tensor, " P"],
        points: Float64[Tensor, "M D"],
    ) -> Float64[Tensor, "P M"]:
        """The predictions at `points` of the fit in which new example p takes the place `places[p]`, for every p.

        By Sherman and Morrison a new example x' moves a fit by v(x) (y' - f(x')) / (1 + v(x')), where v(x) is what the
        kernel has at (x, x') beyond what the other training points say of it, over n strength.
        """
        cross, new_cross = (gram(self.kernel, self.inputs, each) for each in (points, new_inputs))
        solved, new_solved = self._inverse @ cross, self._inverse @ new_cross
        own = new_solved[places].diagonal() / self._inverse.diagonal()[places]
        ridge = len(self.targets) * self.strength
        at_points = gram(self.kernel, new_inputs, points) - new_cross.T @ solved + own[:, None] * solved[places]
        at_new = (
            self.kernel.diagonal(new_inputs) - (new_cross * new_solved).sum(dim=0) + own * new_solved[places].diagonal()
        )
        weights = self._left_out_errors[places]
        without = self._coefficients @ cross - weights[:, None] * solved[places]
        without_at_new = self._coefficients @ new_cross - weights * new_solved[places].diagonal()
        step = (new_targets - without_at_new) / (ridge + at_new)
        return without + step[:, None] * at_points

    @cached_property
    def _inverse(self) -> Float64[Tensor, "N N"]:
        matrix = gram(self.kernel, self.inputs)
        matrix.diagonal().add_(len(self.targets) * self.strength)
        return torch.cholesky_inverse(torch.linalg.cholesky(matrix))

    @cached_property
    def _coefficients(self) -> Float64[Tensor, " N"]:
        return self._inverse @ self.targets

    @property
    def _left_out_errors(self) -> Float64[Tensor, " N"]:
        """The leave-one-out residuals y_i - f_without_i(x_i)."""
        return left_out_errors(self._coefficients[:, None], self._inverse.diagonal())[:, 0]


def ridge_stability(n: int, strength: float, largest_error: float = 1.0) -> float:
    """2 M^2 / (strength n): by how much leaving one of n examples out changes any squared error at most, where k(x, x)
    is at most 1, so that kappa is 1. Replacing one changes it by at most twice as much.

    Args:
        largest_error: M, of |f(x) - y|, for all fits and examples: B, where targets and predictions are in [0, B], as
            the source has it; else `largest_ridge_error`.
    """
    return 2 * largest_error**2 / (strength * n)


def largest_ridge_error(strength: float) -> float:
    """1 + 1 / sqrt(strength), for targets in [0, 1] and whatever is predicted, where k(x, x) is at most 1.

    f is no worse than 0, so strength |f|^2 <= 1; and |f(x)| <= |f|.
    """
    return 1 + 1 / math.sqrt(strength)
