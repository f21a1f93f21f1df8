import math
from dataclasses import replace

import numpy as np
import pytest
from trained_at_once import training_context

from byrote.errors import UserError
from byrote.models.matching import num_parameters
from byrote.studies.expressivity.calculations import NUM_SHOWN, FittingWidth, Manipulation
from byrote.theory.calculation import Context, compute
from byrote.training.engine import train
from byrote.training.recipe import Recipe
from byrote.training.spec import TrainSpec

RECIPE = Recipe(preprocessing="standardize", learning_rate=0.1, decay=1.0, batch_size=20, epochs=60)


@pytest.fixture(scope="module")
def outcome(tiny):
    """Of a run of one step, of which tests take what they do not choose."""
    spec = TrainSpec(model="mlp-1x1", n_train=20, preprocessing="none", stop="at_steps", steps=1)
    return next(train([spec], tiny, device="cpu"))


@pytest.fixture
def pretend(outcome):
    """Networks that fit from a number of parameters on, without any training: what gives them, and the models tried."""

    def make(enough):
        tried = []

        def runs(specs, data, *, weights=False, stage=""):
            model = specs[0].model
            parameters = num_parameters(model, input_shape=data.input_shape, num_classes=data.num_classes)
            tried.append(model)
            fits = parameters >= enough
            changes = {
                "spec": outcome.spec.model_copy(update={"model": model}),
                "parameters": parameters,
                "steps_to_interpolate": 7 if fits else None,
                "stop_reason": "interpolated" if fits else "epochs",
                "curve": {"train_accuracy": np.array([1.0 if fits else 0.5])},
            }
            return iter([replace(outcome, **changes)])

        return Context(runs=runs), tried

    return make


@pytest.mark.parametrize("enough", [86, 400, 700, 2500, 9000])
def test_the_bracket_is_a_fifth_wide(enough, pretend, tiny):
    context, tried = pretend(enough)
    values = compute(FittingWidth(model="mlp-1x{width}", recipe=RECIPE, n_train=121), tiny, context).values
    assert values["parameters"] >= enough > values["too_small_parameters"]
    # Whole widths are 75 parameters apart.
    assert values["parameters"] <= 1.2 * values["too_small_parameters"] + 75
    assert values["num_probes"] == len(tried) == len(set(tried)) <= 12
    assert (values["too_small_accuracy"], values["too_small_stop"]) == (0.5, "epochs")


def test_where_the_smallest_width_fits_none_is_too_small(pretend, tiny):
    context, _ = pretend(0)
    values = compute(FittingWidth(model="mlp-1x{width}", recipe=RECIPE, n_train=121), tiny, context).values
    assert (values["fitting_model"], values["parameters"]) == ("mlp-1x1", 85)
    assert values["too_small_model"] == ""
    assert math.isnan(values["too_small_parameters"])


def test_where_none_fits_the_largest_tried_is_too_small(pretend, tiny):
    context, _ = pretend(math.inf)
    values = compute(FittingWidth(model="mlp-1x{width}", recipe=RECIPE, n_train=60), tiny, context).values
    assert values["fitting_model"] == ""
    assert math.isnan(values["parameters"])
    assert values["too_small_parameters"] == pytest.approx(1024 * 60, rel=0.02)


def test_networks_that_are_trained_bracket_the_width_too(tiny):
    stages = []
    calculation = FittingWidth(model="mlp-1x{width}", recipe=RECIPE, n_train=16)
    values = compute(calculation, tiny, training_context(lambda *stage: stages.append(stage))).values
    assert values["parameters"] > values["too_small_parameters"]
    assert values["too_small_accuracy"] < 1
    assert values["failed_checks"] == ""
    assert values["d"] == 64
    assert any(stage.startswith("trying mlp-1x") for stage, _ in stages)
    assert calculation.label == "mlp-1x{width}, n = 16, seed 0"


def overriding(data, num_chosen, **changes):
    own = {"model": "mlp-1x16", "n_train": 100, "batch_size": 32}
    spec = TrainSpec.model_validate(RECIPE.model_dump() | own | changes)
    return compute(Manipulation(spec=spec, num_chosen=num_chosen), data, training_context())


@pytest.mark.parametrize("num_chosen", [1, 12])
def test_chosen_predictions_change_and_others_do_not(num_chosen, tiny):
    result = overriding(tiny, num_chosen)
    values, arrays = result.values, result.arrays
    assert values["fitted"]
    assert values["num_as_wanted"] == num_chosen
    assert (values["num_others"], values["others_changed"]) == (60 - num_chosen, 0)
    assert values["weights_added"] == 64 + 3 * num_chosen
    assert values["overridden_test_accuracy"] == pytest.approx(values["test_accuracy"] - num_chosen / 60)
    assert len(arrays["inputs"]) == min(num_chosen, NUM_SHOWN)
    np.testing.assert_array_equal(arrays["now"], arrays["wanted"])
    assert (arrays["now"] != arrays["true"]).all()


def test_the_same_network_is_overridden_whatever_the_number(tiny):
    few, more = (overriding(tiny, number) for number in (3, 5))
    assert few.values["test_accuracy"] == more.values["test_accuracy"]
    np.testing.assert_array_equal(few.arrays["inputs"], more.arrays["inputs"][:3])


def test_more_than_the_network_has_right_is_refused(tiny):
    with pytest.raises(UserError, match="got 60 predictions to override, but mlp-1x16 has only"):
        overriding(tiny, 60, stop="at_steps", steps=1)
