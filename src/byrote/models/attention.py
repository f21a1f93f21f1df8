"""Scaled dot-product attention (Vaswani et al., 2017, section 3.2.1), written out.

Grids here have at most 64 positions, where a fused kernel saves little, and torch's have no second derivatives and fall
back to a loop over the replicas of a stack.
"""

from __future__ import annotations

import math

import torch
from jaxtyping import Float
from torch import Tensor


def attend(
    queries: Float[Tensor, "*batch P d"],
    keys: Float[Tensor, "*batch P d"],
    values: Float[Tensor, "*batch P d"],
    *,
    bias: Float[Tensor, "*more P P"] | None = None,
) -> Float[Tensor, "*batch P d"]:
    """softmax(Q K^T / sqrt(d) + bias) V, the softmax over the positions that are read. `bias` is broadcast."""
    scores = queries @ keys.mT / math.sqrt(queries.shape[-1])
    if bias is not None:
        scores = scores + bias
    return torch.softmax(scores, dim=-1) @ values
