"""Where to write the names of a few points, so that neither points nor other names are covered."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple, TypeAlias

import numpy as np
from jaxtyping import Float

# The narrowest chart, on a phone, and a character and a line of its labels, in pixels.
_WIDTH, _CHARACTER, _LINE = 270.0, 6.6, 14.0
_POINT = 5.0
_Box: TypeAlias = tuple[float, float, float, float]
"""Left, top, right, bottom."""


class Place(NamedTuple):
    """A name's place beside its point, in pixels to the right and downwards."""

    align: str
    """Which end of the name is there: "left", "center" or "right"."""
    dx: float
    dy: float


PLACES = (
    *(Place("center", 0, dy) for dy in (-13, 14)),
    *(Place(align, dx, dy) for dy in (-13, 14) for align, dx in (("right", 5), ("left", -5))),
    *(Place("center", 0, dy) for dy in (-27, 28)),
    *(Place(align, dx, dy) for dy in (-27, 28) for align, dx in (("right", 5), ("left", -5))),
    Place("left", 9, 0),
    Place("right", -9, 0),
)
"""The first of equals is taken: above and below, clear of an interval in x; close by; in the middle."""


def label_places(
    x: Float[np.ndarray, " M"], y: Float[np.ndarray, " M"], names: Sequence[str], *, height: int
) -> list[Place]:
    """For each of M points the place at which its name covers least.

    `x` and `y` are shares of the chart's width from the left and of its height from below. Points choose in the order
    of `x`; what a name may cover are the points, the names already placed, and what lies beyond the chart's sides.
    """
    points = np.stack([x * _WIDTH, (1 - y) * height], axis=1)
    taken = [(left - _POINT, top - _POINT, left + _POINT, top + _POINT) for left, top in points.tolist()]
    places: dict[int, Place] = {}
    for index in np.argsort(x, kind="stable").tolist():
        left, top = points[index].tolist()
        boxes = [_box(place, left, top, len(names[index]) * _CHARACTER) for place in PLACES]
        costs = [sum(_overlap(box, other) for other in taken) + _beyond(box) for box in boxes]
        best = costs.index(min(costs))
        places[index] = PLACES[best]
        taken.append(boxes[best])
    return [places[index] for index in range(len(names))]


def _box(place: Place, left: float, top: float, width: float) -> _Box:
    start = left + place.dx - {"left": 0.0, "center": width / 2, "right": width}[place.align]
    return (start, top + place.dy - _LINE / 2, start + width, top + place.dy + _LINE / 2)


def _overlap(one: _Box, other: _Box) -> float:
    """In square pixels."""
    wide, high = (min(one[2 + side], other[2 + side]) - max(one[side], other[side]) for side in (0, 1))
    return max(wide, 0.0) * max(high, 0.0)


def _beyond(box: _Box) -> float:
    """The part of a name left or right of the chart, in square pixels."""
    return (max(-box[0], 0.0) + max(box[2] - _WIDTH, 0.0)) * _LINE
