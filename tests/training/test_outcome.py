from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from byrote.data.dataset import Dataset
from byrote.training.engine import train
from byrote.training.outcome import CURVE_COLUMNS, EARLY_COLUMNS, Check
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
