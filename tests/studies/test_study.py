import numpy as np
import pytest

from byrote.data.corruptions.record import Corruption
from byrote.studies.study import tabulate
from byrote.training.spec import TrainSpec

# The columns that results.csv promises, in their order; others may follow.
PROMISED = [
    "study",
    "model",
    "parameters",
    "corruption",
    "corruption_rate",
    "augmentation",
    "dropout",
    "weight_decay",
    "batch_norm",
    "seed",
    "n_train",
    "train_accuracy",
    "train_accuracy_true_labels",
    "test_accuracy",
    "generalization_gap",
    "fitted",
    "interpolated",
    "epochs_to_fit",
    "steps_to_fit",
    "epochs_run",
    "stop",
    "stop_reason",
    "replicas",
    "seconds",
]


def test_the_promised_columns_come_first(make_outcome):
    table = tabulate("randomization", [make_outcome(TrainSpec(model="m"))])
    assert list(table.columns[: len(PROMISED)]) == PROMISED


def test_further_columns_come_last(make_outcome):
    spec = TrainSpec(
        model="m", augmentation="random-crop", validation=0.1, batch_size=32, momentum=0.5, optimizer="Adam"
    )
    figures = {"train_top5_accuracy": 0.9, "test_top5_accuracy": 0.7}
    outcome = make_outcome(spec, **figures, test_leaked=np.array([3, 7]), test_leaked_correct=2)
    table = tabulate("s", [outcome])
    assert table["augmentation"].tolist() == ["random-crop"]
    expected = {
        "validation": 0.1,
        "train_top5_accuracy": 0.9,
        "test_top5_accuracy": 0.7,
        "batch_size": 32,
        "momentum": 0.5,
        "optimizer": "Adam",
        "preprocessing": "auto",
        "num_test_leaked": 2,
        "test_accuracy_unleaked": 98 / 998,
    }
    assert table.iloc[0, -9:].to_dict() == expected


def test_a_row_is_a_run(make_outcome):
    partial = (Corruption(name="partial-labels", rate=0.5), Corruption(name="gaussian"))
    outcomes = [
        make_outcome(TrainSpec(model="m", seed=3), test_accuracy=0.8),
        make_outcome(TrainSpec(model="m", corruptions=partial), steps_to_fit=None, failed=("a", "b")),
    ]
    table = tabulate("s", outcomes)
    assert table["corruption"].tolist() == ["true-labels", "partial-labels+gaussian"]
    assert table["corruption_rate"].tolist() == table["label_rate"].tolist() == [0.0, 0.5]
    assert table["fitted"].tolist() == [True, False]
    assert table["failed_checks"].tolist() == ["", "a; b"]
    assert table["generalization_gap"].tolist() == pytest.approx([0.2, 0.3])
    np.testing.assert_array_equal(table["steps_to_fit"], [100, np.nan])


def test_no_runs_are_no_rows():
    assert tabulate("s", []).empty
