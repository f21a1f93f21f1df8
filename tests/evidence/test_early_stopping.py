import numpy as np
import pandas as pd
import pytest

from byrote.evidence.comparisons import compare_accuracies
from byrote.evidence.early_stopping import early_stopping_columns, evaluations, leaked_in_words, stopping_gain
from byrote.evidence.tested import Tested
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


@pytest.mark.parametrize("right_then", [0.0, 0.5, 1.0])
def test_examples_in_training_do_not_make_a_gain(right_then):
    """Those that are in training are right at the end, whatever they were before, and of the others as many as then."""
    generator, contained, wrong = np.random.default_rng(0), 0, 0
    for _ in range(100):
        then, last = generator.binomial(1000, [0.7, 0.7])
        runs = pd.DataFrame(
            {
                "best_on_validation": [(then + 200 * right_then) / 1200],
                "test_accuracy": [(last + 200) / 1200],
                "test_accuracy_unleaked": [last / 1000],
                "num_test_leaked": [200],
                "n_test": [1200],
                "n_test_effective": [1200.0],
            }
        )
        found = stopping_gain(runs, "best_on_validation")
        contained += found.difference.low <= 0 <= found.difference.high
        wrong += found.p_value < 0.05
    assert contained >= 95
    assert wrong <= 5
    assert leaked_in_words(runs).startswith(" Accuracies along a run count 200 test examples that are in training")


def test_without_them_the_gain_is_a_difference_of_accuracies():
    columns = {"best_on_test": [0.8, 0.82], "test_accuracy": [0.7, 0.73], "n_test": 1000, "n_test_effective": 1000.0}
    runs = pd.DataFrame(columns | {"num_test_leaked": 0, "test_accuracy_unleaked": NAN})
    found = stopping_gain(runs, "best_on_test")
    expected = compare_accuracies([0.8, 0.82], [0.7, 0.73], Tested(1000, 1000.0))
    assert found.p_value == pytest.approx(expected.p_value)
    assert (found.difference.low, found.difference.high) == pytest.approx(
        (expected.difference.low, expected.difference.high)
    )
    assert leaked_in_words(runs) == ""
