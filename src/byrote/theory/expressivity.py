"""Finite-sample expressivity: two layers and 2n + d weights represent any targets on any n points in d dimensions.

Theorem 1 of the paper (section 4 and appendix C): project the points onto a direction a that keeps them apart, sort
the projections z_1 < ... < z_n, choose thresholds b_1 < z_1 <= b_2 < z_2 <= ... and solve the triangular system
y_i = sum_j w_j max(z_i - b_j, 0), whose diagonal z_i - b_i is positive, for w. The paper leaves a and b open. Here each
threshold is the point before, b_i = z_(i-1), and the first lies one mean gap before the first point: the network is the
broken line through all points (z_i, y_i), and the w_i are the differences of its slopes, O(n) after the sort.
Thresholds in the middle of the gaps let the slopes oscillate and grow.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from jaxtyping import Float64, Int64, Num
from torch import Tensor, nn

from byrote.errors import UserError
from byrote.theory.broken_line import Outputs, draw_line, refuse_overflow, refuse_wrong_classes
from byrote.theory.hinges import evaluate_pieces, exact_slopes, sum_of_hinges
from byrote.theory.points import as_array
from byrote.theory.projection import Try, project


@dataclass(frozen=True)
class Construction:
    """How a memoriser was built, and how well conditioned it is."""

    num_points: int
    """n."""
    num_distinct: int
    """Of the points; equal ones share a hinge, and the further hinges of each have weight zero."""
    num_features: int
    """d."""
    num_weights: int
    smallest_gap: float
    """Between neighbouring projections of distinct points; NaN if there is but one."""
    relative_gap: float
    """The smallest gap as a share of the range of the projections."""
    largest_weight: float
    """Of the hinges, by absolute value."""
    largest_error: float
    """Over the n points, measured: of `evaluate_sorted`, absolute."""
    forward_rounding: float
    """The size of one rounding error in `forward`, whose terms are as large as the largest weight times the range:
    2**-53 of that. Its error at a point is of this order."""
    smallest_eigenvalue: float
    """Of the triangular matrix max(z_i - b_j, 0) over distinct points (Lemma 1): the smallest z_i - b_i on its
    diagonal. It bounds eigenvalues alone: the matrix is not symmetric, and its smallest singular value is smaller."""
    projection: Try
    """The direction that was chosen, for its relative gap, which is the largest of those tried."""
    tried: tuple[Try, ...]


class Memorizer(nn.Module):
    """sum_j w_j max(<a, x> - b_j, 0) in float64, with nothing but a `[D]`, b `[N]` and w `[N]` or `[N, K]`.

    Hinge j belongs to the j-th point in the order of the projections.
    """

    def __init__(
        self,
        projection: Float64[np.ndarray, " D"],
        thresholds: Float64[np.ndarray, " N"],
        weights: Float64[np.ndarray, N * K],
        *,
        num_classes: int | None,
        construction: Construction,
    ) -> None:
        super().__init__()
        self.projection = nn.Parameter(torch.tensor(projection))
        self.thresholds = nn.Parameter(torch.tensor(thresholds))
        self.weights = nn.Parameter(torch.tensor(weights))
        self.num_classes = num_classes
        self.construction = construction

    def forward(self, x: Num[Tensor, "B ..."]) -> Float64[Tensor, B * K]:
        """The plain sum over all units, O(B N) time; bounded memory for activations, differentiable."""
        z = x.reshape(len(x), -1).double() @ self.projection
        return sum_of_hinges(z, self.thresholds, self.weights)

    @torch.no_grad()
    def evaluate_sorted(self, x: Num[Tensor, "B ..."]) -> Float64[Tensor, B * K]:
        """The same function, evaluated on the line between the two knots around each <a, x>: O(D + log N) a point, and
        without the cancellation of large terms. No gradients."""
        z = project(as_array(x), as_array(self.projection))
        values = evaluate_pieces(z, as_array(self.thresholds), as_array(self.weights))
        return torch.from_numpy(values).to(self.weights.device)

    def decode(self, outputs: Float64[Tensor, B * K]) -> Int64[Tensor, " B"]:
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

    def extra_repr(self) -> str:
        made = self.construction
        return f"n={made.num_points}, d={made.num_features}, weights={made.num_weights}, classes={self.num_classes}"


def memorizer(
    x: Any, y: Any, *, num_classes: int | None = None, outputs: Outputs = "index", seed: int = 0
) -> Memorizer:
    """A two-layer ReLU network that gives the target y_i at each of n points x_i (Theorem 1).

    With outputs "index" it has one output and exactly 2n + d weights: y are real targets; or classes, whose index is
    the target and which `Memorizer.classify` decodes by rounding. With outputs "classes" it has K outputs, one-hot
    targets and (K + 1)n + d weights. O(n log n + n d) time and O(n) memory beside x, which is read in blocks.

    Equal points with equal targets share one hinge. Float64 sets the limit: the sum in `forward` has an error of about
    `construction.forward_rounding`, `evaluate_sorted` one of `construction.largest_error`.

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
    slopes = exact_slopes(line.knots, line.values)
    refuse_overflow(line, slopes)
    # A repeated point has the threshold of its first copy.
    thresholds = line.knots[:-1][np.cumsum(line.is_new) - 1]
    weights = np.zeros_like(line.targets)
    weights[line.is_new] = np.diff(slopes, axis=0, prepend=0)
    projection, largest_weight = line.projection, float(np.abs(weights).max())
    largest_error = float(np.abs(evaluate_pieces(projection.values, thresholds, weights) - line.targets).max())
    refuse_wrong_classes(line, largest_error)
    construction = Construction(
        num_points=len(thresholds),
        num_distinct=len(slopes),
        num_features=len(projection.direction),
        num_weights=len(projection.direction) + thresholds.size + weights.size,
        smallest_gap=projection.smallest_gap,
        relative_gap=projection.relative_gap,
        largest_weight=largest_weight,
        largest_error=largest_error,
        forward_rounding=2.0**-53 * largest_weight * float(line.knots[-1] - line.knots[0]),
        smallest_eigenvalue=float(np.diff(line.knots).min()),
        projection=projection.chosen,
        tried=projection.tried,
    )
    return Memorizer(projection.direction, thresholds, weights, num_classes=line.num_classes, construction=construction)
