from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest
import torch
from pydantic import ValidationError

from byrote.data.corruptions import Corruption
from byrote.data.dataset import Dataset, Split
from byrote.errors import UserError
from byrote.training.spec import Recipe, TrainSpec

HALF = Corruption(name="partial-labels", rate=0.5)
NOISE = Corruption(name="gaussian", rate=0.25)
SHUFFLED = Corruption(name="shuffled-pixels")


def test_the_defaults_are_the_papers() -> None:
    recipe = Recipe()
    assert (recipe.optimizer, recipe.learning_rate, recipe.momentum) == ("sgd", 0.01, 0.9)
    assert (recipe.decay, recipe.decay_steps, recipe.batch_size) == (0.95, 391, 128)
    assert recipe.weight_decay == recipe.dropout == 0


def test_what_is_keyed_says_what_is_done_to_the_inputs(tiny: Dataset) -> None:
    spec = TrainSpec(model="mlp-1x4")
    assert spec.resolved(tiny) == TrainSpec(model="mlp-1x4", preprocessing="whiten")
    vectors = replace(tiny, train=Split.clean(np.zeros((4, 9), np.float32), np.arange(4)))
    assert spec.resolved(vectors).resolved(tiny).preprocessing == "standardize"
    with pytest.raises(UserError, match="got preprocessing='whiten' for tiny, whose inputs are vectors"):
        spec.resolved(tiny).resolved(vectors)


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"stop": "at_steps"}, "stop='at_steps' with steps=None: at_steps needs a number of steps"),
        ({"steps": 5, "stop": "at_interpolation"}, "stop='at_interpolation' with steps=5"),
        ({"corruptions": (HALF, Corruption(name="random-labels"))}, "at most one label corruption"),
        ({"corruptions": (NOISE, SHUFFLED)}, "got gaussian and shuffled-pixels: a run takes at most one input"),
        ({"learning_rate": 0}, "greater than 0"),
        ({"learning_rate": float("nan")}, "finite number"),
        ({"weight_decay": -0.1}, "greater than or equal to 0"),
        ({"dropout": 1.0}, "less than 1"),
        ({"validation": 1.0}, "less than 1"),
        ({"evaluation_spacing": 0.9}, "greater than or equal to 1"),
        ({"evaluation_share": 0}, "greater than 0"),
        ({"seed": -1}, "greater than or equal to 0"),
        ({"n_train": 0}, "greater than or equal to 1"),
        ({"precision": "float16"}, "input should be 'float32', 'bfloat16' or 'float64'"),
        ({"learning_rat": 0.1}, "got learning_rat=0.1, which is no field; did you mean learning_rate?"),
        ({"lr": 0.1}, "got lr=0.1, which is no field; did you mean learning_rate?"),
    ],
    ids=str,
)
def test_what_is_wrong_is_said(fields: dict[str, object], message: str) -> None:
    with pytest.raises(UserError) as error:
        TrainSpec(model="mlp-1x4", **fields)
    assert message in str(error.value)


@pytest.mark.parametrize(
    ("corruptions", "name", "rate", "label_rate"),
    [
        ((), "true-labels", 0.0, 0.0),
        ((HALF,), "partial-labels", 0.5, 0.5),
        ((NOISE,), "gaussian", 0.25, 0.0),
        ((NOISE, HALF), "gaussian+partial-labels", 0.25, 0.5),
        ((Corruption(name="random-labels"),), "random-labels", 1.0, 1.0),
    ],
)
def test_the_columns_of_the_table(
    corruptions: tuple[Corruption, ...], name: str, rate: float, label_rate: float
) -> None:
    spec = TrainSpec(model="mlp-1x4", corruptions=corruptions)
    assert (spec.corruption, spec.corruption_rate, spec.label_rate) == (name, rate, label_rate)


def test_equal_specs_have_one_text_and_come_back_from_it() -> None:
    options = (("nesterov", True), ("dampening", 0), ("mode", "x"), ("eps", 1e-8))
    spec = TrainSpec(model="mlp-1x4", learning_rate=1, corruptions=(HALF, NOISE), optimizer_options=options)
    same = TrainSpec(
        corruptions=(HALF, NOISE), optimizer_options=options, learning_rate=1.0, model="mlp-1x4", weight_decay=0
    )
    assert spec == same
    assert hash(spec) == hash(same)
    assert spec.canonical_json() == same.canonical_json()
    assert TrainSpec.model_validate_json(spec.canonical_json()) == spec
    back = TrainSpec.model_validate(json.loads(spec.canonical_json()))
    assert back.canonical_json() == spec.canonical_json()
    assert [type(value) for _, value in back.optimizer_options] == [bool, int, str, float]


def test_steps_alone_say_when_to_stop() -> None:
    assert Recipe(steps=5) == Recipe(stop="at_steps", steps=5)
    assert Recipe().changed(steps=5) == Recipe(steps=5)
    assert Recipe(steps=5).changed(stop="at_interpolation", epochs=3) == Recipe(epochs=3)


def test_a_change_that_a_recipe_does_not_heed_is_refused() -> None:
    with pytest.raises(UserError, match="got epochs=3 where training stops after 5 steps: give steps instead"):
        Recipe(steps=5).changed(epochs=3)
    with pytest.raises(UserError, match=r"got momentum=0.5 for Adam, which does not heed it"):
        Recipe().changed(optimizer="Adam", momentum=0.5)
    with pytest.raises(UserError, match="got decay_steps=10 where decay is 1, which keeps the learning rate"):
        Recipe(decay=1.0).changed(decay_steps=10)
    with pytest.raises(UserError, match="did you mean batch_size"):
        Recipe().changed(batchsize=3)


def test_objects_are_taken_by_their_names() -> None:
    recipe = Recipe(optimizer=torch.optim.Adam, optimizer_options={"eps": 1e-8}, augmentation=flipped)
    assert recipe.optimizer == "Adam"
    assert recipe.optimizer_options == (("eps", 1e-8),)
    assert recipe.augmentation.endswith("test_spec.py:flipped")


def flipped(images, draws):
    return images


def test_a_spec_is_frozen() -> None:
    with pytest.raises(ValidationError, match="frozen"):
        TrainSpec(model="mlp-1x4").seed = 3  # type: ignore[misc]


def test_a_spec_without_a_replaced_example_has_the_text_it_had_before_there_were_any() -> None:
    spec = TrainSpec(model="mlp-1x8", validation=0.1)
    assert "replaced" not in spec.canonical_json()
    replaced = spec.model_copy(update={"replaced": 0})
    assert '"replaced":0' in replaced.canonical_json()
    assert TrainSpec.model_validate_json(replaced.canonical_json()) == replaced


def test_an_example_is_replaced_with_one_held_out_only() -> None:
    with pytest.raises(UserError, match="replaced=3 without a validation share"):
        TrainSpec(model="mlp-1x8", replaced=3)
