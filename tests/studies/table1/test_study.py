from dataclasses import replace

import numpy as np
import pytest

from byrote.data.dataset import Dataset, Split
from byrote.errors import UserError
from byrote.studies.paper_settings import PAPER_MODELS
from byrote.studies.table1.rows import Table1Row, published_rows
from byrote.studies.table1.study import Table1Study, table1_study
from byrote.training.recipe import Recipe


def images(side: int = 32, n: int = 3000, name: str = "made up") -> Dataset:
    split = Split.clean(np.zeros((n, 3, side, side), dtype=np.uint8), np.arange(n) % 10)
    return Dataset(name, split, replace(split), tuple("abcdefghij"))


def condition(spec):
    return spec.model, Table1Row(spec.augmentation == "random-crop", spec.weight_decay > 0, spec.label_rate == 1)


@pytest.mark.parametrize("scale", ["laptop", "paper"])
def test_the_plan_is_the_papers_nineteen_rows_for_each_seed(scale):
    plan = table1_study(images(), scale, seeds=2).tasks()
    assert len(plan) == len(set(plan)) == 38
    for seed in range(2):
        assert {condition(spec) for spec in plan if spec.seed == seed} == set(published_rows())
    assert {spec.crop for spec in plan} == {28}
    assert {spec.weight_decay for spec in plan} == {0, 5e-4}


@pytest.mark.parametrize("scale", ["laptop", "paper"])
def test_rows_of_a_model_differ_in_nothing_but_what_is_compared(scale):
    plan = table1_study(images(), scale).tasks()
    compared = {"augmentation", "weight_decay", "corruptions"}
    recipes = {spec.model_dump_json(exclude=compared) for spec in plan}
    assert len(recipes) == len(PAPER_MODELS)
    assert {spec.stop for spec in plan} == {"at_steps"}


def test_laptop_scale_shares_the_work_between_models():
    plan = table1_study(images(), "laptop").tasks()
    assert {spec.model: (spec.n_train, spec.steps, spec.learning_rate) for spec in plan} == {
        "mlp-1x512": (None, 5_747, 0.01),
        "mlp-3x512": (None, 5_747, 0.01),
        "alexnet": (2000, 1280, 0.01),
        "inception": (1000, 320, 0.1),
        "inception-no-batchnorm": (1000, 320, 0.1),
    }


def test_paper_scale_is_everything():
    plan = table1_study(images(), "paper").tasks()
    assert {(spec.n_train, spec.steps) for spec in plan} == {(None, 39_100)}


def test_other_models_get_crop_by_weight_decay_and_random_labels():
    plan = table1_study(images(), "laptop", models=["mlp-2x64", "resnet"]).tasks()
    for model in ("mlp-2x64", "resnet"):
        rows = [condition(spec)[1] for spec in plan if spec.model == model]
        assert rows == [
            Table1Row(True, True),
            Table1Row(True),
            Table1Row(False, True),
            Table1Row(),
            Table1Row(random_labels=True),
        ]


def test_the_recipe_says_how_strong_weight_decay_is(data):
    plan = table1_study(data, "laptop").with_recipe(weight_decay=1e-3, steps=5).tasks()
    assert {(spec.weight_decay, spec.steps) for spec in plan} == {(0, 5), (1e-3, 5)}


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        (
            {"stop": "at_interpolation", "steps": None},
            "got stop='at_interpolation' for mlp-1x512, but Table 1",
        ),
        ({"weight_decay": 0.0}, "got weight_decay=0 for mlp-1x512, but Table 1 trains with and without"),
        ({"augmentation": "random-crop"}, "got augmentation='random-crop' for mlp-1x512, but table1 chooses"),
        ({"dropout": 0.5}, "got dropout=0.5 for mlp-1x512, but table1 chooses"),
    ],
)
def test_recipes_that_decide_what_is_compared_are_refused(data, changes, message):
    with pytest.raises(UserError, match=message):
        table1_study(data, "laptop").with_recipe(**changes)


def test_a_mapping_without_a_models_rows_is_refused(data):
    with pytest.raises(UserError, match="got rows for b but not for the model mlp-1x512"):
        Table1Study(data=data, rows={"b": (Table1Row(),)})


def test_pairs_are_compared_on_the_same_test_examples_and_seed(data, make_outcome):
    study = Table1Study(
        data=data,
        models=["a"],
        seeds=2,
        rows=(Table1Row(True), Table1Row(False, True), Table1Row()),
        recipe=Recipe(stop="at_steps", steps=5, weight_decay=1e-4),
    )
    labels = data.test.true_labels
    right = {  # by condition and seed: the test examples that are right
        (Table1Row(True), 0): range(20),
        (Table1Row(False, True), 0): range(15, 30),
        (Table1Row(), 0): range(5, 22),
        (Table1Row(True), 1): range(40),
        (Table1Row(False, True), 1): range(0),
        (Table1Row(), 1): range(3),
    }
    outcomes = []
    for index, spec in enumerate(study.tasks()):
        predictions = (labels + 1) % 10
        own = list(right[condition(spec)[1], spec.seed])
        predictions[own] = labels[own]
        outcomes.append(make_outcome(spec, n_test=40, test_predictions=predictions, key=str(index)))
    table = study.summarise(outcomes)
    crop, decay, none = (table[table["key"].isin(pair)] for pair in (["0", "3"], ["1", "4"], ["2", "5"]))
    assert crop[["won_against_no_crop", "lost_against_no_crop"]].to_numpy().tolist() == [[5, 2], [37, 0]]
    assert crop[["won_against_weight_decay_alone", "lost_against_weight_decay_alone"]].to_numpy().tolist() == [
        [15, 10],
        [40, 0],
    ]
    assert decay[["won_against_no_weight_decay", "lost_against_no_weight_decay"]].to_numpy().tolist() == [
        [8, 10],
        [0, 3],
    ]
    assert none.filter(regex="^(won|lost)_").isna().all(axis=None)
    # A pair with a run missing is left out.
    assert study.summarise(outcomes[:2])["won_against_no_crop"].isna().all()


@pytest.mark.parametrize("name", ["cifar10", "made up"])
def test_the_paper_stands_beside_its_own_rows_on_its_own_data(make_outcome, name):
    study = table1_study(images(8, 40, name), "paper", models=["alexnet", "resnet"])
    rows = published_rows()

    def outcome(spec, parameters):
        return make_outcome(spec, n_test=40, train_accuracy=0.9, test_accuracy=0.5, parameters=parameters)

    table = study.summarise([outcome(spec, 1_387_786) for spec in study.tasks()])
    ours = table[table["model"] == "alexnet"]
    theirs = [rows[condition(spec)].test_accuracy for spec in study.tasks() if spec.model == "alexnet"]
    if name == "cifar10":
        np.testing.assert_allclose(100 * ours["paper_test_accuracy"], theirs)
        np.testing.assert_allclose(ours["test_difference"], 50 - np.array(theirs))
        assert ours["train_difference"].iloc[0] == pytest.approx(90 - 99.9)
    else:
        assert ours["test_difference"].isna().all()
    assert table.loc[table["model"] == "resnet", "paper_test_accuracy"].isna().all()
    # Another input size gives another number of parameters: another network.
    assert study.summarise([outcome(spec, 7) for spec in study.tasks()])["paper_test_accuracy"].isna().all()


def test_the_table_of_no_outcomes_is_empty_and_supports_nothing(data):
    study = table1_study(data, "laptop")
    table = study.summarise([])
    assert table.empty
    assert {finding.outcome for finding in study.verdict(table)} == {"no conclusion"}
