from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from made_up_runs import outcome, outcomes, study  # noqa: F401  (fixtures)
from presented import assert_draws_its_data, page_of

from byrote.charts.figure import MOST_POINTS
from byrote.data.dataset import Dataset, Split
from byrote.studies.randomization.page import early_figures, figure_1a


@pytest.fixture
def table(study, outcomes):
    """The summary of runs, by default one model under all settings and rates."""
    return lambda runs=None: study().summarise(runs or outcomes())


def test_every_chart_draws_its_data_and_nothing_else(study, outcomes, table) -> None:
    runs = outcomes()
    figures = page_of(study(), runs, table(runs)).figures
    assert [figure.name for figure in figures] == [
        "figure-1a-mlp-1x512-64",
        "figure-1b",
        "figure-1c",
        "early-gradient-norm-mlp-1x512-64",
        "early-update-norm-mlp-1x512-64",
        "early-gradient-cosine-mlp-1x512-64",
    ]
    for figure in figures:
        assert_draws_its_data(figure)


def test_1a_is_thin_reaches_the_last_step_and_marks_the_fit(outcomes) -> None:
    runs = outcomes(epoch_steps=400)
    figure = figure_1a(runs)
    for (setting, _), curve in figure.data.groupby(["setting", "seed"]):
        (run,) = [r for r in runs if r.spec.setting == setting]
        assert len(curve) <= MOST_POINTS + 2
        assert curve["step"].is_monotonic_increasing
        assert curve["step"].max() >= 0.95 * run.steps_run
        assert curve.loc[curve["fitted"], "step"].tolist() == [run.steps_to_fit]
    assert not any("partial" in setting for setting in figure.data["setting"])


def test_1a_of_many_seeds_is_a_mean_with_a_band(outcome) -> None:
    runs = [outcome(name, seed=seed) for name in ("true-labels", "random-labels") for seed in range(25)]
    figure = figure_1a(runs)
    assert_draws_its_data(figure)
    assert "bands span 80% of them" in figure.caption
    assert (figure.data["runs"] == 25).all()
    assert "seed" not in figure.data
    for name, curve in figure.data.groupby("setting"):
        own = [run for run in runs if run.spec.corruption.replace("-", " ") == name]
        assert len(curve) <= MOST_POINTS + 1
        assert curve["step"].max() >= 0.95 * max(run.steps_run for run in own)
        assert ((curve["low"] <= curve["train_loss"]) & (curve["train_loss"] <= curve["high"])).all()
        assert curve.loc[curve["fitted"], "step"].tolist() == [np.median([run.steps_to_fit for run in own])]
    assert "seed" in figure_1a([run for run in runs if run.spec.seed < 20]).data


def test_1a_names_what_did_not_fit(outcome) -> None:
    figure = figure_1a([outcome(), outcome("random-labels", fitted=False)])
    assert "Not fitted: random labels." in figure.caption
    assert not figure.data.loc[figure.data["setting"] == "random labels", "fitted"].any()


def test_1a_is_left_out_where_all_corruptions_are_partial(outcome) -> None:
    assert figure_1a([outcome("partial-labels", 0.5)]) is None


@pytest.mark.parametrize("broken", [np.nan, np.inf])
def test_1a_leaves_out_what_is_not_finite(outcome, broken) -> None:
    run = outcome(stop_reason="non-finite loss", fitted=False)
    run.curve["train_loss"][:] = broken
    run.early["train_loss"][5:] = broken
    data = figure_1a([run]).data
    assert len(data)
    assert np.isfinite(data["train_loss"]).all()


def test_1a_needs_no_dense_record(outcome) -> None:
    run = outcome()
    for name in run.early:
        run.early[name] = run.early[name][:0]
    data = figure_1a([run]).data
    assert data["step"].min() == run.curve["step"][0]


def test_early_means_stop_where_a_seed_has_left(outcome) -> None:
    runs = [outcome(name, seed=seed) for name in ("true-labels", "random-labels") for seed in range(3)]
    for figure in early_figures(runs):
        assert (figure.data["seeds"] == 3).all()
        assert figure.data["low"].notna().any()


def test_what_token_ids_cannot_have_is_said(study, outcomes, table) -> None:
    split = Split.clean(np.arange(40).reshape(8, 5), np.arange(8) % 2)
    leads = {}
    for data in (study().data, Dataset("words", split, split, ("a", "b"))):
        leads[data.name] = page_of(replace(study(), data=data), outcomes(), table()).sections[0].lead
    assert [name for name, lead in leads.items() if "There are no Gaussian inputs here: token ids" in lead] == ["words"]
