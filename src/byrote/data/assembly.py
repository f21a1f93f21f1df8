"""Columns as a source holds them -> a Dataset. All checks of content live here, once for every source."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal, cast, get_args

import numpy as np
from jaxtyping import Float32, Int64, Shaped

from byrote.data.columns import Column, check_rows
from byrote.data.dataset import Dataset, Split
from byrote.data.labels import numbered
from byrote.data.subsets import split_rows
from byrote.errors import UserError, warn
from byrote.input_parts import Part, PartKind

Channels = Literal["first", "last"]

_MOST_ROUNDING = 1e-3
"""Of the standard deviation of a feature: what float32 may take from it unsaid."""


@dataclass(frozen=True, eq=False)
class Examples:
    """The examples of one split as they were read."""

    inputs: Column
    """`[N, D]`, `[N, H, W]`, `[N, C, H, W]` or `[N, H, W, C]`, numbers."""
    labels: Column
    """`[N]`, `[N, 1]` or one-hot `[N, K]`, whole numbers or names."""
    sources: Shaped[np.ndarray, " N"] | None = None
    """As of a Split; None: row numbers of the inputs."""
    origin: str | None = None
    """As of a Split; None: "row {} of NAME", by the name of the inputs."""

    def take(self, rows: slice | Int64[np.ndarray, " M"]) -> Examples:
        """Those of these rows."""
        return Examples(self.inputs.take(rows), self.labels.take(rows), self.row_sources[rows], self.origin)

    @property
    def row_sources(self) -> Shaped[np.ndarray, " N"]:
        """Where each example came from, as a number."""
        return np.arange(len(self.inputs.values)) if self.sources is None else self.sources

    def split(self, inputs: Shaped[np.ndarray, "N ..."], labels: Int64[np.ndarray, " N"]) -> Split:
        """These examples after their inputs and labels have been checked."""
        return Split.clean(inputs, labels, self.row_sources, self.origin or f"row {{}} of {self.inputs.name}")


@dataclass(frozen=True, eq=False)
class Unassembled:
    """What a reader found, unchecked."""

    splits: tuple[Examples, ...]
    """Training and test; or training alone, which is then split."""
    class_names: tuple[str, ...] | None = None
    """What the labels 0..K-1 are called, where the source says so."""
    pixel_max: float | None = None
    """None: judged by the pixels."""
    channels: Channels | None = None
    """Which axis of `[N, ., ., .]` holds the channels; None: judged by the shape, where that is possible."""
    kind: PartKind | None = None
    """None: judged by the shape; `[N, D]` are vectors then, and never tokens."""
    mapped: bool = False
    """The inputs are views of a read-only memory map, uint8 `[N, C, H, W]`, and stay that: copies may not fit."""
    rejected: tuple[tuple[str, str], ...] = ()
    """Files that are left out, and why."""
    parts: tuple[Part, ...] = ()
    """Of several inputs, how they lie in rows that are packed and checked already."""
    notes: tuple[str, ...] = ()
    """What was left out or taken in a way that the user should know of, a sentence each."""


class NothingLeft(UserError):
    """Every file had to be left out."""

    def __init__(self, sentence: str, rejected: tuple[tuple[str, str], ...]) -> None:
        super().__init__(sentence)
        self.rejected = rejected


def refuse_unknown_kind(kind: object) -> PartKind | None:
    """The kind, where it is one."""
    if kind not in (None, *get_args(PartKind)):
        raise UserError(f"got kind={kind!r}, expected one of {', '.join(get_args(PartKind))}")
    return cast(PartKind | None, kind)


def could_be_tokens(reading: Unassembled) -> bool:
    """Whether vectors may be meant as token ids: whole numbers by type, of more bits than pixels have, none below 0."""
    inputs = [part.inputs.values for part in reading.splits]
    return not reading.parts and all(
        values.ndim == 2
        and values.shape[1] > 1
        and values.dtype.kind in "iu"
        and values.dtype.itemsize > 1
        and values.min(initial=0) >= 0
        for values in inputs
    )


def assemble(reading: Unassembled, *, name: str, title: str = "", split_seed: int = 0) -> Dataset:
    """Checks inputs and labels, numbers the classes, and splits what came without a test set.

    Raises:
        UserError: naming the place and the remedy, for anything that a network could not be trained on.
    """
    parts = reading.splits
    inputs, pixel_maxima = zip(
        *(
            (part.inputs.values, 1.0)
            if reading.parts
            else checked_inputs(part.inputs, reading.channels, mapped=reading.mapped, kind=reading.kind)
            for part in parts
        ),
        strict=True,
    )
    for part, array in zip(parts, inputs, strict=True):
        if len(array) != len(part.labels.values):
            raise UserError(
                f"got {len(array)} inputs in {part.inputs.name} but {len(part.labels.values)} labels in "
                f"{part.labels.name}, expected one label for each input"
            )
    if len({array.shape[1:] for array in inputs}) > 1:
        raise UserError(
            f"inputs of {parts[0].inputs.name} have shape {inputs[0].shape[1:]}, those of {parts[1].inputs.name} "
            f"{inputs[1].shape[1:]}: give both splits the same shape"
        )
    labels, class_names, notes = numbered([part.labels for part in parts], reading.class_names)
    roundings = [note for part, array in zip(parts, inputs, strict=True) for note in _rounded(part.inputs, array)]
    for note in (*reading.notes, *notes, *roundings):
        warn(note)
    if len(inputs) == 1:
        _refuse_single(labels[0], class_names, parts[0].labels.name)
        whole = parts[0].split(inputs[0], labels[0])
        train, test = (whole.take(rows) for rows in split_rows(labels[0], split_seed))
        places = parts[0].labels
    else:
        # One type for both: float test images beside 8-bit training images are on the same scale only by chance.
        if inputs[0].dtype != inputs[1].dtype:
            raise UserError(
                f"{parts[0].inputs.name} holds {inputs[0].dtype}, {parts[1].inputs.name} {inputs[1].dtype}: "
                "give both splits the same type and scale"
            )
        train, test = (part.split(*pair) for part, *pair in zip(parts, inputs, labels, strict=True))
        places = parts[1].labels
    _check_classes(train, test, class_names, trained=parts[0].labels.name, tested=places.name)
    return Dataset(
        name=name,
        train=train,
        test=test,
        class_names=class_names,
        pixel_max=float(pixel_maxima[0] if reading.pixel_max is None else reading.pixel_max),
        title=title,
        parts=reading.parts,
    )


def split_labels(
    labels: Column, class_names: tuple[str, ...] | None
) -> tuple[Int64[np.ndarray, " M"], Int64[np.ndarray, " T"]]:
    """The rows that `assemble` would train and test on, of examples without a test split."""
    (codes,), _, _ = numbered([labels], class_names)
    return split_rows(codes, seed=0)


def _refuse_single(labels: Int64[np.ndarray, " N"], class_names: tuple[str, ...], source: str) -> None:
    """Raises UserError where a class is left with test examples alone, once the examples are split."""
    train, _ = split_rows(labels, 0)  # how many of each class go where does not depend on the seed
    lost = np.setdiff1d(labels, labels[train])
    if len(lost):
        count = int((labels == lost[0]).sum())
        raise UserError(
            f"class {class_names[lost[0]]!r} of {source} has {count} of {len(labels)} examples: once a fifth of all is "
            "held out to test on, none of it is left to train on; give more examples of each class, leave small "
            "classes out, or give a test set besides"
        )


def _check_classes(train: Split, test: Split, class_names: tuple[str, ...], *, trained: str, tested: str) -> None:
    untrained = np.setdiff1d(test.labels, train.labels)
    if len(untrained):
        raise UserError(
            f"class {class_names[untrained[0]]!r} is in the test split of {tested} but not in the training split; "
            "add training examples of it, or leave it out of the test split"
        )
    classes = np.unique(train.labels)
    if len(classes) == 1:
        raise UserError(
            f"all training examples of {trained} have one class, {class_names[classes[0]]!r}; "
            "expected at least two classes"
        )


def checked_inputs(
    column: Column, channels: Channels | None, *, mapped: bool, kind: PartKind | None
) -> tuple[Shaped[np.ndarray, "N ..."], float]:
    """Vectors `[N, D]` in float32, images `[N, C, H, W]` in uint8 or float32, or token ids `[N, T]` in int64; and the
    value of a full pixel."""
    values = column.values
    if len(values) == 0:
        raise UserError(f"{column.name} has no rows, expected at least one example")
    if mapped:
        return values, 255.0
    if values.dtype.kind not in "biuf":
        raise UserError(f"{column.name} holds values of type {values.dtype}, expected numbers")
    if values.ndim not in (2, 3, 4) or 0 in values.shape[1:]:
        raise UserError(
            f"inputs of {column.name} have shape {values.shape}, expected vectors [N, D] or images "
            "[N, H, W], [N, C, H, W] or [N, H, W, C]"
        )
    if kind is not None and (kind == "images") != (values.ndim > 2):
        shapes = {"images": "[N, H, W], [N, C, H, W] or [N, H, W, C]", "vectors": "[N, D]", "tokens": "[N, T]"}
        raise UserError(
            f"got kind={kind!r}, but inputs of {column.name} have shape {values.shape}, expected {shapes[kind]}; "
            "leave kind out, or reshape them"
        )
    if kind == "tokens":
        return _token_ids(values, column), 1.0
    if values.ndim == 2:
        return _vectors(values, column), 1.0
    if values.ndim == 3:
        values = values[:, None]
    elif (channels or _guess_channels(values, column)) == "last":
        values = np.moveaxis(values, 3, 1)
    if values.dtype.kind == "f":
        values = _finite_float32(values, column)
        lowest, highest = values.min(), values.max()
        return values, 255.0 if lowest >= 0 and 1 < highest <= 255 else 1.0
    if values.dtype not in (np.uint8, np.bool_):
        check_rows((values < 0) | (values > 255), column, "a pixel outside 0 to 255", "rescale it, or pass floats")
    # Arrays that cannot be written to (memory maps, views of pandas) are copied: torch warns about them.
    return np.require(values, np.uint8, ["C", "W"]), 1.0 if values.dtype == np.bool_ else 255.0


def _guess_channels(values: Shaped[np.ndarray, "N ..."], column: Column) -> Channels:
    first, last = (values.shape[axis] in (1, 3) for axis in (1, 3))
    if first == last:
        raise UserError(
            f"images of {column.name} have shape {values.shape}, and either axis 1 or axis 3 may hold the channels; "
            'say which: byrote.from_arrays(..., channels="first") or channels="last"'
        )
    return "first" if first else "last"


def _token_ids(values: Shaped[np.ndarray, "N T"], column: Column) -> Int64[np.ndarray, "N T"]:
    if values.dtype.kind == "f":
        whole = np.isfinite(values) & (values == np.rint(values))
        check_rows(~whole, column, "a token id that is no whole number", "correct it, or leave kind='tokens' out")
    check_rows(values < 0, column, "a token id below 0", "number tokens from 0, padding included")
    if values.dtype.kind in "uf":
        check_rows(values >= 2**63, column, "a token id beyond 64 signed bits", "number tokens from 0")
    return np.require(values, np.int64, ["C", "W"])


def _vectors(values: Shaped[np.ndarray, "N D"], column: Column) -> Float32[np.ndarray, "N D"]:
    """In float32, unless that would leave too little of a feature."""
    if values.dtype.kind == "f":
        empty = np.flatnonzero(np.isnan(values).all(axis=0))
        if len(empty):
            raise UserError(f"{column.name}, {column.field(int(empty[0]))}, has no value in any row; drop it")
        wrong = np.argwhere(~np.isfinite(values))
        if len(wrong):
            row, number = wrong[0].tolist()
            what = "no value (NaN)" if np.isnan(values[row, number]) else "an infinite value"
            raise UserError(
                f"{column.place(row)}, {column.field(number)}: {what} ({len(np.unique(wrong[:, 0]))} rows have NaN or "
                "infinity); drop the row, fill in the value, or drop the feature"
            )
    floats = _finite_float32(values, column)
    if values.dtype.itemsize < 4 or values.dtype == np.float32:
        return floats
    for number in range(values.shape[1]):
        feature = values[:, number].astype(np.float64)
        rounding = np.abs(floats[:, number] - feature).max()
        spread = feature.std()
        if rounding > _MOST_ROUNDING * spread > 0:
            tiny = np.abs(feature).max() < float(np.finfo(np.float32).tiny) / _MOST_ROUNDING
            remedy = "multiply it by a large number" if tiny else "subtract the mean first"
            raise UserError(
                f"{column.name}, {column.field(number)}: float32 rounds values by up to {rounding:g}, and they spread "
                f"by {spread:g} (standard deviation) around {feature.mean():g}; {remedy}, or drop it"
            )
    return floats


def rounded_values(column: Column) -> list[str]:
    """What to say of whole numbers of vectors that float32 does not hold."""
    return list(_rounded(column, column.values.astype(np.float32)))


def _rounded(column: Column, floats: Shaped[np.ndarray, "N ..."]) -> Iterator[str]:
    """What to say of whole numbers that float32 does not hold."""
    values = column.values
    if values.ndim != 2 or floats.dtype != np.float32 or values.dtype.itemsize < 4 or values.dtype == np.float32:
        return
    for number in range(values.shape[1]):
        feature = values[:, number]
        rows = np.flatnonzero(floats[:, number] != feature)
        if len(rows) and (feature == np.rint(feature)).all():
            yield (
                f"{column.place(int(rows[0]))}, {column.field(number)}: {feature[rows[0]]:.0f} is rounded to "
                f"{floats[rows[0], number]:.0f} in float32, as other whole numbers beyond 2**24 are"
            )


def _finite_float32(values: Shaped[np.ndarray, "N ..."], column: Column) -> Shaped[np.ndarray, "N ..."]:
    with np.errstate(over="ignore"):
        floats = np.require(values, np.float32, ["C", "W"])
    if values.dtype.kind == "f":
        check_rows(~np.isfinite(values), column, "NaN or infinity", "drop the row or fill in the value")
    check_rows(~np.isfinite(floats), column, "a value beyond 3.4e38, the largest of float32", "rescale its column")
    return floats
