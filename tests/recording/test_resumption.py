"""As many epochs are kept as the checkpoint and every process have."""

from __future__ import annotations

import warnings
from pathlib import Path

import pytest

from byrote.errors import UserError
from byrote.recording.recording import PartSummary, write_summary
from byrote.recording.resumption import resumption

N = 6


def write(folder: Path, *epochs: int, left_out: tuple[int, ...] = (), num: int | None = None) -> None:
    for process, count in enumerate(epochs):
        write_summary(folder, PartSummary(N, 3, process, num or len(epochs), count, 2, 0, left_out))


@pytest.mark.parametrize(
    ("recorded", "left_out", "epochs", "kept", "missing"),
    [
        ((3,), (), 3, 3, ()),
        ((3,), (), 4, 3, (3,)),  # the fourth ended, and was not written
        ((3,), (), 1, 1, ()),
        ((3,), (), 0, 0, ()),
        ((3, 2), (), 3, 2, (2,)),
        ((5,), (5,), 6, 5, (5,)),
        ((5,), (3,), 4, 3, (3,)),
        ((5,), (3,), 3, 3, ()),  # which one was left out is known, and it comes after the checkpoint
        ((5,), (2,), 4, 3, (2,)),
        ((5,), (2,), 7, 5, (2, 6)),
        ((5,), (0, 1), 1, 0, (0,)),
        ((0,), (0,), 1, 0, (0,)),
    ],
)
def test_epochs_that_are_kept(
    tmp_path: Path,
    recorded: tuple[int, ...],
    left_out: tuple[int, ...],
    epochs: int,
    kept: int,
    missing: tuple[int, ...],
) -> None:
    write(tmp_path, *recorded, left_out=left_out)
    with warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always")
        found = resumption(tmp_path, N, epochs)
    assert (found.kept, found.left_out) == (kept, missing)
    assert len(said) == (kept < min(recorded))


def test_a_part_that_is_missing_leaves_nothing_to_go_on_with(tmp_path: Path) -> None:
    assert resumption(tmp_path, N, 0).kept == 0
    write(tmp_path, 3, num=2)
    assert resumption(tmp_path, N, 0).kept == 0
    with pytest.raises(UserError, match="got resume=3 and a record of 0 epochs"):
        resumption(tmp_path, N, 3)
