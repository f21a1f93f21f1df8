"""Dropout whose mask is a function of a key and a count, and so the same alone, in a stack, on CPU and on GPU.

Torch's own draws from a global generator, and inside a stack from one generator for all replicas: no replica could
be compared with the same network trained alone.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

import torch
from jaxtyping import Float
from torch import Tensor, nn

from byrote.randomness import splitmix

_first_example: ContextVar[int] = ContextVar("first_example", default=0)


@contextmanager
def numbered_from(first: int) -> Iterator[None]:
    """Inputs within begin at this example of a batch, whose masks are drawn for all of it."""
    token = _first_example.set(first)
    try:
        yield
    finally:
        _first_example.reset(token)


class Dropout(nn.Module):
    """Zeroes each entry with probability `rate` in training, and scales the others by 1/(1 - rate).

    The mask of the c-th forward pass in training mode hashes (key, c, position). Each layer and each run has a key of
    its own, set through the buffer `key`.
    """

    key: Tensor
    count: Tensor

    def __init__(self, rate: float) -> None:
        super().__init__()
        self.rate = rate
        self.register_buffer("key", torch.zeros((), dtype=torch.int64), persistent=False)
        self.register_buffer("count", torch.zeros((), dtype=torch.int64), persistent=False)

    @property
    def p(self) -> float:
        """What nn.Dropout, which this stands for, calls the rate."""
        return self.rate

    def forward(self, x: Float[Tensor, "B ..."]) -> Float[Tensor, "B ..."]:
        if not self.training or self.rate == 0:
            return x
        self.count.add_(1)
        # Positions of one step must not meet those of the next, hence two hashes.
        step = splitmix(self.key, self.count)
        positions = torch.arange(x.numel(), device=x.device).view(x.shape)
        if first := _first_example.get():
            positions = positions + first * (x.numel() // len(x))
        bits = splitmix(step, positions) & (2**31 - 1)
        kept = bits >= round(self.rate * 2**31)
        # At rate 1 nothing is kept, and 0/0 would be no number.
        return x * kept.to(x.dtype) / (1 - self.rate or 1)

    def extra_repr(self) -> str:
        return f"rate={self.rate}"
