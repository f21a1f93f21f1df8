from dataclasses import replace

import numpy as np
import pytest

from byrote.data.dataset import Split
from byrote.references import name_of
from byrote.studies.table2.rows import MEASURES, Table2Row, most_regularized, paper_accuracy, published_rows, rows_for


def test_the_paper_has_seven_rows():
    rows = list(published_rows())
    assert len(rows) == 7
    assert [row.random_labels for row in rows] == [False] * 4 + [True] * 3
    assert rows[0] == Table2Row(augmentation=True, dropout=True, weight_decay=True)
    assert rows[3] == Table2Row()


@pytest.mark.parametrize(
    ("row", "measure", "value"),
    [
        (Table2Row(), "test_top5_accuracy", 0.8038),
        (Table2Row(), "best_on_test", 0.6316),
        (Table2Row(random_labels=True), "train_accuracy", 0.9520),
        (Table2Row(random_labels=True, weight_decay=True), "test_accuracy", 0.0012),
    ],
)
def test_its_figures_are_fractions(row, measure, value):
    assert paper_accuracy(row, measure) == pytest.approx(value)


def test_what_it_does_not_give_is_unknown():
    assert all(np.isnan(paper_accuracy(Table2Row(dropout=True), measure)) for measure in MEASURES)
    assert np.isnan(paper_accuracy(Table2Row(random_labels=True), "best_on_test"))


def test_only_images_are_augmented(data):
    assert rows_for("mlp-1x8", data) == tuple(published_rows())
    split = Split.clean(np.zeros((40, 6), dtype=np.float32), np.arange(40) % 10)
    vectors = replace(data, train=split, test=split)
    assert [row.regularizers for row in rows_for("mlp-1x8", vectors)] == [
        "weight decay",
        "none",
        "dropout, weight decay",
        "weight decay",
        "none",
    ]


def build_without_dropout(*, input_shape: tuple[int, ...], num_classes: int) -> None:
    """A factory to be named, not to be called."""


def test_only_models_that_take_a_rate_are_trained_with_dropout(data):
    rows = rows_for(name_of(build_without_dropout), data)
    assert [(row.regularizers, row.random_labels) for row in rows] == [
        ("augmentation", False),
        ("weight decay", False),
        ("none", False),
        ("weight decay", True),
        ("none", True),
    ]
    assert most_regularized(rows) == Table2Row(augmentation=True)


def test_the_most_regularised_row_has_true_labels():
    assert most_regularized(list(published_rows())) == Table2Row(True, True, True)
    assert most_regularized([Table2Row(), Table2Row(True, True, True, random_labels=True)]) is None
