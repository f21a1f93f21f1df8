"""What is evaluated after an epoch, and who stops."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import numpy as np
import pytest
import torch
from sklearn.datasets import load_digits
from torch import nn

from byrote.data.corruptions.record import Corruption
from byrote.data.dataset import Dataset, Split
from byrote.references import name_of
from byrote.training import epoch_evaluation
from byrote.training.conditions import SplitTensors
from byrote.training.engine import train
from byrote.training.outcome import TrainOutcome
from byrote.training.replicas import Replicas
from byrote.training.spec import TrainSpec


def outcomes_of(specs: Sequence[TrainSpec], data: Dataset) -> list[TrainOutcome]:
    """In the order of `specs`."""
    found = {outcome.spec: outcome for outcome in train(specs, data, device="cpu")}
    return [found[spec] for spec in specs]


def test_validation_is_evaluated_whenever_the_test_set_is(tiny: Dataset) -> None:
    (outcome,) = outcomes_of(
        [
            TrainSpec(
                model="mlp-2x12",
                batch_size=20,
                learning_rate=0.05,
                stop="at_steps",
                steps=60,
                validation=0.25,
                corruptions=(Corruption(name="random-labels"),),
                evaluation_share=1.0,
            )
        ],
        tiny,
    )
    assert outcome.n_train == 91
    assert len(outcome.train_predictions) == 91
    evaluated = ~np.isnan(outcome.curve["test_accuracy"])
    assert 3 < evaluated.sum() < len(evaluated)
    np.testing.assert_array_equal(~np.isnan(outcome.curve["validation_accuracy"]), evaluated)
    assert "validation held out" in [check.name for check in outcome.checks]


class NoiseOfTraining(nn.Module):
    """A module of one's own that training and evaluation mode tell apart."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x + 2 * torch.randn_like(x) if self.training else x


def noisy_net(*, input_shape: tuple[int, ...], num_classes: int) -> nn.Module:
    return nn.Sequential(nn.Flatten(), nn.Linear(64, 64), NoiseOfTraining(), nn.ReLU(), nn.Linear(64, num_classes))


def wide_batch_norm_net(*, input_shape: tuple[int, ...], num_classes: int) -> nn.Module:
    return nn.Sequential(nn.Flatten(), nn.Linear(64, 128), nn.BatchNorm1d(128), nn.ReLU(), nn.Linear(128, num_classes))


@pytest.mark.parametrize(
    "fields",
    [
        {"model": "mlp-2x64", "dropout": 0.5, "batch_size": 80},
        {"model": name_of(wide_batch_norm_net), "batch_size": 6, "learning_rate": 0.03},
        pytest.param({"model": name_of(noisy_net), "batch_size": 80}, marks=pytest.mark.slow),
    ],
    ids=["dropout", "batch norm", "own module"],
)
def test_time_to_fit_is_found_where_running_accuracy_lags_behind(fields: dict[str, object]) -> None:
    """Without evaluation on a schedule, and before running accuracy comes near: in the same epoch as an evaluation
    after every epoch finds it."""
    digits = load_digits()
    images, labels = digits.images[:, None].astype(np.uint8), digits.target.astype(np.int64)
    parts = (Split.clean(images[part], labels[part]) for part in (slice(240), slice(300, 330)))
    data = Dataset("240 digits", *parts, class_names=tuple("0123456789"), pixel_max=16.0)
    rarely = {"evaluation_spacing": 1e9, "evaluation_share": 1e-9}
    always = {"evaluation_spacing": 1, "evaluation_share": 1e9}
    make = partial(TrainSpec, **{"learning_rate": 0.1, "epochs": 100, "dense_steps": 0} | fields)  # type: ignore[arg-type]
    each, every = (
        outcomes_of([make(seed=seed, **schedule) for seed in range(2)], data) for schedule in (rarely, always)
    )
    lagged = 0
    for found, expected in zip(each, every, strict=True):
        assert found.stop_reason == expected.stop_reason == "interpolated"
        assert found.steps_to_interpolate == expected.steps_to_interpolate
        assert found.epochs_to_fit == expected.epochs_to_fit
        lagged += found.curve["running_accuracy"][found.epochs_to_fit - 1] < 0.97
    assert lagged
    assert np.isnan(each[0].curve["train_accuracy"]).sum() > 1


@pytest.mark.parametrize("copies", [1, 2])
def test_random_labels_are_fitted_in_the_epoch_that_full_evaluation_finds(
    tiny: Dataset, copies: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With labels that contradict each other too, which none fits. Otherwise an epoch is evaluated in full where it
    came that far in training mode, whatever the runs beside it did, and no example twice in others."""
    num_evaluated = 0

    def counted(function: Callable[..., Any]) -> Callable[..., Any]:
        def call(replicas: Replicas, split: SplitTensors, members: Sequence[int], **options: Any) -> Any:
            nonlocal num_evaluated
            num_evaluated += len(members) * split.num_examples
            return function(replicas, split, members, **options)

        return call

    for function in (epoch_evaluation.count_correct, epoch_evaluation.evaluate):
        monkeypatch.setattr(epoch_evaluation, function.__name__, counted(function))
    images = np.concatenate([tiny.train.inputs[:60]] * copies)
    labels = np.random.default_rng(0).integers(3, size=len(images))
    data = Dataset("noise", Split.clean(images, labels), tiny.test, tiny.class_names, pixel_max=tiny.pixel_max)
    make = partial(TrainSpec, model="mlp-1x64", batch_size=15, epochs=300, dense_steps=0)
    every = [
        make(seed=seed, learning_rate=0.01 / (seed + 1), evaluation_spacing=1, evaluation_share=1e9)
        for seed in range(3)
    ]
    always = outcomes_of(every, data)
    num_evaluated = 0
    rarely = outcomes_of([spec.changed(evaluation_spacing=1e9, evaluation_share=1e-9) for spec in every], data)
    assert num_evaluated <= sum(len(images) * (each.epochs_run + 2) + each.n_test for each in rarely)
    for found, expected in zip(rarely, always, strict=True):
        assert (found.ceiling < 0.8) == (copies == 2)
        assert found.stop_reason == "interpolated"
        assert found.epochs_to_fit == expected.epochs_to_fit
        assert found.steps_to_interpolate == expected.steps_to_interpolate
        to_fit = found.curve["epoch"] <= found.epochs_to_fit
        next_one = np.where(to_fit, 0.99, 1.0) * found.ceiling - 1e-9
        evaluated, in_training = expected.curve["train_accuracy"], found.curve["running_accuracy"]
        in_full = (evaluated >= next_one) | (in_training >= next_one)
        np.testing.assert_array_equal(~np.isnan(found.curve["train_accuracy"]), in_full)
        assert in_full.sum() < found.epochs_run / 2


def test_scheduled_evaluation_costs_at_most_a_tenth_of_training(tiny: Dataset) -> None:
    spec = TrainSpec(model="mlp-1x4", learning_rate=1e-9, epochs=40, dense_steps=0)
    (outcome,) = outcomes_of([spec], tiny)
    n, num_test = outcome.n_train, outcome.n_test
    evaluated = np.flatnonzero(~np.isnan(outcome.curve["test_accuracy"])) + 1
    passes = np.arange(1, len(evaluated) + 1) * (n + num_test)
    # The last one is the final evaluation, which every run has.
    assert (passes[:-1] <= 0.1 * 3 * n * evaluated[:-1]).all()
    assert len(evaluated) > 4
