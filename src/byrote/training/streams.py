"""The random streams of a group, each opened anew from a seed, a purpose and an epoch: nothing of them is carried from
one epoch to the next."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Int64
from torch import Tensor

from byrote.data.augmentations import Augmentation
from byrote.isolation import undisturbed
from byrote.randomness import permutation, stream, stream_seed
from byrote.training.picked import EpochAugmentation


@dataclass(frozen=True, slots=True)
class Streams:
    """Of replicas with these seeds. Within an epoch, what has been drawn is the state of the global generators, and of
    those that networks have of their own (`own_draws`)."""

    seeds: tuple[int, ...]
    """[R]"""
    device: str

    def batch_order(self, epoch: int, num_examples: int) -> Int64[Tensor, "R N"]:
        """Each replica's own order of the training examples."""
        orders = [permutation(stream(seed, "batches", epoch), num_examples).astype(np.int64) for seed in self.seeds]
        return torch.from_numpy(np.stack(orders))

    def augmentation(self, name: str, function: Augmentation | None, epoch: int) -> EpochAugmentation | None:
        """What the augmentation draws in this epoch; None without one."""
        if function is None:
            return None
        return EpochAugmentation.of_epoch(name, function, self.seeds, epoch, self.device)

    @contextmanager
    def opened(self, purpose: str, epoch: int) -> Iterator[Callable[[str, int], None]]:
        """For modules that draw from global generators, which are never stacked, or change global settings; and for
        cuDNN. Gives a function that opens those of another purpose or epoch instead."""
        if self.device.startswith("cuda"):
            torch.cuda.init()  # else its random state would be passed over
        with (
            # Without its first argument, flags() turns cuDNN off.
            torch.backends.cudnn.flags(enabled=torch.backends.cudnn.enabled, deterministic=True, benchmark=False),
            undisturbed(stream_seed(self.seeds[0], purpose, epoch)) as begin,
        ):
            yield lambda purpose, epoch: begin(stream_seed(self.seeds[0], purpose, epoch))

    def keep(self, kept: Sequence[int]) -> Streams:
        """Those of the replicas at these positions."""
        return Streams(tuple(self.seeds[position] for position in kept), self.device)
