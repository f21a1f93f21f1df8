"""The initial weights of the built-in models; the paper does not state its own.

He's normal initialisation (He et al., 2015: variance 2/fan_in) for all layers but the last, whose weights have
variance 0.01/fan_in, so that a network starts near the uniform prediction and its loss near ln K. Biases are zero.

Where no norm follows them, the last layers of L residual branches have variance 2/(L fan_in): all branches together
add as much as one layer, however many there are (Radford et al., 2019, section 2.3, scale the same layers).

Chosen by training loss on random labels alone; LOG.md has the comparisons.
"""

from __future__ import annotations

import math
from collections.abc import Collection

from torch import nn

from byrote.models.connectivity import GlobalConvolution, LocallyConnected


def initialize(model: nn.Module, *, branch_ends: Collection[nn.Module] = ()) -> nn.Module:
    """Redraws all linear and convolutional layers from torch's current generator, and returns the model.

    `branch_ends` are the last layers of its residual branches, unless a norm follows them.
    """
    layers = [module for module in model.modules() if isinstance(module, nn.Linear | nn.Conv2d | LocallyConnected)]
    if any(layer.weight.is_meta for layer in layers):
        return model  # nothing is there to be drawn, and torch would import its compiler to say so
    for layer in layers:
        gain = 2.0 / len(branch_ends) if layer in branch_ends else 2.0
        if layer is layers[-1]:
            gain = 0.01
        nn.init.normal_(layer.weight, std=math.sqrt(gain / _fan_in(layer)))
        if layer.bias is not None:
            nn.init.zeros_(layer.bias)
    return model


def _fan_in(layer: nn.Linear | nn.Conv2d | LocallyConnected) -> int:
    """The number of weights with which one output reads its inputs."""
    return layer.fan_in if isinstance(layer, GlobalConvolution | LocallyConnected) else layer.weight[0].numel()
