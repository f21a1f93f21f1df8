"""Minimum-norm solutions, exactly: from the kernel matrix, or for the linear kernel from the features.

From the matrix: coefficients alpha of f(x) = sum_i alpha_i k(x_i, x). With a factor, alpha = (K + ridge I)^-1 Y.
Without one, K is singular in its floating-point type: alpha = K^+ Y from its eigenvectors is the least-squares solution
of minimum norm.

From the features, of which there are fewer than points: X = Q R is found block by block of rows, Q' Y along with it,
and R = U S V' then gives everything: the coefficients V S^+ Q' U' Y, the rank, leverages. X' X is never formed, whose
condition number is the square of X's.

Source     Golub & Van Loan, Matrix computations (4th edition, 2013), 5.5; by blocks: Demmel et al.,
           Communication-optimal parallel and sequential QR and LU factorizations (2012). Leaving one out in closed
           form: Rasmussen & Williams, Gaussian processes (2006), equation 5.12.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass, replace
from functools import partial
from typing import Literal

import torch
from jaxtyping import Float, Float64
from torch import Tensor

from byrote.data.distinct_inputs import DistinctInputs
from byrote.errors import UserError
from byrote.theory.calculation import OnStage
from byrote.theory.kernels.cholesky import (
    BLOCK,
    NotPositiveDefinite,
    condition,
    factorize,
    inverse_diagonal,
    solve,
)
from byrote.theory.kernels.kernel import Kernel, gram

_LOG = logging.getLogger(__name__)
MOST_EIGENVECTORS = 10_000
"""Rows up to which a singular matrix gets its least-squares answer: some minutes on two cores."""
_ASYMMETRY = 1e-3
"""Of a vector's image under a matrix and its transpose: rounding leaves less in float32, a mistake more."""
_BLOCK_ROWS = 2048
"""Of the features, worked on at a time."""

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


@dataclass(frozen=True, eq=False)
class System:
    """(K + ridge I) alpha = Y, and what is asked about its solution."""

    targets: Float64[Tensor, "N K"]
    """Y"""
    on_stage: OnStage
    ridge: float = 0.0
    leave_one_out: bool = False
    """Whether to find the value at each point of the solution from all others too."""


def matrix_bytes(num_points: int, dtype: torch.dtype) -> int:
    """Of the kernel matrix, and of the two blocks of columns that work on it beside it takes at most."""
    return (num_points**2 + 2 * num_points * min(num_points, BLOCK)) * dtype.itemsize


def solve_exactly(kernel: Kernel, x: Float[Tensor, "N D"], system: System) -> Solution:
    """The solution; of minimum norm and least squares if K is singular.

    Equal points with ridge 0 make it so. They are taken as one, with the mean of their targets: the squared loss sees
    no more of them. Then a strictly positive definite kernel has a factor, whatever N is.

    Raises:
        UserError: K is singular for other reasons, and too large for its eigenvectors.
    """

    def matrix_of(points: Tensor) -> Tensor:
        return gram(kernel, points, on_progress=partial(system.on_stage, "kernel matrix"))

    targets, distinct = system.targets, DistinctInputs.of(x.cpu().numpy())
    if system.ridge or len(distinct.rows) == len(x):
        return solve_matrix(matrix_of(x), system)
    rows, places, counts = (
        torch.from_numpy(part).to(x.device) for part in (distinct.rows, distinct.places, distinct.counts)
    )
    sums = targets.new_zeros(len(rows), targets.shape[1]).index_add_(0, places, targets)
    try:
        of_means = by_factor(matrix_of(x[rows]), replace(system, targets=sums / counts[:, None]))
    except NotPositiveDefinite:
        return solve_matrix(matrix_of(x), system)
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


def solve_matrix(matrix: Float[Tensor, "N N"], system: System) -> Solution:
    """The same from K, which is overwritten.

    Raises:
        UserError: K is not symmetric; or singular, and too large for its eigenvectors.
    """
    _refuse_asymmetry(matrix)
    try:
        return by_factor(matrix, system)
    except NotPositiveDefinite:
        solution = by_eigenvectors(matrix, system)
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


def by_factor(matrix: Float[Tensor, "N N"], system: System) -> Solution:
    """The solution by a factor that is written over the matrix.

    Raises:
        NotPositiveDefinite: there is none; the matrix is then K + ridge I.
    """
    matrix.diagonal().add_(system.ridge)
    factor = factorize(matrix, on_progress=partial(system.on_stage, "Cholesky factorisation"))
    system.on_stage("solution", 0.0)
    alpha, rest = solve(factor, system.targets)
    fitted, left_out = system.targets - rest - system.ridge * alpha, None
    if system.leave_one_out:
        variances = inverse_diagonal(factor, on_progress=partial(system.on_stage, "leaving one out"))
        left_out = system.targets - left_out_errors(alpha, variances.double())
    return Solution(alpha, fitted, "cholesky", len(matrix), condition(factor), left_out)


