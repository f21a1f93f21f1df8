from __future__ import annotations

import copy
import itertools

import numpy as np
import pytest
import torch
from torch import nn

from byrote.data.dataset import Dataset
from byrote.references import name_of
from byrote.training.course import Course
from byrote.training.evaluation import Evaluation
from byrote.training.replica_run import Origin, ReplicaRun, build_network, environment
from byrote.training.spec import TrainSpec

ONE = nn.Sequential(nn.Flatten(), nn.Linear(64, 10))
COUNT = itertools.count()


def not_from_torchs_generator(*, input_shape: tuple[int, ...], num_classes: int) -> nn.Module:
    network = nn.Linear(64, 10)
    nn.init.constant_(network.weight, next(COUNT))
    return network


def the_same_again(*, input_shape: tuple[int, ...], num_classes: int) -> nn.Module:
    return ONE


def origin_of(data: Dataset, **fields: object) -> Origin:
    return build_network(TrainSpec(**{"model": "mlp-1x4"} | fields), data, "cpu", None)[1]


def test_a_network_is_built_from_its_spec(tiny: Dataset) -> None:
    origin, same, other = origin_of(tiny), origin_of(tiny, learning_rate=1.0), origin_of(tiny, seed=1)
    assert origin.initial_weights == same.initial_weights != other.initial_weights
    assert origin.key == origin.spec.key(tiny) != same.key
    assert (origin.num_trained_weights, origin.num_frozen_weights, origin.batch_norm) == (64 * 4 + 4 + 50, 0, False)
    assert origin_of(tiny, model="inception").batch_norm
    network, _ = build_network(TrainSpec(model="mlp-1x4", precision="float64"), tiny, "cpu", None)
    assert next(network.parameters()).dtype == torch.float64
    assert origin.check.passed


def copied(*, input_shape: tuple[int, ...], num_classes: int) -> nn.Module:
    return copy.deepcopy(ONE)


def seeds_itself(*, input_shape: tuple[int, ...], num_classes: int) -> nn.Module:
    torch.manual_seed(0)
    return nn.Sequential(nn.Flatten(), nn.Linear(64, 10))


def the_same_layer(*, input_shape: tuple[int, ...], num_classes: int) -> nn.Module:
    return nn.Sequential(nn.Flatten(), ONE[1], nn.Linear(10, 10))


class OwnNoise(nn.Linear):
    def __init__(self, *, input_shape: tuple[int, ...], num_classes: int) -> None:
        super().__init__(64, 10)
        self.noise = torch.full((), float(next(COUNT)))


def zeros(*, input_shape: tuple[int, ...], num_classes: int) -> nn.Module:
    layer = nn.Linear(64, 10)
    nn.init.zeros_(layer.weight)
    nn.init.zeros_(layer.bias)
    return nn.Sequential(nn.Flatten(), layer)


def on_a_frozen_backbone(*, input_shape: tuple[int, ...], num_classes: int) -> nn.Module:
    return nn.Sequential(nn.Flatten(), BACKBONE, nn.Linear(8, 10))


BACKBONE = nn.Linear(64, 8).requires_grad_(False)


@pytest.mark.parametrize(
    ("factory", "detail"),
    [
        (not_from_torchs_generator, "built again from the same seed"),
        (OwnNoise, "built again from the same seed"),
        (the_same_again, "gave two networks the same weights"),
        (the_same_layer, "gave two networks the same weights"),
        (copied, "another seed gives the same weights, expected others"),
        (seeds_itself, "the model sets a seed of its own"),
    ],
)
def test_weights_that_are_not_fresh_fail(tiny: Dataset, factory: object, detail: str) -> None:
    check = origin_of(tiny, model=name_of(factory)).check  # type: ignore[arg-type]
    assert not check.passed
    assert detail in check.detail


@pytest.mark.parametrize("factory", [zeros, on_a_frozen_backbone])
def test_weights_that_no_seed_should_change_are_fresh(tiny: Dataset, factory: object) -> None:
    check = origin_of(tiny, model=name_of(factory)).check  # type: ignore[arg-type]
    assert check.passed


def run_of(origin: Origin, num_examples: int = 200, most_correct: int = 200) -> ReplicaRun:
    none = np.zeros(0, np.int64)
    return ReplicaRun(origin, num_examples, most_correct, none, none, "a", (origin.check,), None)


def evaluation(num_correct: int, n: int = 200) -> Evaluation:
    return Evaluation(0.5, num_correct / n, 0.25, 0.75, num_correct, np.zeros(n, np.int64))


def test_figures_are_of_the_last_evaluations(tiny: Dataset) -> None:
    run = run_of(origin_of(tiny), most_correct=150)
    assert run.ceiling == 0.75
    course = Course(epochs_to_fit=3, steps_to_fit=30, diverged_at_step=40, train=evaluation(149), test=evaluation(9))
    figures = run.figures(course, labels_at_end="a")
    assert (figures["epochs_to_fit"], figures["steps_to_fit"], figures["steps_to_interpolate"]) == (3, 30, None)
    assert (figures["train_accuracy"], figures["test_accuracy"]) == (149 / 200, 9 / 200)
    assert figures["diverged_at_step"] == 40
    assert figures["train_predictions"].dtype == np.uint8


def test_a_run_without_an_evaluation_has_no_figures(tiny: Dataset) -> None:
    with pytest.raises(RuntimeError, match="without a full evaluation"):
        run_of(origin_of(tiny)).figures(Course(train=evaluation(3)), labels_at_end="")


def test_changed_labels_are_found_at_the_end(tiny: Dataset) -> None:
    run, course = run_of(origin_of(tiny)), Course(train=evaluation(3), test=evaluation(9))
    assert [run.figures(course, labels_at_end=end)["checks"][-1].passed for end in "ab"] == [True, False]


def test_the_environment_names_what_numbers_depend_on() -> None:
    found = environment("cpu")
    assert found.keys() == {"device", "hardware", "threads", "byrote", "torch", "numpy", "python"}
    assert found["torch"] == torch.__version__
