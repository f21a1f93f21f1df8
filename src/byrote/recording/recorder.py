"""The recorder: three lines in anybody's training loop.

It keeps of each example and epoch the loss, the margin and the strongest other class: five bytes, written to a folder
when the epoch ends. In memory is the epoch that goes on, and nothing of those before it. An index that is no row of the
data would make every figure a figure of another example, without an error anywhere; so what came in is held against
itself and against the labels before the first epoch counts.
"""

from __future__ import annotations

import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from jaxtyping import Float32, Int64
from torch import Tensor

from byrote.errors import UserError
from byrote.files import make_folder
from byrote.recording.huggingface_callback import HuggingFaceCallback
from byrote.recording.indexed import IndexedDataset, labels_of
from byrote.recording.lightning_callback import LightningCallback
from byrote.recording.planting import PlantedLabels, like, plant_labels, whole_numbers
from byrote.recording.recording import (
    NOT_SEEN,
    PartSummary,
    Recording,
    epoch_layout,
    read_recording,
    summary_path,
    write_planted,
    write_summary,
)

_PENDING = 1 << 14
"""Examples that are kept where the network is before they are fetched: a fetch makes a GPU wait."""
_MOST_CLASSES = 1 << 16
_LARGEST = float(np.finfo(np.float16).max)


