"""Kernel regression in a given memory: conjugate gradients in the kernel's space, preconditioned as in EigenPro.

Sources    EigenPro: Ma & Belkin, Diving into the shallows (NIPS 2017), and Kernel machines that adapt to GPUs (MLSys
           2019). On a random subsample S of s points, with eigenpairs (v_i, e_i) of K_SS, the functions
           psi_i = sum_j e_ij k(x_j, .) / sqrt(v_i) have norm 1, and P = 1 - sum_i (1 - v_q / v_i) psi_i <psi_i, .>
           takes the q steepest directions of the squared loss down to the q-th.
           Conjugate gradients: Hestenes & Stiefel (1952).
Chosen     Ma & Belkin precondition SGD, whose step and batch size follow from the spectrum; here the same P
           preconditions conjugate gradients. On 1,000 images of MNIST (Gaussian kernel, width 5) the relative residual
           was 1e-4 after 45 epochs, and 3e-3 after 80 epochs of SGD with their step and batch size. No release of
           EigenPro is on the Python package index, nor is Falkon, which solves for fewer centres.

All is done on coefficients of k(x_i, .): the gradient of the loss at a function with residuals r = y - f(X) has the
coefficients r, its squared norm is r' K r, and a direction p changes the values f(X) by K p. From zero the iteration
stays in the span of the k(x_i, .), where the interpolant of minimum norm is.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise

import scipy.linalg
import torch
from jaxtyping import Float, Float64, Int64
from torch import Tensor

from byrote.errors import UserError
from byrote.randomness import permutation, stream
from byrote.theory.kernels.kernel import BLOCK, Kernel, gram

_MOST_SUBSAMPLED = 4096
"""s: its eigensystem takes some ten seconds on two cores."""
_SHARE_SUBSAMPLED = 0.25
_SHARE_KEPT = 1 / 3
"""q / s: the subsample tells eigenvectors of the whole from noise in the upper part of its spectrum only."""
_VECTORS = 9
"""Arrays of the targets' size in memory: targets, solution, residuals, directions, their images, what is in work."""


@dataclass(frozen=True)
class IterativeSolve:
    """How an iterative solve went."""

    epochs: int
    """Products with the kernel matrix, the verification of the residual included."""
    residual: float
    """|Y - K alpha| / |Y|, computed from the returned coefficients."""
    converged: bool
    """Whether the residual is within the tolerance."""
    num_subsampled: int
    """s"""
    rank: int
    """q"""
    share_in_memory: float
    """Of the kernel matrix; the rest is computed anew in every epoch."""


