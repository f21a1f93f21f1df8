from __future__ import annotations

import io
from dataclasses import fields, replace

import numpy as np
import pytest
from fake_engine import assert_equal, make_outcome
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from byrote.runs.codec import SCALARS, SUMMARY, from_row, packed, to_row
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


@settings(max_examples=50, deadline=None)
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


def test_every_field_but_the_weights_has_a_place():
    row = to_row(make_outcome(SPEC))
    elsewhere = {"curve", "early", *PREDICTIONS, "initial_state", "final_state"}
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
    }


def test_numpy_scalars_become_plain():
    outcome = make_outcome(SPEC)
    scalars = {"steps_run": np.int32(7), "test_accuracy": np.float32(0.5), "batch_norm": np.bool_(True)}
    vars(outcome).update(scalars)  # past the annotations, which are checked in tests alone
    row = to_row(outcome)
    assert [type(row[name]) for name in scalars] == [int, float, bool]


def _pickled() -> bytes:
    buffer = io.BytesIO()
    np.savez(buffer, train_predictions=np.array([{}], dtype=object))
    return buffer.getvalue()


@pytest.mark.parametrize("blob", [b"", b"not an archive", _pickled()], ids=["empty", "garbage", "pickle"])
def test_arrays_that_cannot_be_read_are_refused(blob):
    with pytest.raises(ValueError, match="its arrays cannot be read"):
        from_row(to_row(make_outcome(SPEC)) | {"arrays": blob})


def test_a_truncated_blob_is_refused():
    row = to_row(replace(make_outcome(SPEC), train_predictions=np.arange(10_000)))
    with pytest.raises(ValueError, match="its arrays cannot be read"):
        from_row(row | {"arrays": row["arrays"][:-100]})


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")  # of the archive that stays open
def test_an_interrupt_while_arrays_are_packed_is_an_interrupt(monkeypatch):
    """zipfile's own complaint, that it cannot close what is being written, must not make a failed run of it."""
    import zipfile

    def interrupted(self):
        raise KeyboardInterrupt

    monkeypatch.setattr(zipfile._ZipWriteFile, "close", interrupted)
    with pytest.raises(KeyboardInterrupt):
        packed({"a": np.arange(3)})