class Recorder:
    """Records loss, margin and correctness by example and epoch.

    >>> import byrote
    >>> import torch
    >>> x, y = torch.randn(60, 4), torch.arange(60) % 3
    >>> net = torch.nn.Linear(4, 3)
    >>> recorder = byrote.Recorder(num_examples=60)
    >>> y = recorder.plant(y, rate=0.1)
    >>> for epoch in range(2):
    ...     for index in torch.randperm(60).split(20):
    ...         recorder.record(index, net(x[index]), y[index])
    >>> recorder.num_epochs
    2

    Args:
        num_examples: N, of the training set; rows are 0 to N-1.
        labels: of all rows, as they are trained on; what comes in the first epoch is held against them. `plant` and
            `indexed` tell them too. Where they are not known, wrong rows show in the second epoch.
        folder: where the record lies; one that all processes of a distributed run can reach. None takes a temporary
            one, which goes with the recorder.

    Raises:
        UserError: no number of examples, or labels that are none.
    """

    def __init__(self, num_examples: int, *, labels: Any = None, folder: str | Path | None = None) -> None:
        if isinstance(num_examples, bool) or not isinstance(num_examples, int) or num_examples < 1:
            raise UserError(f"got num_examples={num_examples!r}, expected the number of training examples")
        self.num_examples = num_examples
        self._labels: Int64[np.ndarray, " N"] = np.full(num_examples, NOT_SEEN, np.int64)
        self._labels_known = False
        self._temporary = tempfile.TemporaryDirectory(prefix="byrote-record-") if folder is None else None
        self._folder = Path(self._temporary.name if self._temporary else folder)  # type: ignore[arg-type]
        self._planted: PlantedLabels | None = None
        self._part: _Part | None = None
        self._pending: list[tuple[Tensor, Tensor]] = []
        self._num_pending = 0
        self._epoch_size = 0
        self._largest_batch = 0
        if labels is not None:
            self._learn(whole_numbers(labels, "labels"))

    @property
    def num_epochs(self) -> int:
        """Those that have ended."""
        return self._part.epochs if self._part else 0

    @property
    def folder(self) -> Path:
        """Where the record lies; `Recorder.read` reads it again."""
        return self._folder

    def plant(self, labels: Any, rate: float = 0.02, seed: int = 0) -> Any:
        """Labels to train on, of which a share `rate` is wrong: how these fare tells how many others are.

        Args:
            labels: class numbers, `[N]`: of NumPy, torch or pandas, or a list; they stay as they are.
            rate: per label; wrong ones are uniform among the other classes.
            seed: the same labels, rate and seed plant the same errors.

        Returns:
            The labels with the errors, as the type that came.

        Raises:
            UserError: labels that are none, called twice, or after recording has begun.
        """
        given = whole_numbers(labels, "labels")
        if self._planted is not None or self._part is not None or self._num_pending:
            raise UserError("plant was called twice, or after recording began: call it once, before training")
        if len(given) != self.num_examples:
            raise UserError(f"got {len(given):,} labels to plant errors in, expected {self.num_examples:,}")
        self._planted = plant_labels(given, rate, seed)
        self._learn(self._planted.labels)
        return like(labels, self._planted.labels)

    def indexed(self, data: Any) -> IndexedDataset:
        """The map-style data set with each example's row before it: `(x, y)` becomes `(row, x, y)`.

        Labels that it holds in `targets`, `labels` or `tensors` are those that the first epoch is held against.

        Raises:
            UserError: it has another length than the recorder expects, or none.
        """
        if not hasattr(data, "__len__") or not hasattr(data, "__getitem__"):
            raise UserError(
                f"got a {type(data).__name__}, which has no rows: give a data set with __len__ and __getitem__"
            )
        if len(data) != self.num_examples:
            raise UserError(
                f"got a data set of {len(data):,} examples for a recorder of {self.num_examples:,}: index the data set "
                "that the loader gets, a Subset as a whole"
            )
        labels = labels_of(data)
        if labels is not None and not self._labels_known:
            self._learn(labels)
        return IndexedDataset(data)

    def record(self, index: Any, logits: Tensor, targets: Any) -> None:
        """Records one batch of training, in a few small operations; copies nothing that is used elsewhere.

        An epoch ends by itself when as many examples as there are have come; call `end_epoch` where an epoch has
        fewer.

        Args:
            index: the rows of the B examples in the training set.
            logits: `[B, K]`, before softmax; of two classes also `[B]` or `[B, 1]`.
            targets: class numbers, `[B]`.

        Raises:
            UserError: these cannot be rows, logits and labels of one batch, or the rows that came are not those of the
                examples, with the reason.
        """
        with torch.no_grad():
            rows, values = torch.as_tensor(index), logits.detach().float()
            labels = torch.as_tensor(targets, device=values.device)
            if values.ndim == 1 or (values.ndim == 2 and values.shape[1] == 1):
                values = torch.stack([torch.zeros_like(values.reshape(-1)), values.reshape(-1)], dim=1)
            _check_batch(rows, values, labels)
            # A label that is no class is told when it is fetched: a look at it now would make a GPU wait.
            place = labels.long().clamp(0, values.shape[1] - 1)[:, None]
            own = values.gather(1, place)
            strongest, rival = values.scatter(1, place, -torch.inf).max(1)
            loss = values.logsumexp(1) - own[:, 0]
            packed = torch.stack([loss, own[:, 0] - strongest, rival.float(), labels.float()])
            self._pending.append((rows.clone(), packed))
        size = len(rows)
        if self._part is None:
            self._part = _Part.opened(self._folder, self._temporary is None, self.num_examples, values.shape[1])
        elif values.shape[1] != self._part.num_classes:
            raise UserError(f"got logits of {values.shape[1]} classes, and of {self._part.num_classes} before")
        self._num_pending += size
        self._epoch_size += size
        self._largest_batch = max(self._largest_batch, size)
        if self._num_pending >= _PENDING or self._epoch_size >= self.num_examples:
            self._fetch()
        if self._epoch_size >= self.num_examples:
            self.end_epoch()

    def end_epoch(self) -> None:
        """Ends the epoch, where it did not end by itself; called at its end all the same, it does nothing.

        Needed where an epoch does not see all examples: a loader that drops its last batch, or one process of several.

        Raises:
            UserError: what came is misaligned, or the first epoch lacks more than a batch.
        """
        self._fetch()
        part = self._part
        if part is None or not self._epoch_size:
            return
        size, self._epoch_size = self._epoch_size, 0
        expected = self.num_examples // part.num_processes - self._largest_batch
        if size <= expected and part.epochs:
            part.leave_out()
            return
        if size <= expected:
            raise UserError(
                f"the first epoch ended after {size:,} of {self.num_examples // part.num_processes:,} examples, where "
                "at most one batch may be left out: give num_examples as one epoch of the loader has it (a Subset has "
                "rows of its own), and call end_epoch at its end"
            )
        if part.in_order and not self._labels_known and not part.epochs:
            raise UserError(
                "the index counted 0, 1, 2, ... through the whole first epoch, as a counter in the loop does whatever "
                "its loader gives: give byrote.Recorder(labels=...), or use recorder.indexed(dataset), so that this "
                "can be told from rows"
            )
        part.keep(self._labels, self._planted, self._largest_batch)

    def recording(self) -> Recording:
        """What was recorded, by all processes; of an epoch that goes on, nothing.

        Raises:
            UserError: no epoch has ended, or a part is missing.
        """
        if not self.num_epochs:
            raise UserError(
                "got a recorder of which no epoch has ended: record a whole one, and call end_epoch where the loader "
                "leaves examples out"
            )
        return read_recording(self._folder)

    @staticmethod
    def read(folder: str | Path) -> Recording:
        """What recorders of one run left in `folder`.

        Raises:
            UserError: it holds no record, or a part is missing.
        """
        return read_recording(Path(folder))

    def for_lightning(self) -> LightningCallback:
        """A callback for Lightning's Trainer; `training_step` returns logits beside its loss."""
        return LightningCallback(self)

    def for_huggingface(self) -> HuggingFaceCallback:
        """A callback for the Trainer of transformers."""
        return HuggingFaceCallback(self)

    def _learn(self, labels: Int64[np.ndarray, " N"]) -> None:
        if len(labels) != self.num_examples:
            raise UserError(f"got {len(labels):,} labels for {self.num_examples:,} examples")
        self._labels = labels.copy()
        self._labels_known = True

    def _fetch(self) -> None:
        """Fetches what is pending and holds it against what is known.

        Raises:
            UserError: it is misaligned.
        """
        if not self._pending or self._part is None:
            return
        pending, self._pending, self._num_pending = self._pending, [], 0
        rows: Int64[np.ndarray, " B"] = torch.cat([rows for rows, _ in pending]).cpu().numpy().astype(np.int64)
        packed = torch.cat([packed for _, packed in pending], dim=1).cpu().numpy()
        part = self._part
        if rows.min() < 0 or rows.max() >= self.num_examples:
            wrong = rows[(rows < 0) | (rows >= self.num_examples)][0]
            raise UserError(
                f"got index {wrong}, expected rows from 0 to {self.num_examples - 1}: give the row in the data set "
                "that the loader goes through, and num_examples as its length"
            )
        if part.repeats(rows):
            raise UserError(self._repeated(rows))
        labels = packed[3].astype(np.int64)
        if labels.min() < 0 or labels.max() >= part.num_classes:
            wrong = labels[(labels < 0) | (labels >= part.num_classes)][0]
            raise UserError(
                f"got target {wrong} with logits of {part.num_classes} classes, expected 0 to {part.num_classes - 1}: "
                "leave out examples whose label is ignored"
            )
        known = self._labels[rows]
        wrong_rows = rows[(known >= 0) & (known != labels)]
        if len(wrong_rows):
            raise UserError(self._disagreeing(rows, labels, wrong_rows))
        self._labels[rows] = labels
        part.add(rows, packed)

    def _repeated(self, rows: Int64[np.ndarray, " B"]) -> str:
        part = self._part
        if rows.max() < self._largest_batch < self.num_examples:
            return (
                f"the index stayed below {self._largest_batch} in all batches, as positions in a batch do, so that it "
                "repeats within the epoch: give rows of the data set, as recorder.indexed(dataset) does"
            )
        again = part.first_repeated(rows) if part else int(rows[0])
        return (
            f"example {again} came twice within one epoch: give rows of the data set (a counter that starts anew does "
            "not), call end_epoch where a loader leaves examples out (drop_last, limited batches, several processes), "
            "and draw without replacement"
        )

    def _disagreeing(
        self, rows: Int64[np.ndarray, " B"], labels: Int64[np.ndarray, " B"], wrong: Int64[np.ndarray, " W"]
    ) -> str:
        came = dict(zip(rows.tolist(), labels.tolist(), strict=True))
        planted = self._planted
        if planted is not None and set(wrong.tolist()) <= set(planted.rows.tolist()):
            at = np.searchsorted(planted.rows, wrong)
            if all(came[row] == given for row, given in zip(wrong.tolist(), planted.given[at].tolist(), strict=True)):
                return (
                    f"example {wrong[0]} was trained on label {came[int(wrong[0])]} that it came with, not on the "
                    "error that was planted: train on the labels that recorder.plant returned"
                )
        whose = "the labels given" if self._labels_known else "an earlier epoch"
        return (
            f"{len(wrong):,} of {len(rows):,} labels are not those of their rows in {whose} (example {wrong[0]}: "
            f"{came[int(wrong[0])]}, expected {self._labels[wrong[0]]}): the index must be the row in the data set, "
            "not the position in a shuffled loader or in a Subset, and labels must not change"
        )


