from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from byrote.evidence.comparisons import (
    compare,
    compare_accuracies,
    compared,
    discordant_columns,
    holm,
    right_where_unseen,
)
from byrote.evidence.intervals import mean_interval
from byrote.evidence.tested import Tested
from byrote.training.spec import TrainSpec

REPEATS = 300
MOST = stats.binom.ppf(0.999, REPEATS, 0.05)


def of_predictions(first, second):
    """The comparison of two conditions by which examples [S, T] they get right."""
    num_seeds, n_test = first.shape
    columns = discordant_columns("other", list(first), list(second), [0] * num_seeds)
    tested = {"n_test": n_test, "n_test_effective": float(n_test), "num_test_leaked": 0}
    return compared(pd.DataFrame(columns | tested), "other")


def test_columns_count_by_seed_and_say_how_far_seeds_agree():
    right = np.array([[1, 1, 0, 0], [1, 0, 0, 1]], dtype=bool)
    others = np.array([[0, 1, 1, 0], [0, 0, 0, 1]], dtype=bool)
    runs = [right[0], right[1], right[0]]
    columns = discordant_columns("x", runs, [others[0], others[1], None], ["a", "a", "b"])
    np.testing.assert_array_equal(columns["won_against_x"], [1, 1, np.nan])
    np.testing.assert_array_equal(columns["lost_against_x"], [1, 0, np.nan])
    # Mean differences 1, 0, -1/2, 0.
    np.testing.assert_array_equal(columns["agreed_against_x"], [1.5, 1, np.nan])
    apart = discordant_columns("x", runs[:2], list(others), ["a", "b"])
    assert apart["agreed_against_x"] == [2, 1]


def test_what_was_trained_on_decides_nothing(make_outcome):
    """One condition alone knows the 60 of 100 test examples that are in training; on the others it does no better."""
    labels, leaked = np.zeros(100, dtype=np.int64), np.arange(60)
    made = make_outcome(TrainSpec(model="m"))
    knows = np.where(np.arange(100) < 75, 0, 1)
    not_ = np.where((np.arange(100) >= 60) & (np.arange(100) < 74), 0, 1)
    right = [
        right_where_unseen(replace(made, test_predictions=own, test_leaked=leaked), labels) for own in (knows, not_)
    ]
    assert np.isnan(right[0]).sum() == 60
    counts = discordant_columns("x", right[:1], right[1:], [0])
    assert counts == {"won_against_x": [1], "lost_against_x": [0], "agreed_against_x": [1]}
    runs = pd.DataFrame(counts).assign(n_test=100, n_test_effective=100.0, num_test_leaked=60)
    found = compared(runs, "x")
    assert (found.difference.mean, found.difference.n, found.p_value) == (pytest.approx(1 / 40), 40, 1.0)


def test_one_seed_is_decided_by_the_examples_that_only_one_gets_right():
    found = compare([30], [10], [40], Tested(1000, 1000))
    assert found.num_seeds == 1
    assert found.difference.mean == pytest.approx(0.02)
    assert found.difference.n == 1000
    assert found.p_value == pytest.approx(2 * stats.binom.cdf(10, 40, 0.5))
    # The mean of +1 (30.5 times), -1 (10.5 times) and 0 (961 times).
    counts = np.array([30.5, 10.5, 961])
    mean, square = (counts @ values / 1002 for values in ([1, -1, 0], [1, 1, 0]))
    half_width = 1.959964 * np.sqrt((square - mean**2) / 1002)
    assert (found.difference.low, found.difference.high) == pytest.approx((mean - half_width, mean + half_width))


@pytest.mark.parametrize("num_seeds", [2, 3, 10])
def test_seeds_that_predict_the_same_are_one(num_seeds):
    example = np.arange(200)
    first, second = np.tile((example < 20) | (example >= 30), (num_seeds, 1)), np.tile(example >= 20, (num_seeds, 1))
    several, one = of_predictions(first, second), of_predictions(first[:1], second[:1])
    assert several.p_value == pytest.approx(one.p_value)
    assert several.p_value == pytest.approx(stats.binomtest(10, 30).pvalue)
    assert several.difference.low == pytest.approx(one.difference.low)
    assert several.difference.high == pytest.approx(one.difference.high)
    assert (several.num_seeds, several.difference.n) == (num_seeds, num_seeds)


def test_seeds_that_differ_each_on_examples_of_its_own_are_decided_by_their_differences():
    counts = [30, 25, 60], [5, 8, 12]
    found = compare(*counts, [(won + lost) / 3 for won, lost in zip(*counts, strict=True)], Tested(1000, 1000))
    differences = [0.025, 0.017, 0.048]
    assert found.num_seeds == found.difference.n == 3
    assert found.difference.mean == pytest.approx(np.mean(differences))
    assert found.p_value == pytest.approx(stats.ttest_1samp(differences, 0).pvalue)
    expected = mean_interval(differences)
    assert (found.difference.low, found.difference.high) == pytest.approx((expected.low, expected.high))


@pytest.mark.parametrize(
    ("won", "lost", "right", "wrong"), [([3, 5], [2, 4], 8, 6), ([7, 6], [2, 1], 13, 3), ([5, 5], [5, 5], 10, 10)]
)
def test_seeds_that_tie_are_no_more_certain_than_their_examples(won, lost, right, wrong):
    apart = [(one + other) / 2 for one, other in zip(won, lost, strict=True)]
    tied, pooled = (
        compare(won, lost, apart, Tested(360, 360)),
        compare([right], [wrong], [right + wrong], Tested(720, 720)),
    )
    assert tied.p_value == pooled.p_value == pytest.approx(stats.binomtest(right, right + wrong).pvalue)
    assert (tied.difference.low, tied.difference.high) == pytest.approx((pooled.difference.low, pooled.difference.high))


