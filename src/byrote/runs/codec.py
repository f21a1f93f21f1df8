"""A TrainOutcome, or a Computed, as plain values for one row of the store, and back, bit for bit.

Weights are not among them: they are kept in files (see store.py).
"""

from __future__ import annotations

import io
import json
from collections.abc import Mapping
from dataclasses import asdict
from datetime import UTC, datetime
from typing import Any

import numpy as np

from byrote.theory.calculation import Calculation, Computed
from byrote.training.outcome import Check, TrainOutcome
from byrote.training.spec import TrainSpec

SCALARS: dict[str, type] = {
    "key": str,
    "data": str,
    "n_train": int,
    "n_test": int,
    "num_classes": int,
    "parameters": int,
    "batch_norm": bool,
    "train_loss": float,
    "train_accuracy": float,
    "train_accuracy_true_labels": float,
    "train_top5_accuracy": float,
    "test_loss": float,
    "test_accuracy": float,
    "test_top5_accuracy": float,
    "ceiling": float,
    "epochs_to_fit": int,
    "steps_to_fit": int,
    "epochs_to_interpolate": int,
    "steps_to_interpolate": int,
    "epochs_run": int,
    "steps_run": int,
    "stop_reason": str,
    "replicas": int,
    "seconds": float,
    "initial_weights": str,
    "test_leaked_correct": int,
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

_PREDICTIONS = ("train_predictions", "test_predictions", "test_leaked")
_CURVES = ("curve", "early")


def to_row(outcome: TrainOutcome) -> dict[str, Any]:
    """The values of all columns for `outcome`."""
    scalars = {name: _plain(getattr(outcome, name), kind) for name, kind in SCALARS.items()}
    summary = {name: getattr(outcome.spec, name) for name in SUMMARY}
    arrays = {name: getattr(outcome, name) for name in _PREDICTIONS} | {
        f"{curve}/{column}": values for curve in _CURVES for column, values in getattr(outcome, curve).items()
    }
    return scalars | {
        **summary,
        "created": _now(),
        "spec": outcome.spec.model_dump(mode="json"),
        "checks": [asdict(check) | {"passed": bool(check.passed)} for check in outcome.checks],
        "environment": outcome.environment,
        "arrays": packed(arrays),
    }


def from_row(row: Mapping[str, Any]) -> TrainOutcome:
    """The outcome that `to_row` was given, without its weights.

    Raises:
        ValueError: the row is damaged.
    """
    arrays = unpacked(row["arrays"])
    fields: dict[str, Any] = {curve: {} for curve in _CURVES}
    for name, values in arrays.items():
        curve, _, column = name.partition("/")
        if column:
            fields[curve][column] = values
        else:
            fields[name] = values
    # SQLite has no NaN and stores NULL; no field that may be missing is a float, so nothing is ambiguous.
    fields |= {name: np.nan if kind is float and row[name] is None else row[name] for name, kind in SCALARS.items()}
    return TrainOutcome(
        **fields,
        spec=TrainSpec.model_validate(row["spec"]),
        checks=tuple(Check(**check) for check in row["checks"]),
        environment=row["environment"],
    )


def computed_to_row(computed: Computed) -> dict[str, Any]:
    """The values of all columns for `computed`."""
    return {
        "key": computed.key,
        "calculation": type(computed.calculation).__name__,
        "fields": computed.calculation.model_dump(mode="json"),
        "data": computed.data,
        "seconds": computed.seconds,
        "created": _now(),
        "values": json.dumps(dict(computed.values)),
        "environment": dict(computed.environment),
        "arrays": packed(computed.arrays),
    }


def computed_from_row(row: Mapping[str, Any], calculation: Calculation) -> Computed:
    """The Computed that `computed_to_row` was given; `calculation` is what its key was made of.

    Raises:
        ValueError: the row is damaged.
    """
    return Computed(
        key=row["key"],
        calculation=calculation,
        data=row["data"],
        values=json.loads(row["values"]),
        arrays=unpacked(row["arrays"]),
        seconds=row["seconds"],
        environment=row["environment"],
    )


def _now() -> datetime:
    return datetime.now(UTC).replace(tzinfo=None)


def _plain(value: Any, kind: type) -> Any:
    """Python's own type: NumPy's scalars are foreign to database drivers."""
    return None if value is None else kind(value)


def packed(arrays: Mapping[str, Any]) -> bytes:
    """A compressed npz file."""
    buffer = io.BytesIO()
    try:
        np.savez_compressed(buffer, **arrays)
    except ValueError as error:
        # Interrupted while it writes, zipfile complains that it cannot close, and hides the interrupt.
        if isinstance(error.__context__, KeyboardInterrupt):
            raise error.__context__ from None
        raise
    return buffer.getvalue()


def unpacked(blob: bytes) -> dict[str, np.ndarray]:
    """The arrays of `packed`.

    Raises:
        ValueError: the blob is damaged.
    """
    try:
        with np.load(io.BytesIO(blob), allow_pickle=False) as archive:
            return {name: archive[name] for name in archive.files}
    except Exception as error:  # zipfile, zlib and NumPy each raise their own
        raise ValueError(f"its arrays cannot be read ({error})") from error
