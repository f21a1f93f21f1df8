"""Finite-sample expressivity: two layers and 2n + d weights represent any targets on any n points in d dimensions, and
so do deep networks of width O(n/k) with O(n + d) weights.

Theorem 1 of the paper (section 4 and appendix C): project the points onto a direction a that keeps them apart, sort
the projections z_1 < ... < z_n, choose thresholds b_1 < z_1 <= b_2 < z_2 <= ... and solve the triangular system
y_i = sum_j w_j max(z_i - b_j, 0), whose diagonal z_i - b_i is positive, for w. The paper leaves a and b open. Here each
threshold is the point before, b_i = z_(i-1), and the first lies one mean gap before the first point: the network is the
broken line through all points (z_i, y_i), and the w_i are the differences of its slopes, O(n) after the sort.
Thresholds in the middle of the gaps let the slopes oscillate and grow.

Corollary 1 of the paper: at every depth k >= 2 there is such a network of width O(n/k). Here its k - 1 hidden layers
share out the n hinges of the broken line, in order. What later layers need is carried along by units of their own: z =
<a, x> and the sum of the layers so far. Both are kept non-negative, so that ReLU lets them pass. A layer's hinges end
in a constant: one more hinge takes back the last slope, so the sum that is carried stays between the targets and does
not grow with the slopes, which are as large as the smallest gap is small.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
import torch
from jaxtyping import Float64, Int64, Num
from torch import Tensor, nn

from byrote.errors import UserError
from byrote.theory.memorizers.broken_line import (
    BrokenLine,
    Outputs,
    draw_line,
    evaluate_pieces,
    exact_slopes,
    sum_of_hinges,
)
from byrote.theory.memorizers.points import as_array
from byrote.theory.memorizers.projection import Try, project

HingeSum: TypeAlias = Callable[[Tensor, Tensor, Tensor], Tensor]
"""Of numbers `[B]`, thresholds `[N]` and weights `[N]` or `[N, K]`: `sum_of_hinges` or `evaluate_pieces`."""


@dataclass(frozen=True)
class Construction:
    """How a memoriser was built, and how well conditioned it is."""

    num_points: int
    """n."""
    num_distinct: int
    """Of the points; equal ones are one to the network."""
    num_features: int
    """d."""
    num_weights: int
    """Free parameters."""
    smallest_gap: float
    """Between neighbouring projections of distinct points; NaN if there is but one."""
    relative_gap: float
    """The smallest gap as a share of the range of the projections."""
    largest_weight: float
    """Of the hinges, by absolute value."""
    largest_error: float
    """Over the n points, measured: of `evaluate_sorted`, absolute."""
    forward_rounding: float
    """The size of a rounding error in `forward`: 2**-53 of its largest weight times what that multiplies, which is a
    difference of projections, as large as their range, and as inexact as sum_j |a_j x_j| makes them (inputs far from 0
    lose their last digits). Its error at a point is of this order; less where the products are exact, as of pixels."""
    smallest_eigenvalue: float
    """Of the triangular matrix max(z_i - b_j, 0) over distinct points (Lemma 1): the smallest z_i - b_i on its
    diagonal. It bounds eigenvalues alone: the matrix is not symmetric, and its smallest singular value is smaller."""
    projection: Try
    """The direction that was chosen, for its relative gap, which is the largest of those tried."""
    tried: tuple[Try, ...]


class ProjectedNetwork(nn.Module, ABC):
    """A network of ReLU units that reads its input through one projection, in float64."""

    construction: Construction

    def __init__(self, projection: Float64[np.ndarray, " D"], num_classes: int | None) -> None:
        super().__init__()
        self.projection = nn.Parameter(torch.tensor(projection))
        self.num_classes = num_classes
        """None: the targets are real numbers."""

    @abstractmethod
    def profile(self, z: Float64[Tensor, " B"], hinge_sum: HingeSum) -> Float64[Tensor, " B *K"]:
        """The outputs as a function of z = <a, x>."""

    def forward(self, x: Num[Tensor, "B ..."]) -> Float64[Tensor, " B *K"]:
        """The plain sum over all units, O(B N) time; differentiable, with bounded memory for activations."""
        return self.profile(self._vectors(x).double() @ self.projection, sum_of_hinges)

    @torch.no_grad()
    def evaluate_sorted(self, x: Num[Tensor, "B ..."]) -> Float64[Tensor, " B *K"]:
        """The same function, each sum of hinges evaluated on the line between the two knots around its argument:
        O(D + log N) a point, and without the cancellation of large terms. No gradients."""
        z = torch.from_numpy(project(as_array(self._vectors(x)), as_array(self.projection)))
        return self.profile(z.to(self.projection.device), evaluate_pieces)

    def decode(self, outputs: Float64[Tensor, " B *K"]) -> Int64[Tensor, " B"]:
        """Classes from what `forward` or `evaluate_sorted` returned: the nearest index, or the largest of K outputs.

        Raises:
            UserError: if the targets were real numbers.
        """
        if self.num_classes is None:
            raise UserError("this memoriser has real targets, expected classes to decode; use its outputs as they are")
        if outputs.ndim == 2:
            return outputs.argmax(1)
        return outputs.round().clamp(0, self.num_classes - 1).long()

    def classify(self, x: Num[Tensor, "B ..."]) -> Int64[Tensor, " B"]:
        """The classes of x, by `evaluate_sorted`.

        Raises:
            UserError: if the targets were real numbers.
        """
        return self.decode(self.evaluate_sorted(x))

    def _vectors(self, x: Num[Tensor, "B ..."]) -> Num[Tensor, "B D"]:
        d = len(self.projection)
        if x[:1].numel() != min(len(x), 1) * d:
            raise UserError(f"got points of shape {tuple(x.shape[1:])}, expected {d} numbers each, as it was built for")
        return x.reshape(len(x), d)

    def extra_repr(self) -> str:
        made = self.construction
        return f"n={made.num_points}, d={made.num_features}, weights={made.num_weights}, classes={self.num_classes}"


@torch.no_grad()
def construction_of(
    network: ProjectedNetwork, line: BrokenLine, hinge_weights: Sequence[Float64[np.ndarray, " _ *K"]]
) -> Construction:
    """Measures a network that was made to follow the line.

    Raises:
        UserError: if float64 cannot hold the slopes, or rounding turns a class into another.
    """
    projection = line.projection
    largest_weight = float(max(np.abs(weights).max() for weights in hinge_weights))
    if not np.isfinite(largest_weight):
        raise UserError(
            f"the closest points are {projection.smallest_gap:.1e} apart, which makes slopes beyond float64; rescale "
            "x, or drop points that nearly coincide"
        )
    values = network.profile(torch.from_numpy(projection.values), evaluate_pieces).numpy()
    largest_error = float(np.abs(values - line.targets).max())
    if line.num_classes is not None and not largest_error < 0.5:
        raise UserError(
            f"the closest points are {projection.relative_gap:.1e} of the range apart, which leaves an error of "
            f"{largest_error:.1g} in float64, expected less than half a class; drop points that nearly coincide, or "
            "give them the same class"
        )
    return Construction(
        num_points=len(line.is_new),
        num_distinct=len(line.knots) - 1,
        num_features=len(projection.direction),
        num_weights=sum(parameter.numel() for parameter in network.parameters()),
        smallest_gap=projection.smallest_gap,
        relative_gap=projection.relative_gap,
        largest_weight=largest_weight,
        largest_error=largest_error,
        forward_rounding=2.0**-53
        * largest_weight
        * (float(line.knots[-1] - line.knots[0]) + line.projection.largest_term),
        smallest_eigenvalue=float(np.diff(line.knots).min()),
        projection=projection.chosen,
        tried=projection.tried,
    )


class Memorizer(ProjectedNetwork):
    """sum_j w_j max(<a, x> - b_j, 0), with nothing but a `[D]`, b `[N]` and w `[N]` or `[N, K]`.

    Hinge j belongs to the j-th point in the order of the projections.

    >>> network = memorizer([[0.0], [1.0], [3.0]], [2.0, 5.0, 1.0])
    >>> network.evaluate_sorted(torch.tensor([[0.0], [0.5], [1.0], [2.0]])).round(decimals=9).tolist()
    [2.0, 3.5, 5.0, 3.0]
    """

    def __init__(
        self,
        projection: Float64[np.ndarray, " D"],
        thresholds: Float64[np.ndarray, " N"],
        weights: Float64[np.ndarray, " N *K"],
        num_classes: int | None,
    ) -> None:
        super().__init__(projection, num_classes)
        self.thresholds = nn.Parameter(torch.tensor(thresholds))
        self.weights = nn.Parameter(torch.tensor(weights))

    def profile(self, z: Float64[Tensor, " B"], hinge_sum: HingeSum) -> Float64[Tensor, " B *K"]:
        return hinge_sum(z, self.thresholds, self.weights)


def memorizer(
    x: Any, y: Any, *, num_classes: int | None = None, outputs: Outputs = "index", seed: int = 0
) -> Memorizer:
    """A two-layer ReLU network that gives the target y_i at each of n points x_i (Theorem 1).

    With outputs "index" it has one output and exactly 2n + d weights: y are real targets; or classes, whose index is
    the target and which `Memorizer.classify` decodes by rounding. With outputs "classes" it has K outputs, one-hot
    targets and (K + 1)n + d weights. O(n log n + n d) time and O(n) memory beside x, which is read in blocks.

    Equal points with equal targets share one hinge; those of further copies have its threshold and weight zero. Float64
    sets the limit: the sum in `forward` has an error of about `construction.forward_rounding`, that of
    `evaluate_sorted` is `construction.largest_error`.

    >>> x, labels = np.random.default_rng(0).standard_normal((100, 20)), np.arange(100) % 7
    >>> network = memorizer(x, labels)
    >>> sum(weights.numel() for weights in network.parameters())  # 2n + d
    220
    >>> bool((network.classify(torch.from_numpy(x)).numpy() == labels).all())
    True

    Args:
        x: N points `[N, ...]` of real numbers, as an array or tensor; computed with in float64.
        y: N real targets; or whole numbers, which are classes 0..K-1 unless some are negative.
        num_classes: K; by default the largest class plus 1. If given, y must be classes.
        outputs: one output with the class's index, or one for each class.
        seed: draws the directions of which one is chosen.

    Raises:
        UserError: for equal points with different targets (naming the rows), values that are not finite, points that
            float64 cannot tell apart, and classes that are none.
    """
    line = draw_line(x, y, num_classes=num_classes, outputs=outputs, seed=seed)
    weights = np.zeros_like(line.targets)
    weights[line.is_new] = np.diff(exact_slopes(line.knots, line.values), axis=0, prepend=0)
    thresholds = line.knots[np.cumsum(line.is_new) - 1]
    network = Memorizer(line.projection.direction, thresholds, weights, line.num_classes)
    network.construction = construction_of(network, line, [weights])
    return network


class DeepMemorizer(ProjectedNetwork):
    """Hidden layers of hinges; those of the first read <a, x>, those of the others what its first hinge passes on.

    >>> network = deep_memorizer([[0.0], [1.0], [3.0]], [2.0, 5.0, 1.0], depth=3)
    >>> network.evaluate_sorted(torch.tensor([[0.0], [0.5], [1.0], [2.0]])).round(decimals=9).tolist()
    [2.0, 3.5, 5.0, 3.0]
    >>> network.depth, network.widths
    (3, (3, 2))
    """

    def __init__(
        self,
        projection: Float64[np.ndarray, " D"],
        thresholds: list[Float64[np.ndarray, " _"]],
        weights: list[Float64[np.ndarray, " _ *K"]],
        offset: float,
        num_classes: int | None,
    ) -> None:
        super().__init__(projection, num_classes)
        self.thresholds = nn.ParameterList(map(torch.tensor, thresholds))
        self.weights = nn.ParameterList(map(torch.tensor, weights))
        self.offset = nn.Parameter(torch.tensor(offset, dtype=torch.float64)) if len(thresholds) > 1 else None

    @property
    def depth(self) -> int:
        """Layers of weights: one more than hidden layers."""
        return len(self.thresholds) + 1

    @property
    def widths(self) -> tuple[int, ...]:
        """Units of each hidden layer: its hinges; from the second on, those that carry a sum for each output; and up to
        the last but one, one that carries z (in the first layer, a hinge does)."""
        hidden, num_sums = len(self.thresholds), self.weights[0][0].numel()
        return tuple(
            len(hinges) + (num_sums if layer > 0 else 0) + (0 < layer < hidden - 1)
            for layer, hinges in enumerate(self.thresholds)
        )

    @property
    def num_connections(self) -> int:
        """Those that are not zero, biases included, and including all that are fixed to 1 or shared: each first-layer
        unit's d, each further hinge's 1."""
        num_sums, d = self.weights[0][0].numel(), len(self.projection)
        first, *later = map(len, self.thresholds)
        total = first * (d + 1) + first * num_sums
        for layer, hinges in enumerate(later):
            total += 2 * hinges + hinges * num_sums  # from z, and a bias; to the sums
            total += 2 * num_sums if layer == 0 else num_sums  # the sum of before; its offset at first
            total += layer < len(later) - 1
        return total

    def profile(self, z: Float64[Tensor, " B"], hinge_sum: HingeSum) -> Float64[Tensor, " B *K"]:
        total = hinge_sum(z, self.thresholds[0], self.weights[0])
        if self.offset is None:
            return total
        # Below the first threshold all hinges are at rest: nothing is lost with what ReLU cuts off.
        carried = (z - self.thresholds[0][0]).relu()
        total = total + self.offset
        for thresholds, weights in zip(self.thresholds[1:], self.weights[1:], strict=True):
            total = total.relu() + hinge_sum(carried, thresholds, weights)
        return total - self.offset


def deep_memorizer(
    x: Any, y: Any, *, depth: int, num_classes: int | None = None, outputs: Outputs = "index", seed: int = 0
) -> DeepMemorizer:
    """A ReLU network of `depth` k >= 2 layers that gives the target y_i at each of n points x_i (Corollary 1).

    Its k - 1 hidden layers have at most ceil(n / (k - 1)) + 2 + K units, K being the number of outputs. For n distinct
    points it has (K + 1)(n + k - 2) + d free weights, and one more from depth 3 on: d of the projection, for each hinge
    a threshold and K weights, n hinges and one for each hidden layer but the last, and the offset that keeps sums
    non-negative. Connections that carry a number on are fixed to 1 (`num_connections` counts them too). At depth 2 it
    is the network of `memorizer`.

    >>> x, labels = np.random.default_rng(0).standard_normal((100, 20)), np.arange(100) % 7
    >>> network = deep_memorizer(x, labels, depth=4)
    >>> network.widths, network.construction.num_weights
    ((35, 36, 34), 225)
    >>> bool((network.classify(torch.from_numpy(x)).numpy() == labels).all())
    True

    Args:
        x, y, num_classes, outputs, seed: as for `byrote.memorizer`; equal points are one point here.
        depth: layers of weights, at most one more than there are distinct points.

    Raises:
        UserError: as `byrote.memorizer` does, and for a depth that cannot be.
    """
    line = draw_line(x, y, num_classes=num_classes, outputs=outputs, seed=seed)
    num_distinct, num_hidden = len(line.knots) - 1, depth - 1
    if not 1 <= num_hidden <= num_distinct:
        raise UserError(
            f"got depth={depth} for {num_distinct} distinct points, expected 2 to {num_distinct + 1}: each hidden "
            "layer needs a point of its own"
        )
    thresholds, weights = [], []
    for layer, rows in enumerate(np.array_split(np.arange(num_distinct), num_hidden)):
        is_last = layer == num_hidden - 1
        # From the second layer on z is measured from the first knot, and rounded as there.
        knots = line.knots if layer == 0 else line.knots - line.knots[0]
        part = slice(rows[0], rows[-1] + 2)
        slopes = exact_slopes(knots[part], line.values[part])
        ends = np.zeros_like(slopes[:1])
        # No layer follows the last: its function may go on rising.
        hinges = slice(None, -1 if is_last else None)
        thresholds.append(knots[part][hinges])
        weights.append(np.diff(slopes, axis=0, prepend=ends, append=ends)[hinges])
    offset = 2 * float(np.abs(line.values).max())
    network = DeepMemorizer(line.projection.direction, thresholds, weights, offset, line.num_classes)
    network.construction = construction_of(network, line, weights)
    return network
