from dataclasses import replace

import numpy as np
import pytest

from byrote.data.dataset import Split
from byrote.errors import UserError
from byrote.theory.calculation import compute
from byrote.theory.kernels.implicit_bias import DESCENTS, ImplicitBias


@pytest.fixture(scope="module")
def found(tiny):
    return compute(ImplicitBias(n_train=30, num_steps=3000, most_tested=40), tiny)


def test_descent_from_zero_ends_at_the_shortest_solution_and_from_elsewhere_at_another(found):
    assert found.values["sgd_distance"] < 0.01
    assert found.values["gd_distance"] < 0.01
    assert found.values["random_start_distance"] > 0.3
    assert found.values["random_start_residual"] < 0.01
    for name in DESCENTS:
        steps = found.arrays[f"{name}_steps"]
        assert (steps[0], steps[-1]) == (0, 3000)
        assert len(found.arrays[f"{name}_distance"]) == len(found.arrays[f"{name}_distance_to_limit"]) == len(steps)
        assert found.arrays[f"{name}_distance"][-1] == found.values[f"{name}_distance"]
    assert found.arrays["random_start_distance_to_limit"][-1] < 0.01


def test_all_interpolants_fit_and_the_first_is_the_shortest(found):
    names = found.arrays["interpolant_name"].tolist()
    assert names == ["minimum norm", "random centres", "null space x1", "null space x3", "wrong test labels"]
    assert (found.arrays["interpolant_train_error"] == 0).all()
    assert found.arrays["interpolant_norm"].argmin() == 0
    assert found.arrays["interpolant_distance"][0] == 0
    errors = dict(zip(names, found.arrays["interpolant_test_error"], strict=True))
    assert errors["wrong test labels"] == 1
    assert errors["minimum norm"] < 0.5


def test_the_hessian_is_the_same_at_all_solutions(found):
    assert found.values["hessian_difference"] < 1e-12


def test_equal_inputs_are_taken_once_and_not_tested_on(tiny, found):
    train = Split.clean(*(np.concatenate([part, part]) for part in (tiny.train.inputs, tiny.train.true_labels)))
    test = Split.clean(
        np.concatenate([tiny.test.inputs[:20], tiny.train.inputs]),
        np.concatenate([tiny.test.true_labels[:20], tiny.train.true_labels]),
    )
    again = compute(ImplicitBias(n_train=60, num_steps=1), replace(tiny, train=train, test=test))
    assert again.values["n_test"] <= 21  # one image is not among the 120 taken
    assert again.values["num_centers"] == 60
    assert found.values["n_test"] == 40


def test_twice_as_many_distinct_examples_are_needed(tiny):
    with pytest.raises(UserError, match="which has 121 training examples that differ, expected at least 122"):
        compute(ImplicitBias(n_train=61), tiny)


def test_the_label_says_what_it_is():
    assert ImplicitBias(n_train=300).label == "descent and other interpolants, n = 300"


def test_its_work_counts_all_points_of_each_step_and_all_classes(tiny):
    small, large = (ImplicitBias(n_train=n, most_tested=40).work(tiny) for n in (10, 30))
    entries = 10_000 * (2 * 30 + 40) * (30 + 2 * 30)
    assert large.values >= entries
    assert large.products > 4 * tiny.num_classes * entries
    assert large.products > 3 * small.products
    assert ImplicitBias(n_train=30).work(tiny).values > large.values
