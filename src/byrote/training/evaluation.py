"""Loss and accuracy over whole splits, in evaluation mode, for every replica."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float, Int64, Shaped
from torch import Tensor
from torch.nn import functional as F

from byrote.training.batches import batches
from byrote.training.conditions import SplitTensors
from byrote.training.picked import Picked
from byrote.training.precision import widened
from byrote.training.ranks import Ranks
from byrote.training.replicas import Replicas

# Examples of all replicas together in one forward pass, whose activations stay near the caches; and the fewest of each
# replica: with fewer, a pass of a stack takes longer for its calls than for what they do.
_BATCH = 512
_LEAST_BATCH = 128
_TOP = 5


@dataclass(frozen=True, eq=False)
class Evaluation:
    """One replica on one split."""

    loss: float
    accuracy: float
    accuracy_true_labels: float
    top5_accuracy: float
    """The label is among the min(5, K) classes with the largest scores."""
    num_correct: int
    predictions: Int64[np.ndarray, " N"]
    margins: Float[np.ndarray, " N"] | None = None
    """Float16: the log-odds of the label, where they were asked for."""


@torch.no_grad()
def evaluate(
    replicas: Replicas,
    split: SplitTensors,
    members: Sequence[int],
    *,
    loss: str,
    dtype: torch.dtype,
    numerics: Callable[[], AbstractContextManager[object]],
    with_margins: bool = False,
    ranks: Ranks | None = None,
) -> list[Evaluation]:
    """The replicas at positions `members` on all N examples of `split`, given to them as `dtype`.

    Processes that share the work have whole batches each, so that the figures are those of one process.
    """
    part = split.keep(members)
    n = part.num_examples
    predictions = torch.zeros_like(part.labels)
    in_top = torch.zeros_like(part.labels)
    margins = torch.zeros_like(part.labels, dtype=torch.float64) if with_margins else None
    bounds, own = _shared(n, len(members), ranks)
    sums = torch.zeros(len(bounds), len(members), dtype=torch.float64)
    made = batches(Picked(part.inputs, part.rows, dtype), (bounds[number] for number in own))
    for number, inputs in zip(own, made, strict=True):
        first, last = bounds[number]
        with numerics():
            logits = widened(replicas(inputs, training=False, members=members))
        sums[number] = loss_per_replica(logits, part.labels[:, first:last], loss).cpu().double() * (last - first)
        predictions[:, first:last] = logits.argmax(-1)
        best = logits.topk(min(_TOP, logits.shape[-1]), sorted=False).indices
        in_top[:, first:last] = (best == part.labels[:, first:last, None]).any(-1)
        if margins is not None:
            margins[:, first:last] = log_odds(logits, part.labels[:, first:last])
    if ranks is not None:
        sums = sums.to(predictions.device)
        ranks.total(sums, predictions, in_top, *([] if margins is None else [margins]))
    total = torch.zeros(len(members), dtype=torch.float64)
    for of_batch in sums.cpu():
        total += of_batch
    correct = (predictions == part.labels).sum(1).tolist()
    correct_true = (predictions == part.true_labels).sum(1).tolist()
    correct_top = in_top.sum(1).tolist()
    return [
        Evaluation(
            loss=float(total[position]) / n,
            accuracy=correct[position] / n,
            accuracy_true_labels=correct_true[position] / n,
            top5_accuracy=correct_top[position] / n,
            num_correct=correct[position],
            predictions=predictions[position].cpu().numpy(),
            margins=None if margins is None else margins[position].half().cpu().numpy(),
        )
        for position in range(len(members))
    ]


def log_odds(logits: Float[Tensor, "R B K"], labels: Int64[Tensor, "R B"]) -> Float[Tensor, "R B"]:
    """log p / (1 - p) of the softmax's probability p of the label, exact where p rounds to 1."""
    place = labels[..., None]
    others = logits.scatter(-1, place, -torch.inf).logsumexp(-1)
    return logits.gather(-1, place)[..., 0] - others


@torch.no_grad()
def count_correct(
    replicas: Replicas,
    split: SplitTensors,
    members: Sequence[int],
    *,
    dtype: torch.dtype,
    numerics: Callable[[], AbstractContextManager[object]],
    ranks: Ranks | None = None,
) -> list[int]:
    """How many of all N labels trained on the replicas at positions `members` get right, as `evaluate` counts them."""
    part = split.keep(members)
    bounds, own = _shared(part.num_examples, len(members), ranks)
    num_correct = torch.zeros(len(members), dtype=torch.int64, device=part.labels.device)
    made = batches(Picked(part.inputs, part.rows, dtype), (bounds[number] for number in own))
    for number, inputs in zip(own, made, strict=True):
        with numerics():
            found = widened(replicas(inputs, training=False, members=members)).argmax(-1)
        num_correct += (found == part.labels[:, slice(*bounds[number])]).sum(1)
    if ranks is not None:
        ranks.total(num_correct)
    return [int(number) for number in num_correct.tolist()]


def _shared(num_examples: int, num_members: int, ranks: Ranks | None) -> tuple[list[tuple[int, int]], range]:
    """Where each batch of all examples begins and ends, and which of the batches are for this process."""
    size = max(_BATCH // num_members, _LEAST_BATCH)
    bounds = [(first, min(first + size, num_examples)) for first in range(0, num_examples, size)]
    part = None if ranks is None else ranks.part(len(bounds))
    return bounds, range(len(bounds)) if part is None else range(part.first, part.last)


def loss_per_replica(logits: Float[Tensor, "R B K"], labels: Int64[Tensor, "R B"], kind: str) -> Float[Tensor, " R"]:
    """Mean over the batch; squared error against one-hot targets is summed over the classes."""
    if kind == "squared-error":
        targets = F.one_hot(labels, logits.shape[-1]).to(logits.dtype)
        return ((logits - targets) ** 2).sum(-1).mean(-1)
    each = F.cross_entropy(logits.flatten(0, 1), labels.flatten(), reduction="none")
    return each.view(labels.shape).mean(1)


def to_numpy(values: Shaped[Tensor, " R"]) -> Float[np.ndarray, " R"]:
    """In float64."""
    return values.detach().cpu().numpy().astype(np.float64)
