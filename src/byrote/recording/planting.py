"""Errors that are planted into labels before a training run, to learn from how they fare in it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Int64

from byrote.errors import UserError
from byrote.randomness import stream


@dataclass(frozen=True, eq=False)
class PlantedLabels:
    """Labels with errors, and what they were."""

    labels: Int64[np.ndarray, " N"]
    """To train on."""
    rows: Int64[np.ndarray, " P"]
    """Where an error was planted, rising."""
    given: Int64[np.ndarray, " P"]
    """The labels that these rows came with."""


def plant_labels(labels: Int64[np.ndarray, " N"], rate: float, seed: int) -> PlantedLabels:
    """Gives a share `rate` of all rows, drawn without replacement, one of the other labels that occur, each alike.

    Raises:
        UserError: a rate that plants nothing or all, or fewer than two labels.
    """
    if not 0 < rate <= 0.5:
        raise UserError(f"got rate={rate}, expected a share of the labels above 0 and at most 0.5, such as 0.02")
    classes = np.unique(labels)
    if len(classes) < 2:
        raise UserError(f"got labels of {len(classes)} class, expected two or more: an error needs another label")
    num_planted = round(rate * len(labels))
    if not num_planted:
        raise UserError(f"got rate={rate} for {len(labels):,} labels, which plants none: give a higher rate")
    draw = stream(seed, "planted labels")
    rows = np.sort(np.argsort(draw.random(len(labels)), kind="stable")[:num_planted])
    own = np.searchsorted(classes, labels[rows])
    away = 1 + np.floor(draw.random(num_planted) * (len(classes) - 1)).astype(np.int64)
    changed = labels.copy()
    changed[rows] = classes[(own + away) % len(classes)]
    return PlantedLabels(changed, rows, labels[rows])


def whole_numbers(labels: Any, what: str) -> Int64[np.ndarray, " N"]:
    """Labels of NumPy, torch, pandas or a list as class numbers.

    Raises:
        UserError: they are something else.
    """
    array = np.asarray(labels.detach().cpu() if hasattr(labels, "detach") else labels)
    if array.ndim != 1 or array.dtype.kind not in "iub" or (len(array) and array.min() < 0):
        raise UserError(
            f"got {what} of shape {list(array.shape)} and type {array.dtype}, expected one class number from 0 for "
            "each example: number the classes"
        )
    return array.astype(np.int64)


def like(labels: Any, changed: Int64[np.ndarray, " N"]) -> Any:
    """`changed` as the type that `labels` have; what they are is left as it was."""
    if hasattr(labels, "detach"):
        return labels.new_tensor(changed)
    if isinstance(labels, np.ndarray):
        return changed.astype(labels.dtype)
    if hasattr(labels, "iloc"):
        return type(labels)(changed, index=labels.index, name=labels.name, dtype=labels.dtype)
    return type(labels)(changed.tolist())
