"""Parquet files in the Hugging Face layout -> Reading."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from difflib import get_close_matches
from itertools import pairwise
from math import ceil, prod
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from byrote.data.assembly import Examples, Reading
from byrote.data.columns import Column
from byrote.data.decoding import EncodedImages
from byrote.data.images import read_encoded
from byrote.data.picture import MAX_PIXELS
from byrote.data.split_names import HELD_OUT
from byrote.data.workers import num_cores
from byrote.errors import UserError

_ROWS = 512  # encoded images held at a time


@dataclass(frozen=True)
class RowGroupSlice:
    """The rows `first` to `last` of a row group, as image files; read by whoever iterates over it."""

    path: str
    row_group: int
    column: str
    first: int
    last: int

    def __len__(self) -> int:
        return self.last - self.first

    def __iter__(self) -> Iterator[bytes]:
        start = 0
        try:
            with pq.ParquetFile(self.path) as file:
                for batch in file.iter_batches(_ROWS, [self.row_group], [self.column], use_threads=False):
                    encoded = batch.column(0)[max(self.first - start, 0) : self.last - start]
                    start += len(batch)
                    if pa.types.is_struct(encoded.type):
                        encoded = encoded.field("bytes")
                    for content in encoded:
                        yield content.as_py() or b""
                    if start >= self.last:
                        return
        except (pa.ArrowException, OSError) as error:
            raise UserError(_unreadable(self.path, error)) from error


def read_parquet(
    folder: Path, label: str | None, image_size: int | None, cache: Path | None = None, max_pixels: int | None = None
) -> Reading:
    """train-*.parquet and test-*.parquet (or validation-*) anywhere below `folder`; files of other names are split.

    The inputs are a struct {bytes, path} of an image file, or (nested) lists of numbers. Class names are those of the
    Hugging Face metadata, if there are any.
    """
    splits = _splits(folder)
    paths = [path for paths in splits for path in paths]
    try:
        return _read(folder, paths, [len(paths) for paths in splits], label, image_size, cache, max_pixels)
    except (pa.ArrowException, OSError) as error:
        raise UserError(_unreadable(folder, error)) from error


def _splits(folder: Path) -> list[list[Path]]:
    """The files of the training split and, if there is one, of the split to test on."""
    by_split: dict[str, list[Path]] = {}
    for path in sorted(folder.rglob("*.parquet")):
        words = re.split(r"[^a-z]+", str(path.relative_to(folder)).lower())
        split = next((word for word in words if word in ("train", *HELD_OUT)), "")
        by_split.setdefault(split, []).append(path)
    held_out = [by_split[split] for split in HELD_OUT if split in by_split]
    if "train" in by_split:
        return [by_split["train"], *held_out[:1]]
    if held_out or not by_split:
        raise UserError(
            f"no train-*.parquet in {folder} ({sum(map(len, by_split.values()))} other parquet files there); "
            "expected train-*.parquet and test-*.parquet"
        )
    return [by_split[""]]


def _read(
    folder: Path,
    paths: list[Path],
    split_lengths: list[int],
    label: str | None,
    image_size: int | None,
    cache: Path | None,
    max_pixels: int | None,
) -> Reading:
    files = [_open(path) for path in paths]
    schema = files[0].schema_arrow
    label_column = _label_column(schema, label, paths[0])
    input_column = _input_column(schema, label_column, paths[0])
    for path, file in zip(paths, files, strict=True):
        missing = {label_column, input_column} - set(file.schema_arrow.names)
        if missing:
            raise UserError(
                f"{path} has no column {missing.pop()!r} as {paths[0]} has: give all files the same columns"
            )

    columns = [
        Column(file.read(columns=[label_column])[label_column].to_numpy(), str(path))
        for path, file in zip(paths, files, strict=True)
    ]
    labels = Column.joined(columns, str(folder))
    file_ends = np.cumsum([0] + [len(column.values) for column in columns])
    ends = file_ends[np.cumsum(split_lengths)].tolist()
    class_names = _class_names(schema, label_column, paths[0])

    if _holds_images(schema.field(input_column).type):
        batches = _row_group_slices(files, [str(path) for path in paths], input_column)
        images = EncodedImages(
            folder,
            [str(path) for path in paths],
            batches,
            labels,
            ends,
            class_names,
            max_pixels=MAX_PIXELS if max_pixels is None else max_pixels,
        )
        return read_encoded(images, image_size, cache)
    for option, value in (("an image size", image_size), ("a cache", cache)):
        if value is not None:
            raise UserError(f"got {option}, but {folder} holds arrays, not image files: leave it out")
    arrays = [_array(path, file, input_column) for path, file in zip(paths, files, strict=True)]
    if len({array.values.shape[1:] for array in arrays}) > 1:
        shapes = ", ".join(f"{array.name} {array.values.shape[1:]}" for array in arrays)
        raise UserError(f"arrays of different shapes ({shapes}): give all files of {folder} the same shape")
    everything = Examples(Column.joined(arrays, str(folder)), labels)
    return Reading(tuple(everything.take(slice(*limits)) for limits in pairwise((0, *ends))), class_names)


def _open(path: Path) -> pq.ParquetFile:
    try:
        return pq.ParquetFile(path)
    except (pa.ArrowException, OSError) as error:
        raise UserError(_unreadable(path, error)) from error


def _unreadable(place: str | Path, error: Exception) -> str:
    return f"{place} cannot be read as parquet: {' '.join(str(error).split())}; fetch it again"


def _label_column(schema: pa.Schema, label: str | None, path: Path) -> str:
    wanted = label or "label"
    if wanted not in schema.names:
        near = get_close_matches(wanted, schema.names, 1)
        raise UserError(
            f"{path} has no column {wanted!r}, but {', '.join(schema.names)}"
            f"{f'; did you mean {near[0]!r}?' if near else ''}; name the column of labels with --label NAME"
        )
    return wanted


def _input_column(schema: pa.Schema, label_column: str, path: Path) -> str:
    """The one column of images, or else the one column of arrays."""
    for is_input in (_holds_images, _is_list):
        found = [field.name for field in schema if field.name != label_column and is_input(field.type)]
        if len(found) == 1:
            return found[0]
        if found:
            raise UserError(f"{path} has several columns of inputs, {', '.join(found)}: keep one of them")
    raise UserError(
        f"{path} has columns {', '.join(schema.names)}, expected one of images (struct with bytes) or of lists "
        "of numbers; save tables of plain numbers as csv and use csv:FILE"
    )


def _holds_images(kind: pa.DataType) -> bool:
    if pa.types.is_struct(kind):
        return kind.get_field_index("bytes") >= 0
    return pa.types.is_binary(kind) or pa.types.is_large_binary(kind)


def _is_list(kind: pa.DataType) -> bool:
    return pa.types.is_list(kind) or pa.types.is_large_list(kind) or pa.types.is_fixed_size_list(kind)


def _class_names(schema: pa.Schema, column: str, path: Path) -> tuple[str, ...] | None:
    metadata = (schema.metadata or {}).get(b"huggingface", b"{}")
    try:
        feature: Any = json.loads(metadata).get("info", {}).get("features", {}).get(column, {})
        names = feature.get("names")
    except (ValueError, AttributeError) as error:
        raise UserError(
            f"{path} has Hugging Face metadata that cannot be read ({error}); save it again with the datasets library"
        ) from error
    return tuple(names) if names else None


def _row_group_slices(files: list[pq.ParquetFile], paths: list[str], column: str) -> list[RowGroupSlice]:
    """Whole row groups where there are enough for all cores: reading a slice means reading its group up to there."""
    groups = [
        (path, group, file.metadata.row_group(group).num_rows)
        for path, file in zip(paths, files, strict=True)
        for group in range(file.num_row_groups)
    ]
    slices = []
    for path, group, num_rows in groups:
        parts = min(ceil(2 * num_cores() / len(groups)), ceil(num_rows / _ROWS))
        limits = np.linspace(0, num_rows, parts + 1, dtype=int).tolist()
        slices += [RowGroupSlice(path, group, column, first, last) for first, last in pairwise(limits)]
    return slices


def _array(path: Path, file: pq.ParquetFile, column: str) -> Column:
    """Nested lists as one array `[N, ...]`."""
    values = file.read(columns=[column])[column].combine_chunks()
    shape = [len(values)]
    while _is_list(values.type):
        lengths = values.value_lengths().to_numpy(zero_copy_only=False)
        wrong = np.flatnonzero(lengths != lengths[:1])  # a missing list has length NaN
        if len(wrong):
            row = wrong[0] // prod(shape[1:])
            raise UserError(
                f"{Column(lengths, str(path)).place(int(row))}: {column!r} is missing or of another shape than in "
                "row 0; give all rows one shape"
            )
        shape.append(int(lengths[0]) if len(lengths) else 0)
        values = values.flatten()
    return Column(values.to_numpy(zero_copy_only=False).reshape(shape), str(path))
