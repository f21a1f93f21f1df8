"""n points and their targets as a broken line over one number: what every memoriser represents."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from jaxtyping import Bool, Float64, Int64, Shaped

from byrote.errors import UserError
from byrote.theory.memorizers.points import as_points, as_targets
from byrote.theory.memorizers.projection import Projection, choose_projection

Outputs = Literal["index", "classes"]


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
