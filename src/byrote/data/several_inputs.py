"""Inputs as a dict of arrays, one example a row of each -> one packed array, and the parts that lie in it.

Each part is checked as it would be alone. What it is follows from its type and shape, unless the user says it:

* 8-bit or floating-point numbers `[N, H, W]`, `[N, C, H, W]` or `[N, H, W, C]` are images, as are whole numbers of more
  bits in these shapes;
* other whole numbers of more than 8 bits, and bools, are token ids (bools stay bools for the network);
* all else are quantities, of any shape.

A packed row is int64 where all parts are token ids or bools, and else float32: which holds 8-bit pixels, float32 and
whole numbers up to 2**24 exactly; larger token ids are refused beside other parts.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, cast, get_args

import numpy as np
from jaxtyping import Shaped

from byrote.data.arrays import input_columns
from byrote.data.assembly import Channels, checked_inputs, rounded_values
from byrote.data.columns import Column, check_rows
from byrote.errors import UserError, kind_of, suggestion
from byrote.input_parts import EXACT_IN_FLOAT32, Part, PartKind


def packed_inputs(
    splits: Sequence[Any],
    names: Sequence[str],
    *,
    kind: object,
    channels: Channels | None,
    pixel_max: float | None,
) -> tuple[list[Column], tuple[Part, ...], list[str]]:
    """The inputs of each split as one column, the parts in it, and what is to be said of them.

    Args:
        splits: training and test, or training alone: arrays by their names.
        names: what messages call the splits.
        kind: of some parts by name, what they are; None of none.
        channels, pixel_max: of all images.

    Raises:
        UserError: no parts, other parts in the test split, parts of different lengths, a part that is no array of
            numbers, or anything that would be refused of this part alone.
    """
    keys = _keys(splits, names)
    asked = _kinds(kind, keys)
    parts: list[Part] = []
    blocks: list[list[np.ndarray]] = [[] for _ in splits]
    notes: list[str] = []
    start = 0
    for key in keys:
        columns, about = input_columns([split[key] for split in splits], [f"{name}[{key!r}]" for name in names])
        notes += about
        part, found = _part(key, columns, asked.get(key), channels, pixel_max, start)
        if part.kind == "tokens" and key not in asked and part.dtype != "bool":
            notes.append(
                f"{columns[0].name} holds whole numbers and is taken for token ids, which reach the network as they "
                f"are, in int64; say so by kind={{{key!r}: 'tokens'}}, or kind={{{key!r}: 'vectors'}} if they are "
                "quantities"
            )
        notes += [note for column in columns if part.kind == "vectors" for note in rounded_values(_flat(column))]
        parts.append(part)
        start += part.size
        for block, array in zip(blocks, found, strict=True):
            block.append(array)
    for block, name in zip(blocks, names, strict=True):
        _refuse_lengths(keys, block, name)
    whole = all(part.kind == "tokens" for part in parts)
    if not whole:
        _refuse_large_ids(parts, blocks, names)
    kind_of_row = np.int64 if whole else np.float32
    packed = [np.concatenate([array.astype(kind_of_row, copy=False) for array in block], axis=1) for block in blocks]
    return [Column(values, name) for values, name in zip(packed, names, strict=True)], tuple(parts), notes


def _keys(splits: Sequence[Any], names: Sequence[str]) -> list[str]:
    for split, name in zip(splits, names, strict=True):
        if not isinstance(split, Mapping):
            raise UserError(
                f"{name} is {kind_of(split)}, where the other split is a dict of inputs: give both the same"
            )
        if not split:
            raise UserError(f"{name} is an empty dict, expected arrays by their names")
        for key, value in split.items():
            if not isinstance(key, str) or not key.isidentifier():
                raise UserError(
                    f"{name} has an input called {key!r}, expected a name that an argument of forward can "
                    "have, as image"
                )
            if isinstance(value, Mapping):
                raise UserError(
                    f"{name}[{key!r}] is a dict of {', '.join(map(str, value))}, expected an array: inputs have one "
                    "level of names, so give each of these a name of its own beside the others"
                )
    keys = list(splits[0])
    for split, name in zip(splits[1:], names[1:], strict=True):
        if set(split) != set(keys):
            raise UserError(
                f"{names[0]} has the inputs {', '.join(keys)}, {name} has {', '.join(split)}: give both splits the same"
            )
    return keys


def _kinds(kind: object, keys: Sequence[str]) -> Mapping[str, PartKind]:
    if kind is None:
        return {}
    if not isinstance(kind, Mapping):
        raise UserError(
            f"got kind={kind!r} for several inputs, expected a kind by name, such as kind={{{keys[0]!r}: {kind!r}}}"
        )
    for key, value in kind.items():
        if key not in keys:
            raise UserError(
                f"got kind={dict(kind)!r}, but no input is called {key!r}{suggestion(str(key), keys)}; they are "
                f"{', '.join(keys)}"
            )
        if value not in get_args(PartKind):
            raise UserError(f"got kind={dict(kind)!r}, expected one of {', '.join(get_args(PartKind))} for {key!r}")
    return kind


def _part(
    key: str,
    columns: Sequence[Column],
    asked: PartKind | None,
    channels: Channels | None,
    pixel_max: float | None,
    start: int,
) -> tuple[Part, list[Shaped[np.ndarray, "N S"]]]:
    for column in columns:
        if column.values.dtype.kind not in "biuf":
            raise UserError(f"{column.name} holds values of type {column.values.dtype}, expected numbers; encode them")
        if 0 in column.values.shape[1:]:
            raise UserError(f"{column.name} has shape {column.values.shape}, no value for any example: leave it out")
    shapes = [column.values.shape[1:] for column in columns]
    if len(set(shapes)) > 1:
        raise UserError(
            f"inputs of {columns[0].name} have shape {shapes[0]}, those of {columns[1].name} {shapes[1]}: give both "
            "splits the same shape"
        )
    whole = {column.values.dtype.kind in "biu" and column.values.dtype.itemsize > 1 for column in columns}
    types = [str(column.values.dtype) for column in columns]
    if len({column.values.dtype == bool for column in columns} | whole) > 1 and asked is None and types[0] != types[-1]:
        raise UserError(f"{columns[0].name} holds {types[0]}, {columns[1].name} {types[1]}: give both one type")
    kind: PartKind = asked or _kind_of(columns[0])
    if kind == "images":
        return _images(key, columns, channels, pixel_max, start)
    flat = [_flat(column) for column in columns]
    if kind == "tokens":
        for column in flat:
            check_rows(
                column.values < 0,
                column,
                "a token id below 0",
                f"number tokens from 0, or give kind={{{key!r}: 'vectors'}} if these are quantities",
            )
        is_bool = all(column.values.dtype == bool for column in columns)
        dtype = "bool" if is_bool else "int64"
    else:
        dtype = "float32"
    part = Part(key, kind, shapes[0], start, cast(Any, dtype))
    return part, [checked_inputs(column, None, mapped=False, kind=kind)[0] for column in flat]


def _kind_of(column: Column) -> PartKind:
    values = column.values
    if values.dtype == bool:
        return "tokens"
    if values.ndim in (3, 4):
        return "images"
    return "tokens" if values.dtype.kind in "iu" and values.dtype.itemsize > 1 else "vectors"


def _images(
    key: str, columns: Sequence[Column], channels: Channels | None, pixel_max: float | None, start: int
) -> tuple[Part, list[Shaped[np.ndarray, "N S"]]]:
    shape = columns[0].values.shape[1:]
    if len(shape) not in (2, 3):
        raise UserError(
            f"got kind={{{key!r}: 'images'}}, but {columns[0].name} has shape {columns[0].values.shape}, expected "
            "[N, H, W], [N, C, H, W] or [N, H, W, C]"
        )
    first, last = (len(shape) == 3 and shape[axis] in (1, 3) for axis in (0, 2))
    axis: Channels | None = None
    if len(shape) == 3:
        if first == last and channels is None:
            raise UserError(
                f"{columns[0].name} has shape {columns[0].values.shape}, and either axis 1 or axis 3 may hold "
                f'channels: say which, channels="first" or "last", or kind={{{key!r}: \'vectors\'}} if it is no image'
            )
        axis = channels if first == last else "first" if first else "last"
    found, maxima = zip(*(checked_inputs(c, axis, mapped=False, kind="images") for c in columns), strict=True)
    if len({array.dtype for array in found}) > 1:
        raise UserError(
            f"{columns[0].name} holds {found[0].dtype}, {columns[1].name} {found[1].dtype}: give both splits the same "
            "type and scale"
        )
    most = float(maxima[0] if pixel_max is None else pixel_max)
    part = Part(key, "images", shape, start, "float32", axis, most, found[0].dtype == np.uint8)
    return part, [part.packed(array) for array in found]


def _flat(column: Column) -> Column:
    values = column.values
    return Column(values.reshape(len(values), -1), column.name, column.places, column.fields)


def _refuse_lengths(keys: Sequence[str], block: Sequence[np.ndarray], name: str) -> None:
    lengths = [len(array) for array in block]
    if len(set(lengths)) > 1:
        said = ", ".join(f"{key} has {length:,}" for key, length in zip(keys, lengths, strict=True))
        raise UserError(f"the inputs of {name} have different numbers of rows ({said}), expected one row an example")


def _refuse_large_ids(parts: Sequence[Part], blocks: Sequence[Sequence[np.ndarray]], names: Sequence[str]) -> None:
    for number, part in enumerate(parts):
        for block, name in zip(blocks, names, strict=True):
            if part.kind == "tokens" and len(block[number]):
                check_rows(
                    block[number] > EXACT_IN_FLOAT32,
                    Column(block[number], f"{name}[{part.name!r}]"),
                    f"a token id above {EXACT_IN_FLOAT32:,}, which cannot lie beside quantities without loss",
                    "number tokens anew, from 0",
                )
