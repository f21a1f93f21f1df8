import math
from itertools import permutations, product

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy import stats
from statsmodels.formula.api import ols
from statsmodels.stats.anova import AnovaRM, anova_lm

from byrote.errors import UserError
from byrote.evidence.attribution import attribute, sentences
from byrote.evidence.intervals import mean_interval

NAMES = ("augmentation", "dropout", "weight_decay", "batch_norm")
LEVELS = (("none", "random-crop", "flip"), (0.0, 0.5, 0.9), (0.0, 5e-4), (False, True))

figures = st.floats(-1, 1, width=16)
games = st.integers(1, 4).flatmap(lambda f: arrays(float, (2, *(2,) * f), elements=figures))
"""Responses of two seeds under every coalition of up to four factors."""


def table_of(values, names=NAMES, levels=LEVELS):
    """The runs whose response is `values`: an axis of seeds, then one for each of the first factors of NAMES."""
    own = [levels[axis][:size] for axis, size in enumerate(values.shape[1:])]
    rows = list(product(range(len(values)), *own))
    return pd.DataFrame(rows, columns=["seed", *names[: len(own)]]).assign(test_accuracy=values.ravel())


def attributed(values, **options):
    values = np.asarray(values, dtype=float)
    names = options.pop("names", NAMES)
    return attribute(table_of(values, names), names[: values.ndim - 1], "test_accuracy", **options)


def shapley(values):
    return attributed(values, num_resamples=2).shapley["value"].to_numpy()


def with_seeds(cells, *, num_seeds=3, noise=0.0, stream=0):
    """[S, ...] `cells` under several seeds, each with noise of its own and an offset that all its cells share."""
    rng = np.random.default_rng(stream)
    offsets = rng.normal(0, 0.01, num_seeds).reshape(-1, *(1,) * np.ndim(cells))
    return np.asarray(cells) + offsets + noise * rng.normal(size=(num_seeds, *np.shape(cells)))


def additive(*effects, start=0.5):
    return start + sum(np.meshgrid(*((0.0, effect) for effect in effects), indexing="ij"))


def test_without_interactions_shapley_values_are_the_main_effects():
    result = attributed(with_seeds(additive(0.12, 0.04, -0.01)))
    for effects in (result.shapley["value"], result.main_effects["effect"]):
        assert effects.tolist() == pytest.approx([0.12, 0.04, -0.01])
    assert result.interactions["effect"].tolist() == pytest.approx([0, 0, 0])
    assert result.total.mean == pytest.approx(0.15)
    assert result.main_effects["level"].tolist() == ["random-crop", 0.5, 5e-4]


@pytest.mark.parametrize("num_factors", [1, 2, 3, 4])
def test_what_only_all_do_together_is_split_equally(num_factors):
    cells = np.zeros((2,) * num_factors)
    cells[(1,) * num_factors] = 1.0
    result = attributed(with_seeds(cells))
    assert result.shapley["value"].tolist() == pytest.approx([1 / num_factors] * num_factors)
    # Main effects, Banzhaf's values, do not add up to it beyond two factors.
    assert result.main_effects["effect"].tolist() == pytest.approx([0.5 ** (num_factors - 1)] * num_factors)


@given(games)
@settings(max_examples=15)
def test_shapley_values_average_over_all_orders(values):
    cells, num_factors = values.mean(axis=0), values.ndim - 1
    slow = np.zeros(num_factors)
    for order in permutations(range(num_factors)):
        before = [0] * num_factors
        for factor in order:
            after = before.copy()
            after[factor] = 1
            slow[factor] += (cells[tuple(after)] - cells[tuple(before)]) / math.factorial(num_factors)
            before = after
    assert shapley(values) == pytest.approx(slow, abs=1e-12)


@given(games)
@settings(max_examples=15)
def test_efficiency(values):
    result = attributed(values, num_resamples=2)
    cells = values.mean(axis=0)
    assert result.total.mean == pytest.approx(cells.flat[-1] - cells.flat[0], abs=1e-12)
    assert result.shapley["value"].sum() == pytest.approx(result.total.mean, abs=1e-12)
    if cells.std() > 1e-3:
        assert result.anova["eta_squared"].sum() == pytest.approx(1)


