from __future__ import annotations

import copy
import itertools

import numpy as np
import pytest
import torch
from scipy import stats
from torch import nn

from byrote.data.dataset import Dataset
from byrote.references import name_of
from byrote.training.evaluation import Evaluation
from byrote.training.key import run_key
from byrote.training.replica_run import ReplicaRun, build_run, environment
from byrote.training.spec import TrainSpec

ONE = nn.Sequential(nn.Flatten(), nn.Linear(64, 10))
COUNT = itertools.count()


def not_from_torchs_generator(*, input_shape: tuple[int, ...], num_classes: int) -> nn.Module:
    network = nn.Linear(64, 10)
    nn.init.constant_(network.weight, next(COUNT))
    return network


def the_same_again(*, input_shape: tuple[int, ...], num_classes: int) -> nn.Module:
    return ONE


def run_of(data: Dataset, **fields: object) -> ReplicaRun:
    return build_run(TrainSpec(**{"model": "mlp-1x4"} | fields), data, "cpu", None)


def test_a_run_is_built_from_its_spec(tiny: Dataset) -> None:
    run, same, other = run_of(tiny), run_of(tiny, learning_rate=1.0), run_of(tiny, seed=1)
    assert run.initial_weights == same.initial_weights != other.initial_weights
    assert run.key == run_key(run.spec, tiny) != same.key
    assert (run.num_trained_weights, run.num_frozen_weights, run.batch_norm) == (64 * 4 + 4 + 50, 0, False)
    assert run_of(tiny, model="inception").batch_norm
    assert next(run_of(tiny, precision="float64").network.parameters()).dtype == torch.float64
    assert [check.passed for check in run.checks] == [True]


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
    (check,) = run_of(tiny, model=name_of(factory)).checks  # type: ignore[arg-type]
    assert not check.passed
    assert detail in check.detail


@pytest.mark.parametrize("factory", [zeros, on_a_frozen_backbone])
def test_weights_that_no_seed_should_change_are_fresh(tiny: Dataset, factory: object) -> None:
    (check,) = run_of(tiny, model=name_of(factory)).checks  # type: ignore[arg-type]
    assert check.passed


def evaluation(num_correct: int, n: int = 200) -> Evaluation:
    return Evaluation(0.5, num_correct / n, 0.25, 0.75, num_correct, np.zeros(n, np.int64))


def test_fitted_at_99_percent_and_interpolated_at_all_of_the_attainable(tiny: Dataset) -> None:
    run = run_of(tiny)
    run.num_examples, run.most_correct = 200, 150
    assert run.ceiling == 0.75
    run.test = evaluation(9)
    for epoch, num_correct in enumerate([100, 148, 149, 120, 150, 149], start=1):
        run.note_train(evaluation(num_correct), epoch=epoch, step=10 * epoch)
    figures = run.figures(labels_at_end="")
    # 0.99 of 150 is 148.5.
    assert (figures["epochs_to_fit"], figures["steps_to_fit"]) == (3, 30)
    assert (figures["epochs_to_interpolate"], figures["steps_to_interpolate"]) == (5, 50)
    assert figures["train_accuracy"] == 149 / 200
    assert figures["train_predictions"].dtype == np.uint8


def test_full_evaluation_is_due_near_the_next_threshold(tiny: Dataset) -> None:
    run = run_of(tiny)
    run.num_examples = run.most_correct = 200
    near = [run.is_near_threshold(accuracy) for accuracy in (0.96, 0.975)]
    run.note_train(evaluation(199), epoch=1, step=1)
    near += [run.is_near_threshold(accuracy) for accuracy in (0.975, 0.985)]
    run.note_train(evaluation(200), epoch=2, step=2)
    assert [*near, run.is_near_threshold(1.0)] == [False, True, False, True, False]


def test_a_sample_is_near_unless_it_is_very_unlikely(tiny: Dataset) -> None:
    run = run_of(tiny)
    run.num_examples = run.most_correct = 10_000
    least = next(k for k in range(1001) if run.is_near_in_sample(k, 1000))
    assert least == 970
    assert stats.binom.cdf(least - 1, 1000, 0.99) < 1e-3
    for size in (32, 100):
        small = next(k for k in range(size + 1) if run.is_near_in_sample(k, size))
        assert stats.binom.cdf(small - 1, size, 0.99) < 1e-3
    run.note_train(evaluation(9950, 10_000), epoch=1, step=1)
    # Who has interpolated has a sample without mistakes.
    assert [run.is_near_in_sample(k, 1000) for k in (998, 999, 1000)] == [False, False, True]
    run.note_train(evaluation(10_000, 10_000), epoch=2, step=2)
    assert not run.is_near_in_sample(1000, 1000)


def test_below_a_ceiling_a_sample_may_have_mistakes(tiny: Dataset) -> None:
    run = run_of(tiny)
    run.num_examples, run.most_correct = 10_000, 8000
    run.note_train(evaluation(7950, 10_000), epoch=1, step=1)
    least = next(k for k in range(1001) if run.is_near_in_sample(k, 1000))
    assert 700 < least < 760
    assert stats.binom.cdf(least - 1, 1000, 0.8) < 1e-3


def test_a_run_without_an_evaluation_has_no_figures(tiny: Dataset) -> None:
    with pytest.raises(RuntimeError, match="without a full evaluation"):
        run_of(tiny).figures(labels_at_end="")


def test_changed_labels_are_found_at_the_end(tiny: Dataset) -> None:
    run = run_of(tiny)
    run.num_examples = run.most_correct = 200
    run.labels_at_start = "a"
    run.test = evaluation(9)
    run.note_train(evaluation(3), epoch=1, step=1)
    assert [run.figures(labels_at_end=end)["checks"][-1].passed for end in "ab"] == [True, False]


def test_the_environment_names_what_numbers_depend_on() -> None:
    found = environment("cpu")
    assert found.keys() == {"device", "hardware", "threads", "byrote", "torch", "numpy", "python"}
    assert found["torch"] == torch.__version__
