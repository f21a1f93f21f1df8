"""Fully connected networks with ReLU: the paper's MLP 1x512 and MLP 3x512 (appendix A), and any DEPTHxWIDTH."""

from __future__ import annotations

import math

from torch import nn

from byrote.models.dropout import Dropout
from byrote.models.initialization import initialize


def mlp(depth: int, width: int, *, input_shape: tuple[int, ...], num_classes: int, dropout: float = 0.0) -> nn.Module:
    """`depth` hidden layers of `width` units. On 3x28x28 and 10 classes, 1x512 has 1,209,866 parameters and
    3x512 has 1,735,178. Dropout, if any, follows each hidden layer."""
    layers: list[nn.Module] = [nn.Flatten()]
    inputs = math.prod(input_shape)
    for _ in range(depth):
        layers += [nn.Linear(inputs, width), nn.ReLU()]
        if dropout:
            layers.append(Dropout(dropout))
        inputs = width
    layers.append(nn.Linear(inputs, num_classes))
    return initialize(nn.Sequential(*layers))
