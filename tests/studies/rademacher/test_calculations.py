import numpy as np
import pytest
from trained_at_once import training_context

from byrote.data.corruptions.application import corrupt
from byrote.studies.rademacher import calculations
from byrote.studies.rademacher.calculations import Shattering, seeds_of_labelings
from byrote.studies.random_label_runs import coin_flips
from byrote.theory.calculation import compute
from byrote.theory.complexity.rademacher import all_signs
from byrote.training.recipe import Recipe

RECIPE = Recipe(preprocessing="standardize", learning_rate=0.1, epochs=100)


@pytest.mark.parametrize("seed", [0, 3])
def test_every_labeling_is_the_random_labels_of_its_seed(tiny, seed):
    flips = coin_flips(tiny, 5, 0)
    seeds = seeds_of_labelings(5, seed)
    labels = [corrupt(flips, "random-labels", seed=int(own)).train.labels for own in seeds]
    np.testing.assert_array_equal(2.0 * np.stack(labels) - 1, all_signs(5))


def test_seeds_of_labelings_are_the_first_and_differ_between_tries():
    assert sorted(seeds_of_labelings(1))[0] == 0
    assert set(seeds_of_labelings(4, 0)).isdisjoint(seeds_of_labelings(4, 1))


def test_a_wide_network_shatters_a_few_examples(tiny):
    computed = compute(Shattering(model="mlp-1x32", recipe=RECIPE, n_train=4, first=0), tiny, training_context())
    assert computed.values["num_labelings"] == computed.values["num_fitted"] == 16
    assert computed.values["complexity"] == 1
    assert computed.values["failed_checks"] == ""
    np.testing.assert_array_equal(computed.arrays["mistakes"], np.zeros(16))


def test_what_is_missed_is_counted_and_tried_again(tiny):
    recipe = RECIPE.model_copy(update={"epochs": 8})
    once, twice = (
        compute(Shattering(model="mlp-1x2", recipe=recipe, n_train=5, first=0, tries=tries), tiny, training_context())
        for tries in (1, 2)
    )
    assert once.values["num_fitted"] == (once.arrays["mistakes"] == 0).sum() < 32
    assert once.values["num_interrupted"] == 32 - once.values["num_fitted"]
    assert once.values["complexity"] == pytest.approx(1 - 2 * once.arrays["mistakes"].mean() / 5)
    assert (twice.arrays["mistakes"] <= once.arrays["mistakes"]).all()
    assert twice.values["num_fitted"] > once.values["num_fitted"]


def test_blocks_make_up_the_whole(tiny, monkeypatch):
    recipe = Recipe(stop="at_steps", steps=1)
    whole = compute(Shattering(model="mlp-1x2", recipe=recipe, n_train=4, first=0), tiny, training_context()).arrays[
        "mistakes"
    ]
    monkeypatch.setattr(calculations, "BLOCK", 10)
    parts = [Shattering(model="mlp-1x2", recipe=recipe, n_train=4, first=first) for first in (0, 10)]
    assert [part.label for part in parts] == [
        "mlp-1x2, labelings 0 to 9 of 4 examples",
        "mlp-1x2, labelings 10 to 15 of 4 examples",
    ]
    found = [compute(part, tiny, training_context()).arrays["mistakes"] for part in parts]
    assert [len(part) for part in found] == [10, 6]
    np.testing.assert_array_equal(np.concatenate(found), whole)
