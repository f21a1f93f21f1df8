"""What is counted within an epoch, in training mode, while weights move."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np
import torch
from jaxtyping import Bool, Float, Float64, Int64
from torch import Tensor

from byrote.training.conditions import SplitTensors
from byrote.training.evaluation import to_numpy


class _Counted(NamedTuple):
    losses: Float[np.ndarray, "S R"]
    mean_loss: Float[np.ndarray, " R"]
    accuracy: Float[np.ndarray, " R"]
    accuracy_true_labels: Float[np.ndarray, " R"]
    is_right: Bool[Tensor, "R _"]


@dataclass(slots=True, eq=False)
class EpochTally:
    """The losses and predictions of an epoch so far: S steps of R replicas, on `seen` of N examples in their order."""

    order: Int64[Tensor, "R N"]
    labels: Int64[Tensor, "R N"]
    true_labels: Int64[Tensor, "R N"]
    predictions: list[Int64[Tensor, "R _"]] = field(default_factory=list)
    """[S] of batches."""
    losses: list[Float[Tensor, " R"]] = field(default_factory=list)
    """[S] means over batches."""
    sizes: list[int] = field(default_factory=list)
    """[S] of batches."""
    seen: int = 0
    """Examples of each replica that are done."""
    steps_in_early_rows: int = 0
    """How many of these steps the rows of the early record cover."""
    _counted: _Counted | None = None
    """Of the examples seen, once that is asked for."""

    @classmethod
    def of_epoch(cls, split: SplitTensors, order: Int64[Tensor, "R N"]) -> EpochTally:
        """An empty one, of the examples of `split` in this order."""
        there = order.to(split.labels.device)
        labels = split.labels.gather(1, there)
        return cls(order, labels, split.true_labels.gather(1, there))

    def add(self, losses: Float[Tensor, " R"], predictions: Int64[Tensor, "R B"]) -> None:
        """Of the next batch."""
        size = predictions.shape[1]
        self._counted = None
        self.predictions.append(predictions)
        self.losses.append(losses)
        self.sizes.append(size)
        self.seen += size

    def snapshot(self, num_classes: int) -> dict[str, Any]:
        """What `restore` brings back to one of the same epoch."""
        kind = torch.int16 if num_classes <= torch.iinfo(torch.int16).max else torch.int32
        return {
            "predictions": torch.cat(self.predictions, dim=1).to(kind) if self.predictions else None,
            "losses": torch.stack(self.losses) if self.losses else None,
            "sizes": self.sizes,
            "steps_in_early_rows": self.steps_in_early_rows,
        }

    def restore(self, snapshot: dict[str, Any]) -> None:
        """Lets an empty one go on from where it was at `snapshot`."""
        if snapshot["losses"] is None:
            return
        parts = snapshot["predictions"].long().split(snapshot["sizes"], dim=1)
        for losses, predictions in zip(snapshot["losses"], parts, strict=True):
            self.add(losses, predictions.contiguous())
        self.steps_in_early_rows = snapshot["steps_in_early_rows"]

    def mean_loss(self) -> Float[np.ndarray, " R"]:
        """Over the examples seen."""
        return self._figures().mean_loss

    def accuracy(self) -> Float[np.ndarray, " R"]:
        """Over the examples seen, against the labels trained on."""
        return self._figures().accuracy

    def accuracy_true_labels(self) -> Float[np.ndarray, " R"]:
        """Over the examples seen, against the true labels."""
        return self._figures().accuracy_true_labels

    def _figures(self) -> _Counted:
        if self._counted is None:
            predictions = torch.cat(self.predictions, dim=1)
            losses = _in_float64(self.losses)
            is_right = predictions == self.labels[:, : self.seen]
            self._counted = _Counted(
                losses,
                _weighted_mean(losses, self.sizes),
                _share(is_right),
                _share(predictions == self.true_labels[:, : self.seen]),
                is_right,
            )
        return self._counted

    def take_early(self) -> dict[str, Float[np.ndarray, " R"]]:
        """Loss and accuracy of the steps since the last call."""
        steps = slice(self.steps_in_early_rows, len(self.losses))
        predictions = torch.cat(self.predictions[steps], dim=1)
        labels = self.labels[:, self.seen - predictions.shape[1] : self.seen]
        self.steps_in_early_rows = steps.stop
        return {
            "train_loss": _weighted_mean(_in_float64(self.losses[steps]), self.sizes[steps]),
            "train_accuracy": _share(predictions == labels),
        }

    def num_wrong(self) -> list[int]:
        """[R] of the examples seen, how many were predicted wrongly."""
        return [int(number) for number in (~self._figures().is_right).sum(1).tolist()]

    def suspects(self) -> Int64[Tensor, "R _"]:
        """The examples seen, first those that are most likely wrong after the last step: those predicted wrongly, the
        latest first; then the others, the earliest first."""
        is_right = self._figures().is_right.cpu().numpy()
        places = np.stack([np.concatenate([np.flatnonzero(~row)[::-1], np.flatnonzero(row)]) for row in is_right])
        return self.order.gather(1, torch.from_numpy(places).to(self.order.device))

    def first_non_finite(self) -> list[int | None]:
        """[R] the first of the S steps (from 0) whose loss was not a finite number."""
        finite = np.isfinite(self._figures().losses)
        if finite.all():
            return [None] * finite.shape[1]
        return [None if row.all() else int(row.argmin()) for row in finite.T]


def _in_float64(losses: Sequence[Float[Tensor, " R"]]) -> Float64[np.ndarray, "S R"]:
    return torch.stack([*losses]).cpu().numpy().astype(np.float64)


def _weighted_mean(losses: Float64[np.ndarray, "S R"], sizes: Sequence[int]) -> Float[np.ndarray, " R"]:
    """Of batches' mean losses, weighted by the batches' sizes."""
    weights = np.array(sizes, dtype=np.float64) / sum(sizes)
    mean: np.ndarray = (losses * weights[:, None]).sum(0)  # not by BLAS, which may round by how many columns there are
    return mean


def _share(is_right: Bool[Tensor, "R B"]) -> Float[np.ndarray, " R"]:
    """Of each replica's B numbers, the share that are right."""
    return to_numpy(is_right.sum(1)) / is_right.shape[1]
