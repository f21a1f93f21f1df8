"""What was recorded of a training run, in a folder: one part a process, an epoch after the other.

`part-R.json` says what process R has written, `part-R.bin` has its epochs one behind the other: of all N examples the
loss, then the margin (2 bytes each), then the rival (1 byte for up to 256 classes), and `part-R.labels.npy` the labels
it was given. Files are mapped, not read. A process of a distributed run sees a share of the examples in each epoch;
its others are NaN, and `read_recording` lays the parts over each other.
"""

from __future__ import annotations

import io
import json
import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float16, Int64, UInt

from byrote.errors import UserError
from byrote.files import write_file
from byrote.recording.planting import ErrorKind, PlantedLabels

FORMAT = 3
PLANTED = "planted.npz"
NOT_SEEN = -1
"""As a label."""


@dataclass(frozen=True)
class PartSummary:
    """What one process has written."""

    num_examples: int
    num_classes: int
    process: int
    num_processes: int
    epochs: int
    largest_batch: int
    num_not_finite: int
    """Losses, over all epochs; they are NaN in the record."""
    left_out: tuple[int, ...]
    """The epochs that ended early and are not in the record, by their numbers among all of training, from 0."""

    @property
    def whole_epochs(self) -> list[int]:
        """Those that are in the record, likewise."""
        return sorted({*range(self.epochs + len(self.left_out))} - {*self.left_out})


@dataclass(frozen=True, eq=False)
class Recording:
    """N examples over E epochs; NaN where an example was not seen, or its loss was not finite.

    >>> import byrote
    >>> import torch
    >>> recorder = byrote.Recorder(num_examples=4, labels=[0, 1, 0, 1])
    >>> recorder.record(torch.arange(4), torch.eye(2)[[0, 1, 1, 1]], torch.tensor([0, 1, 0, 1]))
    >>> recording = recorder.recording()
    >>> recording.num_epochs, (recording.margin > 0).tolist()
    (1, [[True, True, False, True]])
    """

    labels: Int64[np.ndarray, " N"]
    """That were trained on; NOT_SEEN of an example that no epoch had."""
    loss: Float16[np.ndarray, "E N"]
    """Cross-entropy in nats."""
    margin: Float16[np.ndarray, "E N"]
    """The logit of the label minus the largest other one; the prediction is right where it is above 0."""
    rival: UInt[np.ndarray, "E N"]
    """The class of that largest other logit."""
    num_classes: int
    planted: PlantedLabels | None
    num_not_finite: int = 0
    incomplete_epochs: int = 0

    @property
    def num_examples(self) -> int:
        """N."""
        return len(self.labels)

    @property
    def num_epochs(self) -> int:
        """E."""
        return len(self.loss)


def epoch_layout(num_examples: int, num_classes: int) -> np.dtype[Any]:
    """How an epoch lies in a part: 5 bytes an example up to 256 classes."""
    rival = np.min_scalar_type(num_classes - 1)
    fields = [("loss", "<f2", (num_examples,)), ("margin", "<f2", (num_examples,)), ("rival", rival, (num_examples,))]
    return np.dtype(fields)


def summary_path(folder: Path, process: int) -> Path:
    """The file in which a process says what its part holds."""
    return folder / f"part-{process}.json"


def write_summary(folder: Path, summary: PartSummary) -> None:
    """Writes what a part holds."""
    write_file(summary_path(folder, summary.process), json.dumps({"format": FORMAT, **vars(summary)}))


def read_recording(folder: Path) -> Recording:
    """All parts in `folder`, as one.

    Raises:
        UserError: a part is missing or does not fit the others.
    """
    parts = _fitting_parts(folder)
    first = parts[0]
    labels = np.full(first.num_examples, NOT_SEEN, np.int64)
    for part in parts:
        own = read_labels(folder, part.process)
        both = np.flatnonzero((own >= 0) & (labels >= 0) & (own != labels))
        if len(both):
            raise UserError(
                f"process {part.process} recorded label {own[both[0]]} for example {both[0]} and another process "
                f"{labels[both[0]]}: the index must be the row of the same data set in all processes"
            )
        labels = np.where(own >= 0, own, labels)
    epochs = _epochs(folder, first) if len(parts) == 1 else _merged(folder, parts)
    return Recording(
        labels,
        epochs["loss"],
        epochs["margin"],
        epochs["rival"],
        first.num_classes,
        read_planted(folder),
        sum(part.num_not_finite for part in parts),
        max(len(part.left_out) for part in parts),
    )


