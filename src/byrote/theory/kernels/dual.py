"""Minimum-norm solutions from the kernel matrix: coefficients alpha of f(x) = sum_i alpha_i k(x_i, x).

With a factor, alpha = (K + ridge I)^-1 Y. Without one, K is singular in its floating-point type: alpha = K^+ Y from its
eigenvectors is the least-squares solution of minimum norm.

Leaving one out in closed form: Rasmussen & Williams, Gaussian processes (2006), equation 5.12.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import Literal

import torch
from jaxtyping import Float, Float64
from torch import Tensor

from byrote.errors import UserError
from byrote.theory.calculation import OnStage
from byrote.theory.kernels.cholesky import condition, factorize, inverse_diagonal, solve

MOST_EIGENVECTORS = 10_000
"""Rows up to which a singular matrix gets its least-squares answer: some minutes on two cores."""

Method = Literal["cholesky", "least-squares", "iterative"]


@dataclass(frozen=True, eq=False)
class Solution:
    """A function in the kernel's space, by its coefficients and its values on the N points, for K targets."""

    alpha: Float64[Tensor, "N K"]
    fitted: Float64[Tensor, "N K"]
    """K alpha"""
    method: Method
    rank: int
    """Of the kernel matrix, as its floating-point type tells it."""
    condition: float
    """Of K + ridge I, between what the rank counts: by `cholesky.condition` or from the eigenvalues."""
    left_out: Float64[Tensor, "N K"] | None
    """The value at each point of the solution from all others."""

    @property
    def squared_norms(self) -> Float64[Tensor, " K"]:
        """alpha' K alpha of each target: the squared norm in the kernel's space, Y' K^-1 Y where Y is interpolated."""
        return (self.alpha * self.fitted).sum(dim=0)


def by_factor(
    matrix: Float[Tensor, "N N"],
    targets: Float64[Tensor, "N K"],
    *,
    ridge: float = 0.0,
    leave_one_out: bool = False,
    on_stage: OnStage,
) -> Solution:
    """The solution of (K + ridge I) alpha = Y, by a factor that is written over the matrix.

    Raises:
        NotPositiveDefinite: there is none; the matrix is then K + ridge I.
    """
    matrix.diagonal().add_(ridge)
    factor = factorize(matrix, on_progress=partial(on_stage, "Cholesky factorisation"))
    on_stage("solution", 0.0)
    alpha, rest = solve(factor, targets)
    left_out = None
    if leave_one_out:
        variances = inverse_diagonal(factor, on_progress=partial(on_stage, "leaving one out"))
        left_out = targets - alpha / variances.double()[:, None]
    return Solution(alpha, targets - rest - ridge * alpha, "cholesky", len(matrix), condition(factor), left_out)


def by_eigenvectors(
    matrix: Float[Tensor, "N N"],
    targets: Float64[Tensor, "N K"],
    *,
    ridge: float = 0.0,
    leave_one_out: bool = False,
    on_stage: OnStage,
) -> Solution:
    """The least-squares solution of minimum norm, from the eigenvectors of K + ridge I, which is what `matrix` holds.

    Eigenvalues below N times the rounding of the largest count as zero, as in NumPy's matrix_rank.

    Raises:
        UserError: a matrix with NaN, or too large for its eigenvectors.
    """
    n, dtype = len(matrix), str(matrix.dtype).removeprefix("torch.")
    if not torch.isfinite(matrix).all():
        raise UserError("got NaN or infinity among the values of the kernel, expected finite numbers; scale the inputs")
    if n > MOST_EIGENVECTORS:
        other = ', dtype="float64"' if dtype == "float32" else ""
        raise UserError(
            f"got a kernel matrix of {n:,} points that is singular in {dtype}, expected one with a Cholesky factor "
            f'beyond {MOST_EIGENVECTORS:,} points; give a ridge > 0{other}, solver="iterative" or fewer points'
        )
    on_stage("eigenvectors", 0.0)
    values, vectors = torch.linalg.eigh(matrix)
    kept = values > n * torch.finfo(matrix.dtype).eps * values.abs().max()
    values, vectors = values[kept].double(), vectors[:, kept].double()
    if not len(values):  # of the kernel that is 0 everywhere
        nothing = torch.zeros_like(targets)
        return Solution(nothing, nothing, "least-squares", 0, 1.0, nothing if leave_one_out else None)
    components = vectors.T @ targets
    alpha = vectors @ (components / values[:, None])
    shrunk = (values - ridge) / values
    fitted = vectors @ (shrunk[:, None] * components)
    left_out = None
    if leave_one_out:
        squares = vectors**2
        left_out = leave_out(targets, fitted, alpha, squares @ shrunk, squares @ (1 / values))
    spread = (values[-1] / values[0]).item()
    return Solution(alpha, fitted, "least-squares", len(values), spread, left_out)


def leave_out(
    targets: Float64[Tensor, "N K"],
    fitted: Float64[Tensor, "N K"],
    alpha: Float64[Tensor, "N K"],
    leverages: Float64[Tensor, " N"],
    variances: Float64[Tensor, " N"],
) -> Float64[Tensor, "N K"]:
    """The values at each point of least-squares solutions from all others.

    The error at a point left out is its residual over 1 - h, where h is its leverage. With h = 1 it is met exactly
    whatever its target: nothing else tells of its direction, and the error is alpha over the diagonal of K^+.
    """
    free = 1 - leverages
    # Leverages are sums of N rounded squares.
    met = free < 100 * len(targets) * torch.finfo(targets.dtype).eps
    errors = torch.where(
        met[:, None], alpha / variances[:, None], (targets - fitted) / torch.where(met, 1.0, free)[:, None]
    )
    return targets - errors
