from dataclasses import replace

import pandas as pd
import pytest

from byrote.studies.table2.published import published_figures
from byrote.studies.table2.rows import Table2Row
from byrote.studies.table2.study import Table2Study

TRUE = Table2Row(augmentation=True, dropout=True, weight_decay=True)


@pytest.fixture
def imagenet(data):
    return replace(data, name="images:/imagenet", class_names=tuple(map(str, range(1000))))


def table_of(data, make_outcome, *models, **fields):
    study = Table2Study(data=data, models=models, rows=(TRUE,))
    outcomes = [make_outcome(spec, n_test=40, **fields) for spec in study.tasks()]
    for place, outcome in enumerate(outcomes):
        outcomes[place] = replace(outcome, key=str(place), test_predictions=data.test.true_labels)
    return study.summarise(outcomes)


def test_all_numbers_are_there_before_anything_is_run(data):
    figures = published_figures(data, pd.DataFrame())
    assert len(figures) == 7 * 4 + 2 * 2
    assert {figure.mark for figure in figures} == {"not run"}
    assert figures[0].setting == "all three regularisers, true labels"


def marks_of(data, table):
    return {figure.quantity: figure.mark for figure in published_figures(data, table) if figure.ours is not None}


def test_inception_v3_on_all_of_imagenet_compares(imagenet, make_outcome):
    fields = {"train_accuracy": 0.9218, "test_accuracy": 0.9, "n_train": 1_281_167}
    table = table_of(imagenet, make_outcome, "conv-small", "nets.py:inception_v3", **fields)
    marks = marks_of(imagenet, table)
    assert marks["training accuracy, top-1"] == "the same"
    assert marks["test accuracy, top-1"] == "within the interval"  # of one seed and 40 test examples
    assert marks["training accuracy, top-5"].startswith("off by +0.79")


@pytest.mark.parametrize(
    ("name", "model", "n_train", "mark"),
    [
        ("images:/imagenet", "conv-small", 1_281_167, "other model"),
        ("images:/imagenet", "nets.py:inception_v3", 1000, "other size"),
        ("made up", "nets.py:inception_v3", 1_281_167, "other data"),
    ],
)
def test_what_else_differs_is_marked(name, model, n_train, mark, imagenet, make_outcome):
    data = replace(imagenet, name=name)
    table = table_of(data, make_outcome, model, n_train=n_train)
    assert set(marks_of(data, table).values()) == {mark}
