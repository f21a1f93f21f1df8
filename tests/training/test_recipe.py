from __future__ import annotations

from dataclasses import replace
from functools import partial

import numpy as np
import pytest
import torch

from byrote.data.dataset import Dataset, Split
from byrote.errors import UserError
from byrote.training.recipe import Recipe
from byrote.training.spec import TrainSpec


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


def test_steps_alone_say_when_to_stop() -> None:
    assert Recipe(steps=5) == Recipe(stop="at_steps", steps=5)
    assert Recipe().changed(steps=5) == Recipe(steps=5)
    assert Recipe(steps=5).changed(stop="at_interpolation", epochs=3) == Recipe(epochs=3)


def test_a_change_that_a_recipe_does_not_heed_is_refused() -> None:
    with pytest.raises(UserError, match="got epochs=3 where training stops after 5 steps: give steps=N instead"):
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
    assert recipe.augmentation.endswith("test_recipe.py:flipped")
    assert recipe.schedule.endswith("test_recipe.py:linear")


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
        with pytest.raises(UserError, match=r"got an optimizer that is (an SGD|a partial), expected a class, such as"):
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