def by_eigenvectors(matrix: Float[Tensor, "N N"], system: System) -> Solution:
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
    system.on_stage("eigenvectors", 0.0)
    values, vectors = torch.linalg.eigh(matrix)
    kept = values > n * torch.finfo(matrix.dtype).eps * values.abs().max()
    values, vectors = values[kept].double(), vectors[:, kept].double()
    if not len(values):  # of the kernel that is 0 everywhere
        nothing = torch.zeros_like(system.targets)
        return Solution(nothing, nothing, "least-squares", 0, 1.0, nothing if system.leave_one_out else None)
    components = vectors.T @ system.targets
    alpha = vectors @ (components / values[:, None])
    shrunk = (values - system.ridge) / values
    fitted = vectors @ (shrunk[:, None] * components)
    left_out = None
    if system.leave_one_out:
        squares = vectors**2
        left_out = left_out_values(system.targets, fitted, alpha, squares @ shrunk, squares @ (1 / values))
    spread = (values[-1] / values[0]).item()
    return Solution(alpha, fitted, "least-squares", len(values), spread, left_out)


def solve_linear(x: Float[Tensor, "N D"], system: System) -> tuple[Solution, Float64[Tensor, "D K"]]:
    """The solution for N >= D, and its coefficients on the features. Computed in float64.

    The alpha of a solution without ridge is one of many; it is the smallest. Singular values of X below N times the
    rounding of the largest count as zero.
    """
    num_points, num_features = x.shape
    targets, ridge = system.targets, system.ridge
    triangle = _triangle(x, targets, system.on_stage)
    left, sizes, right = torch.linalg.svd(triangle[:, :num_features])
    cut = num_points * torch.finfo(torch.float64).eps * sizes[:1]
    kept = (sizes > cut) & (sizes > 0)
    sizes, directions = sizes[kept], right[kept].T
    components = left[:, kept].T @ triangle[:, num_features:]
    eigenvalues = sizes**2 + ridge
    coefficients = directions @ (components * (sizes / eigenvalues)[:, None])

    parts: list[tuple[Tensor, ...]] = []
    for rows in x.split(_BLOCK_ROWS):
        system.on_stage("solution", len(parts) * _BLOCK_ROWS / num_points)
        scores = rows.double() @ (directions / sizes)  # rows of the left singular vectors of X
        parts.append(
            (
                rows.double() @ coefficients,
                scores @ (components / eigenvalues[:, None]),
                scores**2 @ (sizes**2 / eigenvalues),
                scores**2 @ (1 / eigenvalues),
            )
        )
    fitted, alpha, leverages, variances = (torch.cat(part) for part in zip(*parts, strict=True))
    if ridge:
        # What no feature explains: K + ridge I has it with the eigenvalue ridge.
        alpha = (targets - fitted) / ridge
    left_out = left_out_values(targets, fitted, alpha, leverages, variances) if system.leave_one_out else None
    spread = 1.0
    if len(sizes):
        # Beyond the rank K + ridge I has the eigenvalue ridge; K itself has zeros, which do not count.
        smallest = ridge if ridge and len(sizes) < num_points else eigenvalues[-1].item()
        spread = eigenvalues[0].item() / smallest
    return Solution(alpha, fitted, "least-squares", len(sizes), spread, left_out), coefficients


def left_out_errors(alpha: Float64[Tensor, "N K"], variances: Float64[Tensor, " N"]) -> Float64[Tensor, "N K"]:
    """y_i - f_i(x_i) at each point, f_i being the solution from all others: alpha_i over the diagonal of
    (K + ridge I)^-1."""
    return alpha / variances[:, None]


def left_out_values(
    targets: Float64[Tensor, "N K"],
    fitted: Float64[Tensor, "N K"],
    alpha: Float64[Tensor, "N K"],
    leverages: Float64[Tensor, " N"],
    variances: Float64[Tensor, " N"],
) -> Float64[Tensor, "N K"]:
    """The values at each point of least-squares solutions from all others.

    The error at a point left out is its residual over 1 - h, where h is its leverage. With h = 1 it is met exactly
    whatever its target: nothing else tells of its direction, and the error is that of a matrix with an inverse.
    """
    free = 1 - leverages
    # Leverages are sums of N rounded squares.
    met = free < 100 * len(targets) * torch.finfo(targets.dtype).eps
    residuals = (targets - fitted) / torch.where(met, 1.0, free)[:, None]
    return targets - torch.where(met[:, None], left_out_errors(alpha, variances), residuals)


def _triangle(x: Float[Tensor, "N D"], targets: Float64[Tensor, "N K"], on_stage: OnStage) -> Float64[Tensor, "D D+K"]:
    """R and Q' Y of X = Q R, side by side."""
    num_features = x.shape[1]
    size = max(_BLOCK_ROWS, num_features)
    triangle = targets.new_empty(0, num_features + targets.shape[1])
    for start in range(0, len(x), size):
        rows = slice(start, start + size)
        block = torch.cat([x[rows].double(), targets[rows]], dim=1)
        triangle = torch.linalg.qr(torch.cat([triangle, block]), mode="r").R
        on_stage("orthogonal factorisation", min(1.0, (start + size) / len(x)))
    return triangle[:num_features]


def _refuse_asymmetry(matrix: Float[Tensor, "N N"]) -> None:
    """By the images of one vector, which costs as much as reading the matrix twice."""
    vector = torch.linspace(-1, 1, len(matrix), dtype=matrix.dtype, device=matrix.device).cos_()
    image, other = matrix @ vector, matrix.T @ vector
    if (image - other).abs().max() > _ASYMMETRY * image.abs().max():
        raise UserError("got a kernel matrix that is not symmetric, expected k(x, y) = k(y, x) for all pairs of points")
