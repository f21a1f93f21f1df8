"""Where to write the names of a few points, so that neither points nor other names are covered."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import numpy as np
from jaxtyping import Float

Place = Literal["above", "below", "right", "left"]

# The narrowest chart, on a phone, and a character of its labels, in pixels.
_WIDTH, _CHARACTER, _LINE = 290.0, 6.4, 15.0
_GAP = 9.0


def label_places(
    x: Float[np.ndarray, " M"], y: Float[np.ndarray, " M"], names: Sequence[str], *, height: int
) -> list[Place]:
    """For each of M points the side on which its name covers least; rather above or below, clear of an interval in x.

    `x` and `y` are the places of the points as shares of the chart's width and height. Points choose in the order of
    `x`; what a name may cover are the points, the names already placed, and what lies beyond the chart's edges.
    """
    points = np.stack([x * _WIDTH, y * height], axis=1)
    dots = [(px - 5, py - 5, px + 5, py + 5) for px, py in points]
    boxes: list[tuple[float, float, float, float]] = []
    places: dict[int, Place] = {}
    for index in np.argsort(x, kind="stable"):
        left, bottom = points[index]
        options = _boxes(left, bottom, len(names[index]) * _CHARACTER)
        others = [dot for position, dot in enumerate(dots) if position != index] + boxes
        cost = {place: sum(_overlap(box, other) for other in others) + _beyond(box) for place, box in options.items()}
        best = min(cost, key=lambda place: cost[place])
        places[int(index)] = best
        boxes.append(options[best])
    return [places[index] for index in range(len(names))]


def _boxes(px: float, py: float, width: float) -> dict[Place, tuple[float, float, float, float]]:
    """Left, bottom, right and top of the name on each side."""
    half = _LINE / 2
    return {
        "above": (px - width / 2, py + _GAP, px + width / 2, py + _GAP + _LINE),
        "below": (px - width / 2, py - _GAP - _LINE, px + width / 2, py - _GAP),
        "right": (px + _GAP, py - half, px + _GAP + width, py + half),
        "left": (px - _GAP - width, py - half, px - _GAP, py + half),
    }


def _overlap(one: tuple[float, float, float, float], other: tuple[float, float, float, float]) -> float:
    """In square pixels."""
    wide = min(one[2], other[2]) - max(one[0], other[0])
    high = min(one[3], other[3]) - max(one[1], other[1])
    return max(wide, 0.0) * max(high, 0.0)


def _beyond(box: tuple[float, float, float, float]) -> float:
    """The part of a name left or right of the chart, in square pixels."""
    return (max(-box[0], 0.0) + max(box[2] - _WIDTH, 0.0)) * _LINE
