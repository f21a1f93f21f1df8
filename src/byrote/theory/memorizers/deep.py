"""The memoriser as a deep and narrow network: any targets on n points with width O(n/k) and O(n + d) weights.

Corollary 1 of the paper: at every depth k >= 2 there is such a network. Here its k - 1 hidden layers share out the n
hinges of the broken line, in order. What later layers need is carried along by units of their own: z = <a, x> and the
sum of the layers so far. Both are kept non-negative, so that ReLU lets them pass. A layer's hinges end in a constant:
one more hinge takes back the last slope, so the sum that is carried stays between the targets and does not grow with
the slopes, which are as large as the smallest gap is small.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from jaxtyping import Float64
from torch import Tensor, nn

from byrote.errors import UserError
from byrote.theory.memorizers.broken_line import Outputs, draw_line
from byrote.theory.memorizers.hinges import exact_slopes
from byrote.theory.memorizers.ridge_function import HingeSum, RidgeFunction, construction_of


class DeepMemorizer(RidgeFunction):
    """Hidden layers of hinges; those of the first read <a, x>, those of the others what its first hinge passes on."""

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
