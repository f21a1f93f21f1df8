"""Parts are read as one, and parts that do not fit each other are refused."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from byrote.errors import UserError
from byrote.recording.planting import plant_labels
from byrote.recording.recording import (
    PartSummary,
    epoch_layout,
    read_recording,
    write_planted,
    write_summary,
)

N = 6


def write_part(folder: Path, process: int, seen: list[int], num: int = 2, epochs: int = 1, **labels: int) -> None:
    epoch = np.zeros((), epoch_layout(N, 300))
    epoch["loss"], epoch["margin"] = np.nan, np.nan
    epoch["loss"][seen], epoch["margin"][seen], epoch["rival"][seen] = seen, process, 299
    (folder / f"part-{process}.bin").write_bytes(epoch.tobytes() * epochs)
    own = np.full(N, -1)
    own[seen] = labels.get("label", 1)
    np.save(folder / f"part-{process}.labels.npy", own)
    write_summary(folder, PartSummary(N, 300, process, num, epochs, 1, 0, (epochs,) * process))


def test_five_bytes_an_example_and_epoch() -> None:
    assert epoch_layout(1_000, 256).itemsize == 5_000
    assert epoch_layout(1_000, 257).itemsize == 6_000


def test_parts_are_laid_over_each_other(tmp_path: Path) -> None:
    write_part(tmp_path, 0, [0, 2, 4])
    write_part(tmp_path, 1, [1, 3, 5, 0])
    found = read_recording(tmp_path)
    assert (found.num_epochs, found.num_examples, found.incomplete_epochs) == (1, N, 1)
    assert found.loss[0].tolist() == [0, 1, 2, 3, 4, 5]
    assert found.labels.tolist() == [1] * N
    assert found.rival.tolist() == [[299] * N]
    assert found.planted is None


def test_planted_labels_come_back(tmp_path: Path) -> None:
    write_part(tmp_path, 0, list(range(N)), num=1)
    planted = plant_labels(np.arange(N) % 2, 0.5, 0)
    write_planted(tmp_path, planted)
    assert read_recording(tmp_path).planted.rows.tolist() == planted.rows.tolist()


def test_what_does_not_fit_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="holds no record of an epoch"):
        read_recording(tmp_path)
    write_part(tmp_path, 0, [0, 2, 4])
    with pytest.raises(UserError, match="parts of 1 of 2 processes"):
        read_recording(tmp_path)
    write_part(tmp_path, 1, [1, 3, 5], epochs=2)
    with pytest.raises(UserError, match="recorded 1, 2 epochs"):
        read_recording(tmp_path)
    write_part(tmp_path, 1, [0, 2, 4])
    with pytest.raises(UserError, match="3 examples came several times and 3 never"):
        read_recording(tmp_path)
    write_part(tmp_path, 1, [1, 3, 5, 0], label=2)
    with pytest.raises(UserError, match="label 2 for example 0 and another process 1"):
        read_recording(tmp_path)
    path = tmp_path / "part-1.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {"format": 0}))
    with pytest.raises(UserError, match="another version"):
        read_recording(tmp_path)
