import numpy as np
import pytest
import torch

from byrote.data.corruptions.application import apply_corruptions
from byrote.data.subsets import held_out_rows, subset
from byrote.theory.calculation import compute
from byrote.theory.complexity.stability import LOSSES, POINTS, SHARES, ReplacementStability
from byrote.theory.measures.trained import trained_network, training_set
from byrote.training.engine import train
from byrote.training.spec import Recipe

RECIPE = Recipe(learning_rate=0.1, batch_size=20, stop="at_steps", steps=80)


def calculation(**changes):
    fields = {"model": "mlp-1x64", "recipe": RECIPE, "corruption": "random-labels", "n_train": 40, "num_held_out": 9}
    return ReplacementStability(**(fields | {"replacements": 5, "seed": 1} | changes))


@pytest.fixture(scope="module")
def computed(tiny):
    return {labels: compute(calculation(corruption=labels), tiny) for labels in ("true-labels", "random-labels")}


def probabilities(network, inputs, labels):
    return network(inputs).double().softmax(-1)[torch.arange(len(labels)), labels].detach().numpy()


def test_changes_are_those_of_runs_made_one_by_one(tiny, computed):
    """Whose examples are looked up by hand: the one that leaves, and the one that comes, with their random labels."""
    own = calculation()
    spec = own.reference
    labels = apply_corruptions(subset(tiny, 49, 0), spec.corruptions, 1).train.labels
    trained_rows, held_out = held_out_rows(subset(tiny, 49, 0).train.true_labels, 9 / 49, 0)
    (before,) = train([spec], tiny, device="cpu", keep_weights=True)
    seen = training_set(spec, tiny)
    for number, place in enumerate(own.places.tolist()):
        changed = spec.model_copy(update={"replaced": place})
        (after,) = train([changed], tiny, device="cpu", keep_weights=True)
        others = training_set(changed, tiny)
        assert others.labels[place] == labels[held_out[place % 9]]
        assert seen.labels[place] == labels[trained_rows[place]]
        old, new = (trained_network(outcome, tiny) for outcome in (before, after))
        arrays = computed["random-labels"].arrays
        for point, inputs, wanted in (
            ("left", seen.inputs[[place]], seen.labels[[place]]),
            ("came", others.inputs[[place]], others.labels[[place]]),
        ):
            change = probabilities(old, inputs, wanted) - probabilities(new, inputs, wanted)
            np.testing.assert_allclose(arrays[f"probability at {point}"][number], change[0], atol=1e-4)
        stay = torch.arange(40) != place
        kept = [probabilities(network, seen.inputs[stay], seen.labels[stay]) for network in (old, new)]
        change = np.abs(kept[0] - kept[1])
        np.testing.assert_allclose(arrays["probability at kept"][number], change.mean(), atol=1e-4)
        np.testing.assert_allclose(arrays["probability at kept largest"][number], change.max(), atol=1e-4)
        flipped = after.test_predictions != before.test_predictions
        assert arrays["zero-one at test"][number] <= flipped.mean()


def test_one_example_matters_where_labels_are_random_and_the_gap_is_what_it_loses(computed):
    true, random = (dict(computed[labels].values) for labels in ("true-labels", "random-labels"))
    assert random["probability unseen"] == random["zero-one unseen"] == 0.9
    for values in (true, random):
        assert values["num_runs"] == 7
        assert values["num_fitted"] == 7
        assert values["n_train"] == 40
        assert values["num_steps"] == 80
        assert values["replicas"] == 7
        assert values["failed_checks"] == ""
        assert values["zero-one gap"] == values["zero-one unseen"] - values["zero-one train"]
        assert values["rounding"] < 1e-5
        for name in (f"{loss} at {point}" for loss in LOSSES for point in POINTS):
            assert values[f"{name} low"] <= values[name] <= values[f"{name} high"]
            assert abs(values[name]) <= values[f"{name} largest"] <= 1
    assert true["zero-one unseen"] == pytest.approx(1 - true["test_accuracy"])
    assert random["probability at left"] > true["probability at left"]
    assert random["probability at left"] == pytest.approx(random["probability gap"], abs=0.25)


def test_quantiles_fall_with_the_share(computed):
    arrays = computed["random-labels"].arrays
    for point in ("kept", "test"):
        found = arrays[f"{point} quantiles"]
        assert len(found) == len(SHARES)
        assert np.all(np.diff(found) >= 0)
        assert found[-1] == pytest.approx(arrays[f"probability at {point} largest"].max(), rel=1e-2)


def test_places_are_distinct_and_follow_from_the_seed():
    places = calculation(replacements=40).places
    assert sorted(places) == list(range(40))
    assert np.array_equal(calculation().places, places[:5])
    assert not np.array_equal(calculation(seed=2).places, places[:5])


def test_networks_that_no_stack_takes_are_compared_with_one_of_their_own(tiny):
    own = calculation(model="conv-small", replacements=2, recipe=RECIPE.model_copy(update={"steps": 2}))
    values = compute(own, tiny).values
    assert (values["num_runs"], values["replicas"]) == (4, 1)
    assert values["rounding"] == 0
    assert values["probability at test"] > 0


def test_one_replacement_has_no_interval_and_a_diverged_run_no_figures(tiny):
    own = calculation(replacements=1)
    assert np.isnan(compute(own, tiny).values["probability at left low"])
    wild = RECIPE.model_copy(update={"learning_rate": 1e30, "steps": 9})
    values = compute(calculation(recipe=wild, replacements=2), tiny).values
    assert values["num_diverged"] == 4
    assert np.isnan(values["probability at test"])
    assert np.isnan(values["zero-one gap"])


def test_the_users_code_is_part_of_the_key_and_conditions_have_a_name():
    own = calculation(model="there.py:Net")
    assert own.references[0] == "there.py:Net"
    assert own.label == "there.py:Net, random labels, seed 1"
