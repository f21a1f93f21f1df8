"""A TrainOutcome, or a Computed, as plain values for one row of the store, and back, bit for bit.

Every row carries a checksum of all its values, so that damage to any of them is noticed. Weights are not among them:
they are kept in files (see store.py), and the row has their checksum.
"""

from __future__ import annotations

import hashlib
import json
import math
import zlib
from collections.abc import Callable, Mapping
from dataclasses import asdict
from datetime import UTC, datetime
from functools import lru_cache
from sys import intern
from types import NoneType
from typing import Any, Literal, TypeVar, get_args, get_origin, get_type_hints

import numpy as np

from byrote.data.check import Check
from byrote.references import short_name
from byrote.theory.calculation import Calculation, Computed
from byrote.training.outcome import CheckResults, LoadFields, TrainOutcome
from byrote.training.spec import TrainSpec


def _kind(hint: Any) -> type | None:
    """Of a field with this annotation, the type that its column has; None of one that is no scalar."""
    if get_origin(hint) is Literal:
        return type(get_args(hint)[0])
    kinds = [kind for kind in get_args(hint) or (hint,) if kind is not NoneType]
    return kinds[0] if len(kinds) == 1 and kinds[0] in (str, int, float, bool) else None


SCALARS: dict[str, type] = {
    name: kind for name, hint in get_type_hints(TrainOutcome).items() if (kind := _kind(hint)) is not None
}
"""The fields of a TrainOutcome that are columns as they are."""

SUMMARY: dict[str, type] = {
    "model": str,
    "corruption": str,
    "corruption_rate": float,
    "seed": int,
    "data_seed": int,
    "stop": str,
}
"""Properties of the spec that are columns too, for whoever looks into the store with SQL; never read back."""

T = TypeVar("T")

_KEY_DIGITS = 64  # of a SHA-256; what is longer names a copy
_NOT_IN_TEXT = ("arrays", "checksum")
_OF_ITS_MAKING = {"created", "seconds", "environment", "replicas", "spec", "fields", "weights", "arrays", "checksum"}
"""Columns that say how and when a row was made, are compared otherwise, or are part of the key."""
_PREDICTIONS = ("train_predictions", "test_predictions", "test_leaked")
_OF_HALVES = ("left_out_predictions", "train_margins", "left_out_margins", "test_margins")
"""Of runs on half of the training set alone; rows of others do not have them."""
_CURVES = ("curve", "early")
_OF_NO_HALF = {
    name: np.zeros(0, dtype=np.uint8 if name == "left_out_predictions" else np.float16) for name in _OF_HALVES
}


def to_row(outcome: TrainOutcome, weights: str | None = None) -> dict[str, Any]:
    """The values of all columns for `outcome`; `weights` is the checksum of those that were kept."""
    scalars = {name: _plain(getattr(outcome, name), kind) for name, kind in SCALARS.items()}
    summary = {name: getattr(outcome.spec, name) for name in SUMMARY}
    of_halves = [name for name in _OF_HALVES if getattr(outcome, name).size]
    arrays = {name: getattr(outcome, name) for name in (*_PREDICTIONS, *of_halves)} | {
        f"{curve}/{column}": values for curve in _CURVES for column, values in getattr(outcome, curve).items()
    }
    return _sealed(
        {
            **scalars,
            **summary,
            "created": _now(),
            "spec": json.dumps(outcome.spec.model_dump(mode="json")),
            "checks": json.dumps([asdict(check) | {"passed": bool(check.passed)} for check in outcome.checks]),
            "environment": json.dumps(outcome.environment),
            "arrays": packed(arrays),
            "weights": weights,
        }
    )


def from_row(row: Mapping[str, Any], load: LoadFields | None = None, spec: TrainSpec | None = None) -> TrainOutcome:
    """The outcome that `to_row` was given, without its weights.

    Args:
        load: where its large fields come from when they are asked for; they are in it already without this.
        spec: what its key was made of, where that is known.

    Raises:
        ValueError: the row is damaged.
    """
    return _decoded(row, lambda sound: _outcome(sound, load, spec))


def large_fields(row: Mapping[str, Any]) -> dict[str, Any]:
    """Those that an outcome of `from_row` asks its `load` for.

    Raises:
        ValueError: the row is damaged.
    """
    return _decoded(row, _large_fields)


