"""The network inputs of batches, one batch after another, augmented where that is asked for.

Inputs that are not on the device are fetched in a thread, one batch ahead of the step that needs it.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from itertools import tee

import torch
from jaxtyping import Float, Int64, Shaped
from torch import Tensor

from byrote.data.augmentations import Augmentation, draws
from byrote.data.preprocessing import Batch
from byrote.errors import UserError
from byrote.randomness import stream_seed
from byrote.training.conditions import SplitTensors

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

    def inputs(
        self, split: SplitTensors, batch: Batch, examples: Int64[Tensor, "R B"], dtype: torch.dtype
    ) -> Float[Tensor, "M C h w"]:
        """Network inputs of the `batch` that was fetched for `examples`.

        Raises:
            UserError: the function gave something else than as many images of the network's size.
        """
        keys = self.keys.repeat_interleave(examples.shape[1])
        draw = draws(keys, examples.flatten().to(keys.device), dtype)
        before, size = tuple(batch.pixels.shape), split.inputs.size

        def changed(images: Tensor) -> Tensor:
            found = self.function(images, draw, size)
            if tuple(found.shape) != (expected := (*before[:2], *size)):
                raise UserError(
                    f"augmentation {self.name!r} gave images of shape {tuple(found.shape)} from {before}, "
                    f"expected {expected}: as many, of the size that it is given"
                )
            return found

        return split.inputs.augmented(batch, changed, dtype)

    def verify(self, split: SplitTensors, examples: Int64[Tensor, "R B"], dtype: torch.dtype) -> None:
        """Tries it on a few examples.

        Raises:
            UserError: it fails, or gives something else than as many images of the network's size.
        """
        batch = split.fetch(examples, whole=True)
        try:
            self.inputs(split, batch, examples, dtype)
        except UserError:
            raise
        except Exception as error:
            raise UserError(
                f"augmentation {self.name!r} failed on images of shape {tuple(batch.pixels.shape)} and size "
                f"{split.inputs.size}: {type(error).__name__}: {error}"
            ) from error


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
            inputs = augmentation.inputs(split, batch, examples, dtype)
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
