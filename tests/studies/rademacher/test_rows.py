"""Rows of made-up runs, and suprema that training must not pass."""

import math

import numpy as np
import pytest
import torch
from reached import reaching
from torch import nn

from byrote.data.corruptions.application import corrupt
from byrote.data.dataset import Dataset, Split
from byrote.studies.rademacher.rows import rows
from byrote.studies.rademacher.study import RademacherStudy
from byrote.studies.random_label_runs import coin_flips
from byrote.studies.study import Results
from byrote.theory.complexity.rademacher import generalization_bound
from byrote.theory.complexity.stumps import Stumps
from byrote.training.engine import train
from byrote.training.recipe import Recipe
from byrote.training.spec import TrainSpec

NORM = 0.01


class Unit(nn.Module):
    """The functions w.x with |w| = NORM, as the difference of two outputs."""

    def __init__(self, input_shape, num_classes):
        super().__init__()
        self.weight = nn.Parameter(torch.randn(math.prod(input_shape)) * 0.1)

    def forward(self, x):
        half = x.flatten(1) @ (self.weight / self.weight.norm()) * (NORM / 2)
        return torch.stack([-half, half], dim=1)


def logistic(input_shape, num_classes):
    return nn.Sequential(nn.Flatten(), nn.Linear(math.prod(input_shape), num_classes))


def vectors(n, d, seed=0):
    inputs = np.random.default_rng(seed).standard_normal((n, d)).astype(np.float32)
    test = Split.clean(-inputs, np.arange(n) % 2)
    return Dataset("Gaussian points", Split.clean(inputs, np.arange(n) % 2), test, ("a", "b"), pixel_max=1.0)


def signs_of(flips, draws):
    return np.stack([2.0 * corrupt(flips, "random-labels", seed=seed).train.labels - 1 for seed in range(draws)])


def results_of(study, reached):
    """Of its networks alone: each reaches so much on each of its draws."""
    planned = [each for each in study.plan() if isinstance(each.task, TrainSpec)]
    return Results(study, [(each, reaching(each.task, reached(each))) for each in planned])


@pytest.fixture
def study(tiny):
    return RademacherStudy(tiny, "mlp-1x4", Recipe(), seeds=2, n_train=30, draws=4)


def test_each_seed_has_a_row_with_the_mean_over_its_draws(study):
    results = results_of(study, lambda each: 1.0 if each.labels["draw"] else 0.2 + 0.2 * each.labels["repeat"])
    table = rows("rademacher", results, 4)
    assert list(zip(table["n_train"], table["seed"], strict=True)) == [(n, s) for n in study.sizes for s in (0, 1)]
    own = table[table["n_train"] == 30].iloc[1]
    assert own["complexity"] == pytest.approx(0.85)
    assert own["standard_deviation"] == pytest.approx(0.3)
    assert (own["num_draws"], own["num_interpolated"], own["num_interrupted"], own["high"]) == (4, 3, 1, 1)
    assert own["low"] == pytest.approx(0.85 - np.sqrt(2 * np.log(20) / (30 * 4)))
    assert own["bound"] == generalization_bound(0.0, own["low"], 30)
    assert own["failed_checks"] == ""
    assert own["learning_rate"] == Recipe().learning_rate


def test_draws_that_are_not_all_there_have_no_row(study):
    results = results_of(study, lambda _: 1.0)
    few = Results(study, list(zip(results.planned, results, strict=True))[1:])
    assert len(rows("rademacher", few, 4)) == len(rows("rademacher", results, 4)) - 1


def test_one_draw_has_no_deviation(tiny):
    study = RademacherStudy(tiny, "mlp-1x4", Recipe(), n_train=1, draws=1)
    assert rows("rademacher", results_of(study, lambda _: 1.0), 1)["standard_deviation"].isna().all()


@pytest.mark.slow
def test_the_supremum_of_the_norm_bounded_class_is_found_on_every_draw():
    """Of functions as small as these the logistic loss is log 2 - sigma h / 2 + h^2 / 8, and no later term counts: the
    lowest loss that training finds gives the largest correlation, which has a closed form."""
    flips = coin_flips(vectors(40, 6), 40, 0)
    recipe = Recipe(preprocessing="none", learning_rate=30.0, batch_size=40, epochs=200, decay=1.0, precision="float64")
    fields = recipe.model_dump() | {"model": f"{__file__}:Unit", "corruptions": ({"name": "random-labels"},)}
    specs = [TrainSpec.model_validate(fields | {"seed": seed}) for seed in range(6)]
    losses = {outcome.spec.seed: outcome.train_loss for outcome in train(specs, flips, device="cpu")}
    inputs = flips.train.inputs.astype(np.float64)
    exact = NORM * np.linalg.norm(signs_of(flips, 6) @ inputs, axis=1) / len(inputs)
    found = np.array([2 * (math.log(2) - losses[seed]) for seed in range(6)])
    most = NORM**2 * np.square(inputs).sum(axis=1).mean() / 4  # what h^2 / 8 can take away
    assert np.all(found <= exact + 1e-9)
    assert np.all(found >= exact - most - 1e-6)
    np.testing.assert_allclose(found, exact, rtol=0.1)


@pytest.mark.slow
def test_a_linear_model_on_one_feature_stays_below_the_best_threshold_of_every_draw():
    """Signs of a w x + b are thresholds: the logistic loss does not count mistakes, and comes near at most."""
    data = vectors(60, 1)
    recipe = Recipe(preprocessing="none", learning_rate=0.5, batch_size=60, epochs=150, evaluation_spacing=1)
    study = RademacherStudy(data, f"{__file__}:logistic", recipe, n_train=60, draws=16)
    draws = [each for each in study.plan() if isinstance(each.task, TrainSpec) and each.task.n_train == 60]
    outcomes = sorted(
        train([each.task for each in draws], study.flips[60], device="cpu"), key=lambda own: own.spec.seed
    )
    found = np.array([2 * np.nanmax(outcome.curve["train_accuracy"]) - 1 for outcome in outcomes])
    exact = Stumps(study.flips[60].train.inputs).suprema(signs_of(study.flips[60], 16))
    assert np.all(found <= exact + 1e-12)
    row = study.summarise(Results(study, zip(draws, outcomes, strict=True))).iloc[-1]
    assert row["complexity"] == pytest.approx(found.mean())
    assert found.mean() > 0.5 * exact.mean()
    assert row["num_interrupted"] == 16
