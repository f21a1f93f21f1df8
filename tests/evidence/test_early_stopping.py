import numpy as np
import pytest

from byrote.evidence.early_stopping import early_stopping_columns, evaluations
from byrote.training.spec import TrainSpec

NAN = np.nan
TEST = [NAN, 0.3, 0.6, NAN, 0.6, 0.5]
VALIDATION = [NAN, 0.5, 0.3, NAN, 0.5, 0.4]


@pytest.fixture
def run(make_outcome):
    def make(test=TEST, validation=VALIDATION, **fields):
        epoch = np.arange(1.0, len(test) + 1)
        curve = {"epoch": epoch, "step": 10 * epoch, "test_accuracy": np.array(test)}
        curve["validation_accuracy"] = np.array(validation)
        return make_outcome(TrainSpec(model="net"), curve=curve, test_accuracy=test[-1], **fields)

    return make


def test_evaluations_are_the_epochs_with_a_test_accuracy(run):
    rows = evaluations(run())
    assert rows["epoch"].tolist() == [2, 3, 5, 6]
    assert rows["best_so_far"].tolist() == [0.3, 0.6, 0.6, 0.6]
    # Of equal accuracies the first is the best.
    assert rows["best_on_test"].tolist() == [False, True, False, False]
    assert rows["best_on_validation"].tolist() == [True, False, False, False]
    assert rows["last"].tolist() == [False, False, False, True]


def test_the_three_figures_of_a_run(run):
    columns = early_stopping_columns([run(), run(validation=[NAN] * 6)])
    assert columns["num_evaluations"] == [4, 4]
    assert columns["best_on_test"] == [0.6, 0.6]
    assert columns["steps_to_best_on_test"] == [30, 30]
    np.testing.assert_allclose(columns["best_on_validation"], [0.3, NAN])
    np.testing.assert_allclose(columns["steps_to_best_on_validation"], [20, NAN])
    np.testing.assert_allclose(columns["early_stopping_gain"], [-0.2, NAN])
    np.testing.assert_allclose(columns["optimism"], [0.3, NAN])


def test_without_evaluations_nothing_is_known(run):
    columns = early_stopping_columns([run(test=[NAN, NAN], validation=[NAN, NAN])])
    assert columns.pop("num_evaluations") == [0]
    assert all(np.isnan(values).all() for values in columns.values())
    assert not any(early_stopping_columns([]).values())
