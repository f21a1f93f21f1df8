import math

import numpy as np
import pytest
import torch

from byrote.errors import UserError
from byrote.theory.kernels import validation_ladder
from byrote.theory.kernels.feature_maps import mapped_inputs
from byrote.theory.kernels.kernel import Gaussian, gram, median_width
from byrote.theory.kernels.validation_ladder import Trial, ValidationLadder, climb, climb_widths


def test_a_sixth_of_the_sample_is_held_out_and_stands_last(tiny):
    labels = tiny.train.true_labels
    trial = Trial.of(labels, 10, 0)
    assert (len(trial.rows), trial.num_held_out) == (121, 20)
    assert sorted(trial.rows) == list(range(121))
    np.testing.assert_array_equal(trial.labels, labels[trial.rows])
    assert np.bincount(trial.labels[-20:], minlength=10).min() >= 1
    np.testing.assert_array_equal(Trial.of(labels, 10, 0).rows, trial.rows)
    assert (Trial.of(labels, 10, 1).rows != trial.rows).any()


def test_of_many_examples_a_sample_is_tried(tiny, monkeypatch):
    monkeypatch.setattr(validation_ladder, "MOST_TRIED_ON", 60)
    trial = Trial.of(tiny.train.true_labels, 10, 0)
    assert (len(trial.rows), trial.num_held_out) == (60, 10)
    assert len(set(trial.rows)) == 60


@pytest.mark.parametrize("ridge", [0.0, 0.3])
def test_the_error_is_that_of_the_function_which_the_others_determine(ridge, tiny):
    trial = Trial.of(tiny.train.true_labels, 10, 0)
    points = mapped_inputs("inputs", tiny, "cpu")[0][torch.from_numpy(trial.rows)]
    matrix = gram(Gaussian(1.0), points)
    whole = matrix.double().numpy()
    fitted = whole[:-20, :-20] + ridge * np.eye(101)
    alpha = np.linalg.solve(fitted, np.eye(10)[trial.labels[:-20]])
    wrong = (whole[-20:, :-20] @ alpha).argmax(1) != trial.labels[-20:]
    assert trial.error(matrix, ridge) == wrong.mean()


def test_a_singular_matrix_has_no_error(tiny):
    trial = Trial.of(tiny.train.true_labels, 10, 0)
    assert math.isnan(trial.error(torch.ones(121, 121)))
    assert not math.isnan(trial.error(torch.ones(121, 121), ridge=1.0))


def test_each_value_is_tried_in_turn():
    shares: list[float] = []
    ladder = climb([1.0, 2.0, 4.0], lambda value: abs(value - 2), shares.append)
    assert ladder == ValidationLadder((1.0, 2.0, 4.0), (1.0, 0.0, 2.0))
    assert shares == [1 / 3, 2 / 3, 1]


@pytest.mark.parametrize(
    ("errors", "expected"),
    [((0.3, 0.2, 0.4), (2.0, 1.0)), ((0.2, 0.2, 0.4), (1,)), ((math.nan, 0.3, 0.1), (4, 2, 1))],
)
def test_after_the_best_come_smaller_ones(errors, expected):
    assert ValidationLadder((1.0, 2.0, 4.0), errors).best_first_then_smaller() == expected


def test_nothing_is_chosen_where_nothing_could_be_tried():
    with pytest.raises(UserError, match=r"singular in float32 with each of 0.5, 1, .* take fewer examples"):
        ValidationLadder((0.5, 1.0), (math.nan, math.nan)).best_first_then_smaller()


def test_widths_are_tried_in_units_of_the_median_distance(tiny):
    points = mapped_inputs("inputs", tiny, "cpu")[0]
    trial = Trial.of(tiny.train.true_labels, 10, 0)
    unit, ladder = climb_widths((0.25, 0.5), points, trial, 0, lambda _: None)
    assert unit == median_width(points, 0)
    sample = points[torch.from_numpy(trial.rows)]
    assert ladder.errors == tuple(trial.error(gram(Gaussian(width * unit), sample)) for width in (0.25, 0.5))
