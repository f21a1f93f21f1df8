"""The distance from initialisation: how far training has moved the weights.

Source     Nagarajan and Kolter, "Generalization in deep networks: the role of distance from initialization" (2019): the
           l2 distance, over all parameters together.
"""

from __future__ import annotations

import math

from torch import nn

from byrote.theory.measures.measure import State, TrainingSet
from byrote.training.outcome import TrainOutcome


def distance_from_initialization(model: nn.Module, initial: State, _data: TrainingSet, _outcome: TrainOutcome) -> float:
    """Over parameters, not buffers."""
    moved = (
        float((parameter.detach().double() - initial[name].to(parameter.device).double()).square().sum())
        for name, parameter in model.named_parameters()
    )
    return math.sqrt(sum(moved))