def _large_fields(row: Mapping[str, Any]) -> dict[str, Any]:
    fields: dict[str, Any] = {curve: {} for curve in _CURVES} | _OF_NO_HALF
    for name, values in unpacked(row["arrays"]).items():
        curve, _, column = name.partition("/")
        if column:
            fields[curve][column] = values
        else:
            fields[name] = values
    return fields | {"checks": tuple(Check(**check) for check in json.loads(row["checks"]))}


def computed_to_row(computed: Computed) -> dict[str, Any]:
    """The values of all columns for `computed`."""
    return _sealed(
        {
            "key": computed.key,
            "calculation": type(computed.calculation).__name__,
            "fields": json.dumps(computed.calculation.model_dump(mode="json")),
            "data": computed.data,
            "seconds": float(computed.seconds),
            "created": _now(),
            "values": json.dumps(dict(computed.values)),
            "environment": json.dumps(dict(computed.environment)),
            "arrays": packed(computed.arrays),
        }
    )


def computed_from_row(row: Mapping[str, Any], calculation: Calculation) -> Computed:
    """The Computed that `computed_to_row` was given; `calculation` is what its key was made of.

    Raises:
        ValueError: the row is damaged.
    """
    return _decoded(row, lambda sound: _computed(sound, calculation))


def is_sound(row: Mapping[str, Any]) -> bool:
    """Whether the row is as it was written."""
    return row["checksum"] == _checksum(row)


def same_result(one: Mapping[str, Any], other: Mapping[str, Any]) -> bool:
    """Whether two sound rows of one key, made at different times or in different places, hold the same numbers, bit for
    bit."""
    names = (one.keys() & other.keys()) - _OF_ITS_MAKING
    if any(_as_stored(name, one[name]) != _as_stored(name, other[name]) for name in names):
        return False
    arrays, others = unpacked(one["arrays"]), unpacked(other["arrays"])
    return arrays.keys() == others.keys() and all(
        (values.dtype, values.shape, values.tobytes()) == (own.dtype, own.shape, own.tobytes())
        for values, own in ((values, others[name]) for name, values in arrays.items())
    )


def without_weights(row: Mapping[str, Any]) -> dict[str, Any]:
    """The row of a run whose weights are not kept."""
    return _sealed({**row, "weights": None})


def row_label(row: Mapping[str, Any]) -> str:
    """What a run is called by its row, damaged or not: "mlp-1x512, partial-labels 0.5, seed 0"; or a calculation."""
    if "calculation" in row:
        return f"{row['calculation']} on {row['data']}"
    rate = row["corruption_rate"]
    shown = f" {rate:g}" if isinstance(rate, int | float) and 0 < rate < 1 else ""
    return f"{short_name(str(row['model']))}, {short_name(str(row['corruption']))}{shown}, seed {row['seed']}"


def _checksum(row: Mapping[str, Any]) -> str:
    """SHA-256 over the names and values of all columns but `checksum`, as any database gives them back."""
    texts = [(name, _as_stored(name, value)) for name, value in sorted(row.items()) if name not in _NOT_IN_TEXT]
    digest = hashlib.sha256(repr(texts).encode())
    digest.update(row["arrays"] if isinstance(row["arrays"], bytes) else b"")
    return digest.hexdigest()


def _sealed(row: dict[str, Any]) -> dict[str, Any]:
    return row | {"checksum": _checksum(row)}


def _as_stored(name: str, value: Any) -> Any:
    """SQLite has no NaN, no negative zero and no booleans."""
    if name == "key" and isinstance(value, str):
        return value[:_KEY_DIGITS]
    if isinstance(value, bool):
        return int(value)
    if isinstance(value, float):
        return None if math.isnan(value) else value + 0.0
    return value


def _decoded(row: Mapping[str, Any], decode: Callable[[Mapping[str, Any]], T]) -> T:
    if not is_sound(row):
        raise ValueError("its values do not match their checksum")
    try:
        return decode(row)
    except (KeyError, TypeError) as error:
        raise ValueError(f"its values are not those of this byrote ({error})") from error


