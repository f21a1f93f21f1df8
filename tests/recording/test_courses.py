"""Courses worked by hand, and the same in blocks."""

from __future__ import annotations

import numpy as np
import pytest

from byrote.recording.courses import courses, mean_margin
from byrote.recording.recording import Recording

NAN = np.nan
MARGIN = np.array(
    [
        # learnt at once; forgotten twice; never; seen in two epochs; never seen; forgotten over a gap
        [2.0, 1.0, -1.0, NAN, NAN, 1.0],
        [2.0, -1.0, -1.0, 1.0, NAN, NAN],
        [2.0, 3.0, -2.0, NAN, NAN, -1.0],
        [2.0, -2.0, 0.0, 3.0, NAN, 1.0],
    ],
    np.float16,
)
RIVAL = np.array([[1, 2, 3, 9, 9, 0], [2, 2, 0, 4, 9, 9], [2, 1, 3, 9, 9, 0], [3, 1, 0, 4, 9, 5]], np.uint8)


def recording() -> Recording:
    loss = np.log1p(np.exp(-MARGIN.astype(np.float64))).astype(np.float16)
    return Recording(np.zeros(6, np.int64), loss, MARGIN, RIVAL, 10, None)


@pytest.mark.parametrize("block", [2, 1 << 16])
def test_courses_by_hand(block: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("byrote.recording.courses._BLOCK", block)
    found = courses(recording())
    np.testing.assert_allclose(found.aum, [2, 0.25, -1, 2, NAN, 1 / 3], rtol=1e-3)
    np.testing.assert_allclose(found.correctness, [1, 0.5, 0, 1, NAN, 2 / 3])
    assert found.forgotten.tolist() == [0, 2, 0, 0, 0, 1]
    assert found.learnt.tolist() == [1, 1, 0, 2, 0, 1]
    assert found.num_seen.tolist() == [4, 4, 4, 2, 0, 3]
    assert found.rival.tolist() == [2, 1, 0, 4, 0, 0]
    chance = 1 / (1 + np.exp(-MARGIN.astype(np.float64)))
    np.testing.assert_allclose(found.confidence[:4], np.nanmean(chance[:, :4], axis=0), rtol=1e-3)
    np.testing.assert_allclose(found.variability[:4], np.nanstd(chance[:, :4], axis=0), atol=1e-3)


def test_margins_over_some_epochs() -> None:
    np.testing.assert_allclose(mean_margin(recording(), 1, 3), [2, 1, -1.5, 1, NAN, -1])
