"""n points and their targets as a broken line over one number: what every memoriser represents, as a sum of hinges.

Such a sum is sum_j w_j max(z - b_j, 0), with n hinges and n weights. Between two neighbouring knots the function is a
line. Its slope is the sum of the weights of all hinges to the left, and each weight is a difference of two slopes: the
triangular system of Theorem 1 is solved without a matrix.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import torch
from jaxtyping import Bool, Float64, Int64, Shaped
from torch import Tensor
from torch.utils.checkpoint import checkpoint

from byrote.errors import UserError
from byrote.theory.memorizers.points import as_points, as_targets
from byrote.theory.memorizers.projection import Projection, choose_projection

Outputs = Literal["index", "classes"]
_TILE = (32, 4096)
"""Numbers and hinges that are evaluated at once: 1 MiB of activations, which stay in a core's cache."""


@dataclass(frozen=True, eq=False)
class BrokenLine:
    """The targets over the projections of M distinct points, and one knot before the first, from which it rises."""

    projection: Projection
    knots: Float64[np.ndarray, " J"]
    """Increasing, J = M + 1 of them. The first lies one mean gap before the first point (for one point: its own size,
    at least 1)."""
    values: Float64[np.ndarray, " J *K"]
    is_new: Bool[np.ndarray, " N"]
    """In the order of the projections: whether the point is none of those before."""
    targets: Float64[np.ndarray, " N *K"]
    """In the order of x."""
    num_classes: int | None
    """None: the targets are real numbers."""


def draw_line(x: Any, y: Any, *, num_classes: int | None, outputs: str, seed: int) -> BrokenLine:
    """Validates points and targets, projects the points and sorts them.

    Raises:
        UserError: as `byrote.memorizer` says.
    """
    if outputs not in ("index", "classes"):
        raise UserError(f'got outputs={outputs!r}, expected "index" or "classes"')
    points = as_points(x)
    targets, num_classes = _encoded(as_targets(y, len(points)), num_classes, outputs)
    projection = choose_projection(points, seed=seed)
    order, ordered = projection.order, projection.values[projection.order]
    is_new = np.concatenate([[True], np.diff(ordered) > 0])
    refuse_contradictions(targets, order, is_new)
    positions = ordered[is_new]
    step = (positions[-1] - positions[0]) / (len(positions) - 1) if len(positions) > 1 else max(1.0, abs(positions[0]))
    knots = np.concatenate([[positions[0] - step], positions])
    values = np.concatenate([np.zeros_like(targets[:1]), targets[order[is_new]]])
    return BrokenLine(projection, knots, values, is_new, targets, num_classes)


def _encoded(
    labels: Shaped[np.ndarray, " N"], num_classes: int | None, outputs: str
) -> tuple[Float64[np.ndarray, " N *K"], int | None]:
    """The targets of the outputs, and K if they stand for classes."""
    given = num_classes is not None
    if num_classes is None and labels.dtype.kind == "i" and labels.min() >= 0:
        num_classes = int(labels.max()) + 1
    if num_classes is None:
        if outputs == "classes":
            raise UserError('got outputs="classes" and real targets, expected classes as whole numbers 0..K-1')
        return labels.astype(np.float64), None
    wrong = np.flatnonzero((labels < 0) | (labels >= num_classes) | (labels != np.rint(labels)))
    if given and len(wrong):
        raise UserError(
            f"row {wrong[0]} of y (counting from 0) is {labels[wrong[0]]}, expected a class 0..{num_classes - 1} as "
            f"num_classes={num_classes} says; leave num_classes out for real targets"
        )
    if outputs == "index":
        return labels.astype(np.float64), num_classes
    one_hot = np.zeros((len(labels), num_classes))
    one_hot[np.arange(len(labels)), labels.astype(np.int64)] = 1
    return one_hot, num_classes


