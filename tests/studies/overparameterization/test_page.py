from __future__ import annotations

import numpy as np
import pytest
from made_up_runs import data, outcome  # noqa: F401  (fixtures)
from presented import assert_draws_its_data, page_of

from byrote.studies.overparameterization.page import ERRORS, error_figure
from byrote.studies.overparameterization.study import OverparameterizationStudy

FAMILY = "mlp-1x{width}"


@pytest.fixture
def sweep(data, outcome):
    """A study of five sizes, of which the first `unfitted` do not fit noisy labels, its outcomes and their table."""

    def give(unfitted=2, seeds=1, rates=(0.0, 0.2, 1.0)):
        study = OverparameterizationStudy(
            data=data(), ratios=(1.0, 4.0, 16.0, 32.0, 64.0), rates=rates, seeds=seeds, n_train=64
        )
        models = study.sizes[FAMILY]
        outcomes = []
        for spec in study.tasks():
            size = models.index(spec.model)
            fits = spec.label_rate == 0 or size >= unfitted
            run = outcome(
                spec.corruption,
                spec.corruption_rate,
                model=spec.model,
                seed=spec.seed,
                fitted=fits,
                parameters=75 * int(spec.model.partition("x")[2]) + 10,
                train_accuracy=1.0 if fits else 0.2 + 0.1 * size,
                test_accuracy=0.9 - 0.1 * abs(size - 3) + 0.001 * spec.seed,
                key=f"{spec.model}-{spec.label_rate}-{spec.seed}",
                spec=spec,
            )
            outcomes.append(run)
        return study, outcomes, study.summarise(outcomes)

    return give


def test_a_panel_for_each_labelling_and_a_row_for_each_size(sweep) -> None:
    study, outcomes, table = sweep()
    shown = page_of(study, outcomes, table)
    (section,) = shown.sections
    assert section.title == "mlp-1xW"
    assert [figure.title for figure in section.figures] == ["True labels", "Labels with 20% noise", "Random labels"]
    assert [figure.name for figure in section.figures][1] == "error-mlp-1xw-labels-with-20-noise"
    (rows,) = section.table.blocks.values()
    assert [row[0] for row in rows] == study.sizes[FAMILY]
    assert {len(row) for row in rows} == {len(section.table.header)} == {3 + 2 * 3}
    assert sum(columns for _, columns in section.table.spans) == len(section.table.header)
    assert "Test error" in shown.headline or "More parameters" in shown.headline


def test_a_chart_draws_its_data_and_nothing_else(sweep) -> None:
    _, _, table = sweep(seeds=2)
    for _, runs in table.groupby("label_rate"):
        figure = error_figure(runs)
        assert_draws_its_data(figure)


def test_errors_are_what_is_left_of_accuracies(sweep) -> None:
    _, _, table = sweep(seeds=3)
    runs = table[table["label_rate"] == 0.2]
    data = error_figure(runs).data
    assert set(data["of"]) == set(ERRORS)
    assert len(data) == 2 * runs["model"].nunique()
    assert (data["seeds"] == 3).all()
    for row in data.to_dict("records"):
        own = runs[runs["model"] == row["model"]]
        column = "test_accuracy" if row["of"] == "test error" else "train_accuracy"
        assert row["error"] == pytest.approx(1 - own[column].mean(), rel=1e-3)
        assert row["low"] <= row["error"] <= row["high"]


def test_the_threshold_is_marked_and_what_has_not_fitted_is_hollow(sweep) -> None:
    study, _, table = sweep(unfitted=2)
    figure = error_figure(table[table["label_rate"] == 0.2])
    parameters = 75 * int(study.sizes[FAMILY][2].partition("x")[2]) + 10
    assert figure.data["threshold"].unique() == pytest.approx([parameters / 64], rel=1e-4)
    assert figure.data.groupby("model", sort=False)["all_fitted"].all().tolist() == [False, False, True, True, True]
    assert "all networks fit" in figure.caption
    assert "Hollow: not fitted." in figure.caption


def test_without_a_threshold_nothing_is_dotted(sweep) -> None:
    _, _, table = sweep(unfitted=9)
    figure = error_figure(table[table["label_rate"] == 1.0])
    assert figure.data["threshold"].isna().all()
    assert "Dotted" not in figure.caption


def test_one_seed_has_no_interval_and_says_so(sweep) -> None:
    _, _, table = sweep()
    figure = error_figure(table[table["label_rate"] == 0])
    assert figure.data["low"].isna().all()
    assert "One seed: no interval." in figure.caption
    assert "Hollow" not in figure.caption


def test_sizes_that_have_not_fitted_are_quiet_in_the_table(sweep) -> None:
    study, outcomes, table = sweep(unfitted=2, rates=(1.0,))
    (rows,) = page_of(study, outcomes, table).sections[0].table.blocks.values()
    assert [row[3].tone for row in rows] == ["quiet", "quiet", "", "", ""]
    assert np.all([len(row) == 5 for row in rows])
