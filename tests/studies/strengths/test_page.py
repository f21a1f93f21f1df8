from __future__ import annotations

import math

import numpy as np
import pytest
from made_up_runs import data, evaluated  # noqa: F401  (fixtures)
from presented import assert_draws_its_data, page_of

from byrote.evidence.data_worth import worth
from byrote.report.page import write_report
from byrote.studies.strengths.page import times
from byrote.studies.strengths.study import StrengthStudy
from byrote.training.recipe import Recipe

STRENGTHS = {"weight_decay": (0.0, 0.01, 0.1), "augmentation": ("none", "random-crop")}


@pytest.fixture
def shown(data, evaluated):
    """A study with its outcomes and table on n = 16, 32 and 64: test accuracy doubles the n at the crop, strong weight
    decay costs accuracy and half of what is memorised."""

    def fits_unless_strong(spec):
        return spec.n_train <= (16 if spec.weight_decay == 0.1 else 32)

    def make(fits=fits_unless_strong, own=lambda spec: {}, drop=0, **options):
        study = StrengthStudy(
            **{
                "data": data(),
                "models": ("net",),
                "recipe": Recipe(stop="at_steps", steps=120),
                "seeds": 1,
                "sizes": 3,
                "strengths": STRENGTHS,
            }
            | options
        )
        outcomes = []
        for spec in study.tasks():
            correct = {16: 16, 32: 32, 64: 48}[spec.n_train]
            correct += 16 * (spec.augmentation != "none") - 10 * (spec.weight_decay == 0.1) + spec.seed
            correct = min(correct, 64)
            labels = study.data.test.true_labels
            fields = {
                "test_accuracy": correct / 64,
                "test_predictions": np.where(np.arange(64) < correct, labels, (labels + 1) % 10),
            }
            if spec.label_rate and not fits(spec):
                fields |= {"steps_to_fit": None, "train_accuracy": 0.4}
            outcomes.append(evaluated(spec, **(fields | own(spec))))
        return study, outcomes[drop:], study.summarise(outcomes[drop:])

    return make


def figures(presentation) -> dict:
    return {figure.name: figure for figure in presentation.figures}


def test_each_model_has_four_pictures_and_its_learning_curve(shown) -> None:
    presentation = page_of(*shown(models=("net", "other")))
    assert [section.id for section in presentation.sections] == [
        "strengths-net",
        "worth-net",
        "strengths-other",
        "worth-other",
    ]
    assert list(figures(presentation))[:5] == [
        "strengths-accuracy-net-64",
        "strengths-capacity-net-64",
        "strengths-time-true-labels-net-64",
        "strengths-time-random-labels-net-64",
        "worth-net-64",
    ]


def test_a_row_a_strength_with_none_for_comparison(shown) -> None:
    presentation = page_of(*shown())
    accuracy = figures(presentation)["strengths-accuracy-net-64"]
    assert accuracy.data["label"].tolist() == ["none", "weight decay 0.01", "weight decay 0.1", "random crop"]
    assert accuracy.data["none"].nunique() == 1
    assert accuracy.data.set_index("label").loc["weight decay 0.1", "value"] < accuracy.data["none"].iloc[0]
    assert accuracy.caption == "Networks were tested after 120 steps. One seed: no interval."


def test_what_is_memorised_ends_at_the_next_n(shown) -> None:
    figure = figures(page_of(*shown()))["strengths-capacity-net-64"]
    found = figure.data.set_index("label")
    assert found.loc["none", ["value", "low", "high"]].tolist() == [32, 32, 64]
    assert found.loc["weight decay 0.1", ["value", "high"]].tolist() == [16, 32]
    assert "arrow" not in figure.caption
    assert "Hollow" not in figure.caption


def test_the_ends_of_the_ladder_are_marked(shown) -> None:
    figure = figures(page_of(*shown(fits=lambda spec: not spec.weight_decay)))["strengths-capacity-net-64"]
    found = figure.data.set_index("label")
    assert found.loc["none", "note"] == "→"
    assert math.isnan(found.loc["none", "high"])
    assert not found.loc["weight decay 0.01", "filled"]
    assert "Hollow: fewer than the smallest." in figure.caption
    assert "An arrow: the whole ladder" in figure.caption


