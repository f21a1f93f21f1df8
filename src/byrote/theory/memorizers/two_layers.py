"""Finite-sample expressivity: two layers and 2n + d weights represent any targets on any n points in d dimensions.

Theorem 1 of the paper (section 4 and appendix C): project the points onto a direction a that keeps them apart, sort
the projections z_1 < ... < z_n, choose thresholds b_1 < z_1 <= b_2 < z_2 <= ... and solve the triangular system
y_i = sum_j w_j max(z_i - b_j, 0), whose diagonal z_i - b_i is positive, for w. The paper leaves a and b open. Here each
threshold is the point before, b_i = z_(i-1), and the first lies one mean gap before the first point: the network is the
broken line through all points (z_i, y_i), and the w_i are the differences of its slopes, O(n) after the sort.
Thresholds in the middle of the gaps let the slopes oscillate and grow.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from jaxtyping import Float64
from torch import Tensor, nn

from byrote.theory.memorizers.broken_line import Outputs, draw_line
from byrote.theory.memorizers.hinges import exact_slopes
from byrote.theory.memorizers.ridge_function import HingeSum, RidgeFunction, construction_of


class Memorizer(RidgeFunction):
    """sum_j w_j max(<a, x> - b_j, 0), with nothing but a `[D]`, b `[N]` and w `[N]` or `[N, K]`.

    Hinge j belongs to the j-th point in the order of the projections.
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
