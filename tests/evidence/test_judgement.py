"""Judgements of measures whose merit is known: the gap itself, its opposite, a constant, coin flips."""

import math
from itertools import combinations, product

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from byrote.evidence.judgement import FACTORS, judge_values, kendall

RATES = (0.01, 0.05, 0.1)


def make_table(seeds=3, widths=("mlp-1x8", "mlp-1x64"), rates=(0.01, 0.1), **columns):
    """A net of each kind; gaps grow with the corruption, fall with the width, and hardly move with the step size."""
    generator = np.random.default_rng(0)
    rows = []
    kinds = ("true-labels", "partial-labels", "random-labels")
    for corruption, model, rate, seed in product(kinds, widths, rates, range(seeds)):
        gap = 0.1 + 0.35 * kinds.index(corruption) - 0.05 * widths.index(model) + 0.0001 * generator.standard_normal()
        rows.append(
            {
                "model": model,
                "corruption": corruption,
                "corruption_rate": {"true-labels": 0.0, "partial-labels": 0.5, "random-labels": 1.0}[corruption],
                "learning_rate": rate,
                "seed": seed,
                "n_train": 100,
                "n_test": 100_000,
                "n_test_effective": 100_000.0,
                "fitted": True,
                "failed_checks": "",
                "test_accuracy": 1 - gap,
                "generalization_gap": gap,
                "parameters": 100 * (1 + widths.index(model)),
            }
        )
    return pd.DataFrame(rows).assign(**columns)


def test_the_gap_itself_passes_everything():
    table = make_table(rates=RATES)
    table["measure"] = 10 * table["generalization_gap"]
    found = judge_values(table, "measure", ["parameters"], resamples=100)
    assert found.ranking.overall.mean == pytest.approx(1)
    assert found.ranking.within == pytest.approx({"model": 1, "corruption": 1})
    assert found.ranking.granulated.mean == pytest.approx(1)
    assert found.ranking.worst_sign_error == 0
    assert found.over_baselines["parameters"].low > 0


def test_its_opposite_fails_everything():
    table = make_table(rates=RATES)
    table["measure"] = -table["generalization_gap"]
    found = judge_values(table, "measure", resamples=100)
    assert found.ranking.overall.mean == pytest.approx(-1)
    assert found.ranking.worst_sign_error == 1


def test_another_seed_draws_other_resamples_alone():
    table = make_table(rates=RATES)
    table["measure"] = table["generalization_gap"].to_numpy() + np.random.default_rng(0).normal(0, 0.3, len(table))
    one, again, other = (judge_values(table, "measure", seed=seed, resamples=50).ranking.overall for seed in (0, 0, 1))
    assert one == again
    assert one.mean == other.mean
    assert (one.low, one.high) != (other.low, other.high)


def test_what_belongs_to_the_algorithm_alone_ranks_nothing_where_labels_change():
    """The number of parameters: equal on both labels."""
    found = judge_values(make_table(), "parameters", resamples=100)
    assert found.ranking.within["corruption"] == 0
    assert found.ranking.within["model"] == -1
    assert found.ranking.granulated.mean == -0.5
    assert found.ranking.worst_environment == "model mlp-1x8 to mlp-1x64"


def test_pairs_of_one_factor_are_those_of_a_loop():
    """And an environment of few pairs is none, however wrong the measure is in it."""
    table = make_table(rates=(0.01, 0.1, 1.0))
    table["measure"] = np.random.default_rng(2).normal(size=len(table))
    lines = table.to_dict("records")
    signs: dict[str, list[float]] = {}
    for one, other in combinations(lines, 2):
        if {name for name in FACTORS if name in one and one[name] != other[name]} != {"model"}:
            continue
        if one["seed"] == other["seed"]:
            change = np.sign(other["generalization_gap"] - one["generalization_gap"])
            change *= np.sign(other["measure"] - one["measure"])
            signs.setdefault(f"model {one['model']} to {other['model']}", []).append(change)
    ((environment, expected),) = signs.items()
    found = judge_values(table, "measure", resamples=50).ranking
    assert found.within["model"] == pytest.approx(np.mean(expected))
    few = table[(table["model"] == "mlp-1x8") | (table["seed"] == 0) & (table["corruption"] == "true-labels")]
    assert environment not in judge_values(few, "measure", resamples=50).ranking.worst_environment


