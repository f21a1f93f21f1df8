"""The recorder: three lines in anybody's training loop.

It keeps of each example and epoch the loss, the margin and the strongest other class: five bytes, written to a folder
when the epoch ends. In memory is the epoch that goes on, and nothing of those before it. An index that is no row of the
data would make every figure a figure of another example, without an error anywhere; so what came in is held against
itself and against the labels before the first epoch counts.
"""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import torch
from jaxtyping import Int64
from torch import Tensor

from byrote.errors import UserError, kind_of, warn
from byrote.recording.huggingface_callback import HuggingFaceCallback
from byrote.recording.indexed import IndexedDataset, labels_of
from byrote.recording.lightning_callback import LightningCallback
from byrote.recording.part import RecordedPart
from byrote.recording.planting import PlantedLabels, confusions_of, like, plant_labels, whole_numbers
from byrote.recording.recording import NOT_SEEN, Recording, read_labels, read_planted, read_recording
from byrote.recording.resumption import resumption

_PENDING = 1 << 14
"""Examples that are kept where the network is before they are fetched: a fetch makes a GPU wait."""


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
        resume: how many epochs the checkpoint has behind it that training goes on from, 0 without one: recorded ones
            up to there are kept, and later ones are recorded anew. None expects a folder without a record.

    Raises:
        UserError: no number of examples, labels that are none, or a record that is not of the run that goes on.
    """

    def __init__(
        self,
        num_examples: int,
        *,
        labels: Any = None,
        folder: str | Path | None = None,
        resume: int | None = None,
    ) -> None:
        if isinstance(num_examples, bool) or not isinstance(num_examples, int | np.integer) or num_examples < 1:
            raise UserError(f"got num_examples={num_examples!r}, expected the number of training examples")
        self.num_examples = int(num_examples)
        self._labels: Int64[np.ndarray, " N"] = np.full(self.num_examples, NOT_SEEN, np.int64)
        self._labels_known = False
        self._temporary = tempfile.TemporaryDirectory(prefix="byrote-record-") if folder is None else None
        self._folder = Path(self._temporary.name if self._temporary else folder)  # type: ignore[arg-type]
        if resume is not None and folder is None:
            raise UserError(f"got resume={resume} without a folder: give the one that the record lies in")
        self._resumed = None if resume is None else resumption(self._folder, self.num_examples, resume)
        self._planted: PlantedLabels | None = None
        self._part: RecordedPart | None = None
        self._pending: list[tuple[Tensor, Tensor]] = []
        self._num_pending = 0
        self._epoch_size = 0
        self._largest_batch = 0
        if labels is not None:
            self._learn(whole_numbers(labels, "labels"))

    @property
    def num_epochs(self) -> int:
        """Those that have ended."""
        if self._part is not None:
            return self._part.epochs
        return self._resumed.kept if self._resumed else 0

    @property
    def folder(self) -> Path:
        """Where the record lies; `Recorder.read` reads it again."""
        return self._folder

    def plant(self, labels: Any, rate: float = 0.02, seed: int = 0, *, confusions: Any = None) -> Any:
        """Labels to train on, of which a share `rate` is wrong: how these fare tells how many others are.

        Args:
            labels: class numbers, `[N]`: of NumPy, torch or pandas, or a list; they stay as they are.
            rate: per label.
            seed: the same labels, rate, seed and confusions plant the same errors.
            confusions: plants errors between classes as often as they are taken for each other, either way: a
                confusion matrix `[K, K]`, or classes `[N]` that a network says which was not trained on these examples.
                None gives each row the same chance, and each other class.

        Returns:
            The labels with the errors, as the type that came.

        Raises:
            UserError: labels or confusions that are none, called twice, or after recording has begun.
        """
        given = whole_numbers(labels, "labels")
        if self._planted is not None or self._part is not None or self._num_pending:
            raise UserError("plant was called twice, or after recording began: call it once, before training")
        if len(given) != self.num_examples:
            raise UserError(f"got {len(given):,} labels to plant errors in, expected {self.num_examples:,}")
        chances = None if confusions is None else confusions_of(confusions, given)
        self._planted = plant_labels(given, rate, seed, chances)
        self._learn(self._planted.labels)
        return like(labels, self._planted.labels)

    def indexed(self, data: Any) -> IndexedDataset:
        """The map-style data set with each example's row before it: `(x, y)` becomes `(row, x, y)`.

        Labels that it holds in `targets`, `labels` or `tensors` are those that the first epoch is held against.

        Raises:
            UserError: it has another length than the recorder expects, or none.
        """
        if not hasattr(data, "__len__") or not hasattr(data, "__getitem__"):
            raise UserError(f"got {kind_of(data)}, which has no rows: give a data set with __len__ and __getitem__")
        if len(data) != self.num_examples:
            raise UserError(
                f"got a data set of {len(data):,} examples for a recorder of {self.num_examples:,}: index the data set "
                "that the loader gets, a Subset as a whole"
            )
        labels = labels_of(data)
        if labels is not None and not self._labels_known:
            self._learn(labels)
        return IndexedDataset(data)

    def record(self, index: Any, logits: Any, targets: Any) -> None:
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
            rows, values = _tensor(index, "an index"), _tensor(logits, "logits").detach().float()
            labels = _tensor(targets, "targets", values.device)
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
            self._open(values.shape[1])
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
        if size <= expected and (part.epochs or self._resumed):
            if self._resumed and not part.num_ended:
                warn(
                    f"{size:,} of {self.num_examples // part.num_processes:,} examples came in the epoch that training "
                    "went on within: it is left out of the record"
                )
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
        if self._part is None and self._resumed is not None:
            self._open(self._resumed.parts[0].num_classes)
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

    def _open(self, num_classes: int) -> None:
        """
        Raises:
            UserError: the folder holds another record than is expected, or one of other labels.
        """
        shared, resumed = self._temporary is None, self._resumed
        part = RecordedPart.opened(self._folder, shared, self.num_examples, num_classes, resumed)
        if resumed is not None and resumed.kept:
            self._recall(part.process)
            self._largest_batch = part.largest_batch
        self._part = part

    def _recall(self, process: int) -> None:
        """Goes on with the labels that were recorded before.

        Raises:
            UserError: they are others than are known, or other errors are planted.
        """
        before, now = read_planted(self._folder), self._planted
        if (before is None) != (now is None) or (before and now and not np.array_equal(before.labels, now.labels)):
            raise UserError(
                f"the record in {self._folder} has {_planted_in_words(before)}, and this run {_planted_in_words(now)}: "
                "plant as before when training goes on, with the same labels, rate, seed and confusions"
            )
        recorded = read_labels(self._folder, process)
        wrong = np.flatnonzero((recorded >= 0) & (self._labels >= 0) & (recorded != self._labels))
        if len(wrong):
            raise UserError(
                f"the record in {self._folder} has label {recorded[wrong[0]]} for example {wrong[0]}, and this run "
                f"{self._labels[wrong[0]]}: go on with the data set that was recorded, its rows in the same order"
            )
        if not self._labels_known:
            self._labels = recorded

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


def _tensor(values: Any, what: str, device: torch.device | None = None) -> Tensor:
    """
    Raises:
        UserError: these are no numbers.
    """
    try:
        return torch.as_tensor(values, device=device)
    except (TypeError, ValueError, RuntimeError):
        raise UserError(
            f"got {what} of type {type(values).__name__}, expected a tensor of numbers: record(index, logits, targets) "
            "takes rows of the data set, a score for each class (of a model that returns more, its logits) and class "
            "numbers"
        ) from None


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
    if logits.ndim != 2 or not logits.shape[1]:
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


def _planted_in_words(planted: PlantedLabels | None) -> str:
    return f"{len(planted.rows):,} planted errors" if planted else "no planted errors"
