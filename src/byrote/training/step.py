"""One optimiser step of all replicas, from a batch to other weights."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import NamedTuple, Protocol, runtime_checkable

import torch
from jaxtyping import Float, Int64
from torch import Tensor

from byrote.models.dropout import numbered_from
from byrote.training.batches import TrainingBatch
from byrote.training.evaluation import loss_per_replica
from byrote.training.optimizers import ReplicaOptimizer
from byrote.training.precision import widened
from byrote.training.ranks import BatchPart, Ranks, sum_of_gradients
from byrote.training.replicas import Replicas

OnGradients = Callable[[list[Tensor]], None]
"""Is given the gradients `[R, ...]` of a step, in the order of the parameters."""


class Step(NamedTuple):
    """What a step leaves beside the weights."""

    losses: Float[Tensor, " R"]
    """Means over the batch."""
    predictions: Int64[Tensor, "R B"]


@runtime_checkable
class TakeStep(Protocol):
    """`take_step` with the loss and the numerics of a group: as it is, or compiled."""

    def __call__(
        self,
        replicas: Replicas,
        optimizer: ReplicaOptimizer,
        batch: TrainingBatch,
        factor: float | Tensor,
        *,
        look: OnGradients | None = None,
    ) -> Step: ...


def take_step(
    replicas: Replicas,
    optimizer: ReplicaOptimizer,
    batch: TrainingBatch,
    factor: float | Tensor,
    *,
    loss: str,
    numerics: Callable[[], AbstractContextManager[object]],
    ranks: Ranks | None = None,
    look: OnGradients | None = None,
) -> Step:
    """At `factor` times the replicas' learning rates. Changes weights, buffers and the optimiser's state in place.

    Where processes share the batch, `numerics` are those of whole batches, and losses, predictions and gradients
    become those of all of it.
    """
    with numerics(), numbered_from(batch.part.first if batch.part else 0):
        logits = widened(replicas(batch.inputs(), training=True))
    losses = loss_per_replica(logits, batch.labels, loss)
    (losses.sum() * batch.part.share if batch.part else losses.sum()).backward()
    replicas.collect_gradients()
    step = Step(losses.detach(), logits.detach().argmax(-1))
    if ranks is not None and batch.part is not None:
        step = _of_whole_batch(step, replicas, ranks, batch.part)
    if look is not None:
        look([torch.zeros_like(p) if p.grad is None else p.grad for p in replicas.parameters.values()])
    optimizer.step(factor)
    replicas.clear_gradients()
    return step


def _of_whole_batch(step: Step, replicas: Replicas, ranks: Ranks, part: BatchPart) -> Step:
    """What the processes have of a step, together; and gradients, in place."""
    parameters = list(replicas.parameters.values())
    has_gradient = torch.tensor([parameter.grad is not None for parameter in parameters], device=step.losses.device)
    predictions = step.predictions.new_zeros((len(step.predictions), part.size), dtype=torch.float64)
    predictions[:, part.first : part.last] = step.predictions
    losses, has_gradient = step.losses.double() * part.share, has_gradient.double()
    ranks.total(losses, predictions, has_gradient)
    sum_of_gradients(ranks, parameters, has_gradient)
    return Step(losses.to(step.losses.dtype), predictions.long())
