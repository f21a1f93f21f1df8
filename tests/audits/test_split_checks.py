import numpy as np

from byrote.audits.material import Material, Rows
from byrote.audits.split_checks import (
    class_counts,
    disagreeing,
    order_by_class,
    shared_groups,
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
    assert order_by_class(rows([0] * 9)).p_value == 1
    assert order_by_class(rows(np.arange(100) % 2)).p_value == 1


def test_identical_rows_with_other_labels():
    assert disagreeing(np.array([0, 0, 2, 2]), np.array([1, 0, 1, 1])).tolist() == [True, True, False, False]
