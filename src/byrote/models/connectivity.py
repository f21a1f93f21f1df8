"""Ways to connect a grid of positions to the next: dense or 3x3, with own weights at each position or with shared ones.

All four are linear maps from `[B, C, H, W]` to `[B, D, H, W]` and nest in one another: the dense one has a matrix for
each pair of positions; `local` keeps the pairs at most one row and one column apart; `shared` ties the matrices of all
pairs with the same displacement. What lies beyond the border counts as zero, and own weights for it there are none.
"""

from __future__ import annotations

import math

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional as F


def connect(
    grid: tuple[int, int], channels: int, filters: int, *, local: bool, shared: bool, bias: bool
) -> nn.Linear | nn.Conv2d | LocallyConnected:
    """One linear layer between two grids, from `channels` to `filters` at each position."""
    if local and shared:
        return nn.Conv2d(channels, filters, 3, padding=1, bias=bias)
    if local:
        return LocallyConnected(grid, channels, filters, radius=1, bias=bias)
    if shared:
        return GlobalConvolution(grid, channels, filters, bias=bias)
    return DenselyConnected(grid, channels, filters, bias=bias)


def connect_each(
    grid: tuple[int, int], channels: int, filters: int, *, shared: bool, bias: bool
) -> SharedByPositions | LocallyConnected:
    """One linear layer that reads each position alone."""
    if shared:
        return SharedByPositions(channels, filters, bias=bias)
    return LocallyConnected(grid, channels, filters, radius=0, bias=bias)


class DenselyConnected(nn.Linear):
    """All positions read all positions: (H W)² C D weights, and a bias for each position and filter."""

    def __init__(self, grid: tuple[int, int], channels: int, filters: int, *, bias: bool) -> None:
        num_positions = math.prod(grid)
        super().__init__(num_positions * channels, num_positions * filters, bias=bias)

    def forward(self, x: Float[Tensor, "B C H W"]) -> Float[Tensor, "B D H W"]:
        return super().forward(x.flatten(1)).unflatten(1, (-1, *x.shape[2:]))


class SharedByPositions(nn.Linear):
    """A convolution with filters of one pixel, as a product: on a CPU, autocast passes over convolutions in stacks."""

    def forward(self, x: Float[Tensor, "B C H W"]) -> Float[Tensor, "B D H W"]:
        return super().forward(x.movedim(1, -1)).movedim(-1, 1)


class GlobalConvolution(nn.Conv2d):
    """A convolution whose filters reach from corner to corner: (2H - 1)(2W - 1) C D weights."""

    def __init__(self, grid: tuple[int, int], channels: int, filters: int, *, bias: bool) -> None:
        rows, columns = grid
        super().__init__(channels, filters, (2 * rows - 1, 2 * columns - 1), padding=(rows - 1, columns - 1), bias=bias)
        self.fan_in = channels * rows * columns
        """What one output reads: not all of the filter, of which most lies beyond the border."""


class LocallyConnected(nn.Module):
    """A position reads those at most `radius` rows and columns away, with weights of its own and a bias of its own."""

    def __init__(self, grid: tuple[int, int], channels: int, filters: int, *, radius: int, bias: bool) -> None:
        super().__init__()
        rows, columns = grid
        steps = range(-radius, radius + 1)
        self.displacements = [(i, j) for i in steps for j in steps if abs(i) < rows and abs(j) < columns]
        self.num_pairs = [(rows - abs(i)) * (columns - abs(j)) for i, j in self.displacements]
        self.fan_in = channels * len(self.displacements)
        self.weight = nn.Parameter(torch.empty(sum(self.num_pairs), filters, channels))
        self.bias = nn.Parameter(torch.zeros(filters, rows, columns)) if bias else None

    def forward(self, x: Float[Tensor, "B C H W"]) -> Float[Tensor, "B D H W"]:
        rows, columns = x.shape[2:]
        x = x.permute(0, 2, 3, 1)
        total = x.new_zeros(())
        # A product for each displacement takes half the time of one product over unfolded neighbourhoods.
        for (i, j), weight in zip(self.displacements, self.weight.split(self.num_pairs), strict=True):
            read = x[:, max(i, 0) : rows + min(i, 0), max(j, 0) : columns + min(j, 0)]
            part = torch.einsum("bpc,pdc->bpd", read.flatten(1, 2), weight).unflatten(1, read.shape[1:3])
            total = total + F.pad(part, (0, 0, max(-j, 0), max(j, 0), max(-i, 0), max(i, 0)))
        total = total.permute(0, 3, 1, 2)
        return total if self.bias is None else total + self.bias
