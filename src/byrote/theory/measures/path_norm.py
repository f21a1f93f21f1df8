"""The l2 path norm over the margin.

Source     Neyshabur, Tomioka and Srebro, "Norm-based capacity control in neural networks" (COLT 2015): the square root
           of the sum over all paths from an input, or from a bias, to an output of the product of the squared weights
           along the path. Over the margin, here its 10% quantile, as in Neyshabur, Bhojanapalli, McAllester and Srebro,
           "Exploring generalization in deep learning" (NeurIPS 2017): the root of theirs, without its factor 4 h_i a
           layer of h_i units. A norm, not a bound.
Here       One forward pass of ones through the network with all weights and biases squared. Pooling is as it was, as in
           the authors' own code: where paths meet in a maximum the largest counts, and an average has its own weights
           in it once, not squared. Scaling a ReLU unit's incoming weights and bias up and its outgoing weights down
           changes nothing.
"""

from __future__ import annotations

import copy

import torch
from torch import nn

from byrote.theory.measures.layers import read_layers
from byrote.theory.measures.margin import over_margin
from byrote.theory.measures.measure import State, TrainingSet
from byrote.training.outcome import TrainOutcome


def path_norm_over_margin(model: nn.Module, _initial: State, data: TrainingSet, _outcome: TrainOutcome) -> float:
    """The path norm, for outputs scaled to a margin of 1.

    Raises:
        UnreadableNetwork: no sequence of affine layers with ReLU.
    """
    return over_margin(path_norm(read_layers(model, data.input_shape).network, data.input_shape), model, data)


@torch.no_grad()
def path_norm(network: nn.Sequential, input_shape: tuple[int, ...]) -> float:
    """Of a row of layers without batch norm (`read_layers`)."""
    squared = copy.deepcopy(network).double()
    for parameter in squared.parameters():
        parameter.square_()
    return float(squared(torch.ones(1, *input_shape, dtype=torch.float64)).sum().sqrt())