@pytest.mark.parametrize("num_seeds", [1, 3])
@pytest.mark.parametrize(("won", "lost"), [(0, 0), (40, 0), (0, 40), (20, 20)])
def test_no_interval_is_without_width(won, lost, num_seeds):
    found = compare([won] * num_seeds, [lost] * num_seeds, [won + lost] * num_seeds, Tested(40, 40))
    difference = found.difference
    assert -1 <= difference.low <= difference.mean == (won - lost) / 40 <= difference.high <= 1
    assert difference.high - difference.low > 0.02
    assert (found.p_value == 1) == (won == lost)


@pytest.mark.parametrize(("n_test", "num_seeds"), [(20, 1), (20, 2), (60, 3), (20, 5), (360, 1)])
def test_equal_conditions_rarely_differ_on_few_test_examples(num_seeds, n_test):
    """Networks that get each example right with a chance of its own, the same for both conditions."""
    generator = np.random.default_rng(0)
    chances = generator.beta(2, 1, (REPEATS, 1, n_test))
    first, second = (generator.random((REPEATS, num_seeds, n_test)) < chances for _ in range(2))
    found = [of_predictions(*pair) for pair in zip(first, second, strict=True)]
    assert sum(each.p_value < 0.05 for each in found) <= MOST
    assert sum(not each.difference.low <= 0 <= each.difference.high for each in found) <= MOST


@pytest.mark.parametrize(
    ("num_seeds", "similar"),
    [(3, 0.5), (10, 1.0), *(pytest.param(3, each, marks=pytest.mark.slow) for each in (0.0, 0.9, 1.0))],
)
def test_the_luck_of_a_test_set_that_seeds_share_is_no_difference(num_seeds, similar):
    """Each condition has an answer of its own to each example, which so many of its seeds give."""
    generator = np.random.default_rng(0)
    own = generator.random((2, REPEATS, 1, 200)) < 0.7
    others = generator.random((2, REPEATS, num_seeds, 200)) < 0.7
    first, second = np.where(generator.random(others.shape) < similar, own, others)
    found = [of_predictions(*pair) for pair in zip(first, second, strict=True)]
    assert sum(each.p_value < 0.05 for each in found) <= MOST
    assert sum(not each.difference.low <= 0 <= each.difference.high for each in found) <= MOST


@pytest.mark.parametrize("num_seeds", [2, 3, 5])
def test_the_luck_of_seeds_is_no_difference(num_seeds):
    """Whole networks that are better or worse than others, by more than their examples explain."""
    generator = np.random.default_rng(0)
    chances = 0.8 + 0.05 * generator.standard_normal((2, REPEATS, num_seeds, 1))
    first, second = generator.random((2, REPEATS, num_seeds, 360)) < chances
    assert sum(of_predictions(*pair).p_value < 0.05 for pair in zip(first, second, strict=True)) <= MOST


@pytest.mark.parametrize(
    ("earlier", "last", "low", "high"),
    # Newcombe (1998), table II, method 10, the cases of equal sizes.
    [(9, 3, 0.1705, 0.8090), (0, 0, -0.2775, 0.2775), (10, 0, 0.6075, 1.0)],
)
def test_accuracies_alone_are_judged_as_of_two_test_sets(earlier, last, low, high):
    gap = compare_accuracies([earlier / 10], [last / 10], Tested(10, 10))
    assert (gap.num_seeds, gap.difference.n) == (1, 10)
    assert (gap.difference.low, gap.difference.high) == pytest.approx((low, high), abs=1e-4)
    assert gap.difference.mean == pytest.approx((earlier - last) / 10)
    assert gap.p_value == pytest.approx(stats.fisher_exact([[earlier, 10 - earlier], [last, 10 - last]]).pvalue)
    # Seeds that are all alike are no more evidence.
    same = compare_accuracies([earlier / 10] * 5, [last / 10] * 5, Tested(10, 10))
    assert (same.difference.low, same.difference.high) == pytest.approx((low, high), abs=1e-4)
    assert same.p_value == pytest.approx(gap.p_value)


def test_newcombes_interval_covers_as_often_as_it_says():
    generator = np.random.default_rng(0)
    n, p, q = 60, 0.7, 0.6
    gaps = [
        compare_accuracies([x / n], [y / n], Tested(n, n)).difference
        for x, y in zip(generator.binomial(n, p, 600), generator.binomial(n, q, 600), strict=True)
    ]
    covered = np.mean([gap.low <= p - q <= gap.high for gap in gaps])
    assert 0.92 < covered < 0.98


def test_seeds_widen_the_interval_of_accuracies_alone():
    earlier, last = [0.6, 0.62, 0.64], [0.5, 0.53, 0.51]
    gap, one = (
        compare_accuracies(earlier, last, Tested(1000, 1000)),
        compare_accuracies([0.62], [0.5133333], Tested(1000, 1000)),
    )
    over_seeds = mean_interval(np.subtract(earlier, last))
    assert gap.num_seeds == gap.difference.n == 3
    assert gap.difference.mean == pytest.approx(over_seeds.mean)
    halves = over_seeds.high - over_seeds.mean, one.difference.high - one.difference.mean
    assert gap.difference.high - gap.difference.mean == pytest.approx(np.hypot(*halves), rel=1e-3)
    assert gap.p_value > max(stats.ttest_rel(earlier, last).pvalue, one.p_value)


def test_holm_is_the_example_done_by_hand():
    np.testing.assert_allclose(holm([0.01, 0.04, 0.03, 0.005]), [0.03, 0.06, 0.06, 0.02])
    np.testing.assert_allclose(holm([0.9, 0.6]), [1.0, 1.0])
    assert holm([]).size == 0