def _outcome(row: Mapping[str, Any], load: LoadFields | None, spec: TrainSpec | None) -> TrainOutcome:
    fields: dict[str, Any] = {}
    for name, kind in SCALARS.items():
        value = row[name]
        # No field that may be missing is a float, so nothing is ambiguous.
        if value is None:
            fields[name] = math.nan if kind is float else None
        else:
            fields[name] = intern(value) if kind is str else kind(value)
    if spec is None or spec.preprocessing == "auto":  # what was made of that is in the row
        spec = TrainSpec.model_validate(json.loads(row["spec"]))
    fields |= {"spec": spec, "environment": _environment(row["environment"])}
    if load is None:
        return TrainOutcome(**fields, **_large_fields(row))
    fields["test_leaked"] = _test_leaked(row["arrays"])
    results = tuple((intern(check["name"]), check["passed"]) for check in json.loads(row["checks"]))
    return TrainOutcome.without_arrays(load, _one_of(results), fields)


@lru_cache(maxsize=64)
def _environment(text: str) -> dict[str, str]:
    """Most runs of a store were made in the same."""
    return json.loads(text)


@lru_cache(maxsize=64)
def _one_of(results: CheckResults) -> CheckResults:
    """The same object for equal ones: most runs of a store pass the same checks."""
    return results


_BEGINNING = 2048
"""Bytes, in which the names, types and shapes of the arrays are found."""
_NONE_LEAKED = np.zeros(0, dtype=np.int64)
_NONE_LEAKED.flags.writeable = False


def _test_leaked(blob: bytes) -> np.ndarray:
    """That one array, of which most runs have none, without unpacking the others."""
    try:
        head, found, _ = zlib.decompressobj().decompress(blob[:_BEGINNING], _BEGINNING).partition(b"\n")
    except zlib.error as error:
        raise ValueError(f"its arrays cannot be read ({error})") from error
    if found and _has_none_leaked(head):
        return _NONE_LEAKED
    return unpacked(blob)["test_leaked"].copy()  # not a view of all of them


@lru_cache(maxsize=1024)
def _has_none_leaked(head: bytes) -> bool:
    return ["test_leaked", [0]] in [[name, shape] for name, _, shape in json.loads(head)]


def _computed(row: Mapping[str, Any], calculation: Calculation) -> Computed:
    return Computed(
        key=row["key"],
        calculation=calculation,
        data=row["data"],
        values=json.loads(row["values"]),
        arrays=unpacked(row["arrays"]),
        seconds=row["seconds"],
        environment=json.loads(row["environment"]),
    )


def _now() -> str:
    """UTC, so that texts are in the order of times."""
    return datetime.now(UTC).strftime("%Y-%m-%d %H:%M:%S.%f")


def _plain(value: Any, kind: type) -> Any:
    """Python's own type: NumPy's scalars are foreign to database drivers."""
    return None if value is None else kind(value)


def packed(arrays: Mapping[str, Any]) -> bytes:
    """Names, types and shapes as a line of JSON, then the bytes of one array after another; compressed.

    An npz file takes many times as long to read: a run has two dozen small arrays.

    Raises:
        ValueError: an array whose type does not say what its bytes mean: of Python objects, or of records.
    """
    ordered = {name: np.asarray(values, order="C") for name, values in arrays.items()}
    if unclear := [name for name, values in ordered.items() if values.dtype.kind in "OV"]:
        raise ValueError(f"got {', '.join(unclear)}, expected arrays of numbers, or of texts of one length")
    head = json.dumps([(name, values.dtype.str, values.shape) for name, values in ordered.items()]).encode() + b"\n"
    return zlib.compress(b"".join(map(_padded, (head, *(values.tobytes() for values in ordered.values())))))


def unpacked(blob: bytes) -> dict[str, np.ndarray]:
    """The arrays of `packed`.

    Raises:
        ValueError: the blob is damaged.
    """
    arrays = {}
    try:
        content = bytearray(zlib.decompress(blob))  # not bytes, so that arrays can be written to
        head = content.index(b"\n") + 1
        start = _aligned(head)
        for name, kind, shape in json.loads(content[:head]):
            dtype, size = np.dtype(kind), math.prod(shape)
            arrays[name] = np.frombuffer(content, dtype, size, start).reshape(shape)
            start += _aligned(size * dtype.itemsize)
    except (zlib.error, ValueError, TypeError) as error:
        raise ValueError(f"its arrays cannot be read ({error})") from error
    return arrays


def _padded(part: bytes) -> bytes:
    return part.ljust(_aligned(len(part)), b"\0")


def _aligned(size: int) -> int:
    """The next multiple of the largest item's size, at which an array may start."""
    return -(-size // 16) * 16
