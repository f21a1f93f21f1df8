"""One optimiser step of all replicas, from a batch to other weights."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import NamedTuple, Protocol, runtime_checkable

import torch
from jaxtyping import Float, Int64
from torch import Tensor

from byrote.training.batches import TrainingBatch
from byrote.training.evaluation import loss_per_replica
from byrote.training.optimizers import ReplicaOptimizer
from byrote.training.precision import widened
from byrote.training.replicas import Replicas

Look = Callable[[list[Tensor]], None]
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
        look: Look | None = None,
    ) -> Step: ...


def take_step(
    replicas: Replicas,
    optimizer: ReplicaOptimizer,
    batch: TrainingBatch,
    factor: float | Tensor,
    *,
    loss: str,
    numerics: Callable[[], AbstractContextManager[object]],
    look: Look | None = None,
) -> Step:
    """At `factor` times the replicas' learning rates. Changes weights, buffers and the optimiser's state in place."""
    with numerics():
        logits = widened(replicas(batch.inputs(), training=True))
    losses = loss_per_replica(logits, batch.labels, loss)
    losses.sum().backward()
    replicas.collect_gradients()
    # Were each batch shared by several processes, they would average the gradients here.
    if look is not None:
        look([torch.zeros_like(p) if p.grad is None else p.grad for p in replicas.parameters.values()])
    optimizer.step(factor)
    replicas.clear_gradients()
    return Step(losses.detach(), logits.detach().argmax(-1))
