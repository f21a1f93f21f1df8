from dataclasses import replace

import numpy as np
import pytest

from byrote.data.corruptions.application import corrupt
from byrote.data.subsets import subset
from byrote.studies.random_label_runs import (
    RANDOM_LABELS,
    best_accuracy,
    coin_flips,
    failed_checks,
    num_interrupted,
    with_steps_of,
)
from byrote.training.engine import train
from byrote.training.recipe import Recipe
from byrote.training.spec import TrainSpec

RECIPE = Recipe(preprocessing="standardize", learning_rate=0.1, batch_size=16, epochs=40)


def test_coin_flips_have_the_inputs_of_the_subset_and_fair_signs(tiny):
    flips = coin_flips(tiny, 40, data_seed=1)
    np.testing.assert_array_equal(flips.train.inputs, subset(tiny, 40, 1).train.inputs)
    assert flips.num_classes == 2
    np.testing.assert_array_equal(flips.test.inputs, tiny.test.inputs[:1])
    draws = np.stack([corrupt(flips, "random-labels", seed=seed).train.labels for seed in range(50)])
    assert abs(draws.mean() - 0.5) < 4 * 0.5 / np.sqrt(draws.size)


def test_the_one_test_example_of_coin_flips_is_not_trained_on(tiny):
    seen = replace(tiny, test=replace(tiny.test, inputs=np.concatenate([tiny.train.inputs[:3], tiny.test.inputs[3:]])))
    flips = coin_flips(seen, len(tiny.train), 0)
    np.testing.assert_array_equal(flips.test.inputs, tiny.test.inputs[3:4])


def test_what_is_read_from_runs_on_coin_flips(tiny):
    flips = coin_flips(tiny, 12, 0)
    fields = RECIPE.model_dump() | {"model": "mlp-1x16", "corruptions": RANDOM_LABELS, "n_train": 12}
    outcomes = [
        outcome
        for seed in (7, 2, 5)
        for outcome in train([TrainSpec.model_validate(fields | {"seed": seed})], flips, device="cpu")
    ]
    assert all(outcome.interpolated and best_accuracy(outcome) == 1 for outcome in outcomes)
    assert failed_checks(outcomes) == ""
    assert num_interrupted(outcomes) == 0


def test_the_best_accuracy_along_a_run_counts(tiny):
    """A step size far too large, so that accuracy goes up and down."""
    recipe = Recipe(preprocessing="standardize", learning_rate=8.0, evaluation_spacing=1, evaluation_share=9, epochs=9)
    spec = TrainSpec.model_validate(recipe.model_dump() | {"model": "mlp-1x4", "corruptions": RANDOM_LABELS})
    (outcome,) = train([spec], tiny, device="cpu")
    assert best_accuracy(outcome) == np.nanmax(outcome.curve["train_accuracy"])
    assert best_accuracy(outcome) >= outcome.train_accuracy
    assert num_interrupted([outcome]) == 1


@pytest.mark.parametrize(("n", "epochs"), [(1280, 20), (640, 40), (128, 200), (12, 200), (129, 100)])
def test_fewer_examples_get_as_many_steps(n, epochs):
    assert with_steps_of(Recipe(epochs=20), n, 1280).epochs == epochs


def test_a_number_of_steps_is_one_for_every_n():
    recipe = Recipe(stop="at_steps", steps=30)
    assert with_steps_of(recipe, 12, 1280) == recipe
