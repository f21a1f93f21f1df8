import numpy as np
import pytest
from scipy import stats

from byrote.evidence.intervals import Interval, mean_interval
from byrote.evidence.seed_tests import (
    LEVEL,
    UNKNOWN,
    Sides,
    all_of,
    seeds_in_words,
    seeds_wanted,
    sides,
    sides_of,
)


def test_the_p_value_is_students():
    values = [0.1, 0.4, 0.3, 0.2]
    expected = stats.ttest_1samp(values, 0.05).pvalue
    assert sides(values, 0.05) == Sides(pytest.approx(expected), 1.0)
    assert sides(np.negative(values), -0.05) == Sides(1.0, pytest.approx(expected))


@pytest.mark.parametrize("values", [[1.0], [1.0, 1.0], [1.0, np.nan, 1.0], [1.0, np.inf, 1.0], [0.0] * 3])
def test_few_seeds_and_ties_decide_nothing(values):
    assert sides(values) == UNKNOWN


def test_seeds_that_agree_are_no_surer_than_the_measurement():
    assert sides([0.2] * 3) == UNKNOWN
    assert sides_of(Interval(0.2, 0.2, 0.2, 3), 0.0) == UNKNOWN
    assert seeds_wanted([0.2] * 3) == 4
    assert sides([0.2] * 3, least_deviation=0.2).above > LEVEL


@pytest.mark.parametrize("num_seeds", [3, 5])
@pytest.mark.parametrize("levels", [(1, 2), (4, 5), (3, 4, 5), (7, 8, 9, 10)])
def test_times_in_whole_epochs_are_told_apart_falsely_in_one_of_forty(num_seeds, levels):
    """Few values make ties, and seeds that agree exactly: the rounding keeps them from looking sure."""
    generator = np.random.default_rng(0)
    first, second = generator.choice(levels, (2, 600, num_seeds)).astype(float)
    rounding = np.sqrt(((1 / first**2) + 1 / second**2).mean(axis=1) / 12)
    found = [
        sides(values, least_deviation=least) for values, least in zip(np.log(first / second), rounding, strict=True)
    ]
    for side in (0, 1):
        assert np.mean([one[side] <= LEVEL for one in found]) <= 0.045


def test_an_interval_gives_its_own_p_value():
    values = [0.1, 0.4, 0.3, 0.2]
    interval = mean_interval(values)
    assert sides_of(interval, interval.low) == Sides(pytest.approx(LEVEL), 1.0)
    assert sides_of(interval, interval.high) == Sides(1.0, pytest.approx(LEVEL))
    assert sides_of(mean_interval([0.1]), 0.0) == UNKNOWN


def test_all_parts_must_hold_and_any_may_refute():
    assert all_of(Sides(0.01, 1.0), Sides(0.04, 1.0)) == Sides(0.04, 1.0)
    assert all_of(Sides(0.01, 1.0), Sides(1.0, 0.02)) == Sides(1.0, 0.04)


@pytest.mark.parametrize(
    ("values", "number", "words"),
    [
        ([0.3], 3, "Three seeds that agree would tell (`--seeds 3`)"),
        ([0.3, 0.2], 3, "Three seeds"),
        ([0.5, 0.1, 0.3], 5, "As these seeds differ, 5 would tell (`--seeds 5`)."),
        ([0.5, -0.5, 0.01], None, "30 would not tell"),
        ([np.nan], None, ""),
    ],
)
def test_the_number_of_seeds_follows_from_how_they_differ(values, number, words):
    assert seeds_wanted(values) == number
    assert words in seeds_in_words(number)