@given(arrays(float, (2, 2, 2, 2), elements=figures))
@settings(max_examples=10)
def test_symmetry(values):
    assert shapley(values.swapaxes(1, 3)) == pytest.approx(shapley(values)[::-1], abs=1e-12)
    alike = values + values.swapaxes(1, 2)
    assert shapley(alike)[0] == pytest.approx(shapley(alike)[1], abs=1e-12)


@given(arrays(float, (2, 2, 2), elements=figures), figures)
@settings(max_examples=10)
def test_a_dummy_is_worth_what_it_adds_alone(values, own):
    with_dummy = np.stack([values, values + own], axis=1)
    assert shapley(with_dummy) == pytest.approx([own, *shapley(values)], abs=1e-12)


@given(arrays(float, (2, 2, 2, 2, 2), elements=figures), figures)
@settings(max_examples=10)
def test_linearity(values, scale):
    first, second = values[0, None], values[1, None]
    assert shapley(first + scale * second) == pytest.approx(shapley(first) + scale * shapley(second), abs=1e-12)


def test_a_factor_of_several_levels_counts_as_treated_at_their_mean():
    result = attributed(with_seeds(np.add.outer([0.5, 0.6, 0.8], [0, 0.04])))
    assert result.shapley["value"].tolist() == pytest.approx([0.2, 0.04])
    effects = result.main_effects
    assert effects["factor"].tolist() == ["augmentation", "augmentation", "dropout"]
    assert effects["level"].tolist() == ["flip", "random-crop", 0.5]
    assert effects["effect"].tolist() == pytest.approx([0.3, 0.1, 0.04])


def test_interactions_are_differences_of_differences():
    result = attributed(with_seeds([[0.5, 0.6], [0.7, 0.75]]))
    assert result.interactions.loc[0, ["first", "second"]].tolist() == ["augmentation", "dropout"]
    assert result.interactions["effect"].tolist() == pytest.approx([-0.05])
    assert result.untreated == pytest.approx(with_seeds([[0.5, 0.6], [0.7, 0.75]])[:, 0, 0].mean())


def test_the_baseline_can_be_chosen():
    cells = with_seeds(np.add.outer([0.5, 0.6, 0.8], [0, 0.04]))
    result = attributed(cells, baseline={"dropout": 0.5})
    assert result.baseline == {"augmentation": "none", "dropout": 0.5}
    assert result.shapley["value"].tolist() == pytest.approx([0.2, -0.04])


def test_anova_by_hand():
    # Cell means 2, 3, 7, 12 around 6; seed means 5 and 7.
    result = attributed([[[1, 3], [5, 11]], [[3, 3], [9, 13]]]).anova.set_index("term")
    assert list(result.index) == ["augmentation", "dropout", "augmentation x dropout", "seed", "residual"]
    assert result["sum_of_squares"].tolist() == pytest.approx([98, 18, 8, 8, 4])
    assert result["degrees_of_freedom"].tolist() == [1, 1, 1, 1, 3]
    assert result["f"].tolist() == pytest.approx([73.5, 13.5, 6, math.nan, math.nan], nan_ok=True)
    assert result["eta_squared"].tolist() == pytest.approx([98 / 136, 18 / 136, 8 / 136, 8 / 136, 4 / 136])
    p = 2 * stats.t.sf(np.sqrt([73.5, 13.5, 6]), 3)
    assert result["p_value"][:3].tolist() == pytest.approx(p)
    assert result["holm_p_value"][:3].tolist() == pytest.approx([3 * p[0], 2 * p[1], max(2 * p[1], p[2])])


def test_anova_is_that_of_type_two():
    table = table_of(np.random.default_rng(0).normal(size=(3, 3, 2, 2)))
    result = attribute(table, NAMES[:3], "test_accuracy").anova.set_index("term")
    formula = "test_accuracy ~ C(augmentation) * C(dropout) * C(weight_decay) + C(seed)"
    expected = anova_lm(ols(formula, table).fit(), typ=2)
    expected.index = expected.index.str.replace(r"C\((\w+)\)", r"\1", regex=True).str.replace(":", " x ")
    expected = expected.rename(index={" x ".join(NAMES[:3]): "higher interactions", "Residual": "residual"})
    for ours, theirs in {"sum_of_squares": "sum_sq", "degrees_of_freedom": "df", "f": "F", "p_value": "PR(>F)"}.items():
        figures = expected[theirs].reindex(result.index)
        if ours in ("f", "p_value"):
            figures["seed"] = np.nan  # a block is not tested
        assert result[ours].tolist() == pytest.approx(figures.tolist(), nan_ok=True)


