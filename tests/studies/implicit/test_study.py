import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from byrote.errors import UserError
from byrote.studies.implicit.study import IMPLICIT_RECIPE, ImplicitStudy
from byrote.training.recipe import Recipe


@given(
    rates=st.lists(st.floats(0, 1), min_size=1, max_size=4),
    seeds=st.integers(1, 3),
    models=st.sampled_from([("a",), ("a", "a-no-batchnorm")]),
)
def test_a_plan_has_every_condition_once(data, rates, seeds, models):
    study = ImplicitStudy(data=data, models=models, rates=rates, seeds=seeds)
    plan = study.tasks()
    assert plan == study.tasks()
    assert len(set(plan)) == len(plan) == len(models) * len(set(rates)) * seeds
    assert {spec.label_rate for spec in plan} == set(rates)
    assert {spec.validation for spec in plan} == {0.1}


def test_each_model_may_have_its_own_rates_recipe_and_size(data):
    study = ImplicitStudy(
        data=data,
        models=["a", "b"],
        rates={"a": (0.0, 0.4), "b": (0.0,)},
        recipe={"a": IMPLICIT_RECIPE, "b": Recipe(stop="at_steps", steps=7, learning_rate=0.1)},
        n_train={"a": None, "b": 20},
    )
    assert [(s.model, s.corruption, s.label_rate, s.steps, s.n_train) for s in study.tasks()] == [
        ("a", "true-labels", 0.0, 39_100, None),
        ("a", "partial-labels", 0.4, 39_100, None),
        ("b", "true-labels", 0.0, 7, 20),
    ]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"rates": ()}, r"got rates=\(\) for mlp-1x512, expected label corruptions between 0 and 1"),
        ({"rates": (1.5,)}, "between 0 and 1"),
        ({"rates": {"b": (0.5,)}}, "got rates for b but not for the model mlp-1x512"),
        ({"recipe": Recipe()}, r"got stop='at_interpolation' for mlp-1x512, but a run that stops"),
        ({"seeds": 0}, "got seeds=0"),
    ],
)
def test_what_cannot_be_planned_is_refused(data, options, message):
    with pytest.raises(UserError, match=message):
        ImplicitStudy(data=data, **options)


def test_the_table_has_what_both_claims_need(data, make_outcome):
    study = ImplicitStudy(data=data, models=["a", "a-no-batchnorm"], n_train=30)
    labels = data.test.true_labels
    outcomes = [
        make_outcome(spec, n_train=27, n_test=40, test_predictions=np.where(labels < wrong, 9, labels))
        for spec, wrong in zip(study.tasks(), (1, 3), strict=True)
    ]
    table = study.summarise(outcomes)
    assert table["num_validation"].tolist() == [3, 3]
    np.testing.assert_array_equal(table["won_against_twin"], [8, np.nan])
    np.testing.assert_array_equal(table["lost_against_twin"], [0, np.nan])
    # A curve without a single evaluation.
    assert table["num_evaluations"].tolist() == [0, 0]
    added = {"best_on_test", "best_on_validation", "early_stopping_gain", "optimism", "steps_to_train_90"}
    assert added | {"evaluation_lag", "steps_to_best_on_test", "steps_to_best_on_validation"} <= set(table)


def test_the_table_of_no_outcomes_is_empty_and_supports_nothing(data):
    study = ImplicitStudy(data=data, models=["a", "a-no-batchnorm"], rates=(0.0, 0.4))
    table = study.summarise([])
    assert table.empty
    found = study.verdict(table)
    assert {finding.outcome for finding in found} == {"no conclusion"}
    early = "Stopping early, when validation examples say so, raises the test accuracy of"
    noise = " when 40% of the labels are redrawn"
    assert [finding.claim for finding in found] == [
        *(f"{early} {model}{under}" for model in study.model_names for under in ("", noise)),
        *(f"Batch norm raises the test accuracy of a{under}" for under in ("", noise)),
        *(f"Batch norm speeds up the training of a{under}" for under in ("", noise)),
    ]
