"""The product of the layers' Frobenius norms, over the margin.

Source     Neyshabur, Tomioka and Srebro, "Norm-based capacity control in neural networks" (COLT 2015), and over the
           margin, here its 10% quantile, Neyshabur, Bhojanapalli, McAllester and Srebro, "Exploring generalization in
           deep learning" (NeurIPS 2017): the root of theirs, without its factor 4 a layer. A norm, not a bound.
Here       Weights as they are stored: those of a convolution once, not once a position (Jiang et al., 2020). Biases are
           left out, so that scaling one ReLU layer up and another down changes nothing.
"""

from __future__ import annotations

import math

from torch import nn

from byrote.theory.measures.layers import read_layers
from byrote.theory.measures.margin import over_margin
from byrote.theory.measures.measure import State, TrainingSet
from byrote.training.outcome import TrainOutcome


def frobenius_over_margin(model: nn.Module, _initial: State, data: TrainingSet, _outcome: TrainOutcome) -> float:
    """The product of the norms, for outputs scaled to a margin of 1.

    Raises:
        UnreadableNetwork: no sequence of affine layers with ReLU.
    """
    layers = read_layers(model, data.input_shape).layers
    return over_margin(math.prod(float(layer.weight.detach().double().norm()) for layer in layers), model, data)