@dataclass(eq=False)
class _Part:
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
    incomplete_epochs: int = 0

    @classmethod
    def opened(cls, folder: Path, is_shared: bool, num_examples: int, num_classes: int) -> _Part:
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
        if summary_path(folder, process).exists():
            raise UserError(f"{folder} holds the record of a run already: name another folder")
        (folder / f"part-{process}.bin").write_bytes(b"")
        epoch = np.zeros((), epoch_layout(num_examples, num_classes))
        part = cls(folder, process, num_processes, num_classes, epoch, np.full(num_examples, -1, np.int64))
        part.begin()
        return part

    def begin(self) -> None:
        self.epoch["loss"], self.epoch["margin"], self.place[:] = np.nan, np.nan, -1
        self.num_seen = 0

    def repeats(self, rows: Int64[np.ndarray, " B"]) -> bool:
        came_before = bool((self.place[rows] >= 0).any())
        places = self.num_seen + np.arange(len(rows))
        self.place[rows] = places
        return came_before or bool((self.place[rows] != places).any())

    def first_repeated(self, rows: Int64[np.ndarray, " B"]) -> int:
        values, counts = np.unique(rows, return_counts=True)
        return int(values[counts > 1][0]) if (counts > 1).any() else int(rows[0])

    def add(self, rows: Int64[np.ndarray, " B"], packed: Float32[np.ndarray, "4 B"]) -> None:
        self.in_order = self.in_order and bool((self.place[rows] == rows).all())
        loss, margin = np.clip(packed[:2], -_LARGEST, _LARGEST)
        finite = np.isfinite(packed[:2]).all(axis=0)
        self.num_not_finite += int((~finite).sum())
        self.epoch["loss"][rows] = np.where(finite, loss, np.nan)
        self.epoch["margin"][rows] = np.where(finite, margin, np.nan)
        self.epoch["rival"][rows] = packed[2].astype(self.epoch["rival"].dtype)
        self.num_seen += len(rows)

    def leave_out(self) -> None:
        self.incomplete_epochs += 1
        self._summarise()

    def keep(self, labels: Int64[np.ndarray, " N"], planted: PlantedLabels | None, largest_batch: int) -> None:
        """Appends the epoch; the summary, which counts it, follows: an interrupt between leaves the epochs before."""
        with open(self.folder / f"part-{self.process}.bin", "r+b") as file:
            file.seek(self.epochs * self.epoch.nbytes)
            file.write(self.epoch.tobytes())
        if not self.epochs and planted is not None and self.process == 0:
            write_planted(self.folder, planted)
        np.save(self.folder / f"part-{self.process}.labels.npy", labels)
        self.epochs += 1
        self.largest_batch = largest_batch
        self._summarise()

    def _summarise(self) -> None:
        counts = (self.process, self.num_processes, self.epochs, self.largest_batch)
        rest = (self.num_not_finite, self.incomplete_epochs)
        write_summary(self.folder, PartSummary(len(self.place), self.num_classes, *counts, *rest))
        self.begin()


def _check_batch(rows: Tensor, logits: Tensor, labels: Tensor) -> None:
    """
    Raises:
        UserError: these are not rows, logits and class numbers of one batch.
    """
    if rows.ndim != 1 or rows.is_floating_point() or rows.is_complex() or rows.dtype == torch.bool:
        raise UserError(
            f"got an index of shape {list(rows.shape)} and type {rows.dtype}, expected the row of each example, as "
            "recorder.indexed(dataset) gives it"
        )
    if logits.ndim != 2:
        raise UserError(
            f"got logits of shape {list(logits.shape)}, expected [B, K]: a score for each class and example"
        )
    if labels.ndim != 1 or labels.is_floating_point():
        raise UserError(
            f"got targets of shape {list(labels.shape)} and type {labels.dtype}, expected a class number for each "
            "example: mixed or soft labels belong to no one class"
        )
    if not len(rows) == len(logits) == len(labels):
        raise UserError(
            f"got {len(rows)} rows, {len(logits)} logits and {len(labels)} targets, expected as many of each: record "
            "one batch at a time"
        )
