import math
from dataclasses import replace

import numpy as np
import pytest

from byrote.models.matching import num_parameters
from byrote.theory.calculation import Context, compute
from byrote.theory.complexity import fitting_width
from byrote.theory.complexity.fitting_width import FittingWidth
from byrote.training.engine import train
from byrote.training.spec import Recipe, TrainSpec

RECIPE = Recipe(preprocessing="standardize", learning_rate=0.1, decay=1.0, batch_size=20, epochs=60)


@pytest.fixture(scope="module")
def outcome(tiny):
    """Of a run of one step, of which tests take what they do not choose."""
    spec = TrainSpec(model="mlp-1x1", n_train=20, preprocessing="none", stop="at_steps", steps=1)
    return next(train([spec], tiny, device="cpu"))


@pytest.fixture
def pretend(monkeypatch, outcome):
    """Networks that fit from a number of parameters on, without any training; the list has the models tried."""

    def make(enough):
        tried = []

        def fit(model, recipe, data, seeds, **_):
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
            return [replace(outcome, **changes)]

        monkeypatch.setattr(fitting_width, "fit_random_labels", fit)
        return tried

    return make


@pytest.mark.parametrize("enough", [86, 400, 700, 2500, 9000])
def test_the_bracket_is_a_fifth_wide(enough, pretend, tiny):
    tried = pretend(enough)
    values = compute(FittingWidth(model="mlp-1x{width}", recipe=RECIPE, n_train=121), tiny).values
    assert values["parameters"] >= enough > values["too_small_parameters"]
    # Whole widths are 75 parameters apart.
    assert values["parameters"] <= 1.2 * values["too_small_parameters"] + 75
    assert values["num_probes"] == len(tried) == len(set(tried)) <= 12
    assert (values["too_small_accuracy"], values["too_small_stop"]) == (0.5, "epochs")


def test_where_the_smallest_width_fits_none_is_too_small(pretend, tiny):
    pretend(0)
    values = compute(FittingWidth(model="mlp-1x{width}", recipe=RECIPE, n_train=121), tiny).values
    assert (values["fitting_model"], values["parameters"]) == ("mlp-1x1", 85)
    assert values["too_small_model"] == ""
    assert math.isnan(values["too_small_parameters"])


def test_where_none_fits_the_largest_tried_is_too_small(pretend, tiny):
    pretend(math.inf)
    values = compute(FittingWidth(model="mlp-1x{width}", recipe=RECIPE, n_train=60), tiny).values
    assert values["fitting_model"] == ""
    assert math.isnan(values["parameters"])
    assert values["too_small_parameters"] == pytest.approx(1024 * 60, rel=0.02)


def test_networks_that_are_trained_bracket_the_width_too(tiny):
    stages = []
    calculation = FittingWidth(model="mlp-1x{width}", recipe=RECIPE, n_train=16)
    values = compute(calculation, tiny, Context(on_stage=lambda *stage: stages.append(stage))).values
    assert values["parameters"] > values["too_small_parameters"]
    assert values["too_small_accuracy"] < 1
    assert values["failed_checks"] == ""
    assert values["d"] == 64
    assert any(stage.startswith("trying mlp-1x") for stage, _ in stages)
    assert calculation.label == "mlp-1x{width}, n = 16, seed 0"
