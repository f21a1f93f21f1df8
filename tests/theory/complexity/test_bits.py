import math

import numpy as np
import pytest

from byrote.theory.complexity.bits import bits_per_label, memorised_bits


@pytest.mark.parametrize("k", [2, 3, 10])
def test_what_is_known_for_certain_is_all_there_is(k):
    assert bits_per_label(0.0, k) == pytest.approx(math.log2(k))


@pytest.mark.parametrize("k", [1, 2, 3, 10])
@pytest.mark.parametrize("worse", [0.0, 0.05])
def test_guessing_or_worse_tells_nothing(k, worse):
    assert bits_per_label(min(1 - 1 / k + worse, 1.0), k) == 0


@pytest.mark.parametrize(("k", "error"), [(2, 0.11), (3, 0.3), (10, 0.5)])
def test_it_is_the_mutual_information_of_label_and_prediction(k, error):
    joint = np.full((k, k), error / (k - 1) / k)
    np.fill_diagonal(joint, (1 - error) / k)
    independent = np.outer(joint.sum(axis=1), joint.sum(axis=0))
    assert bits_per_label(error, k) == pytest.approx((joint * np.log2(joint / independent)).sum())


def test_errors_of_any_other_kind_leave_no_less():
    """Two of three classes are confused with each other, the third never."""
    joint = np.array([[0.7, 0.3, 0], [0.3, 0.7, 0], [0, 0, 1.0]]) / 3
    independent = np.outer(joint.sum(axis=1), joint.sum(axis=0))
    terms = joint[joint > 0] * np.log2(joint[joint > 0] / independent[joint > 0])
    assert terms.sum() > bits_per_label(0.2, 3)


def test_labels_add_up_and_errors_that_differ_leave_more():
    assert memorised_bits(100, 0.0, 4) == pytest.approx(200)
    assert 50 * bits_per_label(0.0, 4) + 50 * bits_per_label(0.4, 4) > memorised_bits(100, 0.2, 4)
