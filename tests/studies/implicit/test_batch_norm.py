import numpy as np
import pytest

from byrote.studies.implicit.batch_norm import batch_norm_pairs, learning_columns, steps_column, twin_columns
from byrote.training.spec import TrainSpec

NAN = np.nan


@pytest.mark.parametrize(
    ("models", "pairs"),
    [
        (["__main__@a1:net", "__main__@b2:net_no_batchnorm"], [("__main__@a1:net", "__main__@b2:net_no_batchnorm")]),
        (["mlp-3x512", "inception", "inception-no-batchnorm"], [("inception", "inception-no-batchnorm")]),
        (["resnet-no-batchnorm", "resnet"], [("resnet", "resnet-no-batchnorm")]),
        (["net.py:make", "net.py:make_no_batchnorm"], [("net.py:make", "net.py:make_no_batchnorm")]),
        (["inception", "resnet-no-batchnorm"], []),
    ],
)
def test_a_model_is_paired_with_its_twin(models, pairs):
    assert batch_norm_pairs(models) == pairs


def test_steps_to_an_accuracy_are_those_of_the_first_epoch_that_has_it(make_outcome):
    curve = {
        "step": np.array([10.0, 20, 30, 40]),
        "running_accuracy": np.array([0.4, 0.9, 0.7, 0.98]),
        "train_accuracy": np.array([NAN, 0.5, NAN, 1.0]),
    }
    columns = learning_columns([make_outcome(TrainSpec(model="net"), curve=curve)])
    assert [columns[steps_column(level)] for level in (0.5, 0.9)] == [[20], [20]]
    assert np.isnan(columns["steps_to_train_99"]).all()
    np.testing.assert_allclose(columns["evaluation_lag"], 0.4)


def test_twins_are_compared_example_by_example(make_outcome):
    labels = np.array([0, 1, 2, 3])

    def run(model, seed, predictions):
        spec = TrainSpec(model=model, seed=seed)
        return make_outcome(spec, test_predictions=np.array(predictions, dtype=np.uint8), n_test=4)

    outcomes = [
        run("net", 0, [0, 1, 2, 9]),
        run("net-no-batchnorm", 0, [9, 9, 2, 3]),
        run("net", 1, [0, 1, 2, 3]),
        run("other", 0, [0, 1, 2, 3]),
    ]
    columns = twin_columns(outcomes, labels, [("net", "net-no-batchnorm")])
    np.testing.assert_array_equal(columns["won_against_twin"], [2, NAN, NAN, NAN])
    np.testing.assert_array_equal(columns["lost_against_twin"], [1, NAN, NAN, NAN])
    np.testing.assert_array_equal(columns["agreed_against_twin"], [3, NAN, NAN, NAN])