def refuse_contradictions(
    targets: Float64[np.ndarray, " N *K"], order: Int64[np.ndarray, " N"], is_new: Bool[np.ndarray, " N"]
) -> None:
    """Raises a UserError that names two rows if equal points, neighbours in the order, have different targets."""
    again = np.flatnonzero(~is_new)
    first, second = order[again - 1], order[again]
    wrong = np.flatnonzero((targets[first] != targets[second]).reshape(len(again), -1).any(1)) if len(again) else again
    if len(wrong):
        rows = sorted((int(first[wrong[0]]), int(second[wrong[0]])))
        raise UserError(
            f"rows {rows[0]} and {rows[1]} of x (counting from 0) are equal and their targets differ ({len(wrong)} "
            "such pairs), expected one target for each distinct point; drop one of them or give both the same target"
        )


def exact_slopes(
    knots: Float64[np.ndarray, " J"], values: Float64[np.ndarray, " J *K"]
) -> Float64[np.ndarray, " J-1 *K"]:
    """The slopes between neighbouring knots, rounded so that sums of their differences have no rounding error.

    Over a gap so small that float64 cannot hold the slope they are not finite.

    Each is rounded to 2 units in the last place of the largest of itself and its two neighbours. Then the difference of
    neighbours is a float64, and adding up the differences from the left gives each slope back to the last bit: a steep
    piece between two close knots leaves no error behind in all pieces to the right of it.
    """
    steps = np.diff(knots).reshape(-1, *[1] * (values.ndim - 1))
    with np.errstate(divide="ignore", over="ignore", invalid="ignore"):
        slopes = np.diff(values, axis=0) / steps
    sizes = np.abs(slopes)
    largest = sizes.copy()
    np.maximum(largest[1:], sizes[:-1], out=largest[1:])
    np.maximum(largest[:-1], sizes[1:], out=largest[:-1])
    exponents = np.frexp(largest)[1] - 52
    return np.ldexp(np.rint(np.ldexp(slopes, -exponents)), exponents)


def sum_of_hinges(
    z: Float64[Tensor, " B"], thresholds: Float64[Tensor, " N"], weights: Float64[Tensor, " N *K"]
) -> Float64[Tensor, " B *K"]:
    """sum_j w_j max(z - b_j, 0), tile by tile: memory for activations does not grow with B or N, gradients included."""
    rows, units = _TILE
    tile = _recomputed_tile if torch.is_grad_enabled() else _tile
    pairs = list(zip(thresholds.split(units), weights.split(units), strict=True))
    sums = []
    for part in z.split(rows):
        total = part.new_zeros(len(part), *weights.shape[1:])
        for pair in pairs:
            total = total + tile(part, *pair)
        sums.append(total)
    return torch.cat(sums)


def _tile(z: Tensor, thresholds: Tensor, weights: Tensor) -> Tensor:
    return (z[:, None] - thresholds).relu_() @ weights


def _recomputed_tile(z: Tensor, thresholds: Tensor, weights: Tensor) -> Tensor:
    return checkpoint(_tile, z, thresholds, weights, use_reentrant=False, preserve_rng_state=False)


def evaluate_pieces(
    z: Float64[Tensor, " B"], thresholds: Float64[Tensor, " N"], weights: Float64[Tensor, " N *K"]
) -> Float64[Tensor, " B *K"]:
    """The same sum in O((N + B) log N), without gradients: finds the piece that holds z and evaluates its line.

    The values at the knots are added up from piece to piece, so what is added has the size of the values and not that
    of the hinges: none of the cancellation of the plain sum. Slopes are sums of weights, exact for `exact_slopes`.
    """
    numbers, knots, steps = (tensor.detach().cpu().numpy() for tensor in (z, thresholds, weights))
    order = np.argsort(knots, kind="stable")
    knots = knots[order]
    slopes = np.cumsum(steps[order], axis=0)
    column = (-1, *[1] * (slopes.ndim - 1))
    heights = np.zeros_like(slopes)
    np.cumsum(slopes[:-1] * np.diff(knots).reshape(column), axis=0, out=heights[1:])
    piece = np.searchsorted(knots, numbers, side="right") - 1
    values = heights[piece] + slopes[piece] * (numbers - knots[piece]).reshape(column)
    values[piece < 0] = 0
    return torch.from_numpy(values).to(z.device)
