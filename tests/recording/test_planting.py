"""Errors are planted where and how often they are asked for, and in every kind of labels."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
import torch

from byrote.errors import UserError
from byrote.recording.planting import like, plant_labels, whole_numbers


def test_a_share_of_rows_gets_another_label_each_alike() -> None:
    labels = np.arange(60_000) % 4
    planted = plant_labels(labels, 0.1, seed=1)
    assert len(planted.rows) == 6_000
    np.testing.assert_array_equal(np.flatnonzero(planted.labels != labels), planted.rows)
    np.testing.assert_array_equal(planted.given, labels[planted.rows])
    counts = np.bincount((planted.labels - labels)[planted.rows] % 4, minlength=4)
    assert counts[0] == 0
    assert abs(counts[1:] - 2_000).max() < 4 * np.sqrt(2_000)


def test_a_seed_plants_the_same_and_classes_without_examples_get_none() -> None:
    labels = np.array([2, 7] * 50)
    first, again, other = (plant_labels(labels, 0.3, seed) for seed in (0, 0, 1))
    np.testing.assert_array_equal(first.labels, again.labels)
    assert (first.labels != other.labels).any()
    assert set(first.labels) == {2, 7}
    assert len(np.flatnonzero(first.labels != labels)) == 30


@pytest.mark.parametrize("rate", [0.0, 0.7, 0.001])
def test_rates_that_plant_nothing_or_most_are_refused(rate: float) -> None:
    with pytest.raises(UserError, match="got rate="):
        plant_labels(np.arange(100) % 2, rate, 0)


def test_one_class_is_refused() -> None:
    with pytest.raises(UserError, match="an error needs another label"):
        plant_labels(np.ones(10, np.int64), 0.1, 0)


@pytest.mark.parametrize(
    "labels",
    [
        [1, 0, 2],
        (1, 0, 2),
        np.array([1, 0, 2], np.uint8),
        torch.tensor([1, 0, 2], dtype=torch.int32),
        pd.Series([1, 0, 2], index=list("abc"), name="y"),
    ],
)
def test_labels_keep_their_type(labels: object) -> None:
    numbers = whole_numbers(labels, "labels")
    assert numbers.tolist() == [1, 0, 2]
    changed = like(labels, np.array([2, 2, 2]))
    assert type(changed) is type(labels)
    assert list(changed) == [2, 2, 2]
    assert getattr(changed, "dtype", None) == getattr(labels, "dtype", None)
    assert list(labels) == [1, 0, 2]


@pytest.mark.parametrize("labels", [[0.5, 1.0], [[0], [1]], ["cat", "dog"], [-1, 0]])
def test_what_is_no_class_number_is_refused(labels: object) -> None:
    with pytest.raises(UserError, match="one class number from 0"):
        whole_numbers(labels, "labels")
