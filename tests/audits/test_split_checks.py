from dataclasses import replace

import numpy as np
import pytest

from byrote.audits.material import Material, Rows
from byrote.audits.split_checks import (
    class_counts,
    conflicts,
    disagreeing,
    order_by_class,
    order_by_target,
    shared_groups,
    target_counts,
    times_in_order,
)


def rows(labels, groups=None, times=None):
    labels = np.array(labels)
    return Rows(np.zeros((len(labels), 2)), labels, np.arange(len(labels)), "row {}", groups, times)


def material(train, test):
    return Material("m", "M", "vectors", train, test, ("a", "b"))


def test_groups_on_both_sides():
    both = material(rows([0, 1, 0], np.array([1, 1, 2])), rows([0, 1], np.array([2, 3])))
    assert shared_groups(both).tolist() == [True, False]
    assert shared_groups(material(rows([0]), rows([1]))) is None


def test_the_future_in_training():
    both = material(rows([0, 1, 0], times=np.array([1.0, 5.0, np.nan])), rows([0, 1], times=np.array([3.0, 9.0])))
    assert times_in_order(both) == {"num_train_after_first_test": 1, "num_test_before_last_train": 1}


def test_classes_and_their_order():
    both = material(rows([0, 0, 1, 1]), rows([0, 0]))
    assert class_counts(both)[1] == {"class": "b", "num_train": 2, "num_test": 0}
    order = order_by_class(both.train)
    assert (order.followed_by_own_class, order.expected) == (2 / 3, 1 / 3)
    # Two of the six orders of aabb are in blocks.
    assert 0.2 < order.p_value < 0.5
    assert order_by_class(rows(np.repeat([0, 1], 50))).p_value == 1 / 200
    files = replace(rows(np.repeat([0, 1], 50)), sources=np.array([f"{number}.png" for number in range(100)]))
    assert order_by_class(files).p_value == 1  # of folders, which are read one after another
    assert order_by_class(rows([0] * 9)).p_value == 1
    assert order_by_class(rows(np.arange(100) % 2)).p_value == 1


def test_identical_rows_with_other_labels():
    assert disagreeing(np.array([0, 0, 2, 2]), np.array([1, 0, 1, 1])).tolist() == [True, True, False, False]


def test_targets_in_order():
    targets = np.random.default_rng(0).standard_exponential(100)
    assert order_by_target(rows(targets)).p_value == 1
    sorted_rows = order_by_target(rows(np.sort(targets)))
    assert sorted_rows.correlation > 0.9
    assert sorted_rows.p_value == 1 / 200
    # In groups of ten with one target each, rows that follow one another are alike in any order of the groups.
    groups = np.repeat(np.arange(10), 10)
    assert order_by_target(rows(targets[:10][groups], groups)).p_value > 0.05
    assert order_by_target(rows(targets[:2])).p_value == 1


def test_targets_of_identical_rows():
    found = conflicts(np.array([0, 0, 2, 2, 4, 5]), np.array([1.0, 3.0, 7.0, 7.0, 0.0, 9.0]))
    assert found.num_rows == 2
    assert found.deviation == pytest.approx(2**0.5)
    assert found.largest == 2.0
    assert conflicts(np.arange(3), np.arange(3.0)).num_rows == 0


def test_the_law_of_targets():
    both = Material("m", "M", "vectors", rows([0.0, 1.0, 5.0]), rows([2.0, 4.0]), ())
    train, test = target_counts(both)
    assert (train["num"], train["median"], train["highest"]) == (3, 1.0, 5.0)
    assert test["mean"] == 3.0
