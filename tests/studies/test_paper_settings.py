from dataclasses import replace

import numpy as np
import pytest

from byrote.data.dataset import Dataset, Split
from byrote.errors import UserError
from byrote.studies.paper_settings import (
    LAPTOP,
    PAPER_MODELS,
    QUICK,
    WHOLE,
    num_examples,
    paper_recipe,
    sized,
    sizes_at,
)
from byrote.studies.registry import reproductions


def images(side: int, n: int = 3000) -> Dataset:
    split = Split.clean(np.zeros((n, 1, side, side), dtype=np.uint8), np.arange(n) % 10)
    return Dataset("made up", split, replace(split), tuple("abcdefghij"))


def test_the_papers_learning_rates_and_crop():
    recipes = {model: paper_recipe(model, images(32)) for model in PAPER_MODELS}
    assert {model for model, recipe in recipes.items() if recipe.learning_rate == 0.1} == {
        "inception",
        "inception-no-batchnorm",
    }
    for recipe in recipes.values():
        assert (recipe.crop, recipe.momentum, recipe.decay, recipe.decay_steps) == (28, 0.9, 0.95, 391)
        assert (recipe.weight_decay, recipe.dropout, recipe.augmentation) == (0, 0, "none")


@pytest.mark.parametrize(("side", "crop"), [(32, 28), (29, 28), (28, None), (8, None)])
def test_only_larger_images_are_cropped(side, crop):
    assert paper_recipe("alexnet", images(side)).crop == crop


@pytest.mark.parametrize("model", ["inception-mine.py:Net", "resnet.nets:Net", "mlp-mine.py:Net", "a.py:inception"])
def test_files_of_the_users_own_may_be_called_anything(model):
    assert paper_recipe(model, images(8)).learning_rate == 0.01
    assert num_examples(model, images(8), LAPTOP) == 1000
    assert sized(images(8), [model], (), LAPTOP)["recipe"][model].steps == 320


def test_what_is_asked_for_wins():
    assert paper_recipe("alexnet", images(32), crop=30, learning_rate=1.0).crop == 30


@pytest.mark.parametrize(
    ("model", "n", "expected"),
    [("mlp-3x512", 3000, None), ("alexnet", 3000, 2000), ("inception", 3000, 1000), ("inception", 900, None)],
)
def test_at_laptop_scale_slow_models_see_few_examples(model, n, expected):
    assert num_examples(model, images(8, n), LAPTOP) == expected


@pytest.mark.parametrize(
    ("model", "steps"),
    [("mlp-1x512", 23_460), ("alexnet", 1280), ("conv-small", 2000), ("inception-no-batchnorm", 320), ("F.py:f", 320)],
)
def test_and_train_for_few_steps(model, steps):
    assert sized(images(8), [model], (), LAPTOP)["recipe"][model].steps == steps


def test_at_paper_scale_every_model_sees_all_for_as_long():
    own = sized(images(8), PAPER_MODELS, (), WHOLE)
    assert {recipe.steps for recipe in own["recipe"].values()} == {39_100}
    assert own["n_train"] == dict.fromkeys(PAPER_MODELS)


def test_what_goes_with_a_size_wins_over_what_all_share():
    sizes = {"mlp": (10, {"steps": 5, "learning_rate": 0.05}), "": (None, {})}
    own = sized(images(8), ["mlp-1x512", "inception"], (), sizes, steps=7, dropout=0.5)
    figures = {model: (recipe.steps, recipe.learning_rate, recipe.dropout) for model, recipe in own["recipe"].items()}
    assert figures == {"mlp-1x512": (5, 0.05, 0.5), "inception": (7, 0.1, 0.5)}
    assert own["n_train"] == {"mlp-1x512": 10, "inception": None}


def of_kind(dtype):
    generator = np.random.default_rng(0)
    splits = [Split.clean(generator.integers(0, 9, (n, 12)).astype(dtype), np.arange(n) % 3) for n in (300, 90)]
    return Dataset("made up", splits[0], splits[1], ("a", "b", "c"), pixel_max=1.0)


@pytest.mark.parametrize("scale", ["laptop", "paper"])
@pytest.mark.parametrize(
    "name", [name for name in reproductions() if name not in ("expressivity", "min-norm", "architectures")]
)
def test_every_preset_takes_a_table(name, scale):
    """With models for it, its columns standardised, no crop, no augmentation: each run has a key."""
    data = of_kind(np.float32)
    study = reproductions()[name].build(data, scale, 1, None)
    specs = study.tasks()
    assert specs
    assert {(spec.preprocessing, spec.crop, spec.augmentation) for spec in specs} == {("standardize", None, "none")}
    assert all(model.startswith("mlp-") for model in study.model_names)
    specs[0].key(data)


@pytest.mark.parametrize("scale", ["quick", "laptop"])
def test_fewer_examples_take_fewer_steps_but_at_paper_scale(scale):
    def steps(n):
        return {name: own["steps"] for name, (_, own) in sizes_at(scale, images(8, n), LAPTOP).items()}

    few, many = steps(100), steps(50_000)
    assert many == {name: own["steps"] for name, (_, own) in (LAPTOP if scale == "laptop" else QUICK).items()}
    assert all(few[name] < many[name] for name in many)
    assert sizes_at("paper", images(8, 100), LAPTOP) == WHOLE


@pytest.mark.parametrize("name", reproductions())
def test_the_quick_scale_has_less_to_do_and_says_what(name):
    data, reproduction = images(32), reproductions()[name]
    seeds = reproduction.least_seeds
    quick, laptop = (reproduction.build(data, scale, seeds, None) for scale in ("quick", "laptop"))
    assert reproduction.quick
    assert 0 < len(quick.plan()) <= len(laptop.plan()) + 1
    sizes = [task.n_train for task in quick.tasks() if getattr(task, "n_train", None)]
    assert max(sizes) < len(data.train) or name in ("expressivity", "min-norm")


def test_there_is_a_plan_of_every_study_at_small_scales_for_data_of_any_shape():
    few_of_many = [((3, 96, 96), 5, 300), ((500,), 3, 60), ((3, 32, 32), 100, 2000)]
    others = [((2,), 2, 80), ((1, 5, 9), 4, 100), ((3, 16, 16), 2, 200)]
    without = []
    for shape, num_classes, n in (*few_of_many, *others):
        split = Split.clean(np.zeros((n, *shape), dtype=np.float32), np.arange(n) % num_classes)
        data = Dataset("made up", split, replace(split), tuple(map(str, range(num_classes))))
        for name, reproduction in reproductions().items():
            for scale in ("quick", "laptop"):
                try:
                    assert reproduction.build(data, scale, reproduction.least_seeds, None).plan()
                except UserError as error:
                    without.append((name, scale, shape, str(error)))
    assert not without
