"""The network inputs of batches, one batch after another, augmented where that is asked for.

Inputs that are not on the device are fetched in a thread, one batch ahead of the step that needs it.

What a step is given is a `TrainingBatch`, whose inputs are made when the step asks for them: by `batches`, or, where
the step is one compiled graph, within that graph, from what lies on the device.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, replace
from functools import cached_property, partial
from itertools import tee
from typing import cast

import torch
from jaxtyping import Float, Int64, Shaped
from torch import Tensor

from byrote.data.augmentations import Augmentation, draws
from byrote.data.preprocessing import Batch, Inputs
from byrote.errors import UserError
from byrote.randomness import stream_seed
from byrote.training.conditions import SplitTensors
from byrote.training.ranks import BatchPart, Ranks

_AHEAD = 1
_JOINED_VALUES = 2**16
"""Network inputs that stay in the caches of one core."""


@dataclass(frozen=True, eq=False)
class EpochAugmentation:
    """What an augmentation draws in one epoch: for each replica and example numbers of its own."""

    name: str
    function: Augmentation
    keys: Int64[Tensor, " R"]
    """Of the epoch and each replica's seed."""

    @classmethod
    def of_epoch(
        cls, name: str, function: Augmentation, seeds: Sequence[int], epoch: int, device: str
    ) -> EpochAugmentation:
        """That of replicas with these seeds in one epoch."""
        keys = [stream_seed(seed, "augmentation", epoch) for seed in seeds]
        return cls(name, function, torch.tensor(keys, device=device))

    def network_inputs(
        self, inputs: Inputs, batch: Batch, examples: Int64[Tensor, "R B"], dtype: torch.dtype
    ) -> Float[Tensor, "M C h w"]:
        """Those of the `batch` that was fetched from `inputs` for `examples`.

        Raises:
            UserError: the function gave something else than as many images of the network's size.
        """
        keys = self.keys.repeat_interleave(examples.shape[1])
        draw = draws(keys, examples.flatten().to(keys.device), dtype)
        before, size = tuple(batch.pixels.shape), inputs.size

        def changed(images: Tensor) -> Tensor:
            found = self.function(images, draw, size)
            if tuple(found.shape) != (expected := (*before[:2], *size)):
                raise UserError(
                    f"augmentation {self.name!r} gave images of shape {tuple(found.shape)} from {before}, "
                    f"expected {expected}: as many, of the size that it is given"
                )
            return found

        return inputs.augmented(batch, changed, dtype)

    def verify(self, split: SplitTensors, examples: Int64[Tensor, "R B"], dtype: torch.dtype) -> None:
        """Tries it on a few examples.

        Raises:
            UserError: it fails, or gives something else than as many images of the network's size.
        """
        batch = split.fetch(examples, whole=True)
        try:
            self.network_inputs(split.inputs, batch, examples, dtype)
        except UserError:
            raise
        except Exception as error:
            raise UserError(
                f"augmentation {self.name!r} failed on images of shape {tuple(batch.pixels.shape)} and size "
                f"{split.inputs.size}: {type(error).__name__}: {error}"
            ) from error


