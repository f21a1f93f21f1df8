from __future__ import annotations

import math

import numpy as np
import pytest
from scipy import stats

from byrote.evidence.rank_correlation import rank_correlation


def correlation(x, y):
    return rank_correlation(np.asarray(x, dtype=float), np.asarray(y, dtype=float))


def test_it_is_spearmans_with_ties():
    x, y = [1, 2, 2, 4, 5], [3, 1, 4, 4, 9]
    assert correlation(x, y).mean == pytest.approx(stats.spearmanr(x, y).statistic)


def test_by_hand():
    found = correlation([1, 2, 3, 4, 5, 6, 7], [1, 2, 3, 4, 5, 7, 6])
    r = 1 - 12 / (343 - 7)
    half = 1.959964 * math.sqrt((1 + r**2 / 2) / 4)
    assert (found.mean, found.n) == (pytest.approx(r), 7)
    assert (found.low, found.high) == pytest.approx((math.tanh(math.atanh(r) - half), math.tanh(math.atanh(r) + half)))


@pytest.mark.parametrize("sign", [1, -1])
def test_a_perfect_order_is_not_certain(sign):
    found = correlation(np.arange(6), [sign * value for value in range(6)])
    assert found.mean == sign
    assert 0 < min(sign * found.low, sign * found.high) < max(sign * found.low, sign * found.high) < 1


def test_four_points_show_little():
    found = correlation([1, 2, 3, 4], [1, 2, 3, 4])
    assert found.low < 0


@pytest.mark.parametrize(("x", "y"), [([1], [1]), ([1, 1, 1, 1], [1, 2, 3, 4])])
def test_without_an_order_there_is_no_correlation(x, y):
    assert np.isnan(correlation(x, y).mean)


def test_three_points_have_no_interval():
    found = correlation([1, 2, 3], [1, 3, 2])
    assert found.mean == pytest.approx(0.5)
    assert np.isnan([found.low, found.high]).all()


def test_the_interval_holds_the_truth_about_as_often_as_it_says():
    generator = np.random.default_rng(0)
    true = 6 / math.pi * math.asin(0.6 / 2)  # Spearman's of a normal pair with correlation 0.6
    held = 0
    for _ in range(400):
        x = generator.standard_normal(12)
        y = 0.6 * x + 0.8 * generator.standard_normal(12)
        found = correlation(x, y)
        held += found.low <= true <= found.high
    assert held / 400 > 0.9
