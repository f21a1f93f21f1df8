"""The initial weights of the built-in models; the paper does not state its own.

He's normal initialisation (He et al., 2015: variance 2/fan_in) for all layers but the last, whose weights have
variance 0.01/fan_in, so that a network starts near the uniform prediction and its loss near ln K. Biases are zero.
Chosen by training loss on random labels alone; LOG.md has the comparison.
"""

from __future__ import annotations

import math

from torch import nn


def initialize(model: nn.Module) -> nn.Module:
    """Redraws all linear and convolutional layers from torch's current generator, and returns the model."""
    layers = [module for module in model.modules() if isinstance(module, nn.Linear | nn.Conv2d)]
    for layer in layers:
        variance = (0.01 if layer is layers[-1] else 2.0) / layer.weight[0].numel()
        nn.init.normal_(layer.weight, std=math.sqrt(variance))
        if layer.bias is not None:
            nn.init.zeros_(layer.bias)
    return model
