"""One network with six switches, each of which exchanges one property of its architecture and nothing else.

| switch    | with it                                            | without it                             |
|-----------|----------------------------------------------------|----------------------------------------|
| local     | a position reads the 3x3 positions around it       | a position reads all positions         |
| shared    | one set of weights for all positions               | own weights for every position         |
| skip      | each layer but the first adds its input            | it does not                            |
| attention | what is read is weighted by content                | what is read has learned weights       |
| norm      | batch norm before each ReLU, its offset for a bias | no norm, a bias                        |
| pool      | the output layer reads the mean over positions     | the output layer reads all positions   |

A position is a patch (`patches.py`: 7x7 positions at 28 pixels, 8x8 at 32, 4x4 at 8), and the stem that folds pixels
into patches has no weights. So switchboard-DxW without switches is a fully connected network with D layers of 49 W
units, its inputs merely in another order. With `local` it is locally connected, with `local` and `shared`
convolutional, and with `shared` alone it has convolutions that reach from corner to corner. The grid is coarse for the
sake of the dense layers, which have (49 W)² weights each: 2.5 million at W = 32, where a convolution has 9 thousand
(`matching.py` finds widths of equal size).

Layers are x -> mix(x), then D - 1 times x -> [x +] mix(relu([norm](x))), then relu([norm](x)) and the output layer. In
this order (He et al., 2016, "Identity mappings in deep residual networks") a layer with `skip` and zero weights is the
identity, and without `skip` it is the usual linear -> norm -> ReLU. All 64 combinations mean something:

- `attention`: a position reads, in W/8 heads of 8 channels, the mean of all values weighted by softmax(q·k / sqrt(8) +
  b), and maps what the heads have read to W channels. b is learned for each head and pair of positions, with `shared`
  for each displacement, so that a head knows where it looks as a convolution does. `local` restricts the softmax to the
  3x3 positions; `shared` makes the maps to queries, keys and values, and that from the heads, one for all positions.
- `norm` has no scale, which the next layer could undo, so that the number of parameters is the same with and without.
  Its statistics are those of a channel with `shared`, of a channel at one position without: of what shares an offset.
"""

from __future__ import annotations

import math
from collections.abc import Collection
from difflib import get_close_matches

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional as F

from byrote.errors import UserError
from byrote.models.attention import attend
from byrote.models.connectivity import connect, connect_each
from byrote.models.dropout import Dropout
from byrote.models.initialization import initialize
from byrote.models.normalization import OffsetBatchNorm2d
from byrote.models.patches import Patches

SWITCHES = ("local", "shared", "skip", "attention", "norm", "pool")
HEAD_CHANNELS = 8


def switchboard(
    depth: int,
    width: int,
    switches: Collection[str] = (),
    *,
    input_shape: tuple[int, ...],
    num_classes: int,
    dropout: float = 0.0,
) -> nn.Module:
    """`depth` layers of `width` channels at each position; dropout, if any, follows each ReLU.

    Raises:
        UserError: an unknown switch or one given twice, or `attention` with a width that 8 does not divide.
    """
    for switch in switches:
        if switch not in SWITCHES:
            close = get_close_matches(switch, SWITCHES, n=1)
            hint = f" (did you mean {close[0]!r}?)" if close else ""
            raise UserError(f"got switch {switch!r}{hint}, expected any of {', '.join(SWITCHES)}")
        if list(switches).count(switch) > 1:
            raise UserError(f"got switch {switch!r} twice, expected each at most once")
    return Switchboard(depth, width, switches, input_shape=input_shape, num_classes=num_classes, dropout=dropout)


class Switchboard(nn.Module):
    """What `switchboard` builds; `name` is its name in the catalogue, with the switches in the table's order."""

    def __init__(
        self,
        depth: int,
        width: int,
        switches: Collection[str],
        *,
        input_shape: tuple[int, ...],
        num_classes: int,
        dropout: float,
    ) -> None:
        super().__init__()
        local, shared, skip, attention, norm, pool = (switch in switches for switch in SWITCHES)
        self.name = "+".join([f"switchboard-{depth}x{width}", *(switch for switch in SWITCHES if switch in switches)])
        if attention and width % HEAD_CHANNELS:
            nearest = [str(near) for near in (width - width % HEAD_CHANNELS, width + -width % HEAD_CHANNELS) if near]
            raise UserError(
                f"got {self.name}, expected with attention a width that is a multiple of {HEAD_CHANNELS}, the channels "
                f"of a head: {' or '.join(nearest)}"
            )
        self.skip, self.pool = skip, pool
        self.patches = Patches(input_shape)
        grid = self.patches.grid
        mix = _Attention if attention else connect
        inputs = [self.patches.channels] + [width] * (depth - 1)
        self.mixes = nn.ModuleList(
            mix(grid, channels, width, local=local, shared=shared, bias=not norm) for channels in inputs
        )
        self.activations = nn.ModuleList()
        for _ in range(depth):
            layers: list[nn.Module] = [_BatchNorm(grid, width, shared=shared)] if norm else []
            layers.append(nn.ReLU())
            if dropout:
                layers.append(Dropout(dropout))
            self.activations.append(nn.Sequential(*layers))
        self.output = nn.Linear(width if pool else width * math.prod(grid), num_classes)
        ends = [layer.output if isinstance(layer, _Attention) else layer for layer in self.mixes[1:]]
        initialize(self, branch_ends=ends if skip else ())

    def forward(self, x: Float[Tensor, "B C H W"]) -> Float[Tensor, "B K"]:
        x = self.mixes[0](self.patches(x))
        for activation, mix in zip(self.activations, self.mixes[1:], strict=False):
            mixed = mix(activation(x))
            x = x + mixed if self.skip else mixed
        x = self.activations[-1](x)
        return self.output(x.mean((2, 3)) if self.pool else x.flatten(1))


