"""Parquet files in the Hugging Face layout -> Unassembled."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from dataclasses import dataclass, replace
from difflib import get_close_matches
from itertools import pairwise
from math import ceil, prod
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from byrote.data.assembly import Examples, Unassembled
from byrote.data.columns import Column
from byrote.data.decoding import EncodedImages
from byrote.data.images import read_encoded
from byrote.data.labels import has_no_label
from byrote.data.memory import refuse_too_large
from byrote.data.parquet_layout import Layout, find_files
from byrote.data.picture import MAX_PIXELS, Missing
from byrote.data.split_names import listed
from byrote.data.workers import num_usable_cores
from byrote.errors import UserError

_ROWS = 512  # encoded images held at a time, fewer where they take more than
_BYTES = 2**26
_BYTES_OF_A_LABEL = 64  # of text, as an object
_WIDTHS = {"BOOLEAN": 1, "INT32": 4, "INT64": 8, "INT96": 12, "FLOAT": 4, "DOUBLE": 8}


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

    def __iter__(self) -> Iterator[bytes | str | Missing]:
        start = 0
        try:
            with pq.ParquetFile(self.path) as file:
                kind = file.schema_arrow.field(self.column).type
            leaf = f"{self.column}.bytes" if pa.types.is_struct(kind) else self.column
            # One image that all rows share is held once, as in the file: expanded, a small file would fill memory.
            with pq.ParquetFile(self.path, read_dictionary=[leaf]) as file:
                num_rows = _rows_at_once(file.metadata.row_group(self.row_group), leaf)
                for batch in file.iter_batches(num_rows, [self.row_group], [self.column], use_threads=False):
                    encoded = batch.column(0)[max(self.first - start, 0) : self.last - start]
                    start += len(batch)
                    yield from self._contents(encoded)
                    if start >= self.last:
                        return
        except (pa.ArrowException, OSError) as error:
            raise UserError(_unreadable(self.path, error)) from error

    def _contents(self, encoded: pa.Array) -> Iterator[bytes | str | Missing]:
        if not pa.types.is_struct(encoded.type):
            yield from (Missing("the image is missing") if (one := row.as_py()) is None else one for row in encoded)
            return
        paths = encoded.field("path") if encoded.type.get_field_index("path") >= 0 else [pa.scalar(None)] * len(encoded)
        for is_there, content, path in zip(encoded.is_valid(), encoded.field("bytes"), paths, strict=True):
            if is_there.as_py() and content.is_valid:
                yield content.as_py()
            elif not is_there.as_py() or not path.is_valid:
                yield Missing("the image is missing: it has neither bytes nor a path")
            else:
                file = beside(self.path, path.as_py())
                yield (
                    file
                    if os.path.isfile(file)
                    else Missing(f"it has a path and no bytes, and no file {file} is there")
                )


def beside(path: str, name: str) -> str:
    """An image that a parquet file names by its path alone."""
    return os.path.join(os.path.dirname(path), name)


def _rows_at_once(group: pq.RowGroupMetaData, leaf: str) -> int:
    return max(1, min(_ROWS, _BYTES * group.num_rows // max(_sizes(group, leaf)[0], 1)))


def _sizes(group: pq.RowGroupMetaData, column: str) -> tuple[int, int]:
    """Bytes of a column and its parts, by the word of the file: inflated, and as an array of its values."""
    chunks = [group.column(at) for at in range(group.num_columns)]
    mine = [chunk for chunk in chunks if f"{chunk.path_in_schema}.".startswith(f"{column}.")]
    return sum(chunk.total_uncompressed_size for chunk in mine), sum(
        chunk.num_values * _WIDTHS.get(chunk.physical_type, 8) for chunk in mine
    )


def read_parquet(
    folder: Path, label: str | None, image_size: int | None, cache: Path | None = None, max_pixels: int | None = None
) -> Unassembled:
    """train-*.parquet and test-*.parquet (or validation-*) below `folder`; files of other names are split.

    The inputs are a struct {bytes, path} of an image file, or (nested) lists of numbers. An image without bytes is read
    from its path, which is relative to the parquet file. Class names are those of the Hugging Face metadata, if there
    are any.
    """
    if not folder.exists():
        raise UserError(f"no folder {folder}; expected one with train-*.parquet and test-*.parquet")
    layout = find_files(folder)
    try:
        return _read(folder, layout, label, image_size, cache, MAX_PIXELS if max_pixels is None else max_pixels)
    except (pa.ArrowException, OSError) as error:
        raise UserError(_unreadable(folder, error)) from error


@dataclass(frozen=True)
class _File:
    path: Path
    file: pq.ParquetFile
    labels: Column

    @classmethod
    def opened(cls, path: Path, label_column: str) -> _File:
        file = _open(path)
        return cls(path, file, _labels(path, file, label_column))


def _read(
    folder: Path, layout: Layout, label: str | None, image_size: int | None, cache: Path | None, max_pixels: int
) -> Unassembled:
    schema = _open(layout.train[0]).schema_arrow
    label_column = _label_column(schema, label, layout.train[0])
    input_column = _input_column(schema, label_column, layout.train[0])
    train = [_File.opened(path, label_column) for path in layout.train]
    test, notes = _held_out(folder, layout, train, label_column)
    files = [*train, *test]
    class_names = next(
        filter(None, (_class_names(one.file.schema_arrow, label_column, one.path) for one in files)), None
    )
    for one in files:
        if input_column not in one.file.schema_arrow.names:
            raise UserError(
                f"{one.path} has no column {input_column!r} as {files[0].path} has: give all files the same columns"
            )
        names = _class_names(one.file.schema_arrow, label_column, one.path)
        if names and class_names and names != class_names:
            raise UserError(
                f"{one.path} has the classes {listed(names)}, but the files before it {listed(class_names)}: give all "
                "files the same, in one order"
            )
    widths = {one.labels.values.shape[1:] for one in files}
    if len(widths) > 1:
        raise UserError(
            f"the lists in the column {label_column!r} of {folder} differ in length: give all files one length"
        )
    labels = Column.joined([one.labels for one in files], str(folder))
    lengths = [sum(len(one.labels.values) for one in part) for part in (train, test) if part]
    ends = np.cumsum(lengths).tolist()
    origins = tuple(f"row {{}} of {_named(part)}" for part in (train, test) if part)
    sources = np.concatenate([np.arange(length) for length in lengths])

    if _holds_images(schema.field(input_column).type):
        images = EncodedImages(
            folder,
            list(map(os.path.abspath, _on_disk(files, input_column))),
            _row_group_slices([one.file for one in files], [str(one.path) for one in files], input_column),
            labels,
            ends,
            class_names,
            (),
            max_pixels,
            sources,
            origins,
        )
        reading = read_encoded(images, image_size, cache)
        return replace(reading, notes=(*notes, *reading.notes))
    for option, value in (("an image size", image_size), ("a cache", cache)):
        if value is not None:
            raise UserError(f"got {option}, but {folder} holds arrays, not image files: leave it out")
    arrays = [_array(one.path, one.file, input_column) for one in files]
    if len({array.values.shape[1:] for array in arrays}) > 1:
        shapes = ", ".join(f"{array.name} {array.values.shape[1:]}" for array in arrays)
        raise UserError(f"arrays of different shapes ({shapes}): give all files of {folder} the same shape")
    everything = Examples(Column.joined(arrays, str(folder)), labels, sources)
    splits = [
        replace(everything.take(slice(*limits)), origin=origin)
        for origin, limits in zip(origins, pairwise((0, *ends)), strict=True)
    ]
    return Unassembled(tuple(splits), class_names, kind="tokens" if input_column == "input_ids" else None, notes=notes)


def _held_out(
    folder: Path, layout: Layout, train: list[_File], label_column: str
) -> tuple[list[_File], tuple[str, ...]]:
    """The first split that has labels; of the other files it is said that they are not used."""
    notes = list(layout.notes)
    used: list[_File] = []
    told = [f"{path.relative_to(folder)} ({_open(path).metadata.num_rows:,} rows)" for path in layout.unused]
    if told:
        notes.append(f"{listed(told)} in {folder} {'is' if len(told) == 1 else 'are'} not used, being of no split")
    for split, paths in layout.held_out.items():
        num_rows = sum(_open(path).metadata.num_rows for path in paths)
        what = f"the {split} split of {folder} ({num_rows:,} rows, {listed(path.name for path in paths)}) is not used"
        if used:
            notes.append(f"{what}, as {used[0].path.name} is tested on")
        elif any(label_column not in _open(path).schema_arrow.names for path in paths):
            notes.append(f"{what}, as it has no column {label_column!r} of labels")
        else:
            files = [_File.opened(path, label_column) for path in paths]
            if all(has_no_label(one.labels) for one in files) and not _have_minus_one(train):
                notes.append(f"{what}, as it has no labels: all of them are -1 or missing")
            else:
                used = files
    if layout.held_out and not used:
        notes.append(f"a fifth of the training split of {folder} is held out as the test split")
    return used, tuple(notes)


def _have_minus_one(files: list[_File]) -> bool:
    return any((one.labels.values == -1).any() for one in files)


def _named(files: list[_File]) -> str:
    first = files[0].path.name
    return first if len(files) == 1 else f"{first} and the {len(files) - 1} files after it"


def _on_disk(files: list[_File], column: str) -> list[str]:
    """The parquet files, and the images that they name by path alone."""
    found = [str(one.path) for one in files]
    for one in files:
        kind = one.file.schema_arrow.field(column).type
        if not pa.types.is_struct(kind) or kind.get_field_index("path") < 0 or not _may_lack_bytes(one.file, column):
            continue
        paths = one.file.read(columns=[f"{column}.path"])[column].combine_chunks().field("path")
        found += filter(os.path.isfile, (beside(str(one.path), name) for name in paths.drop_null().to_pylist()))
    return found


def _may_lack_bytes(file: pq.ParquetFile, column: str) -> bool:
    groups = [file.metadata.row_group(at) for at in range(file.num_row_groups)]
    chunks = [group.column(at) for group in groups for at in range(group.num_columns)]
    statistics = [chunk.statistics for chunk in chunks if chunk.path_in_schema == f"{column}.bytes"]
    return any(one is None or not one.has_null_count or one.null_count > 0 for one in statistics)


def _labels(path: Path, file: pq.ParquetFile, column: str) -> Column:
    """One label a row, numbers or names; lists of one length as `[N, K]`, for whoever judges what they mean."""
    if column not in file.schema_arrow.names:
        raise UserError(f"{path} has no column {column!r} as the files before it have: give all files the same columns")
    refuse_too_large(_BYTES_OF_A_LABEL * file.metadata.num_rows, f"{path}, column {column!r},")
    kind = file.schema_arrow.field(column).type
    if _is_list(kind):
        lengths = file.read(columns=[column])[column].combine_chunks().value_lengths().fill_null(0).to_numpy()
        odd = np.flatnonzero(lengths != lengths[:1])
        if len(odd):
            row = int(np.flatnonzero(lengths != 1)[0])
            raise UserError(
                f"{Column(lengths, str(path)).place(row)}: {column!r} holds {lengths[row]} classes, and byrote trains "
                "on one class for each example; name a column that holds one with --label NAME"
            )
        return _array(path, file, column)
    values = file.read(columns=[column])[column]
    if pa.types.is_dictionary(kind):
        values = values.cast(kind.value_type)  # codes alone would make a missing label the last class
        kind = kind.value_type
    is_label = (pa.types.is_integer, pa.types.is_floating, pa.types.is_boolean, pa.types.is_string)
    if not any(test(kind) for test in (*is_label, pa.types.is_large_string, pa.types.is_string_view, pa.types.is_null)):
        raise UserError(
            f"{path}: the column {column!r} of labels is of type {kind}, expected whole numbers or names; name another "
            "with --label NAME"
        )
    return Column(values.to_numpy(), str(path))


def _open(path: Path) -> pq.ParquetFile:
    try:
        return pq.ParquetFile(path)
    except (pa.ArrowException, OSError) as error:
        raise UserError(_unreadable(path, error)) from error


def _unreadable(place: str | Path, error: Exception) -> str:
    if isinstance(error, pa.ArrowMemoryError):
        return f"memory ran out while {place} was read ({error}): make room, or write it in smaller row groups"
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
        parts = min(ceil(2 * num_usable_cores() / len(groups)), ceil(num_rows / _ROWS))
        limits = np.linspace(0, num_rows, parts + 1, dtype=int).tolist()
        slices += [RowGroupSlice(path, group, column, first, last) for first, last in pairwise(limits)]
    return slices


def _array(path: Path, file: pq.ParquetFile, column: str) -> Column:
    """Nested lists as one array `[N, ...]`."""
    groups = [file.metadata.row_group(at) for at in range(file.num_row_groups)]
    # Twice: as read, and as one array. A value that is repeated takes next to nothing in the file.
    refuse_too_large(2 * sum(max(_sizes(group, column)) for group in groups), f"{path}, column {column!r},")
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
