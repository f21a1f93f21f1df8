"""Errors are planted where and how often they are asked for, and in every kind of labels."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
import torch

from byrote.errors import UserError
from byrote.recording.planting import confusions_of, like, plant_labels, whole_numbers


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


def test_errors_go_between_classes_that_are_taken_for_each_other() -> None:
    labels = np.array([0] * 30_000 + [1] * 10_000 + [2] * 20_000 + [5] * 40_000)
    confusions = np.zeros((6, 6))
    confusions[0, 1], confusions[5, 2], confusions[3, 4], confusions[0, 0] = 300, 100, 1_000, 9_000
    chances = confusions_of(confusions, labels)
    np.testing.assert_array_equal(np.flatnonzero(chances[0]), [1, 2, 5])
    planted = plant_labels(labels, 0.05, 0, chances)
    assert len(planted.rows) == 5_000
    found = np.zeros((6, 6))
    np.add.at(found, (planted.given, planted.labels[planted.rows]), 1 / 5_000)
    expected = np.zeros((6, 6))
    expected[[0, 1, 2, 5], [1, 0, 5, 2]] = 0.375, 0.375, 0.125, 0.125
    np.testing.assert_allclose(found, expected, atol=0.04)  # rows of a class run low: it is drawn from less often
    assert planted.kind == "confusable"


def test_confusions_are_counted_from_predictions() -> None:
    labels = np.arange(60) % 3
    predicted = np.where(np.arange(60) % 6 == 0, 1, labels)
    np.testing.assert_allclose(confusions_of(predicted, labels)[0, 1], 0.5, atol=0.02)
    for given in (predicted.tolist(), torch.from_numpy(predicted)):
        np.testing.assert_array_equal(confusions_of(given, labels), confusions_of(predicted, labels))


@pytest.mark.parametrize(
    ("confusions", "sentence"),
    [
        (np.eye(3), "confuse no class with another"),
        (np.ones((2, 2)), "expected a confusion matrix of 3 classes"),
        (np.ones((3, 4)), "expected a confusion matrix of 3 classes"),
        (np.full((3, 3), np.nan), "below 0 or not finite"),
        ([0, 1, 2], "got 3 predictions as confusions, expected 60"),
        (np.full(60, 0.5), "one class number from 0"),
    ],
)
def test_what_is_no_confusion_is_refused(confusions: object, sentence: str) -> None:
    with pytest.raises(UserError, match=sentence):
        confusions_of(confusions, np.arange(60) % 3)


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
