import numpy as np
import pytest
from squares import DATA, Square

from byrote.data.corruptions.record import Corruption
from byrote.errors import UserError
from byrote.studies.columns import OF_RUNS
from byrote.studies.study import Planned, Results, Study, plan_by_keys, tabulate, tabulate_calculations
from byrote.theory.calculation import compute
from byrote.training.spec import TrainSpec


def test_what_was_asked_of_training_is_there(make_outcome):
    spec = TrainSpec(
        model="m",
        augmentation="random-crop",
        validation=0.1,
        batch_size=32,
        momentum=0.5,
        optimizer="Adam",
        optimizer_options={"eps": 1e-3, "amsgrad": True},
        schedule="cosine",
        warmup_steps=5,
        steps=100,
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
        "optimizer_options": "eps=0.001; amsgrad=True",
        "schedule": "cosine",
        "warmup_steps": 5,
        "steps": 100,
        "crop": None,
        "num_test_leaked": 2,
        "test_accuracy_unleaked": 98 / 998,
    }
    assert table[list(expected)].iloc[0].to_dict() == expected


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
    table = tabulate("s", [])
    assert len(table) == 0
    assert list(table) == [column.name for column in OF_RUNS]


class Written(Study):
    """A study whose plan is given."""

    name = "written"
    title = "Written"

    def __init__(self, plan, data=DATA):
        self.given, self.data = plan, data

    def plan(self):
        return self.given

    def summarise(self, results):
        return tabulate(self.name, results)

    def verdict(self, table):
        return []


def test_labels_of_the_plan_are_columns_in_results_and_in_plain_lists(make_outcome):
    specs = [TrainSpec(model="m", seed=seed) for seed in range(3)]
    study = Written([Planned(specs[0], {"row": "a"}), Planned(Square(number=2), {"row": "b"}), Planned(specs[1])])
    outcomes = [make_outcome(specs[1]), make_outcome(specs[0]), make_outcome(specs[2])]
    results = Results.of(study, [*outcomes, computed := compute(Square(number=2), DATA)])
    assert results.outcomes == outcomes
    assert results.computed == [computed]
    assert [planned.labels.get("row") for planned in results.planned] == [None, "a", None, "b"]
    table = study.summarise(results)
    assert table["seed"].tolist() == [1, 0, 2]
    assert table["row"].isna().tolist() == [True, False, True]
    assert tabulate_calculations("s", results)[["calculation", "square", "row"]].to_numpy().tolist() == [
        ["Square", 4, "b"]
    ]
    assert Results.of(study, results) is results
    assert repr(study) == "<Written 'written' on four points: 3 runs and calculations>"
    assert repr(results).startswith("<4 finished runs and calculations of <Written")


def test_a_plan_of_anything_else_or_with_a_task_twice_is_refused():
    square = Square(number=2)
    with pytest.raises(UserError, match=r"got Square in the plan of written, expected byrote\.Planned\(task, labels\)"):
        plan_by_keys(Written([square]))
    with pytest.raises(UserError, match="got the square of 2 twice in the plan of written, expected each task once"):
        plan_by_keys(Written([Planned(square, {"row": "a"}), Planned(square, {"row": "b"})]))
    assert [*plan_by_keys(Written([Planned(square)])).values()] == [Planned(square)]


def test_equal_tasks_on_other_data_are_other_tasks(data):
    square = Square(number=2)
    assert len(plan_by_keys(Written([Planned(square), Planned(square, data=data)]))) == 2
