import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats
from statsmodels.stats.proportion import confint_proportions_2indep

from byrote.evidence.intervals import (
    Interval,
    accuracy_interval,
    binomial_interval,
    exact_ends,
    joined,
    joined_p,
    mean_interval,
    newcombe,
    wilson,
)

values = st.lists(st.floats(-1e6, 1e6), min_size=2, max_size=20)


@given(values)
def test_the_mean_lies_in_the_middle_of_its_interval(xs):
    interval = mean_interval(xs)
    assert interval.n == len(xs)
    assert interval.low <= interval.mean <= interval.high
    assert interval.mean == pytest.approx((interval.low + interval.high) / 2, abs=1e-6)


def test_student_t_in_closed_form():
    # n = 2: t(0.975, 1) = tan(0.475 pi), standard error = half the difference.
    interval = mean_interval([1.0, 3.0])
    assert interval.high - interval.mean == pytest.approx(math.tan(0.475 * math.pi))


def test_the_interval_covers_the_mean_as_often_as_it_says():
    samples = np.random.default_rng(0).normal(5, 2, (2000, 4))
    covered = [i.low <= 5 <= i.high for i in map(mean_interval, samples)]
    assert np.mean(covered) == pytest.approx(0.95, abs=0.02)


@pytest.mark.parametrize(("xs", "mean", "n"), [([0.7], 0.7, 1), ([], math.nan, 0), ([1.0, math.nan], math.nan, 2)])
def test_too_little_to_tell_gives_no_ends(xs, mean, n):
    interval = mean_interval(xs)
    assert interval.mean == pytest.approx(mean, nan_ok=True)
    assert math.isnan(interval.low)
    assert math.isnan(interval.high)
    assert interval.n == n


def test_equal_values_give_an_interval_of_no_width():
    interval = mean_interval([0.5, 0.5, 0.5])
    assert (interval.low, interval.high) == (0.5, 0.5)


@given(st.integers(1, 2000).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n))))
def test_wilson_in_closed_form(counts):
    k, n = counts
    p, z = k / n, stats.norm.ppf(0.975)
    centre = (p + z**2 / (2 * n)) / (1 + z**2 / n)
    half_width = z / (1 + z**2 / n) * math.sqrt(p * (1 - p) / n + z**2 / (4 * n**2))
    interval = binomial_interval(p, n)
    assert interval.low == pytest.approx(centre - half_width, abs=1e-9)
    assert interval.high == pytest.approx(centre + half_width, abs=1e-9)


@pytest.mark.parametrize(("accuracy", "n"), [(math.nan, 10), (0.0, 0)])
def test_no_examples_or_no_accuracy_give_nothing(accuracy, n):
    assert math.isnan(binomial_interval(accuracy, n).mean)


def test_seeds_share_the_luck_of_their_test_set():
    """Five equal accuracies on 100 examples are as sure as one; seeds that differ add their own spread."""
    same, one = accuracy_interval([0.8] * 5, 100), binomial_interval(0.8, 100)
    assert (same.low, same.high) == pytest.approx((one.low, one.high))
    spread = accuracy_interval([0.76, 0.8, 0.84], 100)
    seeds = mean_interval([0.76, 0.8, 0.84])
    assert spread.high - 0.8 == pytest.approx(math.hypot(seeds.high - 0.8, one.high - 0.8))
    assert accuracy_interval([0.8], 100) == binomial_interval(0.8, 100, 0.999)
    assert math.isnan(accuracy_interval([], 100).low)


@pytest.mark.parametrize(("num_seeds", "of_seeds", "of_examples"), [(3, 1, 0.2), (5, 0.2, 1), (2, 1, 1)])
def test_two_sources_of_luck_are_covered_together(num_seeds, of_seeds, of_examples):
    draws = np.random.default_rng(0).standard_normal((1000, num_seeds + 1))
    seeds = of_seeds * np.sqrt(num_seeds) * draws[:, :-1]
    means = seeds.mean(axis=1) + of_examples * draws[:, -1]
    shifted = seeds + (means - seeds.mean(axis=1))[:, None]
    half = stats.norm.ppf(0.975) * of_examples
    missed = 0
    for own, mean in zip(shifted, means.tolist(), strict=True):
        both = joined(mean_interval(own), Interval(mean, mean - half, mean + half, 100))
        missed += not both.low <= 0 <= both.high
    of_each = stats.ttest_1samp(shifted, 0, axis=1).pvalue, 2 * stats.norm.sf(abs(means) / of_examples)
    significant = sum(joined_p(*pair) < 0.05 for pair in zip(*of_each, strict=True))
    assert missed <= stats.binom.ppf(0.999, 1000, 0.05)
    assert significant <= stats.binom.ppf(0.999, 1000, 0.05)


def test_an_interval_of_accuracies_ends_at_all_and_nothing():
    assert accuracy_interval([1.0, 0.98, 0.9], 50).high == 1
    assert accuracy_interval([0.0, 0.02, 0.1], 50).low == 0


def test_the_exact_interval_is_that_of_scipy() -> None:
    hits, sizes = np.array([0, 1, 7, 40, 40]), np.array([3, 1, 9, 360, 40])
    low, high = exact_ends(hits, sizes, 0.95)
    for place, (hit, size) in enumerate(zip(hits.tolist(), sizes.tolist(), strict=True)):
        ends = stats.binomtest(hit, size).proportion_ci(0.95, method="exact")
        assert (low[place], high[place]) == pytest.approx((ends.low, ends.high), abs=1e-12)


def test_wilsons_interval_is_that_of_scipy() -> None:
    hits, sizes = np.array([0, 1, 7, 40, 40]), np.array([3, 1, 9, 360, 40])
    low, high = wilson(hits, sizes, 0.95)
    for place, (hit, size) in enumerate(zip(hits.tolist(), sizes.tolist(), strict=True)):
        ends = stats.binomtest(hit, size).proportion_ci(0.95, method="wilson")
        assert (low[place], high[place]) == pytest.approx((ends.low, ends.high), abs=1e-12)


def test_newcombes_interval_is_that_of_statsmodels() -> None:
    hits, sizes = np.array([5, 0, 20, 16]), np.array([20, 20, 20, 16])
    other_hits, other_sizes = np.array([9, 3, 0, 16]), np.array([30, 16, 30, 16])
    found = newcombe(hits, sizes, other_hits, other_sizes)
    for place, counts in enumerate(zip(hits, sizes, other_hits, other_sizes, strict=True)):
        expected = confint_proportions_2indep(*counts, method="newcomb", compare="diff")
        assert [end[place] for end in found] == pytest.approx(expected, abs=1e-9)


@pytest.mark.parametrize("size", [16, 64, 256])
@pytest.mark.parametrize("is_sure", [False, True])
def test_newcombes_interval_covers_differences_of_shares_of_all_sizes(size: int, is_sure: bool) -> None:
    generator = np.random.default_rng(size)
    share, other = generator.random((2, 4000))
    share = np.ones(4000) if is_sure else share
    sizes = np.full(4000, size)
    low, high = newcombe(generator.binomial(sizes, share), sizes, generator.binomial(sizes, other), sizes)
    assert 0.92 <= ((low <= share - other) & (share - other <= high)).mean() <= 0.98
