from dataclasses import replace

import numpy as np
import pytest

from byrote.data.dataset import Dataset, Split
from byrote.studies.presets import demo_study, figure1_study, figure2_study
from byrote.training.engine import train


def images(side: int, n: int = 3000) -> Dataset:
    split = Split.clean(np.zeros((n, 1, side, side), dtype=np.uint8), np.arange(n) % 10)
    return Dataset("made up", split, replace(split), tuple("abcdefghij"))


def test_the_demo_has_one_recipe_for_all_and_all_three_figures(data):
    plan = demo_study(data, seeds=2).tasks()
    assert len({spec.model_dump_json(exclude={"model", "corruptions", "seed"}) for spec in plan}) == 1
    for model in {spec.model for spec in plan}:
        own = [spec for spec in plan if spec.model == model and spec.seed == 1]
        assert {spec.corruption for spec in own} >= {"true-labels", "shuffled-pixels", "gaussian"}
        assert {spec.label_rate for spec in own} == {0, 0.25, 0.5, 0.75, 1}


def test_laptop_scale_shares_the_work_between_models():
    plan = figure1_study(images(32), "laptop").tasks()
    assert [(spec.model, spec.n_train, spec.learning_rate) for spec in plan] == (
        [("mlp-3x512", None, 0.01)] * 5 + [("alexnet", 2000, 0.01)] * 5 + [("inception", 1000, 0.1)] * 5
    )
    assert [spec.label_rate for spec in plan[:5]] == [0, 0.25, 0.5, 0.75, 1]


@pytest.mark.parametrize("model", ["net.py:Net", "alexnet", "mlp-3x512", "resnet"])
def test_models_of_ones_own_choice_have_every_figure(model):
    plan = figure1_study(images(32), "laptop", models=[model]).tasks()
    assert {spec.label_rate for spec in plan} == {0, 0.25, 0.5, 0.75, 1}
    assert {spec.corruption for spec in plan} >= {"true-labels", "shuffled-pixels", "random-pixels", "gaussian"}


def test_paper_scale_is_everything():
    plan = figure1_study(images(32), "paper", seeds=2).tasks()
    # True and random labels are both settings and levels.
    assert len(plan) == 4 * 2 * (5 + 11 - 2)
    assert {spec.n_train for spec in plan} == {None}
    assert {spec.learning_rate for spec in plan if spec.model == "inception"} == {0.1}


@pytest.mark.parametrize(("side", "crop"), [(32, 28), (28, None), (8, None)])
def test_only_larger_images_are_cropped(side, crop):
    assert {spec.crop for spec in figure1_study(images(side), "laptop").tasks()} == {crop}


def test_few_examples_are_all_taken(data):
    assert {spec.n_train for spec in figure1_study(data, "laptop").tasks()} == {None}


def test_vectors_have_nothing_to_crop():
    split = Split.clean(np.zeros((40, 6), dtype=np.float32), np.arange(40) % 10)
    vectors = Dataset("made up", split, split, tuple("abcdefghij"))
    assert {spec.crop for spec in figure1_study(vectors, "paper").tasks()} == {None}


def test_laptop_scale_leaves_noise_to_the_cheap_model():
    plan = figure2_study(images(32), "laptop").tasks()
    assert [(spec.model, spec.label_rate, spec.n_train, spec.steps, spec.learning_rate) for spec in plan] == [
        ("mlp-3x512", 0.0, None, 5_747, 0.01),
        ("mlp-3x512", 0.4, None, 5_747, 0.01),
        ("inception", 0.0, 1000, 320, 0.1),
        ("inception-no-batchnorm", 0.0, 1000, 320, 0.1),
    ]


def test_paper_scale_is_everything_of_figure_2():
    plan = figure2_study(images(32), "paper", seeds=2).tasks()
    assert len(plan) == 3 * 2 * 2
    assert {(spec.n_train, spec.steps, spec.crop) for spec in plan} == {(None, 39_100, 28)}


@pytest.mark.parametrize("scale", ["laptop", "paper"])
def test_all_runs_hold_out_a_tenth_and_are_evaluated_as_often_as_training_pays_for(scale):
    plan = figure2_study(images(32), scale).tasks()
    assert {(s.stop, s.validation, s.evaluation_spacing, s.evaluation_share) for s in plan} == {("at_steps", 0.1, 1, 1)}


def test_other_models_may_be_asked_for():
    study = figure2_study(images(32), "laptop", models=("resnet", "resnet-no-batchnorm", "alexnet"))
    assert study.pairs == [("resnet", "resnet-no-batchnorm")]
    assert [(spec.model, spec.n_train, spec.steps) for spec in study.tasks()] == [
        ("resnet", 1000, 320),
        ("resnet-no-batchnorm", 1000, 320),
        ("alexnet", 2000, 1280),
    ]


def test_few_examples_are_all_taken_and_cheap_enough_for_noise(data):
    plan = figure2_study(data, "laptop").tasks()
    assert {(spec.n_train, spec.label_rate) for spec in plan} == {(None, 0.0), (None, 0.4)}


def test_a_small_run_through_the_real_engine(tiny):
    small = replace(tiny, test=tiny.test.take(np.arange(60)))
    study = figure2_study(small, "laptop", models=("mlp-1x32",)).with_recipe(steps=40, batch_size=32)
    outcomes = [outcome for spec in study.tasks() for outcome in train([spec], small)]
    table = study.summarise(outcomes)
    assert table["num_validation"].tolist() == [12, 12]
    assert table["num_evaluations"].tolist() == table["epochs_run"].tolist() == [10, 10]
    assert (table["best_on_test"] >= table["best_on_validation"]).all()
    assert len(study.verdict(table)) == 2
