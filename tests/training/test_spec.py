from __future__ import annotations

import json

import pytest
from pydantic import ValidationError

from byrote.data.corruptions.record import Corruption
from byrote.data.dataset import Dataset
from byrote.errors import UserError
from byrote.training.spec import TrainSpec

HALF = Corruption(name="partial-labels", rate=0.5)
NOISE = Corruption(name="gaussian", rate=0.25)
SHUFFLED = Corruption(name="shuffled-pixels")


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


def test_a_half_holds_out_the_other_alone() -> None:
    with pytest.raises(UserError, match=r"half=3 with validation=0\.1: the other half is held out already"):
        TrainSpec(model="mlp-1x8", half=3, validation=0.1)
    assert '"half":3' in TrainSpec(model="mlp-1x8", half=3).canonical_json()
    assert "half" not in TrainSpec(model="mlp-1x8").canonical_json()


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


def test_those_held_out_are_not_trained_on(tiny: Dataset) -> None:
    assert TrainSpec(model="mlp-1x8").num_trained(tiny) == len(tiny.train)
    assert TrainSpec(model="mlp-1x8", n_train=20, validation=0.25).num_trained(tiny) == 15
    assert TrainSpec(model="mlp-1x8", half=3).num_trained(tiny) == 60
