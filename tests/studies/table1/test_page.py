from __future__ import annotations

import numpy as np
import pytest
from made_up_runs import data, evaluated  # noqa: F401  (fixtures)
from presented import assert_draws_its_data, is_whole, page_of, rows

from byrote.data.check import Check
from byrote.studies.table1.page import REGULARIZER_LABELS, curves_figure, headline, page_table, rows_figure
from byrote.studies.table1.rows import LADDER, Table1Row, published_rows
from byrote.studies.table1.study import table1_study

PARAMETERS = {model: row.parameters for (model, _), row in published_rows().items()}


@pytest.fixture
def shown(data, evaluated):
    """A study with its outcomes and table; three quarters of the test set are right, or a tenth."""

    def make(*, name="cifar10", models=LADDER, seeds=1, own=None, only=lambda spec: True):
        study = table1_study(data(name=name, shape=(3, 8, 8)), "paper", seeds=seeds, models=list(models))
        labels = study.data.test.true_labels
        outcomes = []
        for spec in filter(only, study.tasks()):
            count = (6 if spec.label_rate else 48) + spec.seed
            right = np.arange(64) < count
            fields = {
                "test_predictions": np.where(right, labels, (labels + 1) % 10),
                "last": count / 64,
                "parameters": PARAMETERS.get(spec.model, 7),
            }
            outcomes.append(evaluated(spec, **(fields | (own(spec) if own else {}))))
        return study, outcomes, study.summarise(outcomes)

    return make


def test_the_papers_rows_stand_beside_ours(shown) -> None:
    study, outcomes, table = shown()
    presentation = page_of(study, outcomes, table)
    first = presentation.sections[0].table
    assert is_whole(first)
    found = rows(first)
    assert list(found) == [f"{model} (n = 64), 1 seed" for model in LADDER]
    assert found["alexnet (n = 64), 1 seed"] == [
        ["crop, weight decay", "99.90%", "100.00%", "+0.10", "81.22%", "75.00%", "-6.22"],
        ["crop", "99.82%", "100.00%", "+0.18", "79.66%", "75.00%", "-4.66"],
        ["weight decay", "100.00%", "100.00%", "+0.00", "77.36%", "75.00%", "-2.36"],
        ["none", "100.00%", "100.00%", "+0.00", "76.07%", "75.00%", "-1.07"],
        ["random labels", "99.82%", "100.00%", "+0.18", "9.86%", "9.38%", "-0.48"],
    ]
    assert [figure.name for figure in presentation.figures] == [
        "table-1-rows",
        *(f"table-1-{model}" for model in LADDER),
    ]


def test_the_note_says_what_fewer_examples_cannot_do(shown) -> None:
    whole = page_of(*shown()).sections[0].note
    assert "cannot reach" not in whole
    assert "on 50,000 images" in whole
    fewer = page_of(*shown(own=lambda _: {"n_train": 40})).sections[0].note
    assert "Ours on 40 cannot reach its level" in fewer


def test_elsewhere_ours_stand_alone(shown) -> None:
    study, outcomes, table = shown(name="made up", models=["alexnet", "resnet"])
    presentation = page_of(study, outcomes, table)
    assert is_whole(presentation.sections[0].table)
    assert rows(presentation.sections[0].table)["resnet (n = 64), 1 seed"][3] == ["none", "100.00%", "75.00%"]
    assert "paper" not in f"{presentation.sections[0].lead} {presentation.sections[1].lead}"
    assert set(rows_figure(study, table).data["source"]) == {"ours"}


def test_on_its_data_the_paper_says_nothing_of_other_models(shown) -> None:
    study, _, table = shown(models=["resnet"])
    (block,) = rows(page_table(study, table)).values()
    assert block[0] == ["crop, weight decay", "–", "100.00%", "–", "–", "75.00%", "–"]


@pytest.mark.parametrize(
    ("own", "note"),
    [
        ({"steps_to_fit": None}, "100.00% not fitted"),
        ({"checks": (Check("moments", False, "made to fail"),)}, "100.00% failed a check"),
        ({"stop_reason": "non-finite loss"}, "100.00% loss not finite"),
    ],
)
def test_a_row_says_what_is_wrong_with_it(shown, own, note) -> None:
    study, _, table = shown(own=lambda spec: own if spec.label_rate else {})
    for block in rows(page_table(study, table)).values():
        assert block[-1][2] == note
        assert block[0][2] == "100.00%"