def solve_iteratively(
    kernel: Kernel,
    x: Float[Tensor, "N D"],
    targets: Float[Tensor, "N K"],
    *,
    memory_budget: int,
    tolerance: float = 1e-4,
    max_epochs: int = 300,
    seed: int = 0,
    on_progress: Callable[[float], None] | None = None,
) -> tuple[Float[Tensor, "N K"], IterativeSolve]:
    """Coefficients alpha with K alpha = targets up to `tolerance`, in the type of `x`; the record says if so.

    The matrix is symmetric, so half of its tiles are enough; as many as the budget holds are computed once and kept. An
    epoch takes N^2 D operations for the tiles that are not kept and 2 N^2 K for the product.

    Args:
        memory_budget: bytes, for all but `x`, `targets` and the result.
        tolerance: of the relative residual |Y - K alpha| / |Y|. In float32 it ends near 1e-6.
        max_epochs: after which it ends in any case.
        seed: draws the subsample.
        on_progress: called after each epoch with the share that is done: of the epochs, or of the residual's digits.

    Raises:
        UserError: a budget too small for the vectors of the iteration, a
            tolerance that is not between 0 and 1, or fewer than two epochs.
    """
    if not (0 < tolerance < 1 and max_epochs >= 2):
        raise UserError(
            f"got tolerance={tolerance:g} and max_epochs={max_epochs}, expected a tolerance between 0 and 1 and at "
            "least two epochs: a step and the verification of it"
        )
    plan = _plan(x, targets, memory_budget)
    order = torch.from_numpy(permutation(stream(seed, "subsample"), len(x))).to(x.device)
    matrix = _Tiles(kernel, x, order, plan)
    precondition = _Preconditioner.of(kernel, x[order[: plan.num_subsampled]])
    wanted = targets[order].double()
    scale = torch.linalg.vector_norm(wanted).item() or 1.0

    def relative(residuals: Tensor) -> float:
        return torch.linalg.vector_norm(residuals).item() / scale

    epochs = 0

    def product(vectors: Tensor) -> Tensor:
        nonlocal epochs
        epochs += 1
        return matrix @ vectors

    def report(residual: float) -> None:
        if on_progress:
            digits = math.log(max(residual, tolerance)) / math.log(tolerance)
            on_progress(min(1.0, max(epochs / max_epochs, digits)))

    def done(residuals: Tensor) -> bool:
        report(relative(residuals))
        return relative(residuals) <= tolerance / 2 or epochs + 1 >= max_epochs

    alpha, residuals = torch.zeros_like(wanted), wanted
    residual, stalled = relative(residuals), False
    while residual > tolerance and not stalled and epochs + 2 <= max_epochs:
        correction = _conjugate_gradients(residuals, product, matrix.head, precondition, done)
        # Rounding lets the recursion believe in residuals that its solution does not have: begin again from the true
        # ones, until that gains nothing any more.
        found = (alpha + correction).to(x.dtype).double()
        fresh = wanted - product(found)
        stalled = relative(fresh) > residual / 2
        if relative(fresh) < residual:
            alpha, residuals, residual = found, fresh, relative(fresh)
    report(residual)
    result = torch.empty_like(alpha, dtype=x.dtype)
    result[order] = alpha.to(x.dtype)
    record = IterativeSolve(
        epochs=epochs,
        residual=residual,
        converged=residual <= tolerance,
        num_subsampled=plan.num_subsampled,
        rank=precondition.rank,
        share_in_memory=matrix.share_kept,
    )
    return result, record


def _conjugate_gradients(
    residuals: Float64[Tensor, "N K"],
    product: Callable[[Tensor], Tensor],
    head: Callable[[Tensor], Tensor],
    precondition: _Preconditioner,
    done: Callable[[Tensor], bool],
) -> Float64[Tensor, "N K"]:
    """The correction of a solution that has these residuals, until what is left of them is `done`.

    Each column runs by itself.
    """
    alpha = direction = change = torch.zeros_like(residuals)
    before = torch.zeros_like(residuals[0])
    while True:
        gradient = precondition(residuals, head(residuals))
        image = product(gradient)
        descent = (residuals * image).sum(0)  # <gradient, P gradient> in the kernel's space
        momentum = _ratio(descent, before)
        direction = gradient + momentum * direction
        change = image + momentum * change
        step = _ratio(descent, (change**2).sum(0))
        alpha = alpha + step * direction
        residuals = residuals - step * change
        before = descent
        if done(residuals):
            return alpha


def _ratio(numerator: Float64[Tensor, " K"], denominator: Float64[Tensor, " K"]) -> Float64[Tensor, " K"]:
    """0 where a column has been solved, or rounding has made what cannot be negative so."""
    return torch.where(denominator > 0, numerator / denominator, 0.0).clamp(min=0.0)


@dataclass(frozen=True, eq=False)
class _Preconditioner:
    vectors: Float64[Tensor, "s q"]
    scales: Float64[Tensor, " q"]
    """(1 - v_q / v_i) / v_i"""

    @classmethod
    def of(cls, kernel: Kernel, sample: Float[Tensor, "s D"]) -> _Preconditioner:
        matrix = gram(kernel, sample.double()).cpu().numpy()
        most = max(1, int(len(sample) * _SHARE_KEPT))
        values, vectors = scipy.linalg.eigh(
            matrix, subset_by_index=[len(sample) - most, len(sample) - 1], overwrite_a=True
        )
        # Components smaller than the rounding of the products would be noise, and P divides by them.
        kept = values > 10 * torch.finfo(sample.dtype).eps * values[-1]
        v, e = (torch.from_numpy(part[..., kept].copy()).to(sample.device) for part in (values, vectors))
        return cls(e, (1 - v[:1] / v) / v)

    @property
    def rank(self) -> int:
        return len(self.scales)

    def __call__(self, residuals: Float64[Tensor, "N K"], head: Float64[Tensor, "s K"]) -> Float64[Tensor, "N K"]:
        """The coefficients of P applied to the function with coefficients `residuals`, whose values on S are `head`."""
        found = residuals.clone()
        found[: len(self.vectors)] -= self.vectors @ (self.scales[:, None] * (self.vectors.T @ head))
        return found