@dataclass(slots=True, eq=False)  # not frozen, which takes four times as long to make: there is one a step
class Picked:
    """Examples on the device, before network inputs are made of them."""

    inputs: Inputs
    rows: Int64[Tensor, "R B"]
    """Where they are within `inputs`."""
    examples: Int64[Tensor, "R B"]
    """Which of each replica's own they are, where they are augmented."""
    dtype: torch.dtype
    augmentation: EpochAugmentation | None = None

    @property
    def parts(self) -> tuple[list[Tensor], list[Tensor], list[Tensor]]:
        """All that network inputs follow from: what is stored, what is `[R]`, and what is of this batch, `[R B]`."""
        stored = [cast(Tensor, self.inputs.pixels), self.inputs.scale, self.inputs.shift]
        if self.augmentation is None:
            return stored, [], [self.rows]
        return stored, [self.augmentation.keys], [self.rows, self.examples]

    @property
    def tensors(self) -> list[Tensor]:
        """The same, one after another."""
        stored, of_runs, of_batch = self.parts
        return [*stored, *of_runs, *of_batch]

    def on(self, tensors: Sequence[Tensor]) -> Picked:
        """The same of other tensors."""
        pixels, scale, shift, *others = tensors
        inputs = replace(self.inputs, pixels=pixels, scale=scale, shift=shift)
        if self.augmentation is None:
            return replace(self, inputs=inputs, rows=others[0])
        keys, rows, examples = others
        return replace(
            self, inputs=inputs, rows=rows, examples=examples, augmentation=replace(self.augmentation, keys=keys)
        )

    def network_inputs(self) -> Shaped[Tensor, "R B ..."]:
        """As a step takes them."""
        batch = self.inputs.fetch(self.rows.flatten(), whole=self.augmentation is not None)
        if self.augmentation is None:
            found = self.inputs.scaled(batch, self.dtype)
        else:
            found = self.augmentation.network_inputs(self.inputs, batch, self.examples, self.dtype)
        return found.reshape(*self.rows.shape, *found.shape[1:])


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
        self._split, self._dtype, self._augmentation = split, dtype, augmentation
        self._order, self._bounds = order.to(split.inputs.home), bounds
        self._of_whole: list[BatchPart | None] = [None] * len(bounds)
        if ranks is not None:
            parts = [ranks.part(last - first) for first, last in bounds]
            self._of_whole = [*parts]
            self._bounds = [
                (start + part.first, start + part.last) for (start, _), part in zip(bounds, parts, strict=True)
            ]
        self._labels = self._parts(labels)
        self._arriving: Iterator[Tensor] = iter(())
        self._next = -1

    def __getitem__(self, number: int) -> TrainingBatch:
        inputs = partial(self._inputs, number)
        return TrainingBatch(self._labels[number], inputs, self._picked(number), self._of_whole[number])

    def _inputs(self, number: int) -> Shaped[Tensor, "R B ..."]:
        if number != self._next:
            first_joined = number - number % self._num_joined
            parts = (self._order[:, first:last] for first, last in self._bounds[first_joined:])
            self._arriving = batches(self._split, parts, self._dtype, self._augmentation)
            for _ in range(first_joined, number):
                next(self._arriving)
        self._next = number + 1
        return next(self._arriving)

    @property
    def _num_joined(self) -> int:
        """How many batches `batches` makes at once."""
        if not self._split.inputs.is_on_device or len(self._order) > 1:
            return 1
        first, last = self._bounds[0]
        return math.ceil(_JOINED_VALUES / ((last - first) * math.prod(self._split.inputs.pixels.shape[1:])))

    def _picked(self, number: int) -> Picked | None:
        if not self._split.inputs.is_on_device:
            return None
        rows, examples = self._rows_and_examples
        return Picked(self._split.inputs, rows[number], examples[number], self._dtype, self._augmentation)

    @cached_property
    def _rows_and_examples(self) -> tuple[list[Tensor], list[Tensor]]:
        rows = self._parts(self._split.rows.gather(1, self._order))
        return rows, rows if self._augmentation is None else self._parts(self._order)

    def _parts(self, of_epoch: Int64[Tensor, "R N"]) -> list[Int64[Tensor, "R _"]]:
        """Batch by batch, each by itself in memory."""
        return [of_epoch[:, first:last].contiguous() for first, last in self._bounds]


def batches(
    split: SplitTensors,
    parts: Iterable[Int64[Tensor, "R _"]],
    dtype: torch.dtype,
    augmentation: EpochAugmentation | None = None,
) -> Iterator[Shaped[Tensor, "R _ ..."]]:
    """The inputs of each of `parts`, which are examples of every replica, on the home of the inputs."""
    sizes, parts = tee(parts)
    if split.inputs.is_on_device:
        parts = _joined(split, parts)
    for examples, batch in _fetched(split, parts, whole=augmentation is not None):
        if augmentation is None:
            inputs = split.inputs.scaled(batch, dtype)
        else:
            inputs = augmentation.network_inputs(split.inputs, batch, examples, dtype)
        shaped, last = split.shaped(inputs, examples), 0
        while last < examples.shape[1]:
            first, last = last, last + next(sizes).shape[1]
            yield shaped[:, first:last]


def _joined(split: SplitTensors, parts: Iterable[Int64[Tensor, "R _"]]) -> Iterator[Int64[Tensor, "R _"]]:
    """Small batches of a single replica several at a time, since a call costs more than what it does for so few
    values. Those of several replicas are not joined: parts of them would not lie together in memory."""
    each, waiting = math.prod(split.inputs.pixels.shape[1:]), list[Tensor]()
    for part in parts:
        waiting.append(part)
        if part.shape[0] > 1 or sum(examples.shape[1] for examples in waiting) * each >= _JOINED_VALUES:
            yield waiting[0] if len(waiting) == 1 else torch.cat(waiting, dim=1)
            waiting = []
    if waiting:
        yield waiting[0] if len(waiting) == 1 else torch.cat(waiting, dim=1)


def _fetched(
    split: SplitTensors, parts: Iterable[Int64[Tensor, "R _"]], *, whole: bool
) -> Iterator[tuple[Int64[Tensor, "R _"], Batch]]:
    if split.inputs.is_on_device:
        yield from ((examples, split.fetch(examples, whole=whole)) for examples in parts)
        return
    waiting: deque[tuple[Tensor, Future[Batch]]] = deque()
    with ThreadPoolExecutor(1, "fetch") as thread:
        for examples in parts:
            waiting.append((examples, thread.submit(split.fetch, examples, whole=whole)))
            if len(waiting) > _AHEAD:
                ready, batch = waiting.popleft()
                yield ready, batch.result()
        for ready, batch in waiting:
            yield ready, batch.result()
