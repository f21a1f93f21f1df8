"""A finished run as measures see it: its network, and what that was trained on."""

from __future__ import annotations

import torch
from torch import nn

from byrote.data.dataset import Dataset
from byrote.models.catalog import build_model
from byrote.theory.measures.measure import TrainingSet
from byrote.training.conditions import make_conditions
from byrote.training.key import network_input_shape
from byrote.training.outcome import TrainOutcome
from byrote.training.precision import weights_dtype
from byrote.training.replicas import prepare
from byrote.training.spec import TrainSpec


def trained_network(outcome: TrainOutcome, data: Dataset) -> nn.Module:
    """The network of a run that kept its weights, with the final ones, in evaluation mode.

    Args:
        data: as it was given to training.
    """
    if outcome.final_state is None:
        raise ValueError(f"the run of {outcome.spec.model} has kept no weights: train it with keep_weights=True")
    spec = outcome.spec
    shape = network_input_shape(spec, data)
    network = build_model(
        spec.model, input_shape=shape, num_classes=data.num_classes, seed=spec.seed, dropout=spec.dropout
    )
    prepare(network, seed=spec.seed, momentum=spec.batch_norm_momentum, epsilon=spec.batch_norm_epsilon)
    network.to(weights_dtype(spec.precision)).load_state_dict(outcome.final_state)
    return network.eval()


def training_set(spec: TrainSpec, data: Dataset) -> TrainingSet:
    """What the run of `spec` on `data` is trained on: its subset, with its corruption, preprocessed, not augmented."""
    split = make_conditions((spec,), data, device="cpu", channels_last=False).train
    rows = torch.arange(split.num_examples)[None]
    return TrainingSet(split.gather(rows, weights_dtype(spec.precision))[0], split.labels[0], data.num_classes)
