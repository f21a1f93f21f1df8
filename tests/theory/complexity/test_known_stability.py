import numpy as np
import pytest

from byrote.data.dataset import Dataset, Split
from byrote.theory.calculation import compute
from byrote.theory.complexity.known_stability import RidgeStability, SgdStability


def test_ridge_on_digits_stays_below_the_published_bound(tiny):
    values = dict(compute(RidgeStability(n_train=100), tiny).values)
    assert values["num_trained"] == 50
    assert values["removal bound"] == pytest.approx((2 if values["in_range"] else 2 * (1 + 10**0.5) ** 2) / 5)
    assert 0 < values["removal"] < values["removal bound"]
    assert 0 < values["replacement"] < values["replacement bound"] == 2 * values["removal bound"]
    assert 0.99 < values["tight removal"] / values["tight bound"] <= 1


def test_a_weak_ridge_predicts_beyond_the_targets_and_has_the_wider_bound(tiny):
    values = dict(compute(RidgeStability(n_train=100, strength=1e-3), tiny).values)
    assert not values["in_range"]
    assert values["removal bound"] == pytest.approx(2 * (1 + 1e3**0.5) ** 2 / (1e-3 * 50))
    assert values["replacement"] < values["replacement bound"]


def test_sgd_on_digits_stays_below_its_bound(tiny):
    values = dict(compute(SgdStability(n_train=100, replacements=4, draws=16), tiny).values)
    assert values["num_trained"] == 50
    assert values["replacement bound"] == pytest.approx(2)
    assert 0 < values["replacement"] <= values["distance"] < values["replacement bound"]
    assert 0.98 < values["tight replacement"] / values["tight bound"] <= 1


@pytest.mark.parametrize("kind", [RidgeStability, SgdStability])
def test_inputs_that_are_all_zero_are_no_trouble(kind):
    split = Split.clean(np.zeros((6, 3), dtype=np.float32), np.array([0, 1, 0, 1, 0, 1]))
    data = Dataset("nothing", split, split, ("a", "b"), pixel_max=1.0)
    values = compute(kind(n_train=6), data).values
    assert values["replacement"] == 0
    assert values["num_trained"] == 3


def test_labels_say_what_is_computed():
    assert RidgeStability(n_train=10).label == "ridge regression, strength 0.1"
    assert SgdStability(n_train=10).label == "logistic regression by SGD, steps of 1"
