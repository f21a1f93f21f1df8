"""Planted errors tell how many labels are wrong in made-up runs, and that they cannot tell where they cannot."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from made_up_recording import made_up_recording

from byrote.audits.recorded_labels import label_scores, recorded_labels
from byrote.recording.courses import courses


@pytest.mark.parametrize("seed", range(3))
def test_number_and_rate_are_those_that_were_made_up(seed: int) -> None:
    recording, is_wrong = made_up_recording(0.08, 0.08, seed=seed)
    found = recorded_labels(recording, courses(recording))
    wrong = is_wrong[found.rows]
    assert found.rates.num_errors.low <= wrong.sum() <= found.rates.num_errors.high
    assert 0.75 < found.rates.num_errors.mean / wrong.sum() < 1.25
    first = found.rates.order[: int(wrong.sum())]
    assert wrong[first].mean() > 0.85
    assert found.likeness_p > 0.01
    assert not set(found.rows) & set(recording.planted.rows)


def test_a_score_over_the_epochs_that_tell_most_is_taken() -> None:
    recording, _ = made_up_recording(gap=3.0, seed=1)
    noise = np.random.default_rng(0).normal(scale=40, size=recording.margin[4:].shape)
    margin = np.concatenate([recording.margin[:4], noise.astype(np.float16)])
    found = recorded_labels(replace(recording, margin=margin), courses(replace(recording, margin=margin)))
    assert found.score.startswith("area under the margin over the first")
    assert found.found_by[found.score] == max(found.found_by.values())


@pytest.mark.parametrize("seed", range(3))
def test_hard_rows_that_look_like_errors_are_seen_to_be_others(seed: int) -> None:
    recording, _ = made_up_recording(0.05, gap=1.5, seed=seed)
    assert recorded_labels(recording, courses(recording)).likeness_p < 0.025


def test_no_planted_errors_tell_nothing() -> None:
    recording, _ = made_up_recording(planted=0.0)
    assert recorded_labels(recording, courses(recording)) is None
    few, _ = made_up_recording(planted=0.005)
    assert recorded_labels(few, courses(few)) is None


def test_examples_that_were_not_seen_are_not_listed() -> None:
    recording, _ = made_up_recording()
    margin, loss = recording.margin.copy(), recording.loss.copy()
    margin[:, 7] = loss[:, 7] = np.nan
    margin[:4, 8] = loss[:4, 8] = np.nan
    holes = replace(recording, margin=margin, loss=loss)
    found = recorded_labels(holes, courses(holes))
    assert 7 not in found.rows
    assert np.isfinite(found.scores).all()


def test_one_epoch_has_two_scores() -> None:
    recording, _ = made_up_recording(num_epochs=1)
    assert list(label_scores(recording, courses(recording))) == [
        "area under the margin over 1 epoch",
        "mean probability of the label",
    ]
