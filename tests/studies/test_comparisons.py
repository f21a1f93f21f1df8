import numpy as np
import pytest
from scipy import stats

from byrote.studies.comparisons import compare, holm


def test_one_seed_is_decided_by_the_examples_that_only_one_gets_right():
    found = compare([30], [10], 1000)
    assert found.num_seeds == 1
    assert found.difference.mean == pytest.approx(0.02)
    assert found.difference.n == 1000
    assert found.p_value == pytest.approx(2 * stats.binom.cdf(10, 40, 0.5))
    # The variance of the mean of +1 (30 times), -1 (10 times) and 0.
    values = np.repeat([1, -1, 0], [30, 10, 960])
    half_width = 1.959964 * values.std() / np.sqrt(1000)
    assert (found.difference.low, found.difference.high) == pytest.approx((0.02 - half_width, 0.02 + half_width))


def test_several_seeds_are_decided_by_their_differences():
    found = compare([30, 25, 40], [10, 15, 12], 1000)
    differences = [0.02, 0.01, 0.028]
    assert found.num_seeds == found.difference.n == 3
    assert found.difference.mean == pytest.approx(np.mean(differences))
    assert found.p_value == pytest.approx(stats.ttest_rel(differences, [0, 0, 0]).pvalue)


@pytest.mark.parametrize(
    ("won", "lost", "p_value"), [([0], [0], 1.0), ([5, 5], [5, 5], 1.0), ([7, 6], [2, 1], 0.0), ([4], [4], 1.0)]
)
def test_differences_that_do_not_vary_have_a_p_value(won, lost, p_value):
    assert compare(won, lost, 100).p_value == p_value


def test_certainty_has_an_interval_of_no_width():
    difference = compare([40], [0], 40).difference
    assert (difference.mean, difference.low, difference.high) == (1, 1, 1)


def test_holm_is_the_example_done_by_hand():
    np.testing.assert_allclose(holm([0.01, 0.04, 0.03, 0.005]), [0.03, 0.06, 0.06, 0.02])
    np.testing.assert_allclose(holm([0.9, 0.6]), [1.0, 1.0])
    assert holm([]).size == 0
