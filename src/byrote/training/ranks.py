"""Processes that train one group together: each computes its part of every batch, and all take the same steps.

What they exchange are sums: of gradients, each of which is a part of the mean over the whole batch; of losses and
predictions; of what evaluations count; of the statistics of batch norm (`whole_batch.py`). Whatever is decided in one
process is decided in all of them alike, since all have the same numbers.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from typing import NamedTuple

import torch
import torch.distributed as dist
from torch import Tensor

from byrote.errors import RankLost

_PATIENCE = timedelta(minutes=30)
"""How long one may wait for the others: one of them may have to store a run on a server that is away for a while."""


class BatchPart(NamedTuple):
    """Examples `first` to `last` of the `size` of a batch."""

    first: int
    last: int
    size: int

    @property
    def share(self) -> float:
        """Of the batch."""
        return (self.last - self.first) / self.size


@dataclass(frozen=True, eq=False)
class Ranks:
    """The processes, as number `rank` of them sees them."""

    rank: int
    size: int

    def part(self, num: int) -> BatchPart:
        """Its own of `num` things: as many as the others have, or one more or less."""
        return BatchPart(num * self.rank // self.size, num * (self.rank + 1) // self.size, num)

    def total(self, *tensors: Tensor) -> None:
        """Replaces each tensor, in place, by its sum over all processes, which is the same in all, bit for bit.

        Raises:
            RankLost: one of the processes has ended, or has given this group up.
        """
        by_type: dict[tuple[torch.dtype, torch.device], list[Tensor]] = {}
        for tensor in tensors:
            by_type.setdefault((tensor.dtype, tensor.device), []).append(tensor)
        for alike in by_type.values():
            flat = torch.cat([_plain(tensor).reshape(-1) for tensor in alike])
            try:
                dist.all_reduce(flat)
            except RuntimeError as error:
                raise RankLost(
                    f"one of the {self.size} processes that share the batches has ended: what is finished is kept; "
                    "start them again to go on"
                ) from error
            plain = [_plain(tensor) for tensor in alike]
            for tensor, values in zip(plain, flat.split([each.numel() for each in plain]), strict=True):
                tensor.copy_(values.view(tensor.shape))

    def whole(self, part: Tensor, dim: int, bounds: BatchPart) -> Tensor:
        """The parts of all processes, joined along the axis `dim`."""
        shape = list(part.shape)
        shape[dim] = bounds.size
        joined = part.new_zeros(shape)
        joined.narrow(dim, bounds.first, bounds.last - bounds.first).copy_(part)
        self.total(joined)
        return joined


@contextmanager
def joined(store: dist.Store, rank: int, size: int, device: str) -> Iterator[Ranks]:
    """The processes of a group, connected with each other; whoever leaves early ends what the others wait for.

    Args:
        store: where they find each other: that of no other group.
    """
    try:
        dist.init_process_group(
            "nccl" if device.startswith("cuda") else "gloo",
            store=store,
            rank=rank,
            world_size=size,
            timeout=_PATIENCE,
        )
    except RuntimeError as error:
        raise RankLost(
            f"one of the {size} processes that share the batches does not answer: what is finished is kept; start "
            "them again to go on"
        ) from error
    try:
        yield Ranks(rank, size)
    finally:
        dist.destroy_process_group()


def sum_of_gradients(ranks: Ranks, parameters: Sequence[Tensor], has_gradient: Tensor) -> None:
    """Lets `grad` of each parameter be its sum over all processes: none where none has one.

    Args:
        has_gradient: how many processes have one, of each parameter.
    """
    for parameter, num in zip(parameters, has_gradient.tolist(), strict=True):
        if num and parameter.grad is None:
            parameter.grad = torch.zeros_like(parameter)
    ranks.total(*(parameter.grad for parameter in parameters if parameter.grad is not None))


def _plain(tensor: Tensor) -> Tensor:
    """A view of real numbers, which is all that can be summed everywhere."""
    return torch.view_as_real(tensor) if tensor.is_complex() else tensor
