"""The net of one hidden unit that can be worked through by hand."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from byrote.theory.measures.measure import TrainingSet
from byrote.training.outcome import CURVE_COLUMNS, TrainOutcome
from byrote.training.spec import TrainSpec


@pytest.fixture
def unit_net() -> nn.Sequential:
    """f(x) = (3 h, 1/2 - h) with h = relu(2 x + 1)."""
    net = nn.Sequential(nn.Linear(1, 1), nn.ReLU(), nn.Linear(1, 2)).eval()
    with torch.no_grad():
        for parameter, values in zip(net.parameters(), ([[2.0]], [1.0], [[3.0], [-1.0]], [0.0, 0.5]), strict=True):
            parameter.copy_(torch.tensor(values))
    return net


@pytest.fixture
def two_points() -> TrainingSet:
    """x = 1 and 2, both of class 0: `unit_net` has h = 3 and 5 there, and margins of 11.5 and 19.5."""
    return TrainingSet(torch.tensor([[1.0], [2.0]]), torch.tensor([0, 0]), 2)


@pytest.fixture
def zeros() -> Callable[[nn.Module], dict[str, torch.Tensor]]:
    """A state before training in which all is 0."""
    return lambda net: {name: torch.zeros_like(value) for name, value in net.state_dict().items()}


@pytest.fixture
def outcome() -> Callable[..., TrainOutcome]:
    return make_outcome


def make_outcome(**changes: Any) -> TrainOutcome:
    """Of a run that interpolates its two examples after 40 steps."""
    fields: dict[str, Any] = dict.fromkeys(("train_top5_accuracy", "test_top5_accuracy", "ceiling"), 1.0)
    fields |= dict.fromkeys(("epochs_to_fit", "epochs_to_interpolate", "epochs_run"), 20)
    fields |= dict.fromkeys(("steps_to_fit", "steps_to_interpolate", "steps_run"), 40)
    fields |= {
        "key": "",
        "spec": TrainSpec(model="net"),
        "data": "two points",
        "n_train": 2,
        "n_test": 2,
        "num_classes": 2,
        "parameters": 6,
        "batch_norm": False,
        "train_loss": 0.1,
        "train_accuracy": 1.0,
        "train_accuracy_true_labels": 1.0,
        "test_loss": 0.5,
        "test_accuracy": 0.5,
        "stop_reason": "interpolated",
        "replicas": 1,
        "seconds": 1.0,
        "curve": {name: np.arange(20.0) for name in CURVE_COLUMNS},
        "early": {},
        "train_predictions": np.zeros(2, dtype=np.uint8),
        "test_predictions": np.zeros(2, dtype=np.uint8),
        "checks": (),
        "initial_weights": "",
        "environment": {},
    }
    return TrainOutcome(**(fields | changes))
