from dataclasses import replace

import numpy as np
import pytest

from byrote.data.dataset import Dataset, Split
from byrote.studies.paper_settings import PAPER_MODELS, laptop_examples, laptop_steps, paper_recipe


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


def test_what_is_asked_for_wins():
    assert paper_recipe("alexnet", images(32), crop=30, learning_rate=1.0).crop == 30


@pytest.mark.parametrize(
    ("model", "n", "expected"),
    [("mlp-3x512", 3000, None), ("alexnet", 3000, 2000), ("inception", 3000, 1000), ("inception", 900, None)],
)
def test_at_laptop_scale_slow_models_see_few_examples(model, n, expected):
    assert laptop_examples(model, images(8, n)) == expected


@pytest.mark.parametrize(
    ("model", "steps"),
    [("mlp-1x512", 23_460), ("alexnet", 1280), ("conv-small", 2000), ("inception-no-batchnorm", 320), ("F.py:f", 320)],
)
def test_and_train_for_few_steps(model, steps):
    assert laptop_steps(model) == steps
