"""Cholesky factorisation in place, of one matrix that nearly fills the memory, and what is made of the factor.

The lower triangle becomes the factor L with K = L L'. Above the diagonal the matrix stays as it was, and its diagonal
is kept aside: so the system's residual can still be computed, a solution refined, and the matrix restored if there is
no factor. Beside the matrix, only blocks of `BLOCK` columns are in memory.

The factorisation is the left-looking one by blocks: each block of columns first has the product of all those to its
left taken off, so each number is written once, and all but a share of BLOCK / n of the work are matrix products. One
call of LAPACK (OpenBLAS's spotrf) is faster, 99 GFLOP/s against 81 on one core of an AMD EPYC at n = 15,000 in float32
and less so the larger n is, but tells no progress and cannot be interrupted for minutes.

Source     Golub & Van Loan, Matrix computations (4th edition, 2013), 4.2; refinement: Higham, Accuracy and stability of
           numerical algorithms (2002), chapter 12; condition: Hager (1984), SciPy's onenormest.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float, Float64
from scipy.sparse.linalg import LinearOperator, onenormest
from torch import Tensor

BLOCK = 1024
_CORNER = 256
"""Rows of the strips in which a block on the diagonal is worked on, so that little is computed above it."""
_ROWS = 8192
"""Of a block of columns, so many rows are worked on between two reports of progress."""
_SMALLEST_PIVOT = 10
"""In units of rounding of the diagonal's entry: what is left of a point that others determine is of this size."""
_MOST_REFINEMENTS = 10


class NotPositiveDefinite(ArithmeticError):
    """The matrix has no factor, or one that solves nothing: it is singular in its floating-point type."""


@dataclass(frozen=True, eq=False)
class Factor:
    """A symmetric matrix K and its factor, in one array."""

    array: Float[Tensor, "N N"]
    """L on and below the diagonal, K above."""
    diagonal: Float[Tensor, " N"]
    """K's."""


def factorize(
    matrix: Float[Tensor, "N N"], *, block: int = BLOCK, on_progress: Callable[[float], None] | None = None
) -> Factor:
    """The Cholesky factor of a symmetric matrix, in place.

    Args:
        on_progress: called with the share of operations that are done.

    Raises:
        NotPositiveDefinite: a pivot that is not positive, or as small as rounding makes it where the exact one is 0.
            The matrix is then as it was.
    """
    n = len(matrix)
    factor = Factor(matrix, matrix.diagonal().clone())
    smallest = _SMALLEST_PIVOT * torch.finfo(matrix.dtype).eps * factor.diagonal
    done = 0.0
    for start in range(0, n, block):
        end = min(start + block, n)
        left, corner = matrix[start:end, :start], matrix[start:end, start:end]
        lower = corner.clone()
        for row in range(0, len(lower), _CORNER):
            strip = slice(row, row + _CORNER)
            lower[strip, : row + _CORNER] -= left[strip] @ left[: row + _CORNER].T
        lower, failed = torch.linalg.cholesky_ex(lower)
        pivots = lower.diagonal() ** 2
        if failed.item() or not (pivots > smallest[start:end]).all():
            restore(factor)
            raise NotPositiveDefinite(f"of {n} rows, {start} to {end - 1} depend on those before")
        corner.copy_(lower + corner.triu(1))
        done += (end - start) ** 2 * (start + (end - start) / 3)
        for row in range(end, n, _ROWS):
            rows = slice(row, min(row + _ROWS, n))
            below = matrix[rows, start:end]
            below.addmm_(matrix[rows, :start], left.T, alpha=-1)
            below.copy_(torch.linalg.solve_triangular(lower.T, below, upper=True, left=False))
            done += len(below) * (end - start) * (2 * start + end - start)
            if on_progress:
                on_progress(done / (n**3 / 3))
    if on_progress:
        on_progress(1.0)
    return factor


def restore(factor: Factor, *, block: int = BLOCK) -> Float[Tensor, "N N"]:
    """The matrix itself, in the same array, from what lies above the diagonal."""
    array = factor.array
    for start in range(0, len(array), block):
        rows = slice(start, start + block)
        for first in range(0, start, block):
            array[rows, first : first + block] = array[first : first + block, rows].T
        upper = array[rows, rows].triu(1)
        array[rows, rows] = upper + upper.T
    array.diagonal().copy_(factor.diagonal)
    return array


