from collections import Counter
from dataclasses import replace

import pandas as pd
import pytest

from byrote.studies.table1.published import published_figures
from byrote.studies.table1.rows import Table1Row, published_rows, rows_of
from byrote.studies.table1.study import Table1Study

MODEL = "mlp-1x512"
NUM_ROWS = 3


@pytest.fixture
def marks(data, make_outcome):
    """Which marks the model has where two seeds of each row are what the paper has, but for `fields`."""

    def make(name="cifar10:/data", off=0.0, **fields) -> Counter[str]:
        own = replace(data, name=name)
        study = Table1Study(data=own, models=[MODEL], seeds=2, rows=rows_of(MODEL, own))
        outcomes = []
        for spec in study.tasks():
            row = Table1Row(spec.augmentation != "none", spec.weight_decay > 0, spec.label_rate == 1)
            paper = published_rows()[MODEL, row]
            values = {
                "parameters": paper.parameters,
                "n_train": 50_000,
                "train_accuracy": paper.train_accuracy / 100,
                "test_accuracy": paper.test_accuracy / 100 + off,
            }
            outcomes.append(make_outcome(spec, n_test=40, **values | fields))
        # So many test examples that a difference is no luck of theirs.
        table = study.summarise(outcomes).assign(n_test_effective=1e6)
        return Counter(figure.mark for figure in published_figures(own, table) if figure.block == MODEL)

    return make


def test_all_numbers_are_there_before_anything_is_run(data):
    figures = published_figures(data, pd.DataFrame())
    assert len(figures) == 19 * 2 + 5  # accuracies of each row, parameters of each model
    assert {figure.mark for figure in figures} == {"not run"}
    assert len({(figure.block, figure.setting, figure.quantity) for figure in figures}) == len(figures)


def test_ours_are_beside_the_papers(marks):
    assert marks() == {"the same": 1 + 2 * NUM_ROWS}
    assert marks(off=-0.02) == {"the same": 1 + NUM_ROWS, "off by -2.00 points": NUM_ROWS}


def test_what_does_not_compare_is_marked(marks):
    assert marks(n_train=1000) == {"the same": 1, "other size": 2 * NUM_ROWS}
    assert marks(parameters=7) == {"off by -1,209,859": 1, "other model": 2 * NUM_ROWS}
    assert marks(name="made up") == {"other data": 1 + 2 * NUM_ROWS}
    assert marks(failed=("labels",)) == {"the same": 1, "a check failed": 2 * NUM_ROWS}
