"""The margin: by how much the outputs of a trained network lie on the right side, on its training set."""

from __future__ import annotations

import math

import torch
from torch import nn

from byrote.theory.measures.measure import State, TrainingSet, margins
from byrote.training.outcome import TrainOutcome

QUANTILE = 0.1
"""As in Jiang et al. (2020), appendix C: the smallest margin of all is that of an outlier."""


def margin(model: nn.Module, _initial: State, data: TrainingSet, _outcome: TrainOutcome) -> float:
    """The 10% quantile of the margins, f(x)_y - max f(x)_j over the other classes j, over the training set."""
    return float(torch.quantile(margins(model, data), QUANTILE))


def over_margin(value: float, model: nn.Module, data: TrainingSet) -> float:
    """`value` for outputs that are scaled to a margin of 1; infinite where a tenth of the training set is wrong,
    which no scaling gives a margin."""
    gamma = float(torch.quantile(margins(model, data), QUANTILE))
    return value / gamma if gamma > 0 else math.inf
