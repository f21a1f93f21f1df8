import math

import numpy as np
import pytest
import torch
from torch import nn

from byrote.data.corruptions.application import corrupt
from byrote.data.dataset import Dataset, Split
from byrote.theory.calculation import compute
from byrote.theory.complexity.random_labels import coin_flips, fit_random_labels
from byrote.theory.complexity.reached_complexity import ReachedComplexity
from byrote.theory.complexity.stumps import Stumps
from byrote.training.spec import Recipe

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
    split = Split.clean(inputs, np.arange(n) % 2)
    return Dataset("Gaussian points", split, split, ("a", "b"), pixel_max=1.0)


def signs_of(flips, draws):
    return np.stack([2.0 * corrupt(flips, "random-labels", seed=seed).train.labels - 1 for seed in range(draws)])


@pytest.mark.slow
def test_the_supremum_of_the_norm_bounded_class_is_found_on_every_draw():
    """Of functions as small as these the logistic loss is log 2 - sigma h / 2 + h^2 / 8, and no later term counts: the
    lowest loss that training finds gives the largest correlation, which has a closed form."""
    flips = coin_flips(vectors(40, 6), 40, 0)
    recipe = Recipe(preprocessing="none", learning_rate=30.0, batch_size=40, epochs=200, decay=1.0, precision="float64")
    outcomes = fit_random_labels(
        f"{__file__}:Unit", recipe, flips, range(6), device="cpu", on_stage=lambda *_: None, stage=""
    )
    inputs = flips.train.inputs.astype(np.float64)
    exact = NORM * np.linalg.norm(signs_of(flips, 6) @ inputs, axis=1) / len(inputs)
    found = np.array([2 * (math.log(2) - outcome.train_loss) for outcome in outcomes])
    most = NORM**2 * np.square(inputs).sum(axis=1).mean() / 4  # what h^2 / 8 can take away
    assert np.all(found <= exact + 1e-9)
    assert np.all(found >= exact - most - 1e-6)
    np.testing.assert_allclose(found, exact, rtol=0.1)


@pytest.mark.slow
def test_a_linear_model_on_one_feature_stays_below_the_best_threshold_of_every_draw():
    """Signs of a w x + b are thresholds: the logistic loss does not count mistakes, and comes near at most."""
    data = vectors(60, 1)
    recipe = Recipe(preprocessing="none", learning_rate=0.5, batch_size=60, epochs=150, evaluation_spacing=1)
    calculation = ReachedComplexity(model=f"{__file__}:logistic", recipe=recipe, n_train=60, draws=16)
    computed = compute(calculation, data)
    flips = coin_flips(data, 60, 0)
    exact = Stumps(flips.train.inputs).suprema(signs_of(flips, 16))
    found = computed.arrays["correlations"]
    assert np.all(found <= exact + 1e-12)
    assert found.mean() > 0.5 * exact.mean()
    assert computed.values["num_interrupted"] == 16


def test_a_network_that_fits_everything_reaches_one(tiny):
    recipe = Recipe(preprocessing="standardize", learning_rate=0.1, batch_size=16, epochs=60)
    computed = compute(ReachedComplexity(model="mlp-1x32", recipe=recipe, n_train=30, draws=6), tiny)
    values = dict(computed.values)
    assert values["complexity"] == values["high"] == 1
    assert values["low"] == pytest.approx(1 - np.sqrt(2 * np.log(20) / (30 * 6)))
    assert (values["num_draws"], values["num_interpolated"], values["num_interrupted"]) == (6, 6, 0)
    assert values["standard_deviation"] == 0
    assert values["parameters"] == 65 * 32 + 33 * 2
    assert values["failed_checks"] == ""


def test_seeds_draw_anew_and_one_seed_draws_the_same(tiny):
    def reached(seed):
        recipe = Recipe(stop="at_steps", steps=3)
        calculation = ReachedComplexity(model="mlp-1x4", recipe=recipe, n_train=40, draws=3, seed=seed)
        return compute(calculation, tiny).arrays["correlations"]

    np.testing.assert_array_equal(reached(0), reached(0))
    assert not np.array_equal(reached(0), reached(1))


def test_one_draw_has_no_deviation_and_the_users_code_is_part_of_the_key(tiny):
    calculation = ReachedComplexity(
        model=f"{__file__}:logistic", recipe=Recipe(stop="at_steps", steps=1), n_train=9, draws=1
    )
    assert np.isnan(compute(calculation, tiny).values["standard_deviation"])
    assert calculation.references[0] == f"{__file__}:logistic"
    assert calculation.label.endswith("n = 9, seed 0")
