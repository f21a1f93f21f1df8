from __future__ import annotations

import numpy as np
import pytest
from made_up_runs import outcome, outcomes, study  # noqa: F401  (fixtures)

from byrote.studies.randomization.label_corruption import figure_1b, figure_1c
from byrote.studies.randomization.page import early_figures


@pytest.fixture
def table(study, outcomes):
    """The summary of runs, by default one model under all settings and rates."""
    return lambda runs=None: study().summarise(runs or outcomes())


def test_1b_is_relative_to_true_labels(outcomes, table) -> None:
    runs = outcomes()
    data = figure_1b(table(runs)).data
    steps = {run.spec.label_rate: run.steps_to_fit for run in runs if run.spec.corruption.endswith("labels")}
    assert dict(zip(data["label_rate"], data["relative_time_to_fit"], strict=True)) == pytest.approx(
        {rate: count / steps[0.0] for rate, count in steps.items()}, rel=1e-4
    )


def test_another_label_corruption_is_a_line_of_its_own_from_true_labels_on(outcome, outcomes, table) -> None:
    others = [outcome("asymmetric-labels", rate) for rate in (0.2, 0.4)]
    for runs, lines in (([*outcomes(), *others], 2), ([outcome(), *others], 1)):
        for figure in (figure_1b(table(runs)), figure_1c(table(runs))):
            drawn = figure.data.groupby("model", sort=False)["label_rate"].unique()
            assert drawn["mlp-1x512, asymmetric labels"].tolist() == [0, 0.2, 0.4]
            assert len(drawn) == lines


def test_1b_has_no_point_where_a_seed_did_not_fit(outcomes, table) -> None:
    runs = [run for seed in range(2) for run in outcomes(seed=seed, fitted=True)]
    runs += [run for seed in range(2) for run in outcomes(seed=seed, model="b", fitted=seed == 0)]
    figure = figure_1b(table(runs))
    assert set(figure.data["model"]) == {"mlp-1x512"}
    assert "without a time: b at 0%, 25%, 50%, 75%, 100%." in figure.caption


def test_1c_has_error_chance_and_interval(outcomes, table) -> None:
    runs = [run for seed in range(3) for run in outcomes(seed=seed)]
    data = figure_1c(table(runs)).data
    assert data["chance"].unique() == pytest.approx([0.9])
    assert (data["seeds"] == 3).all()
    assert ((data["low"] < data["test_error"]) & (data["test_error"] < data["high"])).all()
    truth = 1 - np.mean([run.test_accuracy for run in runs if run.spec.corruption == "true-labels"])
    assert data.loc[data["label_rate"] == 0, "test_error"].item() == pytest.approx(truth, rel=1e-4)


def test_1c_marks_what_did_not_fit(outcome, table) -> None:
    figure = figure_1c(table([outcome(), outcome("random-labels", fitted=False)]))
    assert figure.data["all_fitted"].tolist() == [True, False]
    assert "not fitted (mlp-1x512 at 100%)" in figure.caption


@pytest.mark.parametrize("corruptions", [["true-labels"], ["gaussian", "shuffled-pixels"]])
def test_without_corrupted_labels_nothing_is_drawn_over_rates(outcome, table, corruptions) -> None:
    runs = [outcome(name) for name in corruptions]
    assert figure_1b(table(runs)) is figure_1c(table(runs)) is None
    assert early_figures(runs) == []


def test_one_seed_has_no_interval_and_says_so(outcomes, table) -> None:
    runs = outcomes()
    for figure in (figure_1c(table(runs)), *early_figures(runs)):
        assert figure.data["low"].isna().all()
        assert "One seed: no interval." in figure.caption


def test_1c_says_where_guessing_is_not_chance(outcome, table) -> None:
    runs = table([outcome(), outcome("random-labels")])
    assert figure_1c(runs.assign(guessing=0.1)).caption.startswith("Dotted: chance, one in 10 right, 90.0% error. One")
    unequal = figure_1c(runs.assign(guessing=0.9)).caption
    assert "Classes are unequal: to name the largest class always has 10.0% error." in unequal
