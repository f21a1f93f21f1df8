"""Kernels, and their matrices on many points in bounded memory.

Sources    Gaussian and Laplacian: Schölkopf & Smola, Learning with kernels (2002), with distances in units of a width.
           Arc-cosine: Cho & Saul, Kernel methods for deep learning (NIPS 2009), equations 3 to 6.
           Width: the median heuristic; Garreau, Jitkrittum & Kanagawa, Large sample analysis of it (2017).
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Literal, TypeAlias

import torch
from jaxtyping import Float
from torch import Tensor

from byrote.errors import UserError
from byrote.randomness import permutation, stream

BLOCK = 2048
"""Rows and columns of the tiles that Gram matrices are filled by: 16 MiB in float32, which a large cache holds."""
_CLOSE = 1e-4
"""Squared distances below this share of the squared norm are computed again from differences: |x|^2 + |y|^2 - 2 <x, y>
has lost four digits there, and the Laplacian kernel's square root would lose half of the rest."""
_PAIRS = 2**14
_MEDIAN_SAMPLE = 1000
"""Rows whose distances tell the median width: half a million pairs."""

KernelName = Literal["linear", "gaussian", "laplacian", "arc-cosine"]
KERNELS: tuple[KernelName, ...] = ("linear", "gaussian", "laplacian", "arc-cosine")
KernelFunction: TypeAlias = Callable[[Tensor, Tensor], Tensor]
"""The user's: tensors [M, D] and [N, D] to the kernel's values [M, N], in the same floating-point type."""


class Kernel(ABC):
    """A symmetric, positive semidefinite function of two points. Subclasses are final and frozen."""

    @abstractmethod
    def __call__(self, x: Float[Tensor, "M D"], y: Float[Tensor, "N D"]) -> Float[Tensor, "M N"]:
        """The values of all pairs, all in memory at once: `gram` and `row_blocks` go through many points."""

    @abstractmethod
    def diagonal(self, x: Float[Tensor, "M D"]) -> Float[Tensor, " M"]:
        """k(x, x) of each point."""


@dataclass(frozen=True)
class Linear(Kernel):
    """<x, y>"""

    def __call__(self, x: Float[Tensor, "M D"], y: Float[Tensor, "N D"]) -> Float[Tensor, "M N"]:
        return x @ y.T

    def diagonal(self, x: Float[Tensor, "M D"]) -> Float[Tensor, " M"]:
        return _squares(x)


@dataclass(frozen=True)
class Radial(Kernel):
    """A function of the distance in units of a width, 1 at 0. Abstract."""

    width: float

    def __post_init__(self) -> None:
        if not 0 < self.width < math.inf:
            raise UserError(f"got a kernel of width {self.width:g}, expected a positive number")

    def diagonal(self, x: Float[Tensor, "M D"]) -> Float[Tensor, " M"]:
        return x.new_ones(len(x))


@dataclass(frozen=True)
class Gaussian(Radial):
    """exp(-|x - y|^2 / (2 width^2))"""

    def __call__(self, x: Float[Tensor, "M D"], y: Float[Tensor, "N D"]) -> Float[Tensor, "M N"]:
        return squared_distances(x, y).mul_(-0.5 / self.width**2).exp_()


@dataclass(frozen=True)
class Laplacian(Radial):
    """exp(-|x - y| / width), with the Euclidean distance"""

    def __call__(self, x: Float[Tensor, "M D"], y: Float[Tensor, "N D"]) -> Float[Tensor, "M N"]:
        return squared_distances(x, y).sqrt_().mul_(-1 / self.width).exp_()


@dataclass(frozen=True)
class ArcCosine(Kernel):
    """|x|^p |y|^p J_p(angle) / pi of degree p: that of a layer of infinitely many random units, steps (0), ReLU (1) or
    squared ReLU (2), with which it agrees up to the factor 1/2 that Cho & Saul leave out."""

    degree: int = 1

    def __post_init__(self) -> None:
        if self.degree not in (0, 1, 2):
            raise UserError(f"got an arc-cosine kernel of degree {self.degree}, expected 0, 1 or 2")

    def __call__(self, x: Float[Tensor, "M D"], y: Float[Tensor, "N D"]) -> Float[Tensor, "M N"]:
        left, right = _squares(x).sqrt_(), _squares(y).sqrt_()
        # A point at the origin has no angle; a right one gives it half the value of degree 0, where no norm makes it 0.
        cosine = (x / _or_one(left)[:, None]) @ (y / _or_one(right)[:, None]).T
        values = self._angular(cosine.clamp_(-1, 1))
        if self.degree:
            values *= (left**self.degree)[:, None]
            values *= right**self.degree
        return values

    def diagonal(self, x: Float[Tensor, "M D"]) -> Float[Tensor, " M"]:
        squares = _squares(x)
        values = self._angular(squares.gt(0).to(x.dtype))
        return values * squares**self.degree if self.degree else values

    def _angular(self, cosine: Tensor) -> Tensor:
        """J_p / pi"""
        angle = cosine.acos()
        if self.degree == 0:
            return 1 - angle / math.pi
        sine = angle.sin()
        rest = (math.pi - angle) / math.pi
        if self.degree == 1:
            return sine / math.pi + rest * cosine
        return 3 / math.pi * sine * cosine + rest * (1 + 2 * cosine**2)


