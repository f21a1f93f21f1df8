from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from byrote.data.check import Check
from byrote.data.dataset import Dataset, Split
from byrote.training.engine import train
from byrote.training.outcome import CURVE_COLUMNS, EARLY_COLUMNS
from byrote.training.spec import TrainSpec


def test_what_an_outcome_says_of_itself(tiny: Dataset) -> None:
    (outcome,) = train([TrainSpec(model="mlp-1x4", epochs=1)], tiny, device="cpu")
    assert outcome.generalization_gap == outcome.train_accuracy - outcome.test_accuracy
    assert not outcome.fitted
    assert replace(outcome, steps_to_fit=3).fitted
    assert not replace(outcome, steps_to_fit=3).interpolated
    assert replace(outcome, steps_to_interpolate=4).interpolated
    assert outcome.failed_checks == ()
    wrong = Check("a", False, "")
    assert replace(outcome, checks=(*outcome.checks, wrong)).failed_checks == (wrong,)
    assert tuple(outcome.curve) == CURVE_COLUMNS
    assert tuple(outcome.early) == EARLY_COLUMNS
    assert np.mean(outcome.train_predictions == tiny.train.labels) == outcome.train_accuracy
    assert np.mean(outcome.test_predictions == tiny.test.labels) == pytest.approx(outcome.test_accuracy)
    assert outcome.train_predictions.dtype == np.uint8
    assert len(outcome.test_leaked) == 0
    assert outcome.test_accuracy_unleaked == outcome.test_accuracy


def test_accuracy_on_what_was_not_trained_on(tiny: Dataset) -> None:
    """Half of the test split are training examples, which the network gets right: on the rest it guesses."""
    half = tiny.train.take(np.arange(60))
    inputs = np.concatenate([half.inputs, tiny.test.inputs])
    mixed = Split.clean(inputs, np.r_[half.labels, (tiny.test.labels + 1) % 10])
    (outcome,) = train([TrainSpec(model="mlp-1x64", epochs=60)], replace(tiny, test=mixed), device="cpu")
    np.testing.assert_array_equal(outcome.test_leaked, np.arange(60))
    right = outcome.test_predictions == mixed.labels
    assert outcome.test_leaked_correct == right[:60].sum() > 30
    assert outcome.test_accuracy_unleaked == pytest.approx(right[60:].mean())
    assert not outcome.failed_checks
    (outcome,) = train([TrainSpec(model="mlp-1x4", epochs=1)], replace(tiny, test=half), device="cpu")
    assert np.isnan(outcome.test_accuracy_unleaked)
    assert [check.name for check in outcome.failed_checks] == ["test examples unseen"]
