"""What a measure has to be better than: figures that every run has without any theory.

Source     Dziugaite et al., "In search of robust measures of generalization" (NeurIPS 2020), and Jiang et al.,
           "Fantastic generalization measures and where to find them" (ICLR 2020), ask of measures that they say more
           than the number of parameters and the speed of training do.
"""

from __future__ import annotations

import math

from torch import nn

from byrote.theory.measures.measure import State, TrainingSet
from byrote.training.outcome import TrainOutcome

EPOCH = 10
"""Whose training loss is looked at: early, when networks on true labels have learned something and others have not."""


def num_parameters(_model: nn.Module, _initial: State, _data: TrainingSet, outcome: TrainOutcome) -> float:
    """As `TrainOutcome.parameters` has it."""
    return float(outcome.parameters)


def steps_to_fit(_model: nn.Module, _initial: State, _data: TrainingSet, outcome: TrainOutcome) -> float:
    """Optimiser steps until 99% of the training set was right; NaN where it never was."""
    return math.nan if outcome.steps_to_fit is None else float(outcome.steps_to_fit)


def early_training_loss(_model: nn.Module, _initial: State, _data: TrainingSet, outcome: TrainOutcome) -> float:
    """The mean training loss over the batches of epoch 10; NaN where a run ended before, whose loss is then that of
    another epoch: networks that interpolate early would seem to be behind."""
    losses = outcome.curve["train_loss"]
    return float(losses[EPOCH - 1]) if len(losses) >= EPOCH else math.nan