def multiply(factor: Factor, vectors: Float64[Tensor, "N K"], *, block: int = BLOCK // 4) -> Float64[Tensor, "N K"]:
    """K times the vectors, summed in float64 whatever the matrix is in."""
    array = factor.array
    product = factor.diagonal.double()[:, None] * vectors
    for start in range(0, len(array), block):
        end = min(start + block, len(array))
        upper = array[start:end, start:].triu(1).double()
        product[start:end] += upper @ vectors[start:]
        product[start:] += upper.T @ vectors[start:end]
    return product


def solve(factor: Factor, targets: Float64[Tensor, "N K"]) -> tuple[Float64[Tensor, "N K"], Float64[Tensor, "N K"]]:
    """The solution of K times it = targets, and what it leaves of them.

    Refined, with residuals in float64, until what is left is as small as the matrix's rounding, or no longer halves.

    Raises:
        NotPositiveDefinite: what is left is more than the square root of the rounding: the condition number is beyond
            what the floating-point type can hold. The matrix is restored.
    """
    rounding = torch.finfo(factor.array.dtype).eps
    size = torch.linalg.vector_norm(targets)
    solution, rest = torch.zeros_like(targets), targets
    for _ in range(_MOST_REFINEMENTS):
        refined = solution + substitute(factor, rest.to(factor.array.dtype)).double()
        left = targets - multiply(factor, refined)
        halved = torch.linalg.vector_norm(left) < 0.5 * torch.linalg.vector_norm(rest)
        if torch.linalg.vector_norm(left) < torch.linalg.vector_norm(rest):
            solution, rest = refined, left
        if not halved or torch.linalg.vector_norm(rest) <= rounding * size:
            break
    if torch.linalg.vector_norm(rest) > rounding**0.5 * size:
        restore(factor)
        raise NotPositiveDefinite("the factor does not solve the system")
    return solution, rest


def substitute(factor: Factor, targets: Float[Tensor, "N K"], *, block: int = BLOCK) -> Float[Tensor, "N K"]:
    """L'^-1 L^-1 targets, in the matrix's own type."""
    array, n = factor.array, len(factor.array)
    solution = targets.clone()
    for start in range(0, n, block):
        rows = slice(start, start + block)
        part = solution[rows] - array[rows, :start] @ solution[:start]
        solution[rows] = torch.linalg.solve_triangular(array[rows, rows], part, upper=False)
    for start in range((n - 1) // block * block, -1, -block):
        rows, end = slice(start, start + block), min(start + block, n)
        part = solution[rows] - array[end:, rows].T @ solution[end:]
        solution[rows] = torch.linalg.solve_triangular(array[rows, rows].T, part, upper=True)
    return solution


def inverse_diagonal(
    factor: Factor, *, block: int = BLOCK, on_progress: Callable[[float], None] | None = None
) -> Float[Tensor, " N"]:
    """The diagonal of K^-1: the squared lengths of the columns of L^-1, found block by block. n^3 / 3 operations."""
    array, n = factor.array, len(factor.array)
    found = torch.empty_like(factor.diagonal)
    for start in range(0, n, block):
        end = min(start + block, n)
        columns = array.new_zeros(n - start, end - start)
        columns[: end - start] = torch.linalg.solve_triangular(
            array[start:end, start:end], torch.eye(end - start, dtype=array.dtype, device=array.device), upper=False
        )
        for row in range(end, n, block):
            rows = slice(row, min(row + block, n))
            above = array[rows, start:row] @ columns[: row - start]
            columns[row - start : rows.stop - start] = -torch.linalg.solve_triangular(
                array[rows, rows], above, upper=False
            )
        found[start:end] = columns.square_().sum(dim=0)
        if on_progress:
            on_progress(1 - ((n - end) / n) ** 3)
    return found


def condition(factor: Factor) -> float:
    """An estimate of the condition number in the 1-norm, |K| |K^-1|; from below, and seldom off by a factor of 3.

    |K| is exact; |K^-1| takes a few solutions (Hager's estimate, SciPy's with one column: it draws nothing at random).
    """

    def inverse(vector: np.ndarray) -> np.ndarray:
        column = torch.as_tensor(vector, dtype=factor.array.dtype, device=factor.array.device).reshape(len(vector), -1)
        return substitute(factor, column).double().cpu().numpy().reshape(vector.shape)

    n = len(factor.array)
    operator = LinearOperator(
        (n, n), matvec=inverse, rmatvec=inverse, matmat=inverse, rmatmat=inverse, dtype=np.float64
    )
    return _one_norm(factor) * float(onenormest(operator, t=1))


def _one_norm(factor: Factor) -> float:
    """The largest sum of absolute values in a column."""
    sums, block = factor.diagonal.double().abs(), BLOCK // 4
    for start in range(0, len(factor.array), block):
        upper = factor.array[start : start + block, start:].triu(1).abs_()
        sums[start : start + block] += upper.sum(dim=1)
        sums[start:] += upper.sum(dim=0)
    return sums.max().item()
