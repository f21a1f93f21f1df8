"""Memorising with about 4 n / d ReLU units: one hidden layer of an ordinary network, each unit reading all d inputs.

Through any d points in general position goes a hyperplane <u, x> = 1 that meets no other point, and some <v, x> takes
their d targets. A thin slab around the hyperplane holds those points alone, and four units add <v, x> within it:

    (max(s + t + e <v, x>, 0) - max(s + t, 0) - max(s - t + e <v, x>, 0) + max(s - t, 0)) / e,    s = <u, x> - 1

is <v, x> where s = 0 and e |<v, x>| <= t, and 0 wherever |s| >= t + e |<v, x>|. Every d points share one such slab.

Source     Bubeck, Eldan, Lee & Mikulincer, Network size and size of the weights in memorization with two-layers neural
           networks (NeurIPS 2020), section 3; for binary labels and threshold units, Baum, On the capabilities of
           multilayer perceptrons (Journal of Complexity, 1988).
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from jaxtyping import Float64, Int64, Num
from scipy.linalg import qr, solve_triangular
from torch import Tensor, nn

from byrote.errors import UserError
from byrote.randomness import permutation, stream
from byrote.theory.memorizers.points import as_points, as_targets, as_vectors, refuse_non_finite

_RANK_TOLERANCE = 1e-6
"""Points that lie so near to the span of the group's others, relative to its largest, wait for another group."""
_CLEARANCE = 4.0
"""The slab's half thickness is at least so many times the distance of its own points from the hyperplane."""
_LARGEST_ERROR = 1e-3
"""Of a slab's units at any point, over the largest of its targets: a thinner one is lost in rounding."""
_BLOCK = 1024
"""Points of one forward pass."""


@dataclass(frozen=True)
class SlabConstruction:
    """What the network is made of, and how well conditioned it is."""

    num_points: int
    num_slabs: int
    """ceil(n / d) where all points are in general position."""
    num_weights: int
    """4 units a slab, each with d + 2 weights."""
    largest_error: float
    """Over the points, measured: of `forward`, absolute."""
    largest_weight: float
    thinnest_slab: float
    """The smallest half thickness, over the mean distance of all other points to the hyperplane; NaN without others."""


class HyperplaneMemorizer(nn.Module):
    """sum_j w_j max(<a_j, x> - b_j, 0) in float64, with a `[M, D]`, b `[M]` and w `[M]`."""

    construction: SlabConstruction

    def __init__(
        self,
        directions: Float64[np.ndarray, "M D"],
        thresholds: Float64[np.ndarray, " M"],
        weights: Float64[np.ndarray, " M"],
    ) -> None:
        super().__init__()
        self.directions = nn.Parameter(torch.tensor(directions))
        self.thresholds = nn.Parameter(torch.tensor(thresholds))
        self.weights = nn.Parameter(torch.tensor(weights))

    def forward(self, x: Num[Tensor, "B ..."]) -> Float64[Tensor, " B"]:
        parts = x.reshape(len(x), -1).split(_BLOCK)
        return torch.cat([(p.double() @ self.directions.T - self.thresholds).relu() @ self.weights for p in parts])


def hyperplane_memorizer(x: Any, y: Any, *, seed: int = 0) -> HyperplaneMemorizer:
    """A network with one hidden layer of 4 ceil(n / d) units that gives the real target y_i at each of n points x_i.

    O(n d^2) time. Where points are in no general position (pixels that are constant, equal rows), slabs hold fewer of
    them and there are more slabs; their number is `construction.num_slabs`.

    Args:
        x: N distinct points `[N, ...]`, as an array or tensor; computed with in float64.
        y: N real targets.
        seed: draws which points share a slab.

    Raises:
        UserError: for values that are not finite, and for points that repeat or lie too near together for float64.
    """
    points = as_points(x)
    targets = as_targets(y, len(points)).astype(np.float64)
    refuse_non_finite(points)
    vectors = as_vectors(points)
    generator = stream(seed, "hyperplanes")
    waiting = permutation(generator, len(points))
    slabs = []
    while len(waiting):
        slab = _slab(vectors, targets, waiting[: vectors.shape[1]], generator)
        slabs.append(slab)
        waiting = waiting[~np.isin(waiting, slab.rows)]
    network = HyperplaneMemorizer(
        np.concatenate([slab.directions for slab in slabs]),
        np.concatenate([slab.thresholds for slab in slabs]),
        np.concatenate([slab.weights for slab in slabs]),
    )
    network.construction = _measured(network, points, targets, slabs)
    return network


@dataclass(frozen=True, eq=False)
class _Group:
    """Points that are independent as seen from a centre, with the factors Q R of the matrix whose columns they are;
    the farthest from the span of those before come first."""

    centre: Float64[np.ndarray, " D"]
    rows: Int64[np.ndarray, " M"]
    q: Float64[np.ndarray, "D M"]
    r: Float64[np.ndarray, "M M"]

    def without(self, last: int) -> _Group:
        size = len(self.rows) - last
        return _Group(self.centre, self.rows[:size], self.q[:, :size], self.r[:size, :size])

    def solve(self, values: Float64[np.ndarray, " M"]) -> Float64[np.ndarray, " D"]:
        """The shortest a with <a, x_i> = values_i."""
        return self.q @ solve_triangular(self.r, values, trans="T", check_finite=False)