def test_higher_interactions_are_pooled():
    table = table_of(np.random.default_rng(0).normal(size=(2, 2, 2, 2, 2)))
    result = attribute(table, NAMES, "test_accuracy").anova.set_index("term")
    assert len(result) == 4 + 6 + 3
    assert result.loc["higher interactions", "degrees_of_freedom"] == 4 + 1
    assert result["degrees_of_freedom"].sum() == 31


def test_one_factor_is_a_paired_test():
    values = np.random.default_rng(0).normal(size=(5, 2))
    row = attributed(values).anova.iloc[0]
    paired = stats.ttest_rel(values[:, 0], values[:, 1])
    assert row[["f", "p_value"]].tolist() == pytest.approx([paired.statistic**2, paired.pvalue])


def test_one_factor_of_several_levels_is_an_anova_of_repeated_measures():
    values = np.random.default_rng(0).normal(size=(5, 3))
    rows = attributed(values).anova
    expected = AnovaRM(table_of(values), "test_accuracy", "seed", ["augmentation"]).fit().anova_table.iloc[0]
    assert rows.loc[0, ["f", "p_value"]].tolist() == pytest.approx(expected[["F Value", "Pr > F"]].tolist())
    # Without blocks, what seeds share would be noise as well.
    squares, freedom = rows["sum_of_squares"], rows["degrees_of_freedom"]
    unblocked = (squares[0] / freedom[0]) / (squares[1:].sum() / freedom[1:].sum())
    assert stats.f_oneway(*values.T).statistic == pytest.approx(unblocked)


def test_intervals_are_those_over_the_seeds_own_effects():
    values = with_seeds(np.random.default_rng(1).normal(size=(2, 2, 2)), num_seeds=4, noise=0.1)
    result = attributed(values, num_resamples=40_000)
    own = np.array([shapley(one[None]) for one in values])
    for column, row in enumerate(result.shapley.itertuples()):
        expected = mean_interval(own[:, column], 1 - 0.05 / 3)
        assert [row.low, row.high] == pytest.approx([expected.low, expected.high], abs=0.02)
        assert row.value == pytest.approx(expected.mean)
    totals = mean_interval(values[:, 1, 1, 1] - values[:, 0, 0, 0])
    assert [result.total.low, result.total.high] == pytest.approx([totals.low, totals.high], abs=0.05)
    assert (result.total.mean, result.total.n) == (pytest.approx(totals.mean), 4)


@pytest.mark.parametrize("repeats", [20, pytest.param(100, marks=pytest.mark.slow)])
def test_factors_without_effect_rarely_matter_however_many(repeats):
    noise = np.random.default_rng(0)
    wrong = sum(
        ((shares["low"] > 0) | (shares["high"] < 0)).any()
        for shares in (attributed(noise.normal(size=(3, 2, 2, 2))).shapley for _ in range(repeats))
    )
    assert wrong <= stats.binom.ppf(0.999, repeats, 0.05)


def test_the_order_of_rows_does_not_matter():
    table = table_of(np.random.default_rng(0).normal(size=(3, 3, 2)))
    results = [attribute(rows, NAMES[:2], "test_accuracy") for rows in (table, table.sample(frac=1, random_state=0))]
    for frame in ("shapley", "main_effects", "interactions", "anova"):
        pd.testing.assert_frame_equal(*(getattr(result, frame) for result in results))


def test_columns_may_have_any_names():
    names = ("residual", "C(seed)", "a:b * c", "y")
    values = np.random.default_rng(0).normal(size=(2, 2, 2, 2, 2))
    odd, plain = attributed(values, names=names), attributed(values)
    assert odd.anova["term"][:5].tolist() == [*names, "residual x C(seed)"]
    assert odd.anova["f"].tolist() == pytest.approx(plain.anova["f"].tolist(), nan_ok=True)


