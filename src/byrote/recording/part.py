"""The epoch that goes on, and the file of those that ended, of one process that records."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Float32, Int64

from byrote.errors import UserError
from byrote.files import make_folder
from byrote.recording.planting import PlantedLabels
from byrote.recording.recording import (
    PLANTED,
    PartSummary,
    epoch_layout,
    summary_path,
    write_labels,
    write_planted,
    write_summary,
)
from byrote.recording.resumption import Resumption

_MOST_CLASSES = 1 << 16
_LARGEST = float(np.finfo(np.float16).max)


@dataclass(eq=False)
class RecordedPart:
    """The epoch that goes on, and the file of those that ended, of one process."""

    folder: Path
    process: int
    num_processes: int
    num_classes: int
    epoch: np.ndarray
    """One epoch, as `epoch_layout` has it."""
    place: Int64[np.ndarray, " N"]
    """When each row came in this epoch; -1 of those that have not."""
    epochs: int = 0
    largest_batch: int = 0
    num_seen: int = 0
    in_order: bool = True
    num_not_finite: int = 0
    left_out: tuple[int, ...] = ()
    """As a PartSummary has them."""
    num_ended: int = 0
    """Epochs that ended in this process, left out or not; those of a run that it goes on with do not count."""

    @classmethod
    def opened(
        cls, folder: Path, is_shared: bool, num_examples: int, num_classes: int, resumed: Resumption | None
    ) -> RecordedPart:
        """
        Args:
            is_shared: whether all processes can reach the folder.
            resumed: what to keep of the record in it; None expects none.

        Raises:
            UserError: the folder or the number of classes or of processes does not fit.
        """
        if num_classes > _MOST_CLASSES:
            raise UserError(f"got logits of {num_classes:,} classes, expected at most {_MOST_CLASSES:,}")
        process, num_processes = 0, 1
        if torch.distributed.is_available() and torch.distributed.is_initialized():
            process, num_processes = torch.distributed.get_rank(), torch.distributed.get_world_size()
        if num_processes > 1 and not is_shared:
            raise UserError(
                f"got {num_processes} processes and no folder for their records: give byrote.Recorder(folder=...), one "
                "that all can reach"
            )
        make_folder(folder)
        epoch = np.zeros((), epoch_layout(num_examples, num_classes))
        part = cls(folder, process, num_processes, num_classes, epoch, np.full(num_examples, -1, np.int64))
        part.begin()
        if resumed is not None and resumed.kept:
            part._go_on(resumed)
            return part
        if resumed is None and summary_path(folder, process).exists():
            raise UserError(
                f"{folder} holds the record of a run already: name another folder, or where training goes on from a "
                "checkpoint give byrote.Recorder(resume=EPOCHS), as many as it has behind it"
            )
        part.left_out = resumed.left_out if resumed else ()
        summary_path(folder, process).unlink(missing_ok=True)
        if process == 0:
            (folder / PLANTED).unlink(missing_ok=True)
        (folder / f"part-{process}.bin").write_bytes(b"")
        return part

    def _go_on(self, resumed: Resumption) -> None:
        recorded = resumed.parts[0]
        found = recorded.num_classes, recorded.num_processes
        if found != (self.num_classes, self.num_processes):
            raise UserError(
                f"got {self.num_classes} classes in {self.num_processes} processes, and a record of {found[0]} classes "
                f"in {found[1]} processes in {self.folder}: go on with as many, or name another folder"
            )
        own = resumed.parts[self.process]
        self.epochs, self.left_out = resumed.kept, resumed.left_out
        self.largest_batch, self.num_not_finite = own.largest_batch, own.num_not_finite
        if (own.epochs, own.left_out) != (self.epochs, self.left_out):
            self._summarise()

    def begin(self) -> None:
        """Starts a new epoch, of which nothing is known."""
        self.epoch["loss"], self.epoch["margin"], self.place[:] = np.nan, np.nan, -1
        self.num_seen = 0

    def repeats(self, rows: Int64[np.ndarray, " B"]) -> bool:
        """Whether any of the rows came before in this epoch, or twice now; notes all of them."""
        came_before = bool((self.place[rows] >= 0).any())
        places = self.num_seen + np.arange(len(rows))
        self.place[rows] = places
        return came_before or bool((self.place[rows] != places).any())

    def first_repeated(self, rows: Int64[np.ndarray, " B"]) -> int:
        """A row that comes twice, else the first."""
        values, counts = np.unique(rows, return_counts=True)
        return int(values[counts > 1][0]) if (counts > 1).any() else int(rows[0])

    def add(self, rows: Int64[np.ndarray, " B"], packed: Float32[np.ndarray, "4 B"]) -> None:
        """Writes a batch into the epoch."""
        self.in_order = self.in_order and bool((self.place[rows] == rows).all())
        loss, margin = np.clip(packed[:2], -_LARGEST, _LARGEST)
        finite = np.isfinite(packed[:2]).all(axis=0)
        self.num_not_finite += int((~finite).sum())
        self.epoch["loss"][rows] = np.where(finite, loss, np.nan)
        self.epoch["margin"][rows] = np.where(finite, margin, np.nan)
        self.epoch["rival"][rows] = packed[2].astype(self.epoch["rival"].dtype)
        self.num_seen += len(rows)

    def leave_out(self) -> None:
        """Passes over the epoch that goes on."""
        self.left_out = (*self.left_out, self.epochs + len(self.left_out))
        self.num_ended += 1
        self._summarise()

    def keep(self, labels: Int64[np.ndarray, " N"], planted: PlantedLabels | None, largest_batch: int) -> None:
        """Appends the epoch; the summary, which counts it, follows: an interrupt between leaves the epochs before."""
        with open(self.folder / f"part-{self.process}.bin", "r+b") as file:
            file.seek(self.epochs * self.epoch.nbytes)
            file.write(self.epoch.tobytes())
        if not self.epochs and planted is not None and self.process == 0:
            write_planted(self.folder, planted)
        write_labels(self.folder, self.process, labels)
        self.epochs += 1
        self.num_ended += 1
        self.largest_batch = largest_batch
        self._summarise()

    def _summarise(self) -> None:
        counts = (self.process, self.num_processes, self.epochs, self.largest_batch)
        rest = (self.num_not_finite, self.left_out)
        write_summary(self.folder, PartSummary(len(self.place), self.num_classes, *counts, *rest))
        self.begin()
