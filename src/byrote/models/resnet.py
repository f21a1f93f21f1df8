"""Residual networks for small images (He et al., 2016, section 4.2): resnet-3x16 is their ResNet-20, with 269,722
parameters on three channels and 10 classes, resnet-9x16 their ResNet-56.

3x3 convolution of W filters, three stages of D basic blocks with W, 2W and 4W filters, the first block of the second
and third stage of stride 2, mean over all positions, output. Where shapes change, the shortcut takes every second pixel
and pads channels with zeros (their option A): it has no weights, so whatever is learned is learned by the branches.
"""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional as F

from byrote.models.dropout import Dropout
from byrote.models.initialization import initialize


def resnet(
    depth: int,
    width: int,
    *,
    input_shape: tuple[int, ...],
    num_classes: int,
    dropout: float = 0.0,
    batch_norm: bool = True,
) -> nn.Module:
    """6 `depth` + 2 layers with weights. Dropout, if any, precedes the output layer.

    Without batch norm each convolution has a bias, and the last of each branch starts small (`initialize`).
    """
    blocks = []
    channels = width
    for filters in (width, 2 * width, 4 * width):
        for _ in range(depth):
            blocks.append(_Block(channels, filters, batch_norm=batch_norm))
            channels = filters
    layers: list[nn.Module] = [*_convolution(input_shape[0], width, batch_norm=batch_norm), nn.ReLU(), *blocks]
    layers.append(_MeanPool())
    if dropout:
        layers.append(Dropout(dropout))
    layers.append(nn.Linear(channels, num_classes))
    branch_ends = [] if batch_norm else [block.branch[-1] for block in blocks]
    return initialize(nn.Sequential(*layers), branch_ends=branch_ends)


class _Block(nn.Module):
    def __init__(self, channels: int, filters: int, *, batch_norm: bool) -> None:
        super().__init__()
        self.new_channels = filters - channels
        self.branch = nn.Sequential(
            *_convolution(channels, filters, stride=2 if self.new_channels else 1, batch_norm=batch_norm),
            nn.ReLU(),
            *_convolution(filters, filters, batch_norm=batch_norm),
        )

    def forward(self, x: Float[Tensor, "B C H W"]) -> Float[Tensor, "B D I J"]:
        shortcut = F.pad(x[:, :, ::2, ::2], (0, 0, 0, 0, 0, self.new_channels)) if self.new_channels else x
        return torch.relu(self.branch(x) + shortcut)


class _MeanPool(nn.Module):
    """Over all positions, in stacks too; torch's own layer falls back to a loop over the networks there."""

    def forward(self, x: Float[Tensor, "B C H W"]) -> Float[Tensor, "B C"]:
        return x.mean((2, 3))


def _convolution(channels: int, filters: int, *, stride: int = 1, batch_norm: bool) -> list[nn.Module]:
    convolution = nn.Conv2d(channels, filters, 3, stride=stride, padding=1, bias=not batch_norm)
    return [convolution, nn.BatchNorm2d(filters)] if batch_norm else [convolution]
