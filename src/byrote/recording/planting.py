"""Errors that are planted into labels before a training run, to learn from how they fare in it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal, TypeAlias

import numpy as np
from jaxtyping import Float64, Int64

from byrote.errors import UserError
from byrote.randomness import stream

ErrorKind: TypeAlias = Literal["uniform", "confusable"]


@dataclass(frozen=True, eq=False)
class PlantedLabels:
    """Labels with errors, and what they were."""

    labels: Int64[np.ndarray, " N"]
    """To train on."""
    rows: Int64[np.ndarray, " P"]
    """Where an error was planted, rising."""
    given: Int64[np.ndarray, " P"]
    """The labels that these rows came with."""
    kind: ErrorKind
    """Each other label alike, or by how often classes are taken for each other."""


def plant_labels(
    labels: Int64[np.ndarray, " N"], rate: float, seed: int, confusions: Float64[np.ndarray, "K K"] | None = None
) -> PlantedLabels:
    """Gives a share `rate` of all rows, drawn without replacement, one of the other labels that occur.

    Args:
        confusions: as `confusions_of` has them: pairs of classes get errors in these shares, rows of a class alike.
            None gives all rows and all other labels the same chance.

    Raises:
        UserError: a rate that plants nothing or all, or fewer than two labels.
    """
    if not isinstance(rate, int | float | np.number) or not 0 < rate <= 0.5:
        raise UserError(f"got rate={rate!r}, expected a share of the labels above 0 and at most 0.5, such as 0.02")
    classes = np.unique(labels)
    if len(classes) < 2:
        raise UserError(f"got labels of {len(classes)} class, expected two or more: an error needs another label")
    num_planted = round(rate * len(labels))
    if not num_planted:
        raise UserError(f"got rate={rate} for {len(labels):,} labels, which plants none: give a higher rate")
    draw = stream(seed, "planted labels")
    changed = labels.copy()
    if confusions is None:
        rows = np.sort(np.argsort(draw.random(len(labels)), kind="stable")[:num_planted])
        own = np.searchsorted(classes, labels[rows])
        away = 1 + np.floor(draw.random(num_planted) * (len(classes) - 1)).astype(np.int64)
        changed[rows] = classes[(own + away) % len(classes)]
        return PlantedLabels(changed, rows, labels[rows], "uniform")
    chances = confusions[np.ix_(classes, classes)]
    counts = np.bincount(labels)[classes]
    # The least of exponential times, each over its row's rate: rows are drawn in these shares without replacement.
    times = draw.exponential(size=len(labels)) / (chances.sum(axis=1) / counts)[np.searchsorted(classes, labels)]
    rows = np.sort(np.argsort(times, kind="stable")[:num_planted])
    own = np.searchsorted(classes, labels[rows])
    below = chances.cumsum(axis=1) / chances.sum(axis=1, keepdims=True)
    places = (draw.random(num_planted)[:, None] >= below[own]).sum(axis=1)
    changed[rows] = classes[np.minimum(places, len(classes) - 1)]
    return PlantedLabels(changed, rows, labels[rows], "confusable")


def confusions_of(confusions: Any, labels: Int64[np.ndarray, " N"]) -> Float64[np.ndarray, "K K"]:
    """How often classes are taken for each other, either way: the share of each ordered pair, 0 on the diagonal.

    One example more is spread over all pairs of classes that occur, so that none is left without errors.

    Args:
        confusions: a confusion matrix `[K, K]`, or a class that was predicted for each of the `labels`.

    Raises:
        UserError: it is neither, or nothing is confused.
    """
    array = np.asarray(confusions.detach().cpu() if hasattr(confusions, "detach") else confusions)
    num_classes = int(labels.max()) + 1 if len(labels) else 0
    if array.ndim == 1:
        predicted = whole_numbers(confusions, "predictions as confusions")
        if len(predicted) != len(labels):
            raise UserError(f"got {len(predicted):,} predictions as confusions, expected {len(labels):,}: one a label")
        num_classes = max(num_classes, int(predicted.max()) + 1)
        counts = np.zeros((num_classes, num_classes))
        np.add.at(counts, (labels, predicted), 1)
    else:
        if array.ndim != 2 or len(array) != array.shape[1] or len(array) < num_classes or array.dtype.kind not in "iuf":
            raise UserError(
                f"got confusions of shape {list(array.shape)} and type {array.dtype}, expected a confusion matrix of "
                f"{num_classes} classes, or a predicted class for each of {len(labels):,} labels"
            )
        counts = array.astype(np.float64)
        if not np.isfinite(counts).all() or counts.min() < 0:
            raise UserError("got confusions below 0 or not finite, expected counts or shares of pairs of classes")
    present = np.bincount(labels, minlength=len(counts)) > 0
    others = np.outer(present, present) & ~np.eye(len(counts), dtype=bool)
    pairs = np.where(others, counts + counts.T, 0.0)
    if not pairs.any():
        raise UserError(
            "got confusions that confuse no class with another: leave them out, or predict examples by a network that "
            "was not trained on them"
        )
    return pairs / pairs.sum() + others / (others.sum() * max(float(pairs.sum()) / 2, 1.0))


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
