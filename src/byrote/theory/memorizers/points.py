"""Points as the memorisers take them: any array of N of them, read as float64 vectors a block at a time."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
from jaxtyping import Bool, Float64, Int64, Num, Shaped
from torch import Tensor

from byrote.errors import UserError

LARGEST = 1e150
"""Beyond it squares are no float64."""

_BLOCK_ELEMENTS = 2**16
"""Elements of a block: 512 KiB in float64, half of a core's L2 cache."""


def as_points(x: Any, name: str = "x") -> Shaped[np.ndarray, "N ..."]:
    """Any array of N >= 1 points (NumPy, torch, pandas, nested lists), one of numbers `[N]` included; never a copy of
    an array that is one already. That all values are finite is left to whoever reads them (`refuse_non_finite`).

    Raises:
        UserError: for what is not numbers, and for no points.
    """
    points = as_array(x)
    if points.dtype.kind not in "biuf":
        raise UserError(f"{name} holds values of type {points.dtype}, expected real numbers")
    if points.ndim == 0 or points.size == 0:
        raise UserError(f"{name} has shape {points.shape}, expected N >= 1 points [N, ...] of numbers")
    return points


def as_array(values: Any) -> np.ndarray:
    """NumPy's view of an array-like or a tensor."""
    if isinstance(values, Tensor):
        values = values.detach().cpu()
        # NumPy has no bfloat16.
        values = (values.double() if values.is_floating_point() else values).numpy()
    return np.asarray(values)


def num_features(points: Shaped[np.ndarray, "N ..."]) -> int:
    """D: the numbers that make up one point."""
    return points[:1].size


def as_vectors(points: Shaped[np.ndarray, "B ..."]) -> Float64[np.ndarray, "B D"]:
    """Each point's numbers in a row, in float64."""
    return points.reshape(len(points), -1).astype(np.float64, copy=False)


def blocks(
    points: Shaped[np.ndarray, "N ..."], elements: int = _BLOCK_ELEMENTS
) -> Iterator[tuple[slice, Float64[np.ndarray, "B D"]]]:
    """The points in turn, as many of them at once as have `elements` numbers, and at least one."""
    size = max(1, elements // num_features(points))
    for start in range(0, len(points), size):
        rows = slice(start, min(start + size, len(points)))
        yield rows, as_vectors(points[rows])


def differ(
    points: Shaped[np.ndarray, "N ..."], first: Int64[np.ndarray, " P"], second: Int64[np.ndarray, " P"]
) -> Bool[np.ndarray, " P"]:
    """Whether the points of each pair of rows differ."""
    size = max(1, _BLOCK_ELEMENTS // num_features(points))
    parts = [
        (points[first[start : start + size]] != points[second[start : start + size]])
        .reshape(-1, num_features(points))
        .any(1)
        for start in range(0, len(first), size)
    ]
    return np.concatenate(parts) if parts else np.zeros(0, dtype=bool)


def refuse_non_finite(points: Shaped[np.ndarray, "N ..."], name: str = "x") -> None:
    """Raises a UserError that names the first row with a NaN or an infinity; or, if there is none, with too large a
    number to multiply and add up in float64."""
    for limit, found in ((np.inf, "holds NaN or infinity"), (LARGEST, f"holds a number beyond {LARGEST:.0e}")):
        for rows, block in blocks(points):
            wrong = np.flatnonzero(~(np.abs(block) < limit).all(1))
            if len(wrong):
                raise UserError(
                    f"row {rows.start + int(wrong[0])} of {name} (counting from 0) {found}, expected finite numbers; "
                    "drop the row, fill in the value or rescale"
                )


def as_targets(y: Any, num_points: int) -> Num[np.ndarray, " N"]:
    """The N targets: float64, or int64 where they are whole numbers by type.

    Raises:
        UserError: for what is not one finite number for each point.
    """
    targets = as_array(y)
    if targets.ndim == 2 and targets.shape[1] == 1:
        targets = targets[:, 0]
    if targets.dtype.kind not in "biuf":
        raise UserError(
            f"y holds values of type {targets.dtype}, expected real targets, or classes as whole numbers 0..K-1; "
            "number the classes, for instance by np.unique(y, return_inverse=True)[1]"
        )
    if targets.shape != (num_points,):
        raise UserError(f"y has shape {targets.shape}, expected ({num_points},), one target for each point in x")
    if targets.dtype.kind != "f":
        return targets.astype(np.int64)
    wrong = np.flatnonzero(~np.isfinite(targets))
    if len(wrong):
        raise UserError(f"row {wrong[0]} of y (counting from 0) is {targets[wrong[0]]}, expected a finite number")
    return targets.astype(np.float64, copy=False)
