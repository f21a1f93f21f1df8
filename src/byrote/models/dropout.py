"""Dropout whose mask is a function of a key and a count, and so the same alone, in a stack, on CPU and on GPU.

Torch's own draws from a global generator, and inside a stack from one generator for all replicas: no replica could
be compared with the same network trained alone.
"""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor, nn

# The multipliers and shifts of SplitMix64 (Steele, Lea & Flood, 2014), as signed 64-bit integers.
_GOLDEN = 0x9E3779B97F4A7C15 - 2**64
_MIX = ((30, 0xBF58476D1CE4E5B9 - 2**64), (27, 0x94D049BB133111EB - 2**64))


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

    def forward(self, x: Float[Tensor, "B ..."]) -> Float[Tensor, "B ..."]:
        if not self.training or self.rate == 0:
            return x
        self.count.add_(1)
        # Positions of one step must not meet those of the next, hence the mix in between.
        step = _mix(self.key + self.count * _GOLDEN)
        positions = torch.arange(x.numel(), device=x.device).view(x.shape)
        bits = _mix(step + positions * _GOLDEN) & (2**31 - 1)
        kept = bits >= round(self.rate * 2**31)
        # At rate 1 nothing is kept, and 0/0 would be no number.
        return x * kept.to(x.dtype) / (1 - self.rate or 1)

    def extra_repr(self) -> str:
        return f"rate={self.rate}"


def _mix(z: Tensor) -> Tensor:
    for shift, multiplier in _MIX:
        # An arithmetic shift, made logical by clearing the copied sign bits.
        z = (z ^ ((z >> shift) & (2 ** (64 - shift) - 1))) * multiplier
    return z ^ ((z >> 31) & (2**33 - 1))
