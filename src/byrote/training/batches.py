"""The network inputs of batches, one batch after another.

Inputs that are not on the device are fetched in a thread, one batch ahead of the step that needs it.

What a step is given is a `TrainingBatch`, whose inputs are made when the step asks for them: by `batches`, or, where
the step is one compiled graph, within that graph, from what lies on the device.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from functools import cached_property, partial

import torch
from jaxtyping import Int64, Shaped
from torch import Tensor

from byrote.data.preprocessing import Batch
from byrote.training.conditions import SplitTensors
from byrote.training.picked import EpochAugmentation, Picked
from byrote.training.ranks import BatchPart, Ranks

_AHEAD = 1
_JOINED_VALUES = 2**16
"""Network inputs that stay in the caches of one core."""


@dataclass(slots=True, eq=False)
class TrainingBatch:
    """What a step of R replicas is given."""

    labels: Int64[Tensor, "R B"]
    inputs: Callable[[], Shaped[Tensor, "R B ..."]]
    """Makes the network inputs."""
    picked: Picked | None = None
    """What they are made of, where that lies on the device."""
    part: BatchPart | None = None
    """Which examples of the batch these are, where several processes share it."""


class EpochBatches:
    """The batches of an epoch, whose examples come in `order` and end where `bounds` say; this process's part of each,
    where several share them."""

    def __init__(
        self,
        split: SplitTensors,
        order: Int64[Tensor, "R N"],
        labels: Int64[Tensor, "R N"],
        bounds: Sequence[tuple[int, int]],
        dtype: torch.dtype,
        augmentation: EpochAugmentation | None = None,
        ranks: Ranks | None = None,
    ) -> None:
        order = order.to(split.inputs.home)
        self._picked = split.picked(order, dtype, augmentation)
        self._labels, self._bounds = labels, bounds
        self._of_whole: list[BatchPart | None] = [None] * len(bounds)
        if ranks is not None:
            parts = [ranks.part(last - first) for first, last in bounds]
            self._of_whole = [*parts]
            self._bounds = [
                (start + part.first, start + part.last) for (start, _), part in zip(bounds, parts, strict=True)
            ]
        self._arriving: Iterator[Tensor] = iter(())
        self._next = -1

    def __getitem__(self, number: int) -> TrainingBatch:
        first, last = self._bounds[number]
        picked = self._picked.between(first, last) if self._picked.inputs.is_on_device else None
        # By itself in memory, as compiled steps take them.
        labels = self._labels[:, first:last].contiguous()
        return TrainingBatch(labels, partial(self._inputs, number), picked, self._of_whole[number])

    def _inputs(self, number: int) -> Shaped[Tensor, "R B ..."]:
        if number != self._next:
            first_joined = number - number % self._num_joined
            self._arriving = _made(self._picked, self._bounds[first_joined:], self._num_joined)
            for _ in range(first_joined, number):
                next(self._arriving)
        self._next = number + 1
        return next(self._arriving)

    @cached_property
    def _num_joined(self) -> int:
        """Small batches of a single replica are made several at once, since a call costs more than what it does for so
        few values. Those of several replicas are not: parts of them would not lie together in memory."""
        inputs = self._picked.inputs
        if not inputs.is_on_device or len(self._labels) > 1 or self._of_whole[0] is not None:
            return 1
        first, last = self._bounds[0]
        return math.ceil(_JOINED_VALUES / ((last - first) * math.prod(inputs.pixels.shape[1:])))


def _made(whole: Picked, bounds: Sequence[tuple[int, int]], num_joined: int) -> Iterator[Shaped[Tensor, "R _ ..."]]:
    """As `batches` gives them, of which `num_joined` are made at once."""
    joined = [bounds[number : number + num_joined] for number in range(0, len(bounds), num_joined)]
    made = batches(whole, ((each[0][0], each[-1][1]) for each in joined))
    for each, inputs in zip(joined, made, strict=True):
        start = each[0][0]
        for first, last in each:
            yield inputs[:, first - start : last - start]


def batches(whole: Picked, bounds: Iterable[tuple[int, int]]) -> Iterator[Shaped[Tensor, "R _ ..."]]:
    """The network inputs of the examples of `whole` that lie within each of `bounds`."""
    for picked, batch in _fetched(whole, bounds):
        yield picked.network_inputs(batch)


def _fetched(whole: Picked, bounds: Iterable[tuple[int, int]]) -> Iterator[tuple[Picked, Batch]]:
    parts = (whole.between(first, last) for first, last in bounds)
    if whole.inputs.is_on_device:
        yield from ((picked, picked.fetch()) for picked in parts)
        return
    waiting: deque[tuple[Picked, Future[Batch]]] = deque()
    with ThreadPoolExecutor(1, "fetch") as thread:
        for picked in parts:
            waiting.append((picked, thread.submit(picked.fetch)))
            if len(waiting) > _AHEAD:
                ready, batch = waiting.popleft()
                yield ready, batch.result()
        for ready, batch in waiting:
            yield ready, batch.result()
