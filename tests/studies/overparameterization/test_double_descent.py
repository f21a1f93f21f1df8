from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from byrote.studies.overparameterization.double_descent import (
    NEAR,
    Peak,
    highest_peak,
    honest_difference,
    interpolation_threshold,
    stands_out,
)

SIZES = 10.0 * 2 ** np.arange(7)


def course(*errors: float) -> np.ndarray:
    return np.array([errors])


@pytest.mark.parametrize(
    ("fitted", "threshold"),
    [
        ([[1, 1, 1]], 0),
        ([[0, 1, 1]], 1),
        ([[0, 1, 0, 1]], 3),
        ([[0, 1, 1], [0, 0, 1]], 2),
        ([[1, 1, 0]], None),
    ],
)
def test_the_threshold_is_the_first_size_from_which_on_all_fit(fitted, threshold):
    assert interpolation_threshold(np.array(fitted, dtype=bool)) == threshold


def test_a_peak_is_higher_than_the_best_on_either_side():
    errors = course(0.9, 0.2, 0.3, 0.5, 0.4, 0.25, 0.3)
    peak = highest_peak(errors, SIZES, 3)
    assert (peak.size, peak.best_below, peak.best_above) == (3, 1, 5)
    assert peak.prominence == pytest.approx(0.25)


def test_a_descent_has_no_peak():
    assert highest_peak(course(0.9, 0.7, 0.5, 0.4, 0.3, 0.2, 0.1), SIZES, 3).prominence < 0


def test_a_peak_far_from_the_threshold_does_not_count():
    errors = course(0.1, 0.9, 0.1, 0.1, 0.1, 0.1, 0.1)
    near = int(np.log2(NEAR))
    assert highest_peak(errors, SIZES, 1 + near).size == 1
    assert highest_peak(errors, SIZES, 2 + near).prominence <= 0


def test_there_is_no_peak_where_nothing_lies_on_both_sides():
    assert highest_peak(course(0.1, 0.9), SIZES[:2], 0) is None


def test_one_seed_has_the_noise_of_its_test_examples():
    errors = course(0.5, 0.1, 0.2)
    half, tenth = 201 / 402, 41 / 402  # one more right, and one more wrong
    spread = np.sqrt((half * (1 - half) + tenth * (1 - tenth)) / 400)
    expected = stats.norm.ppf(1 - 0.025 / 3) * spread
    assert honest_difference(errors, 0, 1, 400) == pytest.approx(expected)
    assert honest_difference(errors, 0, 1, 1600) == pytest.approx(expected / 2, rel=0.01)
    assert honest_difference(course(0.0, 0.0, 0.0), 0, 1, 50) > 0.03
    # Seeds that are all alike were tested on the same examples.
    assert honest_difference(np.tile(errors, (5, 1)), 0, 1, 400) == pytest.approx(expected)


def test_two_sizes_and_many_seeds_are_a_paired_t_test():
    errors = np.random.default_rng(0).normal(0.3, 0.02, (12, 2))
    paired = errors[:, 0] - errors[:, 1]
    half_width = stats.t.ppf(0.975, 11) * paired.std(ddof=1) / np.sqrt(12)
    assert honest_difference(errors, 0, 1, 10**9) == pytest.approx(half_width, rel=1e-3)


def test_what_a_seed_adds_to_all_sizes_is_no_noise():
    errors = np.random.default_rng(0).normal(0.3, 0.02, (4, 5))
    shifted = errors + 0.1 * np.arange(4)[:, None]
    assert honest_difference(shifted, 0, 1, 10**9) == pytest.approx(honest_difference(errors, 0, 1, 10**9), rel=0.01)


def test_hardly_any_sweep_without_effect_shows_a_difference():
    generator = np.random.default_rng(0)
    wrong = 0
    for _ in range(300):
        errors = generator.normal(0.3, 0.02, (3, 8))
        mean = errors.mean(axis=0)
        highest, lowest = int(mean.argmax()), int(mean.argmin())
        wrong += mean[highest] - mean[lowest] > honest_difference(errors, highest, lowest, 1000)
    assert wrong <= stats.binom.ppf(0.999, 300, 0.05)


@pytest.mark.parametrize(("height", "found"), [(0.5, True), (0.31, False)])
def test_a_peak_stands_out_beyond_noise_on_both_sides(height, found):
    errors = course(0.6, 0.3, height, 0.2)
    assert stands_out(errors, Peak(2, 1, 3, height - 0.3), 400) == found
