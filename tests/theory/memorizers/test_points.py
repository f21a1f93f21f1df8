import re

import numpy as np
import pandas as pd
import pytest
import torch

from byrote.errors import UserError
from byrote.theory.memorizers.points import (
    as_array,
    as_points,
    as_targets,
    blocks,
    differ,
    num_features,
    refuse_non_finite,
)


@pytest.mark.parametrize(
    "x",
    [
        np.arange(12.0).reshape(3, 4),
        np.arange(12, dtype=np.uint8).reshape(3, 1, 2, 2),
        torch.arange(12.0).reshape(3, 4).requires_grad_(),
        torch.arange(12).reshape(3, 4).bfloat16(),
        pd.DataFrame(np.arange(12).reshape(3, 4)),
        [[0, 1, 2, 3], [4, 5, 6, 7], [8, 9, 10, 11]],
        np.arange(12).reshape(3, 4) % 2 == 1,
    ],
)
def test_points_come_as_any_array(x):
    points = as_points(x)
    assert num_features(points) == 4
    read = np.concatenate([block for _, block in blocks(points, elements=5)])
    assert read.dtype == np.float64
    assert read.tolist() == np.asarray(as_array(x), dtype=float).reshape(3, 4).tolist()


def test_points_may_be_single_numbers_and_are_not_copied():
    x = np.arange(5.0)
    assert num_features(as_points(x)) == 1
    assert np.shares_memory(as_points(x), x)
    assert [(rows, block.shape) for rows, block in blocks(x, elements=3)] == [
        (slice(0, 3), (3, 1)),
        (slice(3, 5), (2, 1)),
    ]


@pytest.mark.parametrize(
    ("x", "message"),
    [
        (np.zeros((0, 3)), "x has shape (0, 3), expected N >= 1 points [N, ...] of numbers"),
        (np.zeros((3, 0)), "x has shape (3, 0), expected N >= 1 points"),
        (3.0, "x has shape (), expected N >= 1 points"),
        (["a", "b"], "x holds values of type <U1, expected real numbers"),
        (np.ones((2, 2), complex), "x holds values of type complex128, expected real numbers"),
    ],
)
def test_what_is_no_points_is_refused(x, message):
    with pytest.raises(UserError, match=re.escape(message)):
        as_points(x)


@pytest.mark.parametrize(
    ("value", "message"),
    [
        (np.nan, "row 7 of x (counting from 0) holds NaN or infinity, expected finite numbers"),
        (-np.inf, "row 7 of x (counting from 0) holds NaN or infinity"),
        (1e300, "row 7 of x (counting from 0) holds a number beyond 1e+150"),
    ],
)
def test_a_row_that_is_not_finite_is_named(value, message):
    x = np.zeros((9, 3))
    x[7, 1] = value
    with pytest.raises(UserError, match=re.escape(message)):
        refuse_non_finite(x)


def test_pairs_of_rows_are_compared_in_their_own_type():
    # Equal in float64.
    x = np.array([[2**53, 1], [2**53 + 1, 1], [2**53, 1]])
    assert differ(x, np.array([0, 0, 1]), np.array([1, 2, 2])).tolist() == [True, False, True]
    assert differ(x, np.array([], int), np.array([], int)).tolist() == []


@pytest.mark.parametrize(
    ("y", "dtype"),
    [
        (torch.tensor([1, 2]), np.int64),
        ([True, False], np.int64),
        (np.array([[1.5], [2.5]], np.float32), np.float64),
        (pd.Series([1, 2]), np.int64),
    ],
)
def test_targets_come_as_any_array(y, dtype):
    targets = as_targets(y, 2)
    assert targets.shape == (2,)
    assert targets.dtype == dtype


@pytest.mark.parametrize(
    ("y", "message"),
    [
        (
            ["cat", "dog"],
            "y holds values of type <U3, expected real targets, or classes as whole numbers",
        ),
        ([1, 2, 3], "y has shape (3,), expected (2,), one target for each point in x"),
        (np.eye(2), "y has shape (2, 2), expected (2,)"),
        ([1.0, np.nan], "row 1 of y (counting from 0) is nan, expected a finite number"),
    ],
)
def test_what_is_no_target_for_each_point_is_refused(y, message):
    with pytest.raises(UserError, match=re.escape(message)):
        as_targets(y, 2)
