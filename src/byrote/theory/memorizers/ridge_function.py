"""Networks that see an input as the one number <a, x>, ridge functions, and how well they hit their targets."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
import torch
from jaxtyping import Float64, Int64, Num
from torch import Tensor, nn

from byrote.errors import UserError
from byrote.theory.memorizers.broken_line import BrokenLine
from byrote.theory.memorizers.hinges import evaluate_pieces, sum_of_hinges
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


class RidgeFunction(nn.Module, ABC):
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
    network: RidgeFunction, line: BrokenLine, hinge_weights: Sequence[Float64[np.ndarray, " _ *K"]]
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