@dataclass(frozen=True, eq=False)
class _Slab:
    rows: Int64[np.ndarray, " M"]
    directions: Float64[np.ndarray, "4 D"]
    thresholds: Float64[np.ndarray, " 4"]
    weights: Float64[np.ndarray, " 4"]
    relative_thickness: float


def _slab(
    vectors: Float64[np.ndarray, "N D"],
    targets: Float64[np.ndarray, " N"],
    candidates: Int64[np.ndarray, " C"],
    generator: np.random.Generator,
) -> _Slab:
    """The four units that give as many of the candidates as possible their targets, and all other points 0.

    Where all points span only a part of the space (pixels that are constant), a hyperplane through as many candidates
    as are independent holds that part, other points included. Without some of them it cuts through.
    """
    own = vectors[candidates]
    spread = float(vectors.std(0).mean()) or 1.0
    centre = own.mean(0) + spread * generator.standard_normal(own.shape[1])
    group = _independent(own, candidates, centre)
    left_out = 0
    while True:
        slab, room, off = _around(vectors, targets, group.without(left_out))
        if slab is not None:
            return slab
        if left_out >= len(group.rows) - 1:
            raise UserError(
                f"a hyperplane through only one of the points comes within {room:.1e} of another, and float64 puts "
                f"the point itself {off:.1e} off it, expected distinct points; drop those that repeat"
            )
        left_out = min(max(1, 2 * left_out), len(group.rows) - 1)


def _independent(
    own: Float64[np.ndarray, "C D"], candidates: Int64[np.ndarray, " C"], centre: Float64[np.ndarray, " D"]
) -> _Group:
    """QR with pivoting takes the point farthest from the span of all before, until none is far."""
    q, r, pivots = qr((own - centre).T, mode="economic", pivoting=True, check_finite=False)
    sizes = np.abs(np.diag(r))
    rank = max(1, int((sizes > _RANK_TOLERANCE * sizes[0]).sum()))
    return _Group(centre, candidates[pivots[:rank]], q[:, :rank], r[:rank, :rank])


def _around(
    vectors: Float64[np.ndarray, "N D"], targets: Float64[np.ndarray, " N"], group: _Group
) -> tuple[_Slab | None, float, float]:
    """The slab around a hyperplane through the group, if there is room for one that float64 can hold; how near another
    point comes, and how far the group's own points are off."""
    if not group.r[0, 0]:
        return None, 0.0, 0.0
    own = targets[group.rows]
    # Of all u with <u, x_i> = 1 the shortest, in the span of the points; and likewise v.
    u, v = group.solve(np.ones(len(own))), group.solve(own)
    distances, values = (vectors @ a - group.centre @ a for a in (u, v))
    distances -= 1
    height = float(np.abs(own).max()) or 1.0
    others = np.ones(len(vectors), dtype=bool)
    others[group.rows] = False
    # With e = t / (2 height) a point is clear of the slab if |s| >= t (1 + |<v, x>| / (2 height)).
    clear = np.abs(distances[others]) / (1 + np.abs(values[others]) / (2 * height))
    room = float(clear.min(initial=1.0))
    off = float(np.abs(distances[group.rows]).max())
    thickness = room / 2
    if not thickness > _CLEARANCE * off:
        return None, room, off
    e = thickness / (2 * height)
    directions = np.stack([u + e * v, u, u + e * v, u])
    slab = _Slab(
        rows=group.rows,
        directions=directions,
        thresholds=np.array([-1, -1, 1, 1]) * thickness + 1 + directions @ group.centre,
        weights=np.array([1, -1, -1, 1]) / e,
        relative_thickness=thickness / float(np.abs(distances[others]).mean()) if others.any() else math.nan,
    )
    errors = np.maximum(vectors @ directions.T - slab.thresholds, 0) @ slab.weights
    errors[group.rows] -= own
    return (slab if np.abs(errors).max() <= _LARGEST_ERROR * height else None), room, off


@torch.no_grad()
def _measured(
    network: HyperplaneMemorizer,
    points: Num[np.ndarray, "N ..."],
    targets: Float64[np.ndarray, " N"],
    slabs: list[_Slab],
) -> SlabConstruction:
    outputs = network(torch.from_numpy(np.ascontiguousarray(points))).numpy()
    return SlabConstruction(
        num_points=len(points),
        num_slabs=len(slabs),
        num_weights=sum(parameter.numel() for parameter in network.parameters()),
        largest_error=float(np.abs(outputs - targets).max()),
        largest_weight=float(max(parameter.abs().max() for parameter in network.parameters())),
        thinnest_slab=float(np.nanmin([slab.relative_thickness for slab in slabs])) if len(slabs) > 1 else math.nan,
    )