def test_a_factor_of_few_pairs_counts_for_nothing():
    """A single pair that agrees would count as much as all others, with an interval of no width."""
    table = make_table()
    table["measure"] = -table["generalization_gap"]
    pair = table.iloc[:1].assign(learning_rate=1.0, generalization_gap=0.9, measure=1.0)
    found = judge_values(pd.concat([table, pair], ignore_index=True), "measure", resamples=50).ranking
    assert found.within.keys() == {"model", "corruption"}
    assert found.granulated.mean == pytest.approx(-1)


def test_a_constant_ranks_nothing():
    found = judge_values(make_table(measure=1.0), "measure", resamples=50)
    assert math.isnan(found.ranking.overall.mean)
    assert found.ranking.within == {"model": 0, "corruption": 0}


def test_the_coefficient_is_scipys():
    table = make_table()
    table["measure"] = np.random.default_rng(1).normal(size=len(table))
    found = judge_values(table, "measure", resamples=200)
    expected = stats.kendalltau(table["measure"], table["generalization_gap"]).statistic
    assert found.ranking.overall.mean == pytest.approx(expected)
    assert found.ranking.overall.low < expected < found.ranking.overall.high


@pytest.mark.parametrize("values", [5, 1000])
def test_samples_by_weights_are_samples_by_rows(values):
    """Against scipy, with few and with many ties; an example that is drawn twice is tied with itself."""
    generator = np.random.default_rng(0)
    x, y = generator.integers(0, values, (2, 30)).astype(float)
    drawn = generator.integers(0, 30, (20, 30))
    weights = np.stack([np.bincount(rows, minlength=30) for rows in drawn]).astype(float)
    expected = [stats.kendalltau(x[rows], y[rows]).statistic for rows in drawn]
    np.testing.assert_allclose(kendall(x, y, weights), expected)
    np.testing.assert_allclose(kendall(x, y), [stats.kendalltau(x, y).statistic])
    assert np.isnan(kendall(np.ones(3), y[:3])).all()


@pytest.mark.parametrize("draws", [30, pytest.param(100, marks=pytest.mark.slow)])
@pytest.mark.parametrize("seeds", [1, 3])
def test_granulated_agreement_excludes_0_rarely_by_chance(seeds, draws):
    """Measure and gap drawn apart, by configuration and by network; pairs have configurations in common."""
    generator = np.random.default_rng(0)
    table = make_table(seeds=seeds, widths=("a", "b", "c", "d"), rates=(0.01, 0.1))
    share = table.groupby(["corruption", "model", "learning_rate"]).ngroup().to_numpy()
    excluded = 0
    for _ in range(draws):
        gap, value = (generator.standard_normal(share.max() + 1)[share] for _ in range(2))
        gap = 0.4 + 0.05 * gap + 0.02 * generator.standard_normal(len(table))
        own = {"generalization_gap": gap, "test_accuracy": 1 - gap}
        own["measure"] = value + 0.3 * generator.standard_normal(len(table))
        interval = judge_values(table.assign(**own), "measure", resamples=2).ranking.granulated
        excluded += interval.low > 0 or interval.high < 0
    assert excluded <= stats.binom.ppf(0.999, draws, 0.06)


def test_missing_values_and_failed_checks_are_left_out():
    table = make_table()
    table["measure"] = table["generalization_gap"]
    table.loc[0, "measure"] = math.nan
    table.loc[1, "failed_checks"] = "labels the same"
    found = judge_values(table, "measure", resamples=50)
    assert found.num_networks == len(table) - 2


def test_nothing_at_all_is_no_answer():
    table = make_table(fitted=False)
    table["measure"] = 1.0
    found = judge_values(table, "measure", ["parameters"])
    assert found.num_networks == 0
    assert math.isnan(found.ranking.granulated.mean)
    assert math.isnan(found.over_baselines["parameters"].mean)


def test_gaps_that_differ_by_less_than_their_noise_are_no_change():
    table = make_table(n_test_effective=10.0)
    table["measure"] = table["generalization_gap"]
    assert "model" not in judge_values(table, "measure", resamples=20).ranking.within


def test_equal_arguments_give_equal_intervals():
    table = make_table()
    table["measure"] = np.random.default_rng(2).normal(size=len(table))
    first, second = (judge_values(table, "measure", resamples=50) for _ in range(2))
    assert first == second