def test_rows_that_have_not_run_are_there_all_the_same(shown) -> None:
    study, outcomes, table = shown(only=lambda spec: spec.model == "alexnet" and not spec.label_rate)
    found = rows(page_table(study, table))
    assert found["inception"][0] == ["crop, weight decay", "100.00%", "– not run", "–", "89.05%", "–", "–"]
    assert found["alexnet (n = 64), 1 seed"][-1][2] == "– not run"
    assert "table-1-inception" not in [figure.name for figure in page_of(study, outcomes, table).figures]


def test_seeds_give_spreads(shown) -> None:
    study, _, table = shown(seeds=3)
    row = rows(page_table(study, table))["alexnet (n = 64), 3 seeds"][0]
    assert row[2] == "100.00% ± 0.0"
    assert row[5] == "76.56% ± 3.9"
    figure = rows_figure(study, table)
    ours = figure.data[figure.data["source"] == "ours"]
    assert (ours["low"] < ours["test_accuracy"]).all()
    assert "3 seeds." in figure.caption


def test_the_distances_are_drawn_row_by_row(shown) -> None:
    study, _, table = shown(own=lambda spec: {"steps_to_fit": None} if spec.label_rate else {})
    figure = rows_figure(study, table)
    data = figure.data.set_index(["place", "source"])
    assert data.loc[("alexnet: crop", "paper"), "test_accuracy"] == 0.7966
    assert data.loc[("alexnet: crop", "ours"), "test_accuracy"] == 0.75
    assert not data.loc[("alexnet: random labels", "ours"), "all_fitted"]
    assert "Hollow: not fitted. One seed: no interval." in figure.caption
    assert len(figure.data) == 2 * 16
    assert_draws_its_data(figure)


def test_accuracies_along_training_are_those_evaluated(shown) -> None:
    _, outcomes, _ = shown(models=["alexnet"], seeds=2)
    for outcome in outcomes:
        outcome.curve["test_accuracy"][[1, 3]] = np.nan
    figure = curves_figure(outcomes)
    assert set(figure.data["row"]) == set(REGULARIZER_LABELS.values())
    assert figure.data.groupby(["row", "seed"]).size().unique().tolist() == [10]
    assert "after 10 of 12 epochs. 2 seeds." in figure.caption
    assert_draws_its_data(figure)


def test_of_many_runs_the_means_are_drawn_with_a_band(shown) -> None:
    _, outcomes, _ = shown(models=["alexnet"], seeds=21)
    figure = curves_figure(outcomes)
    assert figure.data["runs"].unique().tolist() == [21]
    assert figure.data.groupby("row").size().unique().tolist() == [12]
    assert "bands of test accuracy span 80% of them" in figure.caption
    assert_draws_its_data(figure)


def test_without_evaluations_nothing_is_drawn(shown) -> None:
    _, outcomes, _ = shown(models=["alexnet"])
    for outcome in outcomes:
        outcome.curve["test_accuracy"][:] = np.nan
    assert curves_figure(outcomes) is None
    assert curves_figure([]) is None


@pytest.mark.parametrize(
    ("wrong", "expected"),
    [
        (lambda spec: False, "Networks generalise without regularisers, and fit random labels as well."),
        (
            lambda spec: spec.model == "alexnet" and spec.label_rate,
            "4 of 4 networks generalise without regularisers, 3 of 4 fit random labels.",
        ),
        (lambda spec: True, "No conclusion about regularisers."),
    ],
)
def test_the_headline_counts_networks(shown, wrong, expected) -> None:
    study, _, table = shown(own=lambda spec: {"steps_to_fit": None} if wrong(spec) else {})
    assert headline(study.verdict(table)) == expected


def test_every_row_has_a_name() -> None:
    assert set(REGULARIZER_LABELS) == {row for _, row in published_rows()}
    assert REGULARIZER_LABELS[Table1Row()] == "none"
