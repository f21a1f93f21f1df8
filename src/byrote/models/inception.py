"""The paper's small Inception (appendix A, figure 3), with and without batch norm: 1,649,402 parameters either way on
3x28x28 and 10 classes, since a convolution has either a bias of its own or the offset of its batch norm."""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor, nn

from byrote.models.dropout import Dropout
from byrote.models.initialization import initialize
from byrote.models.normalization import OffsetBatchNorm2d


def inception(
    *,
    input_shape: tuple[int, ...],
    num_classes: int,
    dropout: float = 0.0,
    batch_norm: bool = True,
    width: float = 1.0,
) -> nn.Module:
    """Dropout, if any, precedes the output layer. Every number of filters is multiplied by `width` and rounded."""

    def scaled(filters: int) -> int:
        return max(1, round(filters * width))

    channels = scaled(96)
    layers: list[nn.Module] = [_convolution(input_shape[0], channels, 3, batch_norm=batch_norm)]
    for block in [
        (32, 32),
        (32, 48),
        (80,),
        (112, 48),
        (96, 64),
        (80, 80),
        (48, 96),
        (96,),
        (176, 160),
        (176, 160),
    ]:
        make = _Parallel if len(block) == 2 else _Down
        filters = [scaled(paper) for paper in block]
        layers.append(make(channels, *filters, batch_norm=batch_norm))
        channels = sum(filters) if make is _Parallel else channels + filters[0]
    layers += [nn.AdaptiveAvgPool2d(1), nn.Flatten()]
    if dropout:
        layers.append(Dropout(dropout))
    layers.append(nn.Linear(channels, num_classes))
    return initialize(nn.Sequential(*layers))


class _Parallel(nn.Module):
    """inception(a, b): a 1x1 and a 3x3 convolution side by side."""

    def __init__(self, channels: int, a: int, b: int, *, batch_norm: bool) -> None:
        super().__init__()
        self.narrow = _convolution(channels, a, 1, batch_norm=batch_norm)
        self.wide = _convolution(channels, b, 3, batch_norm=batch_norm)

    def forward(self, x: Float[Tensor, "B C H W"]) -> Float[Tensor, "B D H W"]:
        return torch.cat([self.narrow(x), self.wide(x)], dim=1)


class _Down(nn.Module):
    """down(c): a 3x3 convolution and a 3x3 max-pool side by side, both of stride 2."""

    def __init__(self, channels: int, c: int, *, batch_norm: bool) -> None:
        super().__init__()
        self.convolution = _convolution(channels, c, 3, stride=2, batch_norm=batch_norm)
        self.pool = nn.MaxPool2d(3, stride=2, padding=1)

    def forward(self, x: Float[Tensor, "B C H W"]) -> Float[Tensor, "B D I J"]:
        return torch.cat([self.convolution(x), self.pool(x)], dim=1)


def _convolution(channels: int, filters: int, size: int, *, stride: int = 1, batch_norm: bool) -> nn.Module:
    layers: list[nn.Module] = [
        nn.Conv2d(channels, filters, size, stride=stride, padding=size // 2, bias=not batch_norm)
    ]
    if batch_norm:
        layers.append(OffsetBatchNorm2d(filters))
    return nn.Sequential(*layers, nn.ReLU(inplace=True))
