import numpy as np
import pytest
from scipy import stats

from byrote.studies.comparisons import compare, compare_accuracies, holm
from byrote.studies.statistics import mean_interval

REPEATS = 300


def test_one_seed_is_decided_by_the_examples_that_only_one_gets_right():
    found = compare([30], [10], 1000)
    assert found.num_seeds == 1
    assert found.difference.mean == pytest.approx(0.02)
    assert found.difference.n == 1000
    assert found.p_value == pytest.approx(2 * stats.binom.cdf(10, 40, 0.5))
    # The mean of +1 (30.5 times), -1 (10.5 times) and 0 (961 times).
    counts = np.array([30.5, 10.5, 961])
    mean, square = (counts @ values / 1002 for values in ([1, -1, 0], [1, 1, 0]))
    half_width = 1.959964 * np.sqrt((square - mean**2) / 1002)
    assert (found.difference.low, found.difference.high) == pytest.approx((mean - half_width, mean + half_width))


def test_several_seeds_are_decided_by_their_differences():
    found = compare([30, 25, 60], [5, 8, 12], 1000)
    differences = [0.025, 0.017, 0.048]
    assert found.num_seeds == found.difference.n == 3
    assert found.difference.mean == pytest.approx(np.mean(differences))
    assert found.p_value == pytest.approx(stats.ttest_1samp(differences, 0).pvalue)
    expected = mean_interval(differences)
    assert (found.difference.low, found.difference.high) == (expected.low, expected.high)


@pytest.mark.parametrize(
    ("won", "lost", "right", "wrong"), [([3, 5], [2, 4], 8, 6), ([7, 6], [2, 1], 13, 3), ([5, 5], [5, 5], 10, 10)]
)
def test_seeds_that_tie_are_no_more_certain_than_their_examples(won, lost, right, wrong):
    tied, pooled = compare(won, lost, 360), compare([right], [wrong], 720)
    assert tied.p_value == pooled.p_value == pytest.approx(stats.binomtest(right, right + wrong).pvalue)
    assert (tied.difference.low, tied.difference.high) == (pooled.difference.low, pooled.difference.high)
    assert (tied.num_seeds, tied.difference.n) == (2, 2)


@pytest.mark.parametrize("num_seeds", [1, 3])
@pytest.mark.parametrize(("won", "lost"), [(0, 0), (40, 0), (0, 40), (20, 20)])
def test_no_interval_is_without_width(won, lost, num_seeds):
    found = compare([won] * num_seeds, [lost] * num_seeds, 40)
    difference = found.difference
    assert -1 <= difference.low <= difference.mean == (won - lost) / 40 <= difference.high <= 1
    assert difference.high - difference.low > 0.02
    assert (found.p_value == 1) == (won == lost)


def test_accuracies_tell_the_least_that_is_discordant():
    found = compare_accuracies([0.55, 0.5, 0.6], [0.5, 0.55, 0.45], 100)
    assert found == compare([5, 0, 15], [0, 5, 0], 100)


@pytest.mark.parametrize("n_test", [20, 60, 360])
@pytest.mark.parametrize("num_seeds", [1, 2, 3, 5])
def test_equal_conditions_rarely_differ_on_few_test_examples(num_seeds, n_test):
    """Networks that get each example right with a chance of its own, the same for both conditions."""
    generator = np.random.default_rng(0)
    chances = generator.beta(2, 1, (REPEATS, 1, n_test))
    first, second = (generator.random((REPEATS, num_seeds, n_test)) < chances for _ in range(2))
    won, lost = (first & ~second).sum(axis=2).tolist(), (second & ~first).sum(axis=2).tolist()
    found = [compare(*counts, n_test) for counts in zip(won, lost, strict=True)]
    most = stats.binom.ppf(0.999, REPEATS, 0.05)
    assert sum(each.p_value < 0.05 for each in found) <= most
    assert sum(not each.difference.low <= 0 <= each.difference.high for each in found) <= most


@pytest.mark.parametrize("num_seeds", [2, 3, 5])
def test_the_luck_of_seeds_is_no_difference(num_seeds):
    """Whole networks that are better or worse than others, by more than their examples explain."""
    generator = np.random.default_rng(0)
    chances = 0.8 + 0.05 * generator.standard_normal((2, REPEATS, num_seeds, 1))
    first, second = generator.random((2, REPEATS, num_seeds, 360)) < chances
    won, lost = (first & ~second).sum(axis=2).tolist(), (second & ~first).sum(axis=2).tolist()
    wrong = sum(compare(*counts, 360).p_value < 0.05 for counts in zip(won, lost, strict=True))
    assert wrong <= stats.binom.ppf(0.999, REPEATS, 0.05)


def test_holm_is_the_example_done_by_hand():
    np.testing.assert_allclose(holm([0.01, 0.04, 0.03, 0.005]), [0.03, 0.06, 0.06, 0.02])
    np.testing.assert_allclose(holm([0.9, 0.6]), [1.0, 1.0])
    assert holm([]).size == 0