@dataclass(frozen=True)
class Custom(Kernel):
    """The user's function."""

    function: KernelFunction

    def __call__(self, x: Float[Tensor, "M D"], y: Float[Tensor, "N D"]) -> Float[Tensor, "M N"]:
        values = self.function(x, y)
        if not isinstance(values, Tensor) or values.shape != (len(x), len(y)) or values.dtype != x.dtype:
            got = f"{tuple(values.shape)} in {values.dtype}" if isinstance(values, Tensor) else type(values).__name__
            raise UserError(
                f"got {got} from the kernel for {len(x)} and {len(y)} points, "
                f"expected a tensor ({len(x)}, {len(y)}) in {x.dtype}"
            )
        return values

    def diagonal(self, x: Float[Tensor, "M D"]) -> Float[Tensor, " M"]:
        return torch.cat([self(part, part).diagonal() for part in x.split(64)])


def find_kernel(kernel: str | Kernel | KernelFunction, x: Float[Tensor, "N D"], width: float | None = None) -> Kernel:
    """The kernel of that name, of that width or (None) of the median width of the points `x`; or the user's.

    Raises:
        UserError: an unknown name, a width that is not positive, or one for a kernel that has none.
    """
    if kernel == "gaussian":
        return Gaussian(median_width(x) if width is None else width)
    if kernel == "laplacian":
        return Laplacian(median_width(x) if width is None else width)
    if width is not None:
        raise UserError(
            f"got width={width:g} and {kernel=}, expected a width for gaussian or laplacian only; leave it out"
        )
    if isinstance(kernel, str):
        if kernel not in KERNELS:
            raise UserError(f"got {kernel=}, expected one of {', '.join(KERNELS)}, or a function of two sets of points")
        return Linear() if kernel == "linear" else ArcCosine()
    return kernel if isinstance(kernel, Kernel) else Custom(kernel)


def gram(
    kernel: Kernel,
    x: Float[Tensor, "M D"],
    y: Float[Tensor, "N D"] | None = None,
    *,
    block: int = BLOCK,
    out: Float[Tensor, "M N"] | None = None,
    on_progress: Callable[[float], None] | None = None,
) -> Float[Tensor, "M N"]:
    """The kernel's values of all pairs, tile by tile: beside `out` some `block` x `block` values are in memory.

    Without `y` it is the matrix of `x` with itself. One half of it is computed and mirrored, so that it is symmetric to
    the last bit, and its diagonal is the kernel's own.

    Args:
        out: where to write it, of the points' type; else new memory.
        on_progress: called with the share that is done.
    """
    symmetric = y is None
    right = x if y is None else y
    values = x.new_empty(len(x), len(right)) if out is None else out
    done = 0
    for i in range(0, len(x), block):
        rows = slice(i, i + block)
        for j in range(0, min(i + block, len(x)) if symmetric else len(right), block):
            columns = slice(j, j + block)
            tile = kernel(x[rows], right[columns])
            if symmetric and i == j:
                # Both halves of the tile from its lower one.
                tile = tile.tril_(-1)
                tile += tile.T.clone()
                tile.diagonal().copy_(kernel.diagonal(x[rows]))
            values[rows, columns] = tile
            if symmetric and i != j:
                # Turned round in cache: writing across rows takes ten times as long.
                values[columns, rows] = tile.T.contiguous()
            done += tile.numel() * (1 + (symmetric and i != j))
            if on_progress:
                on_progress(done / values.numel())
    return values


def row_blocks(
    kernel: Kernel, x: Float[Tensor, "M D"], y: Float[Tensor, "N D"], *, memory: int = 2**28
) -> Iterator[tuple[slice, Float[Tensor, "B N"]]]:
    """The kernel's values block of rows by block of rows, each of at most `memory` bytes."""
    size = max(1, memory // max(1, len(y) * x.element_size()))
    for start in range(0, len(x), size):
        rows = slice(start, min(start + size, len(x)))
        yield rows, gram(kernel, x[rows], y)


def median_width(x: Float[Tensor, "N D"], seed: int = 0) -> float:
    """The median distance between two distinct points, of up to 1,000 random rows: the median heuristic.

    1 if all points are equal: any width gives the same kernel there.
    """
    rows = torch.from_numpy(permutation(stream(seed, "median width"), len(x))[:_MEDIAN_SAMPLE])
    sample = x[rows.to(x.device)]
    distances = squared_distances(sample, sample)
    # A product of two numbers may round to 0, so that points are equal in distance and not in value: they do not count.
    distances = distances[distances > 0]
    return math.sqrt(distances.median().item()) if len(distances) else 1.0


def squared_distances(x: Float[Tensor, "M D"], y: Float[Tensor, "N D"]) -> Float[Tensor, "M N"]:
    """|x - y|^2 of all pairs from one matrix product; exactly 0 for equal points, and accurate for close ones."""
    # Distances do not depend on the origin, and rounding is smallest with one amid the points.
    origin = y.mean(dim=0)
    x, y = x - origin, y - origin
    left, right = _squares(x), _squares(y)
    distances = torch.addmm(left[:, None], x, y.T, alpha=-2).add_(right)
    close = (distances <= _CLOSE * left[:, None]).nonzero()
    for pairs in close.split(_PAIRS):
        i, j = pairs.unbind(dim=1)
        distances[i, j] = _squares(x[i] - y[j])
    return distances.clamp_(min=0)


def _squares(x: Tensor) -> Tensor:
    return torch.linalg.vecdot(x, x)


def _or_one(norms: Tensor) -> Tensor:
    return torch.where(norms > 0, norms, 1)
