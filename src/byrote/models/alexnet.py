"""The paper's small AlexNet (appendix A): 1,387,786 parameters on 3x28x28 and 10 classes.

Twice (5x5 convolution with 64 filters, ReLU -> 3x3 max-pool, stride 2 -> local response normalisation), then dense
384 and 192 with ReLU, and the output. 'Same' padding throughout: 28 -> 14 -> 7.
"""

from __future__ import annotations

import math

from torch import nn

from byrote.models.dropout import Dropout
from byrote.models.initialization import initialize
from byrote.models.normalization import LocalResponseNorm


def alexnet(*, input_shape: tuple[int, ...], num_classes: int, dropout: float = 0.0, width: float = 1.0) -> nn.Module:
    """Dropout, if any, follows the two dense layers. All numbers of filters and units are multiplied by `width` and
    rounded."""
    channels, *sides = input_shape
    filters, *units = (max(1, round(paper * width)) for paper in (64, 384, 192))
    for _ in range(2):
        sides = [math.ceil(side / 2) for side in sides]
    layers: list[nn.Module] = []
    for before in (channels, filters):
        layers += [
            nn.Conv2d(before, filters, 5, padding=2),
            nn.ReLU(),
            nn.MaxPool2d(3, stride=2, padding=1),
            LocalResponseNorm(filters),
        ]
    layers.append(nn.Flatten())
    inputs = filters * math.prod(sides)
    for outputs in units:
        layers += [nn.Linear(inputs, outputs), nn.ReLU()]
        if dropout:
            layers.append(Dropout(dropout))
        inputs = outputs
    layers.append(nn.Linear(inputs, num_classes))
    return initialize(nn.Sequential(*layers))
