"""An epoch is written when it ends, and what was written before stays as it is."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from byrote.errors import UserError
from byrote.recording.part import RecordedPart
from byrote.recording.recording import read_recording
from byrote.recording.resumption import resumption

N = 4


def end_epoch(part: RecordedPart, margin: float) -> None:
    rows = np.arange(N)
    assert not part.repeats(rows)
    part.add(rows, np.array([[1.0] * N, [margin] * N, [2.0] * N, rows % 2], np.float32))
    part.keep(rows % 2, None, N)


def test_a_run_writes_over_what_it_trains_anew(tmp_path: Path) -> None:
    first = RecordedPart.opened(tmp_path, True, N, 3, None)
    for margin in (1.0, 2.0, 3.0):
        end_epoch(first, margin)
    with pytest.warns(UserWarning, match="2 are dropped"):
        resumed = resumption(tmp_path, N, 1)
    again = RecordedPart.opened(tmp_path, True, N, 3, resumed)
    assert read_recording(tmp_path).margin[:, 0].tolist() == [1]
    end_epoch(again, 9.0)
    assert read_recording(tmp_path).margin[:, 0].tolist() == [1, 9]
    with pytest.raises(UserError, match=r"record of a run already.*resume=EPOCHS"):
        RecordedPart.opened(tmp_path, True, N, 3, None)


def test_what_comes_twice_is_told(tmp_path: Path) -> None:
    part = RecordedPart.opened(tmp_path, True, N, 3, None)
    assert not part.repeats(np.array([2, 0]))
    assert part.repeats(np.array([1, 1]))
    assert part.first_repeated(np.array([1, 1])) == 1


def test_too_many_classes_are_refused(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="expected at most 65,536"):
        RecordedPart.opened(tmp_path, True, N, 65_537, None)
