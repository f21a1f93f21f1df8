"""A small convolutional network for small images: what the demonstration trains beside an MLP."""

from __future__ import annotations

import math

from torch import nn

from byrote.models.dropout import Dropout
from byrote.models.initialization import initialize


def conv_small(*, input_shape: tuple[int, ...], num_classes: int, dropout: float = 0.0) -> nn.Module:
    """Two 3x3 convolutions of 32 and 64 filters with ReLU, a 2x2 max-pool after each, dense 128, output."""
    channels, *sides = input_shape
    layers: list[nn.Module] = []
    for before, filters in ((channels, 32), (32, 64)):
        # ceil_mode keeps a side of 1 alive, so that any image size will do.
        layers += [nn.Conv2d(before, filters, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2, ceil_mode=True)]
        sides = [math.ceil(side / 2) for side in sides]
    layers += [nn.Flatten(), nn.Linear(64 * math.prod(sides), 128), nn.ReLU()]
    if dropout:
        layers.append(Dropout(dropout))
    return initialize(nn.Sequential(*layers, nn.Linear(128, num_classes)))