@pytest.mark.parametrize("values", [with_seeds(additive(0.1, 0.2)), np.full((3, 2, 2), 0.5), additive(0.1, 0.2)[None]])
def test_without_noise_there_are_no_p_values(values):
    result = attributed(values).anova
    assert result[["f", "p_value", "holm_p_value"]].isna().all(axis=None)
    assert result["eta_squared"].isna().all() == (np.ptp(values) == 0)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"baseline": {"dropout": 0.3}}, "got the baseline dropout=0.3, expected one of 0.0, 0.5"),
        ({"baseline": {"momentum": 0.9}}, "got the baseline momentum=0.9, expected one of augmentation, dropout"),
    ],
)
def test_an_unknown_baseline_is_refused(options, words):
    with pytest.raises(UserError, match=words):
        attributed(np.zeros((2, 2, 2)), **options)


def test_a_factor_with_one_level_is_refused():
    with pytest.raises(UserError, match=r"got dropout=0\.0 in all runs, expected two levels or more"):
        attributed(np.zeros((2, 2, 1)))


def test_a_grid_with_a_gap_is_refused():
    table = table_of(np.zeros((2, 2, 2)))[1:]
    with pytest.raises(UserError, match=r"no run of seed=0, augmentation=none, dropout=0\.0"):
        attribute(table, NAMES[:2], "test_accuracy")


def test_words_say_what_matters_in_order():
    cells = additive(0.04, 0.12, 0.0)
    cells[1, 1] -= 0.03
    said = sentences(attributed(with_seeds(cells, num_seeds=5, noise=0.003, stream=1)))
    assert said[0].startswith(
        "All treated, the factors change test accuracy by +13.0 points (95% interval +12.6 to +13.4)"
    )
    assert said[0].endswith(", from 0.501 to 0.632 (5 seeds).")
    assert said[1].startswith("These matter, by Shapley value: dropout (0.5 instead of 0) +10.")
    assert "; augmentation (random-crop instead of none) +2." in said[1]
    assert said[2].startswith("Not to be told from nothing: weight decay (0.0005 instead of 0) ")
    assert said[3].startswith(
        "augmentation and dropout together change test accuracy by -2.9 points (95% interval -3.4 to -2.4) "
    )
    assert said[3].endswith(" beyond the sum of what each does alone (p = 2.1e-15, Holm-corrected).")
    assert len(said) == 4


def test_words_when_no_interaction_stands_out():
    said = sentences(attributed(with_seeds(additive(0.1, 0.2), noise=0.001)))
    assert len(said) == 3
    assert said[-1].startswith("No interaction of two factors stands out")
    assert len(sentences(attributed(with_seeds([0.1, 0.2])))) == 2  # one factor has nobody to interact with


def test_many_pairs_are_read_with_correction():
    """An interval without 0 happens to one pair in twenty."""
    result = attributed(with_seeds(additive(0.1, 0.2), noise=0.001))
    result.interactions.loc[0, ["effect", "low", "high"]] = [0.002, 0.001, 0.003]
    assert result.anova.set_index("term").loc["augmentation x dropout", "holm_p_value"] > 0.05
    assert sentences(result)[-1].startswith("No interaction")


def test_one_seed_is_told_to_decide_nothing():
    result = attributed(additive(0.1, 0.2)[None])
    assert result.num_seeds == 1
    assert result.shapley[["low", "high"]].isna().all(axis=None)
    together, shares, caution = sentences(result)
    assert together == "All treated, the factors change test accuracy by +30.0 points, from 0.500 to 0.800 (one seed)."
    assert shares == (
        "Each one's share, by Shapley value: dropout (0.5 instead of 0) +20.0 points; "
        "augmentation (random-crop instead of none) +10.0 points."
    )
    assert caution == (
        "One seed does not tell its spread: there is no interval and no p-value, and any of this may be chance."
    )


def test_other_responses_keep_their_units():
    table = table_of(with_seeds([1.0, 0.25])).rename(columns={"test_accuracy": "test_loss"})
    assert (
        "change test loss by -0.75 (95% interval -0.75 to -0.75)"
        in sentences(attribute(table, ["augmentation"], "test_loss"))[0]
    )
