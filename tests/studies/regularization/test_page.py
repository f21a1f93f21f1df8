from __future__ import annotations

import numpy as np
import pytest
from made_up_runs import data, evaluated  # noqa: F401  (fixtures)
from presented import assert_draws_its_data, is_whole, page_of, rows

from byrote.report.page import write_report
from byrote.studies.regularization.study import RegularizationStudy
from byrote.training.recipe import Recipe


@pytest.fixture
def shown(data, evaluated):
    """A study with its outcomes and table: augmentation gives 10 points, dropout 2; n = 64."""

    def make(own=lambda spec: {}, drop=0, **options):
        study = RegularizationStudy(
            **{"data": data(), "models": ("net",), "recipe": Recipe(stop="at_steps", steps=120), "seeds": 3} | options
        )
        generator = np.random.default_rng(0)
        outcomes = []
        for spec in study.tasks():
            gained = (
                0.1 * (spec.augmentation != "none") + 0.02 * (spec.dropout > 0) + 0.03 * (spec.model == "inception")
            )
            accuracy = 0.1 if spec.label_rate else 0.5 + gained + 0.002 * generator.standard_normal()
            fields = {"test_accuracy": accuracy, "n_test": 10_000, "batch_norm": spec.model == "inception"} | own(spec)
            outcomes.append(evaluated(spec, **fields))
        return study, outcomes[drop:], study.summarise(outcomes[drop:])

    return make


def test_the_page_attributes_tabulates_and_analyses(shown) -> None:
    presentation = page_of(*shown(models=("net", "inception")))
    assert presentation.headline == "No regulariser is necessary, none is sufficient."
    assert [section.id for section in presentation.sections] == ["attribution", "combinations", "anova"]
    assert all(is_whole(section.table) for section in presentation.sections if section.table)
    assert [figure.name for figure in presentation.figures] == [
        "attribution-net-64",
        "attribution-inception-64",
        "combinations-net-64",
        "combinations-inception-64",
    ]


def test_the_picture_has_a_row_a_factor_and_adds_up(shown) -> None:
    figure = page_of(*shown()).figures[0]
    data = figure.data
    assert data["factor"].tolist() == ["augmentation", "dropout", "weight decay"] * 2
    accuracy = data[data["response"] == "test accuracy"].set_index("factor")
    assert accuracy.loc["augmentation", "value"] == pytest.approx(10, abs=0.3)
    assert accuracy.loc["augmentation", "low"] < 10 < accuracy.loc["augmentation", "high"]
    gap = data[data["response"] == "generalization gap"].set_index("factor")
    np.testing.assert_allclose(gap["value"], -accuracy["value"], atol=1e-3)
    assert f"test accuracy {accuracy['value'].sum():+.1f}" in figure.caption
    assert figure.caption.endswith("3 seeds.")


def test_every_combination_is_a_row(shown) -> None:
    presentation = page_of(*shown(models=("net", "inception")))
    table = rows(presentation.sections[1].table)
    assert list(table) == [
        "net (n = 64): augmentation, dropout, weight decay",
        "inception (n = 64): augmentation, dropout, weight decay, batch norm",
    ]
    alone, pair = table.values()
    assert [row[0] for row in alone] == ["○○○", "○○●", "○●○", "●○○", "○●●", "●○●", "●●○", "●●●"]
    assert alone[-1][1].startswith("100.0% ± ")
    assert alone[-1][2].startswith("62.")
    assert pair[-1][0] == "●●●●"
    data = presentation.figures[2].data
    assert data["combination"].nunique() == 8
    assert set(data["series"]) == {"test, true labels", "train, random labels"}


def test_what_was_not_fitted_is_hollow_and_says_so(shown) -> None:
    unfit = {"steps_to_fit": None, "train_accuracy": 0.4}
    presentation = page_of(*shown(own=lambda spec: unfit if spec.label_rate and spec.dropout else {}))
    assert presentation.headline == "No regulariser is necessary."
    figure = presentation.figures[1]
    hollow = figure.data[~figure.data["all_fitted"]]
    assert set(hollow["series"]) == {"train, random labels"}
    assert len(hollow) == 4
    assert "Hollow: not fitted" in figure.caption
    (block,) = rows(presentation.sections[1].table).values()
    assert block[-1][-1] == "40.0% ± 0.0, not fitted"


def test_an_incomplete_grid_is_shown_without_attribution(shown) -> None:
    presentation = page_of(*shown(drop=1))
    assert [figure.name for figure in presentation.figures] == ["combinations-net-64"]
    assert presentation.sections[0].note.startswith("net: 1 of 24 runs have not finished")
    assert [section.id for section in presentation.sections] == ["attribution", "combinations"]


def test_one_seed_has_no_intervals(shown) -> None:
    presentation = page_of(*shown(seeds=1))
    for figure in presentation.figures:
        assert "One seed: no interval." in figure.caption
        assert figure.data["low"].isna().all()
    analysis = rows(presentation.sections[2].table)["net: test accuracy"]
    assert analysis[0][0] == "augmentation"
    assert analysis[0][-2:] == ["–", "–"]


def test_several_seeds_have_p_values(shown) -> None:
    analysis = rows(page_of(*shown()).sections[2].table)
    assert list(analysis) == ["net: test accuracy", "net: generalization gap"]
    terms = [row[0] for row in analysis["net: test accuracy"]]
    assert terms[:4] == ["augmentation", "dropout", "weight decay", "augmentation x dropout"]
    assert terms[-1] == "residual"
    assert float(analysis["net: test accuracy"][0][-1]) < 1e-6


def test_every_chart_draws_its_data_and_nothing_else(shown) -> None:
    for figure in page_of(*shown()).figures:
        assert_draws_its_data(figure)


def test_it_becomes_a_page(shown, tmp_path) -> None:
    study, outcomes, _ = shown(seeds=1)
    write_report(tmp_path / "report.html", study, outcomes, formats=("svg",))
    html = (tmp_path / "report.html").read_text(encoding="utf-8")
    assert "Analysis of variance" in html
    assert {path.stem for path in (tmp_path / "figures").glob("*.svg")} == {"attribution-net-64", "combinations-net-64"}
