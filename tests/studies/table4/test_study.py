from dataclasses import replace

import numpy as np
import pytest

from byrote.data.dataset import Dataset, Split
from byrote.errors import UserError
from byrote.studies.table4.rows import published_rows
from byrote.studies.table4.study import Table4Study, table4_study

DECAYS = (0.0, 1e-5, 1e-4, 5e-4, 1e-3, 1e-2)


def images(n: int = 3000, name: str = "made up") -> Dataset:
    split = Split.clean(np.zeros((n, 3, 32, 32), dtype=np.uint8), np.arange(n) % 10)
    return Dataset(name, split, replace(split), tuple("abcdefghij"))


@pytest.mark.parametrize("scale", ["laptop", "paper"])
def test_the_plan_has_the_papers_six_rows_and_every_weight_decay(scale):
    plan = table4_study(images(), scale, seeds=2).tasks()
    assert len(plan) == len(set(plan)) == 2 * (4 * 6 + 2)
    assert {spec.corruption for spec in plan} == {"random-labels"}
    planned = {(spec.model, (spec.augmentation, spec.weight_decay)) for spec in plan}
    assert set(published_rows()) < planned
    assert {(model, ("none", decay)) for model, _ in published_rows() for decay in DECAYS} < planned


@pytest.mark.parametrize("scale", ["laptop", "paper"])
def test_runs_of_a_model_differ_in_their_regulariser_alone(scale):
    plan = table4_study(images(), scale).tasks()
    assert len({spec.model_dump_json(exclude={"augmentation", "weight_decay"}) for spec in plan}) == 4
    assert {(spec.stop, spec.batch_size, spec.crop) for spec in plan} == {("at_steps", 128, 28)}


def test_laptop_scale_takes_what_two_cores_can_do():
    plan = table4_study(images(), "laptop").tasks()
    assert {spec.model: (spec.n_train, spec.steps) for spec in plan} == {
        "mlp-1x512": (2000, 1600),
        "mlp-3x512": (2000, 1600),
        "alexnet": (1000, 800),
        "inception": (500, 400),
    }
    assert {spec.n_train for spec in table4_study(images(100), "laptop").tasks()} == {None}


def test_paper_scale_shares_its_random_labels_with_table_1():
    from byrote.studies.table1.study import table1_study

    data = images()
    first = {spec for spec in table1_study(data, "paper").tasks() if spec.label_rate}
    fourth = set(table4_study(data, "paper").tasks())
    assert {spec.model for spec in first & fourth} == {"mlp-1x512", "mlp-3x512", "alexnet", "inception"}


def test_other_models_are_augmented_where_there_are_images():
    def augmented(data: Dataset) -> set[str]:
        return {spec.augmentation for spec in table4_study(data, "laptop", models=["resnet"]).tasks()}

    assert augmented(images()) == {"none", "random-crop", "crop-flip-color"}
    split = Split.clean(np.zeros((40, 6), dtype=np.float32), np.arange(40) % 10)
    assert augmented(Dataset("made up", split, split, tuple("abcdefghij"))) == {"none"}


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"weight_decays": (1e-3,)}, r"got weight_decays=\(0.001,\) for mlp-1x512, expected different ones, 0 among"),
        ({"weight_decays": (0.0, 0.0)}, "expected different ones"),
        ({"weight_decays": (0.0, -1.0)}, "expected different ones"),
        ({"weight_decays": ()}, "expected different ones"),
        ({"augmentations": "random-crop"}, "expected a list of different ones"),
        ({"augmentations": ("none",)}, "expected a list of different ones"),
        ({"augmentations": {"b": ()}}, "got augmentations for b but not for the model mlp-1x512"),
    ],
)
def test_what_cannot_be_planned_is_refused(data, options, message):
    with pytest.raises(UserError, match=message):
        Table4Study(data=data, **options)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        (
            {"stop": "at_interpolation", "steps": None},
            "got stop='at_interpolation' for mlp-1x512, but Table 4",
        ),
        ({"weight_decay": 1e-3}, "got weight_decay=0.001 for mlp-1x512, but table4 chooses"),
        ({"augmentation": "random-crop"}, "leave it out"),
        ({"dropout": 0.5}, "leave it out"),
    ],
)
def test_recipes_with_regularisers_are_refused(data, changes, message):
    with pytest.raises(UserError, match=message):
        Table4Study(data=data).with_recipe(**changes)


@pytest.mark.parametrize("name", ["cifar10", "made up"])
def test_the_paper_stands_beside_its_own_rows_on_its_own_data(data, make_outcome, name):
    study = table4_study(replace(data, name=name), "paper", models=["alexnet", "inception", "resnet"])
    table = study.summarise([make_outcome(spec, train_accuracy=0.9) for spec in study.tasks()])
    assert {"ending", "final_loss", "loss_at_chance", "settled"} <= set(table)
    reported = table[table["paper_ending"] != ""].set_index(["model", "augmentation", "weight_decay"])
    if name == "made up":
        assert reported.empty
        assert table["train_difference"].isna().all()
        return
    assert len(reported) == 4
    failed = reported.loc[("alexnet", "none", 5e-4)]
    assert failed["paper_ending"] == "does not converge"
    assert np.isnan(failed["paper_train_accuracy"])
    cropped = reported.loc[("inception", "random-crop", 0.0)]
    assert cropped["train_difference"] == pytest.approx(90 - 99.93)


def test_the_table_of_no_outcomes_is_empty_and_supports_nothing(data):
    study = table4_study(data, "laptop")
    table = study.summarise([])
    assert table.empty
    assert {finding.outcome for finding in study.verdict(table)} == {"no conclusion"}