def recorded_parts(folder: Path) -> list[PartSummary]:
    """Of all processes that have recorded an epoch in `folder`, by their number; none where it holds no record.

    Raises:
        UserError: they are of another version of byrote.
    """
    contents = [json.loads(path.read_text()) for path in sorted(folder.glob("part-*.json"))]
    if any(content.pop("format") != FORMAT for content in contents):
        raise UserError(f"the record in {folder} is of another version of byrote: read it with that one")
    parts = [PartSummary(**{**content, "left_out": tuple(content["left_out"])}) for content in contents]
    return sorted(parts, key=lambda part: part.process)


def _fitting_parts(folder: Path) -> list[PartSummary]:
    parts = recorded_parts(folder)
    if not parts:
        raise UserError(f"got {folder}, which holds no record of an epoch: end an epoch first, or name another folder")
    first = parts[0]
    if len(parts) != first.num_processes:
        raise UserError(
            f"got parts of {len(parts)} of {first.num_processes} processes in {folder}: read it when all have ended, "
            "with a folder that all of them can reach"
        )
    if len({part.epochs for part in parts}) > 1:
        counts = ", ".join(str(part.epochs) for part in parts)
        raise UserError(f"got processes that recorded {counts} epochs: read the record when all have ended")
    if len({(part.num_examples, part.num_classes) for part in parts}) > 1:
        raise UserError(f"got parts of different data sets or networks in {folder}: give each run its own folder")
    return parts


def _epochs(folder: Path, part: PartSummary) -> Any:
    layout = epoch_layout(part.num_examples, part.num_classes)
    return np.memmap(folder / f"part-{part.process}.bin", layout, "r", shape=(part.epochs,))


def _merged(folder: Path, parts: Sequence[PartSummary]) -> Any:
    """Examples that several processes saw in one epoch, as samplers repeat some to make shares equal, count once."""
    first = parts[0]
    layout = epoch_layout(first.num_examples, first.num_classes)
    mapped = [_epochs(folder, part) for part in parts]
    # Under a name of its own until it is whole: other processes may read what this one replaces.
    temporary = folder / f".{uuid.uuid4().hex}.part"
    whole = np.memmap(temporary, layout, "w+", shape=(first.epochs,))
    padding = sum(part.largest_batch for part in parts)
    for epoch in range(first.epochs):
        target = whole[epoch]
        target["loss"], target["margin"] = np.nan, np.nan
        times_seen = np.zeros(first.num_examples, np.int64)
        for each in mapped:
            seen = ~np.isnan(each[epoch]["loss"])
            times_seen += seen
            for name in ("loss", "margin", "rival"):
                target[name][seen] = each[epoch][name][seen]
        repeated, missing = int(np.maximum(times_seen - 1, 0).sum()), int((times_seen == 0).sum())
        if max(repeated, missing) > padding + sum(part.num_not_finite for part in parts):
            temporary.unlink()
            raise UserError(
                f"in epoch {epoch + 1} of the {len(parts)} processes {repeated:,} examples came several times and "
                f"{missing:,} never: give each process its own share, as DistributedSampler does with one seed for all "
                "and set_epoch"
            )
    whole.flush()
    temporary.replace(folder / "merged.bin")
    return np.memmap(folder / "merged.bin", layout, "r", shape=(first.epochs,))


def write_labels(folder: Path, process: int, labels: Int64[np.ndarray, " N"]) -> None:
    """Writes the labels that a process trained on."""
    packed = io.BytesIO()
    np.save(packed, labels)
    write_file(_labels_path(folder, process), packed.getvalue())


def read_labels(folder: Path, process: int) -> Int64[np.ndarray, " N"]:
    """That one process was given; NOT_SEEN of examples that it had in no epoch, unless it knew them."""
    labels: Int64[np.ndarray, " N"] = np.load(_labels_path(folder, process)).astype(np.int64)
    return labels


def _labels_path(folder: Path, process: int) -> Path:
    return folder / f"part-{process}.labels.npy"


def write_planted(folder: Path, planted: PlantedLabels) -> None:
    """Writes which labels were planted."""
    packed = io.BytesIO()
    np.savez(packed, labels=planted.labels, rows=planted.rows, given=planted.given, kind=np.array(planted.kind))
    write_file(folder / PLANTED, packed.getvalue())


def read_planted(folder: Path) -> PlantedLabels | None:
    """Which labels were planted; None where none were."""
    path = folder / PLANTED
    if not path.is_file():
        return None
    with np.load(path) as arrays:
        kind: ErrorKind = "confusable" if arrays["kind"] == "confusable" else "uniform"
        return PlantedLabels(arrays["labels"], arrays["rows"], arrays["given"], kind)
