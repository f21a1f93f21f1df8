"""What is counted within an epoch, in training mode, while weights move."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import torch
from jaxtyping import Float, Int64
from torch import Tensor

from byrote.training.conditions import SplitTensors
from byrote.training.evaluation import share_equal, weighted_mean


@dataclass(slots=True, eq=False)
class EpochTally:
    """The losses and predictions of an epoch so far: S steps of R replicas, on `seen` of N examples in their order."""

    order: Int64[Tensor, "R N"]
    labels: Int64[Tensor, "R N"]
    true_labels: Int64[Tensor, "R N"]
    predictions: Int64[Tensor, "R N"]
    losses: list[Float[Tensor, " R"]] = field(default_factory=list)
    """[S] means over batches."""
    sizes: list[int] = field(default_factory=list)
    """[S] of batches."""
    seen: int = 0
    """Examples of each replica that are done."""
    steps_in_early_rows: int = 0
    """How many of these steps the rows of the early record cover."""

    @classmethod
    def of_epoch(cls, split: SplitTensors, order: Int64[Tensor, "R N"]) -> EpochTally:
        """An empty one, of the examples of `split` in this order."""
        there = order.to(split.labels.device)
        labels = split.labels.gather(1, there)
        return cls(order, labels, split.true_labels.gather(1, there), torch.full_like(labels, -1))

    def add(self, losses: Float[Tensor, " R"], predictions: Int64[Tensor, "R B"]) -> None:
        """Of the next batch."""
        size = predictions.shape[1]
        self.predictions[:, self.seen : self.seen + size] = predictions
        self.losses.append(losses)
        self.sizes.append(size)
        self.seen += size

    def mean_loss(self) -> Float[np.ndarray, " R"]:
        """Over the examples seen."""
        return weighted_mean(self.losses, self.sizes)

    def accuracy(self) -> Float[np.ndarray, " R"]:
        """Over the examples seen, against the labels trained on."""
        return share_equal(self.predictions[:, : self.seen], self.labels[:, : self.seen])

    def accuracy_true_labels(self) -> Float[np.ndarray, " R"]:
        """Over the examples seen, against the true labels."""
        return share_equal(self.predictions[:, : self.seen], self.true_labels[:, : self.seen])

    def take_early(self) -> dict[str, Float[np.ndarray, " R"]]:
        """Loss and accuracy of the steps since the last call."""
        steps = slice(self.steps_in_early_rows, len(self.losses))
        examples = slice(sum(self.sizes[: steps.start]), self.seen)
        self.steps_in_early_rows = steps.stop
        return {
            "train_loss": weighted_mean(self.losses[steps], self.sizes[steps]),
            "train_accuracy": share_equal(self.predictions[:, examples], self.labels[:, examples]),
        }

    def first_non_finite(self) -> list[int | None]:
        """[R] the first of the S steps (from 0) whose loss was not a finite number."""
        finite = torch.stack(self.losses).isfinite().cpu().T
        return [None if row.all() else int(row.int().argmin()) for row in finite]
