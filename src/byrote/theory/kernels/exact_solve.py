"""Minimum-norm solutions that have the whole kernel matrix in memory, and what is done where it is singular."""

from __future__ import annotations

import logging
from dataclasses import replace
from functools import partial

import torch
from jaxtyping import Float, Float64
from torch import Tensor

from byrote.errors import UserError
from byrote.theory.calculation import OnStage
from byrote.theory.kernels.cholesky import BLOCK, NotPositiveDefinite
from byrote.theory.kernels.distinct_inputs import DistinctInputs
from byrote.theory.kernels.dual import Solution, by_eigenvectors, by_factor
from byrote.theory.kernels.kernel import Kernel, gram

_LOG = logging.getLogger(__name__)
_ASYMMETRY = 1e-3
"""Of a vector's image under a matrix and its transpose: rounding leaves less in float32, a mistake more."""


def matrix_bytes(num_points: int, dtype: torch.dtype) -> int:
    """Of the kernel matrix, and of the two blocks of columns that work on it beside it takes at most."""
    return (num_points**2 + 2 * num_points * min(num_points, BLOCK)) * dtype.itemsize


def solve_exactly(
    kernel: Kernel,
    x: Float[Tensor, "N D"],
    targets: Float64[Tensor, "N K"],
    *,
    ridge: float = 0.0,
    leave_one_out: bool = False,
    on_stage: OnStage,
) -> Solution:
    """The solution of (K + ridge I) alpha = Y; of minimum norm and least squares if K is singular.

    Equal points with ridge 0 make it so. They are taken as one, with the mean of their targets: the squared loss sees
    no more of them. Then a strictly positive definite kernel has a factor, whatever N is.

    Raises:
        UserError: K is singular for other reasons, and too large for its eigenvectors.
    """

    def matrix_of(points: Tensor) -> Tensor:
        return gram(kernel, points, on_progress=partial(on_stage, "kernel matrix"))

    distinct = DistinctInputs.of(x.cpu().numpy())
    if ridge or len(distinct.rows) == len(x):
        return solve_matrix(matrix_of(x), targets, ridge=ridge, leave_one_out=leave_one_out, on_stage=on_stage)
    rows, places, counts = (
        torch.from_numpy(part).to(x.device) for part in (distinct.rows, distinct.places, distinct.counts)
    )
    sums = targets.new_zeros(len(rows), targets.shape[1]).index_add_(0, places, targets)
    try:
        of_means = by_factor(matrix_of(x[rows]), sums / counts[:, None], leave_one_out=leave_one_out, on_stage=on_stage)
    except NotPositiveDefinite:
        return solve_matrix(matrix_of(x), targets, leave_one_out=leave_one_out, on_stage=on_stage)
    _LOG.warning("%d of %d points equal an earlier one: their targets are met on average", len(x) - len(rows), len(x))
    left_out = of_means.left_out
    if left_out is not None:
        # Without one of several equal points, the others' mean is met.
        others = (counts - 1)[places, None]
        left_out = torch.where(others > 0, (sums[places] - targets) / others.clamp(min=1), left_out[places])
    return replace(
        of_means,
        alpha=(of_means.alpha / counts[:, None])[places],
        fitted=of_means.fitted[places],
        left_out=left_out,
        method="least-squares",
    )


def solve_matrix(
    matrix: Float[Tensor, "N N"],
    targets: Float64[Tensor, "N K"],
    *,
    ridge: float = 0.0,
    leave_one_out: bool = False,
    on_stage: OnStage,
) -> Solution:
    """The same from K, which is overwritten.

    Raises:
        UserError: K is not symmetric; or singular, and too large for its eigenvectors.
    """
    _refuse_asymmetry(matrix)
    try:
        return by_factor(matrix, targets, ridge=ridge, leave_one_out=leave_one_out, on_stage=on_stage)
    except NotPositiveDefinite:
        solution = by_eigenvectors(matrix, targets, ridge=ridge, leave_one_out=leave_one_out, on_stage=on_stage)
    dtype = str(matrix.dtype).removeprefix("torch.")
    _LOG.warning(
        "the kernel matrix of %d points has rank %d in %s: least squares of minimum norm",
        *(len(matrix), solution.rank, dtype),
    )
    return solution


def require_memory(num_points: int, dtype: torch.dtype, budget: int, *, needs_matrix: bool) -> None:
    """Says in the log what the matrix needs and what there is.

    Args:
        needs_matrix: whether no other solver could do.

    Raises:
        UserError: the budget is smaller.
    """
    sizes = sizes_of(num_points, dtype, budget)
    _LOG.info(sizes)
    if matrix_bytes(num_points, dtype) > budget:
        remedies = ["fewer points", "more memory_budget"]
        remedies[:0] = ['dtype="float32"'] if dtype == torch.float64 else []
        remedies[1:1] = [] if needs_matrix else ['solver="iterative"']
        raise UserError(f"got {sizes}, expected no more than that; take {', '.join(remedies[:-1])} or {remedies[-1]}")


def sizes_of(num_points: int, dtype: torch.dtype, budget: int) -> str:
    """ "a kernel matrix of 60,000 points in float32, which takes 13.9 GiB where 20.0 GiB are available" """
    needed, available = (number / 2**30 for number in (matrix_bytes(num_points, dtype), budget))
    name = str(dtype).removeprefix("torch.")
    return (
        f"a kernel matrix of {num_points:,} points in {name}, "
        f"which takes {needed:.3g} GiB where {available:.3g} GiB are available"
    )


def _refuse_asymmetry(matrix: Float[Tensor, "N N"]) -> None:
    """By the images of one vector, which costs as much as reading the matrix twice."""
    vector = torch.linspace(-1, 1, len(matrix), dtype=matrix.dtype, device=matrix.device).cos_()
    image, other = matrix @ vector, matrix.T @ vector
    if (image - other).abs().max() > _ASYMMETRY * image.abs().max():
        raise UserError("got a kernel matrix that is not symmetric, expected k(x, y) = k(y, x) for all pairs of points")
