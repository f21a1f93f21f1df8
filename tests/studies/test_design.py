from dataclasses import dataclass, replace

import pytest

from byrote.errors import UserError
from byrote.studies.design import ModelStudy, label_corruptions
from byrote.studies.study import Planned, tabulate
from byrote.training.recipe import Recipe


@dataclass(frozen=True, eq=False)
class OneRunEach(ModelStudy):
    name = "one-run-each"
    title = "One run each"

    def plan(self):
        return [Planned(self.make_spec(model, seed)) for model in self.model_names for seed in self.seed_list]

    def summarise(self, outcomes):
        return tabulate(self.name, outcomes)

    def verdict(self, table):
        return []


def test_a_count_of_seeds_starts_at_0_and_a_list_is_taken_as_it_is(data):
    assert OneRunEach(data, seeds=3).seed_list == [0, 1, 2]
    assert OneRunEach(data, seeds=(7, 3)).seed_list == [7, 3]


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"models": "mlp-1x512"}, "got models='mlp-1x512', expected a list of different names or models"),
        ({"models": ()}, "expected a list of different names"),
        ({"models": ("mlp-1x8", "mlp-1x8")}, "expected a list of different names"),
        ({"seeds": 0}, "got seeds=0, expected a number of seeds, at least 1"),
        ({"seeds": (1, 1)}, "or different ones"),
        ({"seeds": (-1,)}, r"got seeds=\(-1,\)"),
        ({"n_train": 41}, "got n_train=41 for made up, which has 40 training examples"),
        ({"n_train": {"alexnet": 3}}, "got n_train for alexnet but not for the model mlp-1x512: give one for each"),
    ],
)
def test_what_is_wrong_is_said_at_once(data, fields, message):
    with pytest.raises(UserError, match=message):
        OneRunEach(**({"data": data} | fields))


def test_recipe_and_size_may_be_each_models_own(data):
    study = OneRunEach(
        data,
        models=("mlp-1x8", "mlp-2x8"),
        recipe={"mlp-1x8": Recipe(learning_rate=0.5), "mlp-2x8": Recipe()},
        n_train={"mlp-1x8": 20, "mlp-2x8": None},
        data_seed=4,
    )
    first, second = study.tasks()
    assert (first.learning_rate, first.n_train, first.data_seed) == (0.5, 20, 4)
    assert (second.learning_rate, second.n_train) == (0.01, None)
    changed = study.with_recipe(momentum=0.5)
    assert [(spec.momentum, spec.learning_rate) for spec in changed.tasks()] == [(0.5, 0.5), (0.5, 0.01)]
    assert replace(study, data_seed=0).tasks() != study.tasks()


def test_changes_of_a_run_win_over_the_studys(data):
    spec = OneRunEach(data).make_spec("mlp-1x8", 2, label_corruptions(1.0), n_train=10, weight_decay=0.1)
    assert (spec.corruption, spec.n_train, spec.weight_decay, spec.seed) == ("random-labels", 10, 0.1, 2)


@pytest.mark.parametrize(("rate", "name"), [(0.0, "true-labels"), (0.4, "partial-labels"), (1.0, "random-labels")])
def test_label_corruptions(data, rate, name):
    spec = OneRunEach(data).make_spec("mlp-1x8", 0, label_corruptions(rate))
    assert (spec.corruption, spec.label_rate) == (name, rate)


@pytest.mark.parametrize("field", [("augmentation", "random-crop"), ("dropout", 0.5), ("weight_decay", 1e-3)])
def test_a_study_that_chooses_regularisers_refuses_others_in_the_recipe(data, field):
    name, value = field
    by_model = {"mlp-1x8": Recipe(), "mlp-1x9": Recipe.model_validate({name: value})}
    study = OneRunEach(data, models=list(by_model), recipe=by_model)
    study.require_unregularized("mlp-1x8")
    study.require_unregularized("mlp-1x9", but=[name])
    with pytest.raises(UserError, match=f"got {name}={value!r} for mlp-1x9, but one-run-each chooses .*: leave it out"):
        study.require_unregularized("mlp-1x9", but={"augmentation", "dropout", "weight_decay"} - {name})


def test_a_study_of_final_accuracies_requires_a_number_of_steps(data):
    by_model = {"mlp-1x8": Recipe(stop="at_steps", steps=5), "mlp-1x9": Recipe()}
    study = OneRunEach(data, models=list(by_model), recipe=by_model)
    study.require_steps("mlp-1x8", "this compares")
    message = "got stop='at_interpolation' for mlp-1x9, but this compares: give stop='at_steps' and a number of steps"
    with pytest.raises(UserError, match=message):
        study.require_steps("mlp-1x9", "this compares")
