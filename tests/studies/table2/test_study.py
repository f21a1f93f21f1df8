import math
from dataclasses import replace

import numpy as np
import pytest
from torch import nn

from byrote.data.dataset import Dataset, Split
from byrote.errors import UserError
from byrote.references import name_of
from byrote.studies.table2.rows import Table2Row, published_rows
from byrote.studies.table2.study import TABLE2_RECIPE, Table2Study, table2_study
from byrote.training.engine import train
from byrote.training.recipe import Recipe


def images(side: int, n: int = 3000) -> Dataset:
    split = Split.clean(np.zeros((n, 1, side, side), dtype=np.uint8), np.arange(n) % 10)
    return Dataset("made up", split, replace(split), tuple("abcdefghij"))


def test_each_row_has_its_regularisers_and_no_others(data):
    plan = Table2Study(data=data, models=["a", "b"], seeds=2).tasks()
    assert len(set(plan)) == len(plan) == 2 * 2 * 7
    assert [(s.corruption, s.augmentation, s.dropout, s.weight_decay) for s in plan[:7]] == [
        ("true-labels", "crop-flip-color", 0.5, 5e-4),
        ("true-labels", "crop-flip-color", 0.0, 0.0),
        ("true-labels", "none", 0.0, 5e-4),
        ("true-labels", "none", 0.0, 0.0),
        ("random-labels", "none", 0.5, 5e-4),
        ("random-labels", "none", 0.0, 5e-4),
        ("random-labels", "none", 0.0, 0.0),
    ]


def test_strengths_are_the_recipes(data):
    recipe = TABLE2_RECIPE.model_copy(update={"dropout": 0.2, "augmentation": "random-crop", "weight_decay": 0.1})
    plan = Table2Study(data=data, recipe=recipe, rows=(Table2Row(True, True, True), Table2Row())).tasks()
    assert [(s.augmentation, s.dropout, s.weight_decay) for s in plan] == [("random-crop", 0.2, 0.1), ("none", 0, 0)]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"rows": ()}, r"got rows=\(\) for mlp-1x512, expected a list of different rows"),
        ({"rows": (Table2Row(), Table2Row())}, "expected a list of different rows"),
        ({"recipe": Recipe()}, "got stop='at_interpolation' for mlp-1x512, but Table 2 compares final accuracies"),
        (
            {"recipe": TABLE2_RECIPE.model_copy(update={"dropout": 0.0})},
            "got dropout=0.0 for mlp-1x512, but Table 2 trains with and without",
        ),
        ({"rows": {"b": (Table2Row(),)}}, "got rows for b but not for the model mlp-1x512"),
        ({"seeds": 0}, "got seeds=0"),
    ],
)
def test_what_cannot_be_planned_is_refused(data, options, message):
    with pytest.raises(UserError, match=message):
        Table2Study(data=data, **options)


def test_a_regulariser_that_no_row_has_needs_no_strength(data):
    assert len(Table2Study(data=data, recipe=Recipe(stop="at_steps", steps=9), rows=(Table2Row(),)).plan()) == 1


def test_the_paper_stands_beside_its_rows_on_imagenet_alone(data, make_outcome):
    classes = tuple(str(k) for k in range(1000))
    for name, known in (("imagenet", True), ("made up", False)):
        study = Table2Study(data=replace(data, name=name, class_names=classes), models=["a", "b"])
        table = study.summarise([make_outcome(spec) for spec in study.tasks()])
        expected = [row["test_top5_accuracy"] for row in published_rows().values()] * 2
        np.testing.assert_allclose(table["paper_test_top5_accuracy"], expected if known else [np.nan] * 14)
        assert table["paper_best_on_test"].notna().sum() == (4 if known else 0)


def test_the_table_of_no_outcomes_is_empty_and_supports_nothing(data):
    study = Table2Study(data=data)
    assert study.summarise([]).empty
    assert {finding.outcome for finding in study.verdict(study.summarise([]))} == {"no conclusion"}


def test_laptop_scale_is_a_subset_of_small_images():
    (spec, *_) = table2_study(images(32), "laptop").tasks()
    assert (spec.model, spec.n_train, spec.steps, spec.crop, spec.decay_steps) == ("conv-small", 1000, 2000, 28, 391)
    assert (spec.learning_rate, spec.batch_size, spec.evaluation_share) == (0.01, 128, 1)


@pytest.mark.parametrize(("n", "steps", "decay_steps"), [(3000, 39_100, 391), (128 * 500, 50_000, 500)])
def test_paper_scale_counts_epochs_of_its_own_where_they_are_longer(n, steps, decay_steps):
    (spec, *_) = table2_study(images(8, n), "paper").tasks()
    assert (spec.model, spec.n_train, spec.steps, spec.decay_steps) == ("resnet", None, steps, decay_steps)


@pytest.mark.parametrize(("side", "crop"), [(8, None), (28, None), (32, 28), (256, 224), (342, 299)])
def test_larger_images_lose_an_eighth_of_their_side(side, crop):
    assert {spec.crop for spec in table2_study(images(side, 20), "laptop").tasks()} == {crop}


def test_vectors_are_not_augmented():
    split = Split.clean(np.zeros((40, 6), dtype=np.float32), np.arange(40) % 10)
    vectors = Dataset("made up", split, split, tuple("abcdefghij"))
    plan = table2_study(vectors, "laptop", models=("mlp-1x8",)).tasks()
    assert {(spec.augmentation, spec.crop) for spec in plan} == {("none", None)}
    assert len(plan) == 5


def linear(*, input_shape: tuple[int, ...], num_classes: int) -> nn.Module:
    return nn.Sequential(nn.Flatten(), nn.Linear(math.prod(input_shape), num_classes))


def test_a_model_that_takes_no_rate_of_dropout_has_the_other_rows(tiny):
    small = replace(tiny, test=tiny.test.take(np.arange(60)))
    study = replace(table2_study(small, "laptop", models=("mlp-1x8", name_of(linear))), n_train=60)
    own = [spec for spec in study.with_recipe(steps=8, dropout=0.5).tasks() if ":" in spec.model]
    assert {spec.dropout for spec in own} == {0.0}
    assert (len(own), len(study.tasks())) == (5, 12)
    alone = replace(study, models=(linear,)).with_recipe(steps=8, dropout=0.0)
    augmented, *_ = alone.tasks()
    table = alone.summarise(list(train([augmented], small)))
    assert len(table) == 1
    assert any("necessary" in finding.claim for finding in alone.verdict(table))


@pytest.mark.slow
def test_a_small_run_through_the_real_engine(tiny):
    small = replace(tiny, test=tiny.test.take(np.arange(60)))
    study = table2_study(small, "laptop", models=("conv-small",)).with_recipe(steps=8)
    study = replace(study, n_train=60)
    table = study.summarise([outcome for spec in study.tasks() for outcome in train([spec], small)])
    assert len(table) == 7
    assert (table["best_on_test"] >= table["test_accuracy"]).all()
    assert (table["test_top5_accuracy"] >= table["test_accuracy"]).all()
    assert len(study.verdict(table)) == 5
