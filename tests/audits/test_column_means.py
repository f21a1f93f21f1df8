import numpy as np
import pytest

from byrote.audits.column_means import chance_of_telling, most_telling


def leak(num, seed=0):
    """Heavy-tailed targets; a column that is a bent copy of them, beside one of noise."""
    draw = np.random.default_rng(seed)
    targets = np.exp(2 * draw.standard_normal(num))
    return np.stack([draw.standard_normal(num), (targets - 1) ** 3], axis=1), targets


def test_a_bent_copy_of_the_target_is_found():
    values, targets = leak(200)
    found = most_telling(values, targets, np.arange(200), 2)
    assert found.place == 1
    assert 0.95 < found.low < found.removed <= found.high
    assert chance_of_telling(values, targets, None, np.arange(200), found.removed) == 1 / 200


def test_no_order_is_needed_and_what_is_missing_may_tell():
    draw = np.random.default_rng(0)
    codes = draw.integers(0, 6, 400)
    targets = np.array([3.0, 1.0, 5.0, 2.0, 9.0, 0.0])[codes] + 0.01 * draw.standard_normal(400)
    column = np.where(codes == 2, np.nan, codes.astype(float))
    assert most_telling(column[:, None], targets, np.arange(400), 1).low > 0.95


def test_a_column_that_tells_groups_apart_tells_nothing_of_new_ones():
    draw = np.random.default_rng(0)
    groups = np.repeat(np.arange(40), 10)
    values, targets = draw.standard_normal(40)[groups][:, None], draw.standard_normal(40)[groups]
    assert most_telling(values, targets, np.arange(400), 1).low > 0.95
    assert most_telling(values, targets, groups, 1).high < 0.95


def test_few_rows_are_known_to_be_few():
    values, targets = leak(12)
    found = most_telling(values, targets, np.arange(12), 2)
    assert found.low < 0.95
    assert found.high >= min(0.95, found.most)
    assert most_telling(values, targets, np.arange(12) // 4, 2) is None
    assert most_telling(values, np.ones(12), np.arange(12), 2) is None


@pytest.mark.parametrize("noise", [0.24])
def test_a_column_that_removes_just_less_is_seldom_named(noise):
    """Of 40 columns that remove some 94%, one is named in at most 3 of 20 draws."""
    named = 0
    for seed in range(20):
        draw = np.random.default_rng(seed)
        targets = draw.standard_normal(400)
        values = targets[:, None] + noise * draw.standard_normal((400, 40))
        named += most_telling(values, targets, np.arange(400), 40).low >= 0.95
    assert named <= 3