class _Attention(nn.Module):
    """From `[B, C, H, W]` to `[B, D, H, W]`, with mixing weights that depend on x."""

    def __init__(
        self, grid: tuple[int, int], channels: int, filters: int, *, local: bool, shared: bool, bias: bool
    ) -> None:
        super().__init__()
        # Biases of keys and values would change nothing: the softmax cancels the one, the output's bias is the other.
        self.queries_keys_values = connect_each(grid, channels, 3 * filters, shared=shared, bias=False)
        position_bias = _DisplacementBias if shared else _PairBias
        self.position_bias = position_bias(filters // HEAD_CHANNELS, grid, local=local)
        self.output = connect_each(grid, filters, filters, shared=shared, bias=bias)

    def forward(self, x: Float[Tensor, "B C H W"]) -> Float[Tensor, "B D H W"]:
        heads = self.queries_keys_values(x).flatten(2).unflatten(1, (3, -1, HEAD_CHANNELS)).transpose(-1, -2)
        mixed = attend(*heads.unbind(1), bias=self.position_bias())
        return self.output(mixed.transpose(-1, -2).flatten(1, 2).unflatten(2, x.shape[2:]))


class _PairBias(nn.Module):
    """A bias for each head, reader and read; minus infinity, if `local`, where nothing is read."""

    ids: Tensor

    def __init__(self, num_heads: int, grid: tuple[int, int], *, local: bool) -> None:
        super().__init__()
        rows, columns = np.indices(grid).reshape(2, -1)
        distances = np.maximum(abs(rows[:, None] - rows), abs(columns[:, None] - columns))
        read = distances <= (1 if local else max(grid))
        ids = np.full(read.shape, -1)
        ids[read] = np.arange(read.sum())
        self.register_buffer("ids", torch.from_numpy(ids), persistent=False)
        self.weight = nn.Parameter(torch.zeros(num_heads, int(read.sum())))

    def forward(self) -> Float[Tensor, "heads P P"]:
        return F.pad(self.weight, (0, 1), value=-torch.inf)[:, self.ids]


class _DisplacementBias(nn.Module):
    """A bias for each head and displacement, laid out as by `_PairBias`."""

    def __init__(self, num_heads: int, grid: tuple[int, int], *, local: bool) -> None:
        super().__init__()
        self.grid = grid
        reach = [min(1, side - 1) if local else side - 1 for side in grid]
        self.weight = nn.Parameter(torch.zeros(num_heads, *(2 * steps + 1 for steps in reach)))
        beyond = [side - 1 - steps for side, steps in zip(grid, reach, strict=True)]
        self.padding = (beyond[1], beyond[1], beyond[0], beyond[0])

    def forward(self) -> Float[Tensor, "heads P P"]:
        rows, columns = self.grid
        # Windows rather than an index table, whose gradients torch adds up in an order that threads decide.
        windows = F.pad(self.weight, self.padding, value=-torch.inf).unfold(1, rows, 1).unfold(2, columns, 1)
        # The window of the last reader comes first: to it, all others lie behind.
        return windows.flip(1, 2).flatten(3, 4).flatten(1, 2)


class _BatchNorm(OffsetBatchNorm2d):
    """Of each channel, or of each position of each channel."""

    def __init__(self, grid: tuple[int, int], channels: int, *, shared: bool) -> None:
        super().__init__(channels if shared else channels * math.prod(grid))
        self.shared = shared

    def forward(self, x: Float[Tensor, "B C H W"]) -> Float[Tensor, "B C H W"]:
        # Within autocast x may be bfloat16, for which stacks have no kernel on a CPU.
        x = x.to(self.bias.dtype)
        return super().forward(x if self.shared else x.flatten(1)[:, :, None, None]).reshape(x.shape)
