import numpy as np
import pytest
import torch
from trained_at_once import training_context

from byrote.data.corruptions.application import apply_corruptions
from byrote.data.subsets import held_out_rows, subset
from byrote.studies.stability.calculations import LOSSES, POINTS, SHARES, ReplacementStability
from byrote.theory.calculation import compute
from byrote.theory.measures.trained import trained_network, training_set
from byrote.training.engine import train
from byrote.training.recipe import Recipe

RECIPE = Recipe(learning_rate=0.1, batch_size=20, stop="at_steps", steps=80)


def calculation(**changes):
    fields = {"model": "mlp-1x64", "recipe": RECIPE, "corruption": "random-labels", "n_train": 40, "num_held_out": 9}
    return ReplacementStability(**(fields | {"replacements": 5, "seed": 1} | changes))


@pytest.fixture(scope="module")
def computed(tiny):
    return {
        labels: compute(calculation(corruption=labels), tiny, training_context())
        for labels in ("true-labels", "random-labels")
    }


def probabilities(network, inputs, labels):
    return network(inputs).double().softmax(-1)[torch.arange(len(labels)), labels].detach().numpy()


@pytest.mark.slow
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
            np.testing.assert_allclose(arrays[f"probability_at_{point}"][number], change[0], atol=1e-4)
        stay = torch.arange(40) != place
        kept = [probabilities(network, seen.inputs[stay], seen.labels[stay]) for network in (old, new)]
        change = np.abs(kept[0] - kept[1])
        np.testing.assert_allclose(arrays["probability_at_kept"][number], change.mean(), atol=1e-4)
        np.testing.assert_allclose(arrays["probability_at_kept_largest"][number], change.max(), atol=1e-4)
        flipped = after.test_predictions != before.test_predictions
        assert arrays["zero_one_at_test"][number] <= flipped.mean()


def test_one_example_matters_where_labels_are_random_and_the_gap_is_what_it_loses(computed):
    true, random = (dict(computed[labels].values) for labels in ("true-labels", "random-labels"))
    assert random["probability_unseen"] == random["zero_one_unseen"] == 0.9
    for values in (true, random):
        assert values["num_runs"] == 7
        assert values["num_fitted"] == 7
        assert values["num_steps"] == 80
        assert values["replicas"] == 7
        assert values["failed_checks"] == ""
        assert values["zero_one_gap"] == values["zero_one_unseen"] - values["zero_one_train"]
        assert values["rounding"] < 1e-5
        for name in (f"{loss}_at_{point}" for loss in LOSSES for point in POINTS):
            assert values[f"{name}_low"] <= values[name] <= values[f"{name}_high"]
            assert abs(values[name]) <= values[f"{name}_largest"] <= 1
    assert true["zero_one_unseen"] == pytest.approx(1 - true["test_accuracy"])
    assert random["probability_at_left"] > true["probability_at_left"]
    assert random["probability_at_left"] == pytest.approx(random["probability_gap"], abs=0.25)


def test_stacks_hold_all_replacements_and_each_two_references_that_only_rounding_tells_apart():
    own = calculation(replacements=40)
    assert [len(stack) for stack in own.stacks] == [18, 18, 10]
    assert [spec.replaced for stack in own.stacks for spec in stack[1:-1]] == own.places.tolist()
    for stack in own.stacks:
        assert {stack[0].model_copy(update={"repeat": 1})} == {stack[-1]}
        assert stack[0] == own.reference.model_copy(update={"stack": stack[0].stack})
        assert {spec.stack for spec in stack} == {stack[0].stack}
    assert len(set(own.reads)) == len(own.reads) == 46
    others = [calculation(corruption="true-labels"), calculation(seed=2)]
    assert len({spec.stack for each in (own, *others) for spec in each.reads}) == 5


def test_smaller_stacks_change_figures_by_rounding_alone(tiny, computed):
    values = compute(calculation(stack_size=2), tiny, training_context()).values
    assert (values["num_runs"], values["num_fitted"], values["replicas"]) == (11, 11, 4)
    whole = computed["random-labels"].values
    for name in (f"probability_at_{point}{end}" for point in POINTS for end in ("", "_largest")):
        assert values[name] == pytest.approx(whole[name], abs=1e-4)


def test_quantiles_fall_with_the_share(computed):
    arrays = computed["random-labels"].arrays
    for point in ("kept", "test"):
        found = arrays[f"{point}_quantiles"]
        assert len(found) == len(SHARES)
        assert np.all(np.diff(found) >= 0)
        assert found[-1] == pytest.approx(arrays[f"probability_at_{point}_largest"].max(), rel=1e-2)


def test_places_are_distinct_and_follow_from_the_seed():
    places = calculation(replacements=40).places
    assert sorted(places) == list(range(40))
    assert np.array_equal(calculation().places, places[:5])
    assert not np.array_equal(calculation(seed=2).places, places[:5])


def test_networks_that_no_stack_takes_are_compared_with_one_of_their_own(tiny):
    own = calculation(model="conv-small", replacements=2, recipe=RECIPE.model_copy(update={"steps": 2}))
    values = compute(own, tiny, training_context()).values
    assert (values["num_runs"], values["replicas"]) == (4, 1)
    assert values["rounding"] == 0
    assert values["probability_at_test"] > 0


def test_one_replacement_has_no_interval_and_a_diverged_run_no_figures(tiny):
    own = calculation(replacements=1)
    assert np.isnan(compute(own, tiny, training_context()).values["probability_at_left_low"])
    wild = RECIPE.model_copy(update={"learning_rate": 1e30, "steps": 9})
    values = compute(calculation(recipe=wild, replacements=2), tiny, training_context()).values
    assert values["num_diverged"] == 4
    assert np.isnan(values["probability_at_test"])
    assert np.isnan(values["zero_one_gap"])


def test_the_users_code_is_part_of_the_key_and_conditions_have_a_name():
    own = calculation(model="there.py:Net")
    assert own.all_references[0] == "there.py:Net"
    assert own.label == "there.py:Net, random labels, seed 1"
