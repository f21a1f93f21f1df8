from __future__ import annotations

import json
from dataclasses import replace
from functools import partial

import numpy as np
import pytest
import torch
from pydantic import ValidationError

from byrote.data.corruptions.record import Corruption
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
    with pytest.raises(UserError, match="got decay_steps=10 with the schedule constant, which does not heed it"):
        Recipe(decay=1.0).changed(decay_steps=10)
    with pytest.raises(UserError, match=r"got decay=0\.5 with the schedule cosine, which does not heed"):
        Recipe(schedule="cosine", decay=0.5)
    with pytest.raises(UserError, match="did you mean batch_size"):
        Recipe().changed(batchsize=3)


def test_objects_are_taken_by_their_names() -> None:
    recipe = Recipe(optimizer=torch.optim.Adam, optimizer_options={"eps": 1e-8}, augmentation=flipped, schedule=linear)
    assert recipe.optimizer == "Adam"
    assert recipe.optimizer_options == (("eps", 1e-8),)
    assert recipe.augmentation.endswith("test_spec.py:flipped")
    assert recipe.schedule.endswith("test_spec.py:linear")


class Own(torch.optim.SGD): ...


@pytest.mark.parametrize(
    ("optimizer", "name"),
    [
        (torch.optim.RAdam, "RAdam"),
        ("torch.optim:RAdam", "RAdam"),
        (torch.optim.SGD, "sgd"),
        ("SGD", "sgd"),
        (Own, f"{__file__}:Own"),
    ],
)
def test_an_optimizer_has_one_name(optimizer: object, name: str) -> None:
    assert Recipe(optimizer=optimizer).optimizer == name


def test_an_optimizer_is_a_class() -> None:
    for optimizer in (torch.optim.SGD([torch.zeros(1)]), partial(torch.optim.Adam, betas=(0.8, 0.9))):
        with pytest.raises(UserError, match=r"got an optimizer that is a (SGD|partial), expected a class, such as"):
            Recipe(optimizer=optimizer)


def flipped(images, draws):
    return images


def linear(step, total_steps):
    return 1 - step / total_steps


def test_a_decay_of_1_is_the_constant_schedule_and_has_its_key() -> None:
    """Keys and stores of before there were schedules have it so."""
    constant = TrainSpec(model="mlp-1x4", schedule="constant")
    assert TrainSpec(model="mlp-1x4", decay=1) == TrainSpec(model="mlp-1x4", decay=1.0, decay_steps=7) == constant
    assert (
        Recipe(decay=1.0).changed(schedule="steps") == Recipe().changed(decay=1).changed(schedule="steps") == Recipe()
    )
    assert '"decay":1.0,"decay_steps":391' in constant.canonical_json()
    assert TrainSpec.model_validate_json(constant.canonical_json()) == constant


def test_another_schedule_forgets_what_it_does_not_heed() -> None:
    recipe = Recipe(decay=0.5, decay_steps=10)
    assert recipe.changed(schedule="cosine") == Recipe(schedule="cosine")
    assert recipe.changed(schedule="steps") == recipe
    assert Recipe(schedule="cosine").changed(schedule="steps", decay=0.5, decay_steps=10) == recipe


def test_a_spec_is_frozen() -> None:
    with pytest.raises(ValidationError, match="frozen"):
        TrainSpec(model="mlp-1x4").seed = 3  # type: ignore[misc]


def test_a_spec_without_newer_fields_has_the_text_it_had_before_there_were_any() -> None:
    spec = TrainSpec(model="mlp-1x8", validation=0.1)
    assert not any(
        name in spec.canonical_json() for name in ("replaced", "repeat", "stack", "schedule", "warmup_steps")
    )
    replaced = spec.model_copy(update={"replaced": 0})
    assert '"replaced":0' in replaced.canonical_json()
    assert TrainSpec.model_validate_json(replaced.canonical_json()) == replaced
    in_stack = spec.model_copy(update={"stack": "first", "repeat": 1})
    assert '"repeat":1' in in_stack.canonical_json()
    assert '"stack":"first"' in in_stack.canonical_json()
    assert TrainSpec.model_validate_json(in_stack.canonical_json()) == in_stack


def test_an_example_is_replaced_with_one_held_out_only() -> None:
    with pytest.raises(UserError, match="replaced=3 without a validation share"):
        TrainSpec(model="mlp-1x8", replaced=3)


@pytest.mark.parametrize(
    ("corruptions", "words"),
    [
        ((), "m, true-labels, seed 3"),
        ((Corruption(name="partial-labels", rate=0.25),), "m, partial-labels 0.25, seed 3"),
        ((Corruption(name="gaussian"),), "m, gaussian, seed 3"),
    ],
)
def test_a_run_is_called_by_model_corruption_and_seed(corruptions, words):
    assert TrainSpec(model="m", corruptions=corruptions, seed=3).label == words