@dataclass(frozen=True)
class _Plan:
    num_subsampled: int
    block: int
    """Rows and columns of a tile; the tiles of the subsample have as many rows as it."""
    bytes_for_tiles: int
    """To keep."""


def _plan(x: Float[Tensor, "N D"], targets: Float[Tensor, "N K"], memory_budget: int) -> _Plan:
    """At most a quarter of the budget each for the subsample's eigensystem and for the tile in work."""
    num, size = len(x), x.element_size()
    subsampled = max(1, min(_MOST_SUBSAMPLED, int(num * _SHARE_SUBSAMPLED), math.isqrt(max(0, memory_budget) // 128)))
    block = max(1, min(BLOCK, num, math.isqrt(max(0, memory_budget) // (16 * size))))
    in_use = _VECTORS * 8 * targets.numel() + 16 * num  # the order and its inverse
    in_use += 4 * 8 * subsampled**2
    in_use += 4 * size * (max(subsampled, block) * block + (subsampled + block) * x.shape[1])
    if in_use > memory_budget:
        raise UserError(
            f"got memory_budget={memory_budget / 2**20:.1f} MiB for an iterative solve with {num} points and "
            f"{targets.shape[1]} targets, expected at least {in_use / 2**20:.1f} MiB; give more, or take fewer points"
        )
    return _Plan(subsampled, block, memory_budget - in_use)


class _Tiles:
    """The kernel matrix of the points in a given order, as tiles of its upper half; the subsample is the first row."""

    def __init__(self, kernel: Kernel, x: Float[Tensor, "N D"], order: Int64[Tensor, " N"], plan: _Plan) -> None:
        self.kernel, self.x, self.order = kernel, x, order
        bounds = [0, *range(plan.num_subsampled, len(x), plan.block), len(x)]
        parts = [slice(*pair) for pair in pairwise(bounds)]
        self.places = [(rows, columns) for i, rows in enumerate(parts) for columns in parts[i:]]
        self.num_in_head = len(parts)
        self.most = plan.bytes_for_tiles // x.element_size()
        self.kept: list[Tensor] = []

    def __matmul__(self, vectors: Float64[Tensor, "N K"]) -> Float64[Tensor, "N K"]:
        narrow, found = vectors.to(self.x.dtype), torch.zeros_like(vectors)
        for index, (rows, columns) in enumerate(self.places):
            tile = self._tile(index)
            found[rows] += tile @ narrow[columns]
            if rows != columns:
                found[columns] += tile.T @ narrow[rows]
        return found

    def head(self, vectors: Float64[Tensor, "N K"]) -> Float64[Tensor, "s K"]:
        """The rows of the subsample alone."""
        narrow, found = vectors.to(self.x.dtype), torch.zeros_like(vectors[self.places[0][0]])
        for index, (_, columns) in enumerate(self.places[: self.num_in_head]):
            found += self._tile(index) @ narrow[columns]
        return found

    @property
    def share_kept(self) -> float:
        def entries(rows: slice, columns: slice) -> int:
            return (rows.stop - rows.start) * (columns.stop - columns.start)

        return sum(tile.numel() for tile in self.kept) / sum(entries(*place) for place in self.places)

    def _tile(self, index: int) -> Float[Tensor, "M N"]:
        if index < len(self.kept):
            return self.kept[index]
        rows, columns = self.places[index]
        left = self.x[self.order[rows]]
        tile = gram(self.kernel, left) if rows == columns else self.kernel(left, self.x[self.order[columns]])
        if index == len(self.kept) and tile.numel() <= self.most:
            self.kept.append(tile)
            self.most -= tile.numel()
        return tile
