from itertools import combinations

import numpy as np
import pytest
from scipy import stats

from byrote.evidence.permutations import group_exchanges, pair_exchanges, sign_flips


def test_signs_that_all_agree_are_one_case_of_all():
    assert sign_flips(np.array([3.0, 1.0, 2.0, 0.5])) == 1 / 16
    assert sign_flips(-np.array([3.0, 1.0, 2.0, 0.5])) == 1
    assert sign_flips(np.zeros(5)) == 1
    assert sign_flips(np.zeros(0)) == 1


@pytest.mark.parametrize("num", [8, 30])
def test_sign_flips_are_scipys(num):
    values = np.random.default_rng(0).normal(0.3, 1, num)
    expected = stats.permutation_test(
        (values,), np.mean, permutation_type="samples", n_resamples=20_000, alternative="greater", rng=1
    ).pvalue
    assert sign_flips(values) == pytest.approx(expected, abs=0 if num == 8 else 0.015)


def test_groups_apart_are_one_case_of_all():
    assert group_exchanges(np.array([4.0, 5, 6]), np.array([1.0, 2, 3])) == 1 / 20
    assert group_exchanges(np.array([1.0, 2, 3]), np.array([4.0, 5, 6])) == 1
    assert group_exchanges(np.ones(3), np.ones(3)) == 1
    assert group_exchanges(np.ones(3), np.zeros(0)) == 1


@pytest.mark.parametrize("num", [5, 12])
def test_groups_are_exchanged_as_by_mann_and_whitney(num):
    generator = np.random.default_rng(1)
    first, second = generator.normal(0.5, 1, num), generator.normal(0, 1, num)
    expected = stats.mannwhitneyu(first, second, alternative="greater", method="exact").pvalue
    assert group_exchanges(first, second) == pytest.approx(expected, abs=0 if num == 5 else 0.015)


def test_ties_count_against():
    first, second = np.array([1.0, 2, 2]), np.array([1.0, 1, 2])
    ranks = stats.rankdata([1, 2, 2, 1, 1, 2])
    sums = [ranks[list(chosen)].sum() for chosen in combinations(range(6), 3)]
    assert group_exchanges(first, second) == pytest.approx(np.mean([each >= ranks[:3].sum() for each in sums]))


@pytest.mark.parametrize("num", [6, 9])
def test_pairs_are_exchanged_one_by_one(num):
    generator = np.random.default_rng(2)
    x = generator.normal(size=num)
    y = x + generator.normal(size=num)

    def statistic(x, y):
        return float(np.corrcoef(x, y)[0, 1])

    expected = stats.permutation_test(
        (x, y), statistic, permutation_type="pairings", n_resamples=10_000, alternative="greater", rng=1
    ).pvalue
    assert pair_exchanges(x, y, statistic) == pytest.approx(expected, abs=0.003 if num == 6 else 0.015)


def test_no_p_value_is_0():
    far = np.arange(40.0)
    assert 0 < sign_flips(1 + far) < 0.001
    assert 0 < group_exchanges(100 + far, far) < 0.001
    assert 0 < pair_exchanges(far, far, lambda x, y: float(x @ y)) < 0.001
