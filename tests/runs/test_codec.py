from __future__ import annotations

import math
import zlib
from dataclasses import fields, replace

import numpy as np
import pytest
from fake_engine import assert_equal, make_outcome
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from byrote.runs.codec import SCALARS, SUMMARY, from_row, is_sound, packed, to_row, unpacked
from byrote.training.outcome import TrainOutcome
from byrote.training.spec import TrainSpec

SPEC = TrainSpec(model="mlp-1x8", seed=2**63 - 1, learning_rate=0.1 + 0.2, optimizer_options=(("a", 1), ("b", 1.0)))
FLOATS = st.floats(width=64)
COUNTS = st.none() | st.integers(0, 2**62)
ARRAYS = hnp.arrays(
    st.sampled_from([np.float64, np.float32, np.int64, np.int8, bool]),
    hnp.array_shapes(max_dims=2, min_side=0, max_side=5),
)
CURVES = st.dictionaries(st.sampled_from(["epoch", "train_loss", "test_accuracy"]), ARRAYS)


@settings(max_examples=50)
@given(FLOATS, FLOATS, COUNTS, CURVES, CURVES, ARRAYS, st.text())
def test_a_round_trip_is_exact(loss, seconds, count, curve, early, predictions, text):
    outcome = make_outcome(
        SPEC,
        train_loss=loss,
        seconds=seconds,
        steps_to_fit=count,
        curve=curve,
        early=early,
        train_predictions=predictions,
        environment={"hardware": text},
    )
    assert_equal(from_row(to_row(outcome)), outcome)


PREDICTIONS = ("train_predictions", "test_predictions", "test_leaked")
OF_HALVES = ("left_out_predictions", "train_margins", "left_out_margins", "test_margins")


def test_what_runs_on_halves_say_of_all_is_kept_of_them_alone():
    margins = np.array([0.5, -3.0, np.inf], dtype=np.float16)
    outcome = make_outcome(SPEC.model_copy(update={"half": 3}), left_out_margins=margins)
    assert_equal(from_row(to_row(outcome)), outcome)
    assert not set(unpacked(to_row(make_outcome(SPEC))["arrays"])) & set(OF_HALVES)


def test_every_field_but_the_weights_has_a_place():
    row = to_row(make_outcome(SPEC))
    elsewhere = {"curve", "early", *PREDICTIONS, *OF_HALVES, "initial_state", "final_state"}
    assert {field.name for field in fields(TrainOutcome)} == SCALARS.keys() | {
        "spec",
        "checks",
        "environment",
        *elsewhere,
    }
    assert row.keys() == SCALARS.keys() | SUMMARY.keys() | {
        "spec",
        "checks",
        "environment",
        "arrays",
        "created",
        "weights",
        "checksum",
    }


def test_numpy_scalars_become_plain():
    outcome = make_outcome(SPEC)
    scalars = {"steps_run": np.int32(7), "test_accuracy": np.float32(0.5), "batch_norm": np.bool_(True)}
    for name, value in scalars.items():  # past the annotations, which are checked in tests alone
        object.__setattr__(outcome, name, value)
    row = to_row(outcome)
    assert [type(row[name]) for name in scalars] == [int, float, bool]


@pytest.mark.parametrize("arrays", [{}, {"empty": np.empty((0, 3)), "one": np.float32(2), "text": np.array(["ä", ""])}])
def test_arrays_of_any_shape_come_back_and_can_be_written_to(arrays):
    back = unpacked(packed(arrays))
    assert_equal(back, {name: np.asarray(values) for name, values in arrays.items()})
    assert all(values.flags.writeable and values.flags.aligned for values in back.values())


@pytest.mark.parametrize("values", [np.array([{}], dtype=object), np.zeros(2, "f4,i4")], ids=["objects", "records"])
def test_arrays_whose_bytes_say_nothing_are_refused(values):
    with pytest.raises(ValueError, match="got odd, expected arrays of numbers"):
        packed({"odd": values})


SOUND = packed({"a": np.arange(10_000)})
NO_ARRAYS = {
    "empty": b"",
    "garbage": b"not an archive",
    "truncated": SOUND[:-100],
    "no head": zlib.compress(b"no line"),
    "objects": zlib.compress(b'[["a", "O", [1]]]\n'.ljust(64)),
    "too few bytes": zlib.compress(b'[["a", "<f8", [99]]]\n'.ljust(64)),
    "other head": zlib.compress(b"[1]\n".ljust(64)),
}


@pytest.mark.parametrize("blob", NO_ARRAYS.values(), ids=NO_ARRAYS)
def test_arrays_that_cannot_be_read_are_refused(blob):
    with pytest.raises(ValueError, match="its arrays cannot be read"):
        unpacked(blob)


def test_any_other_value_is_noticed():
    row = to_row(make_outcome(SPEC, test_loss=0.5), "c0ffee")
    for name, value in row.items():
        for wrong in {0, 7, math.inf, None, "x", b"x", str(value), str(value).encode()} - {value, int(value == 1)}:
            assert not is_sound(row | {name: wrong}), (name, wrong)
    with pytest.raises(ValueError, match="its values do not match their checksum"):
        from_row(row | {"steps_run": 99})


def test_a_row_is_sound_as_any_database_gives_it_back():
    outcome = make_outcome(SPEC, train_loss=-0.0, batch_norm=True)
    row = to_row(outcome)
    stored = {"train_loss": 0.0, "test_loss": None, "batch_norm": 1}
    assert is_sound(row | stored)
    assert_equal(from_row(row | stored), replace(outcome, train_loss=0.0))
