from itertools import product

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from byrote.errors import UserError
from byrote.evidence.blocks import complete_blocks, interval_ends, seed_weights
from byrote.evidence.intervals import mean_interval


def grid(**levels):
    """One run for each combination of levels; the response tells the combination."""
    rows = pd.DataFrame(list(product(*levels.values())), columns=list(levels))
    return rows.assign(accuracy=np.arange(len(rows)) / 100, failed_checks="", stop_reason="steps")


RUNS = grid(seed=[0, 1], dropout=[0.0, 0.5], augmentation=["none", "crop", "flip"])


def blocks_of(table):
    return complete_blocks(table, ["dropout", "augmentation"], "accuracy")


def test_axes_are_seeds_and_levels_with_none_first():
    blocks = blocks_of(RUNS)
    assert blocks.seeds == [0, 1]
    assert blocks.levels == {"dropout": [0.0, 0.5], "augmentation": ["none", "crop", "flip"]}
    np.testing.assert_array_equal(blocks.values, np.arange(12).reshape(2, 2, 3) / 100)


def test_neither_the_order_of_rows_nor_their_types_matter():
    shuffled = RUNS.sample(frac=1, random_state=0).astype({"augmentation": "category", "seed": "int8"})
    np.testing.assert_array_equal(blocks_of(shuffled).values, blocks_of(RUNS).values)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda t: t.drop(index=[4, 7]), "no run of seed=0, dropout=0.5, augmentation=crop; seed=1, dropout=0.0, augm"),
        (lambda t: t[(t["seed"] == 0) | (t["dropout"] == 0)].drop(index=[0, 1]), "; and 1 more, expected every seed"),
        (lambda t: pd.concat([t, t[:1]]), "several runs of seed=0, dropout=0.0, augmentation=none, expected one"),
        (lambda t: t.drop(columns="dropout"), "no column dropout, expected names out of seed, augmentation"),
        (lambda t: t[:0], "without rows"),
        (lambda t: t.assign(dropout=t["dropout"].replace(0.5, np.nan)), "empty entries in dropout"),
        (lambda t: t.assign(accuracy=t["accuracy"].replace(0.03, np.nan)), r"without a finite accuracy \(seed=0, drop"),
        (lambda t: t.assign(accuracy="high"), "without a finite accuracy"),
        (lambda t: t.assign(failed_checks=["fresh weights", *t["failed_checks"][1:]]), "that failed a check"),
        (lambda t: t.assign(stop_reason=["non-finite loss", *t["stop_reason"][1:]]), "loss was no longer finite"),
    ],
)
def test_a_grid_with_a_flaw_is_refused(change, words):
    with pytest.raises(UserError, match=words):
        blocks_of(change(RUNS))


@pytest.mark.parametrize("factors", ["dropout", [], ["dropout", "dropout"], ["seed"], ["accuracy"]])
def test_factors_are_different_columns(factors):
    with pytest.raises(UserError, match="expected a list of different columns"):
        complete_blocks(RUNS, factors, "accuracy")


def test_marks_of_runs_are_not_needed():
    table = RUNS.drop(columns=["failed_checks", "stop_reason"])
    np.testing.assert_array_equal(blocks_of(table).values, blocks_of(RUNS).values)


@given(st.integers(2, 12), st.integers(1, 50))
def test_weights_of_a_resample_sum_to_one_and_average_to_the_mean(num_seeds, num_resamples):
    weights = seed_weights(num_seeds, np.random.default_rng(0), num_resamples)
    assert weights.shape == (num_resamples + num_resamples % 2, num_seeds)
    np.testing.assert_allclose(weights.sum(axis=1), 1, rtol=1e-6)
    np.testing.assert_allclose(weights.mean(axis=0), 1 / num_seeds, rtol=1e-6)


@pytest.mark.parametrize("num_seeds", [2, 3, 5, 10])
def test_the_ends_are_those_of_the_t_interval(num_seeds):
    values = np.random.default_rng(num_seeds).normal(3, 2, (num_seeds, 4))
    low, high = interval_ends(values, seed=0, num_resamples=40_000)
    for column, (left, right) in enumerate(zip(low, high, strict=True)):
        expected = mean_interval(values[:, column])
        half_width = expected.high - expected.mean
        assert [left, right] == pytest.approx([expected.low, expected.high], abs=0.05 * half_width)


@pytest.mark.parametrize("num_seeds", [2, 3, 6])
def test_intervals_hold_the_truth_as_often_as_they_say_however_few_the_seeds(num_seeds):
    values = np.random.default_rng(0).normal(size=(num_seeds, 4000))
    low, high = interval_ends(values, seed=0, num_resamples=2000)
    assert np.mean((low <= 0) & (high >= 0)) == pytest.approx(0.95, abs=0.015)


def test_drawing_three_seeds_with_replacement_would_not():
    rng = np.random.default_rng(0)
    values = rng.normal(size=(3, 4000))
    means = values[rng.integers(3, size=(500, 3))].mean(axis=1)
    low, high = np.quantile(means, [0.025, 0.975], axis=0)
    assert np.mean((low <= 0) & (high >= 0)) == pytest.approx(1 - 2 / 2**3, abs=0.02)


def test_equal_seeds_give_no_width_and_one_seed_no_ends():
    assert interval_ends(np.full((3, 1), 0.5), seed=0, num_resamples=10) == pytest.approx(np.full((2, 1), 0.5))
    assert np.isnan(interval_ends(np.ones((1, 2)), seed=0, num_resamples=10)).all()


def test_resamples_follow_from_the_seed():
    values = np.random.default_rng(0).normal(size=(3, 1))
    first, again, other = (interval_ends(values, seed=seed, num_resamples=100) for seed in (0, 0, 1))
    np.testing.assert_array_equal(first, again)
    assert (first != other).any()
