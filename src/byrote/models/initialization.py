"""The initial weights of the built-in models; the paper does not state its own.

He's normal initialisation for layers that a ReLU follows (He et al., 2015: variance 2/fan_in), variance 1/fan_in for
the last layer, biases zero. Chosen by training loss on random labels alone; LOG.md has the comparison.
"""

from __future__ import annotations

import math

from torch import nn


def initialize(model: nn.Module) -> nn.Module:
    """Redraws all weights of linear and convolutional layers from torch's current generator, and returns the model."""
    layers = [module for module in model.modules() if isinstance(module, nn.Linear | nn.Conv2d)]
    for layer in layers:
        fan_in = layer.weight[0].numel()
        gain = 1.0 if layer is layers[-1] else 2.0
        nn.init.normal_(layer.weight, std=math.sqrt(gain / fan_in))
        if layer.bias is not None:
            nn.init.zeros_(layer.bias)
    return model
