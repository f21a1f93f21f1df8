from __future__ import annotations

import pytest
from made_up_runs import data, evaluated  # noqa: F401  (fixtures)
from presented import is_whole, page_of, rows

from byrote.studies.table2.page import our_table, paper_table
from byrote.studies.table2.rows import Table2Row
from byrote.studies.table2.study import Table2Study


@pytest.fixture
def shown(data, evaluated):
    """A study with its outcomes and table."""

    def make(*, imagenet=False, models=("net",), own=None, **options):
        fields = {"name": "images:imagenet", "num_classes": 1000} if imagenet else {"name": "made up"}
        study = Table2Study(data=data(**fields), models=models, **options)
        outcomes = [evaluated(spec, **(own or {})) for spec in study.tasks()]
        return study, outcomes, study.summarise(outcomes)

    return make


def test_elsewhere_the_paper_is_context(shown) -> None:
    presentation = page_of(*shown())
    assert [section.id for section in presentation.sections] == ["table-2", "along-training", "paper"]
    assert all(is_whole(section.table) for section in presentation.sections if section.table)
    ours = rows(presentation.sections[0].table)
    assert list(ours) == ["net (n = 64), true labels", "net (n = 64), random labels"]
    assert ours["net (n = 64), true labels"][3] == ["none", "100.00%", "100.00%", "50.00%", "50.00%", "60.00%", "1"]
    assert [figure.name for figure in presentation.figures] == ["figure-2a-net-64"]
    assert presentation.figures[0].data["condition"].unique().tolist() == [
        "all three",
        "augmentation",
        "weight decay",
        "none",
    ]
    assert "or the five largest, gives 10.9% top-1 and 53.1% top-5 on the test set." in presentation.sections[0].lead


def test_on_imagenet_the_paper_stands_beside_ours(shown) -> None:
    presentation = page_of(*shown(imagenet=True))
    assert [section.id for section in presentation.sections] == ["table-2", "along-training"]
    table = presentation.sections[0].table
    assert is_whole(table)
    assert rows(table)["net (n = 64), true labels"][3] == [
        "none",
        *("99.53%", "100.00%"),
        *("100.00%", "100.00%"),
        *("59.80%", "50.00%"),
        *("80.38%", "50.00%"),
        *("63.16%", "60.00%"),
        "1",
    ]
    assert rows(table)["net (n = 64), random labels"][0][-3] == "–"
    assert "Inception V3" in presentation.sections[0].note


def test_the_papers_table_is_whole() -> None:
    table = paper_table()
    assert is_whole(table)
    assert [len(block) for block in table.blocks.values()] == [4, 3]


def test_seeds_give_spreads(shown) -> None:
    _, _, table = shown(seeds=2)
    (first, *_) = rows(our_table(table, beside=False))["net (n = 64), true labels"]
    assert first[1:3] == ["100.00% ± 0.0", "100.00% ± 0.0"]
    assert first[-1] == "2"


@pytest.mark.parametrize(
    ("own", "words"),
    [
        ({"steps_to_fit": None}, "100.00% not all fitted"),
        ({"stop_reason": "non-finite loss"}, "100.00% loss not finite"),
        ({}, "100.00%"),
    ],
)
def test_what_did_not_fit_says_so(shown, own, words) -> None:
    _, _, table = shown(rows=(Table2Row(),), own=own)
    assert next(iter(rows(our_table(table, beside=False)).values()))[0][1] == words


def test_the_headline_is_what_is_fitted_without_regularisers(shown) -> None:
    assert page_of(*shown(own={"train_accuracy": 0.952})).headline == "net fits 95.2% of random labels."
    assert page_of(*shown(rows=(Table2Row(),))).headline == "No conclusion about random labels."


def test_the_headline_has_guessing_beside_a_share_that_is_hardly_more(shown) -> None:
    study, outcomes, table = shown(own={"train_accuracy": 0.15})
    steps = table["steps_run"].iloc[0]
    assert page_of(study, outcomes, table).headline == (
        f"net fits 15.0% of random labels in {steps:,} steps, where guessing gets 10.0%."
    )


def without_dropout(*, input_shape: tuple[int, ...], num_classes: int) -> None:
    """A factory to be named, not to be called."""


def test_a_model_without_dropout_is_told_apart(shown) -> None:
    assert page_of(*shown()).notes == []
    (note,) = page_of(*shown(models=("net", without_dropout))).notes
    assert ":without_dropout takes no rate of dropout: the rows that have it are left out" in note


def test_without_true_labels_there_is_no_curve(shown) -> None:
    presentation = page_of(*shown(rows=(Table2Row(random_labels=True),)))
    assert [section.id for section in presentation.sections] == ["table-2", "paper"]
