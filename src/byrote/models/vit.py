"""A vision transformer for small images (Dosovitskiy et al., 2021): patches, learned positions, blocks of attention and
a perceptron, each behind a layer norm. vit-6x128 has 1,203,722 parameters on 3x28x28 and 10 classes.

The mean over positions goes to the output layer: it trains as well as a class token (ibid., appendix D.3) and needs
neither a further position nor weights of its own.
"""

from __future__ import annotations

import math

import torch
from jaxtyping import Float
from torch import Tensor, nn

from byrote.errors import UserError
from byrote.models.attention import attend
from byrote.models.dropout import Dropout
from byrote.models.initialization import initialize
from byrote.models.patches import Patches

HEAD_CHANNELS = 32


def vit(depth: int, width: int, *, input_shape: tuple[int, ...], num_classes: int, dropout: float = 0.0) -> nn.Module:
    """`depth` blocks on `width` channels, in heads of 32. Dropout, if any, ends each branch and follows the sum of
    patches and positions (Vaswani et al., 2017, section 5.4).

    Raises:
        UserError: a width that 32 does not divide.
    """
    if width % HEAD_CHANNELS:
        below = width // HEAD_CHANNELS * HEAD_CHANNELS
        raise UserError(
            f"got vit-{depth}x{width}, expected a width that is a multiple of {HEAD_CHANNELS}, the channels of a head: "
            f"take {' or '.join(f'vit-{depth}x{near}' for near in (below, below + HEAD_CHANNELS) if near)}"
        )
    return _VisionTransformer(depth, width, input_shape=input_shape, num_classes=num_classes, dropout=dropout)


class _VisionTransformer(nn.Module):
    def __init__(
        self, depth: int, width: int, *, input_shape: tuple[int, ...], num_classes: int, dropout: float
    ) -> None:
        super().__init__()
        self.patches = Patches(input_shape)
        self.embedding = nn.Linear(self.patches.channels, width)
        self.positions = nn.Parameter(torch.randn(math.prod(self.patches.grid), width) * 0.02)
        self.dropout = Dropout(dropout) if dropout else nn.Identity()
        blocks = [_Block(width, dropout) for _ in range(depth)]
        self.blocks = nn.Sequential(*blocks)
        self.norm = nn.LayerNorm(width)
        self.output = nn.Linear(width, num_classes)
        initialize(self, branch_ends=[end for block in blocks for end in (block.attention[2], block.perceptron[3])])

    def forward(self, x: Float[Tensor, "B C H W"]) -> Float[Tensor, "B K"]:
        tokens = self.dropout(self.embedding(self.patches(x).flatten(2).mT) + self.positions)
        return self.output(self.norm(self.blocks(tokens)).mean(1))


class _Block(nn.Module):
    def __init__(self, width: int, dropout: float) -> None:
        super().__init__()
        self.attention = nn.Sequential(nn.LayerNorm(width), _SelfAttention(width), nn.Linear(width, width))
        self.perceptron = nn.Sequential(
            nn.LayerNorm(width), nn.Linear(width, 4 * width), nn.GELU(), nn.Linear(4 * width, width)
        )
        if dropout:
            self.attention.append(Dropout(dropout))
            self.perceptron.append(Dropout(dropout))

    def forward(self, tokens: Float[Tensor, "B P W"]) -> Float[Tensor, "B P W"]:
        tokens = tokens + self.attention(tokens)
        return tokens + self.perceptron(tokens)


class _SelfAttention(nn.Module):
    """All but the last linear layer, which is the end of the branch."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.queries_keys_values = nn.Linear(width, 3 * width)

    def forward(self, tokens: Float[Tensor, "B P W"]) -> Float[Tensor, "B P W"]:
        heads = self.queries_keys_values(tokens).unflatten(-1, (3, -1, HEAD_CHANNELS)).permute(2, 0, 3, 1, 4)
        return attend(*heads).transpose(1, 2).flatten(2)