def test_time_is_of_the_largest_n_that_all_fit(shown) -> None:
    figure = figures(page_of(*shown()))["strengths-time-random-labels-net-64"]
    assert figure.subtitle == "random labels, n = 16"
    assert figure.data["filled"].all()
    figure = figures(page_of(*shown(fits=lambda spec: not spec.weight_decay)))["strengths-time-random-labels-net-64"]
    found = figure.data.set_index("label")
    assert found.loc["weight decay 0.1", ["value", "note"]].tolist() == [120, "not fitted"]
    assert "Hollow: not fitted within 120." in figure.caption


def test_time_on_true_labels_stands_beside(shown) -> None:
    figure = figures(page_of(*shown()))["strengths-time-true-labels-net-64"]
    assert figure.subtitle == "true labels, n = 64"
    assert figure.data["label"].tolist() == ["none", "weight decay 0.01", "weight decay 0.1", "random crop"]
    assert figure.data["filled"].all()


def test_the_learning_curve_has_each_strength_with_its_distance(shown) -> None:
    presentation = page_of(*shown())
    figure = figures(presentation)["worth-net-64"]
    data = figure.data
    assert data.loc[data["series"] == "none", "n_train"].tolist() == [16, 32, 64]
    crop = data[data["label"] == "random crop"].iloc[0]
    assert (crop["n_train"], crop["reaches"], crop["worth"]) == (16, 32, 2)
    strong = data[data["label"] == "weight decay 0.1"].iloc[0]
    assert not strong["read_off"]
    assert "Dotted: beyond the ends of the curve" in figure.caption
    (table,) = [section.table for section in presentation.sections if section.table]
    assert table.blocks["n = 16"][-1] == ["random crop", "2.00", "–", "50.0%", "1"]
    assert table.blocks["n = 16"][1][1] == "under 1"


def test_several_seeds_have_intervals(shown) -> None:
    presentation = page_of(*shown(seeds=2))
    assert all("2 seeds." in figure.caption for figure in presentation.figures)
    assert figures(presentation)["strengths-accuracy-net-64"].data["low"].notna().all()
    (table,) = [section.table for section in presentation.sections if section.table]
    assert table.blocks["n = 16"][-1] == ["random crop", "2.00", "2.00 to 2.00", "50.8%", "2"]


@pytest.mark.parametrize(("factor", "words"), [(0.0, "under 0.5"), (math.inf, "over 2"), (1.234, "1.23")])
def test_times(shown, factor, words) -> None:
    _, _, table = shown()
    true = table[(table["corruption"] == "true-labels") & (table["strength"] == 0)]
    found = worth(true, true[true["n_train"] == 32])
    assert times(found, factor) == words


@pytest.mark.parametrize(
    ("options", "words"),
    [
        # Weight decay shrinks and costs at the same strength; the crop does neither.
        ({}, "No conclusion about the strengths of regularisers."),  # one seed
        (
            {"fits": lambda spec: spec.n_train <= (16 if spec.weight_decay else 32)},
            "No conclusion about the strengths of regularisers.",  # likewise
        ),
        ({"drop": 4}, "No conclusion about the strengths of regularisers."),  # none, on random labels
    ],
)
def test_headlines(shown, options, words) -> None:
    assert page_of(*shown(**options)).headline == words


def test_what_is_missing_is_left_out(shown) -> None:
    study, outcomes, _ = shown()
    kept = [outcome for outcome in outcomes if outcome.spec.weight_decay == 0.01]
    presentation = page_of(study, kept, study.summarise(kept))
    data = figures(presentation)["strengths-accuracy-net-64"].data
    assert data["label"].tolist() == ["weight decay 0.01"]
    assert data["none"].isna().all()
    assert [section.id for section in presentation.sections] == ["strengths-net"]


def test_every_chart_draws_its_data_and_nothing_else(shown) -> None:
    for figure in page_of(*shown()).figures:
        assert_draws_its_data(figure)


def test_it_becomes_a_page(shown, tmp_path) -> None:
    study, outcomes, _ = shown(seeds=1)
    write_report(tmp_path / "report.html", study, outcomes, formats=("svg",))
    html = (tmp_path / "report.html").read_text(encoding="utf-8")
    assert "net: worth in examples" in html
    assert len(list((tmp_path / "figures").glob("*.svg"))) == 5
