from dataclasses import replace

import numpy as np
import pytest

from byrote.data.dataset import Split
from byrote.studies.table2_rows import MEASURES, Row, paper_accuracy, published_rows, rows_for


def test_the_paper_has_seven_rows():
    rows = list(published_rows())
    assert len(rows) == 7
    assert [row.random_labels for row in rows] == [False] * 4 + [True] * 3
    assert rows[0] == Row(augmentation=True, dropout=True, weight_decay=True)
    assert rows[3] == Row()


@pytest.mark.parametrize(
    ("row", "measure", "value"),
    [
        (Row(), "test_top5_accuracy", 0.8038),
        (Row(), "best_on_test", 0.6316),
        (Row(random_labels=True), "train_accuracy", 0.9520),
        (Row(random_labels=True, weight_decay=True), "test_accuracy", 0.0012),
    ],
)
def test_its_figures_are_fractions(row, measure, value):
    assert paper_accuracy(row, measure) == pytest.approx(value)


def test_what_it_does_not_give_is_unknown():
    assert all(np.isnan(paper_accuracy(Row(dropout=True), measure)) for measure in MEASURES)
    assert np.isnan(paper_accuracy(Row(random_labels=True), "best_on_test"))


def test_only_images_are_augmented(data):
    assert rows_for(data) == tuple(published_rows())
    split = Split.clean(np.zeros((40, 6), dtype=np.float32), np.arange(40) % 10)
    vectors = replace(data, train=split, test=split)
    assert [row.regularizers for row in rows_for(vectors)] == [
        "weight decay",
        "none",
        "dropout, weight decay",
        "weight decay",
        "none",
    ]
