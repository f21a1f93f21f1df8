from __future__ import annotations

import random
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from byrote.training import checkpoint_file
from byrote.training.checkpoint_file import (
    Damaged,
    NotKept,
    read_checkpoint,
    read_head,
    remove_checkpoint,
    write_checkpoint,
)


def images(seed: int) -> torch.Tensor:
    drawn = torch.randn(2, 3, 5, 4, generator=torch.Generator().manual_seed(seed))
    return drawn.to(memory_format=torch.channels_last)


def same(a: Any, b: Any) -> bool:
    if isinstance(a, torch.Tensor):
        equal = torch.equal(a.nan_to_num(7.0), b.nan_to_num(7.0))
        return equal and a.dtype == b.dtype and a.stride() == b.stride()
    if isinstance(a, np.ndarray):
        return a.dtype == b.dtype and np.array_equal(a, b)
    if isinstance(a, dict):
        return a.keys() == b.keys() and all(same(a[name], b[name]) for name in a)
    if isinstance(a, list | tuple):
        return type(a) is type(b) and len(a) == len(b) and all(map(same, a, b))
    return type(a) is type(b) and (a == b or a != a)


def test_what_is_read_is_what_was_written_bit_for_bit(tmp_path: Path) -> None:
    stacked = torch.arange(12.0).view(3, 4)
    tree = {
        "images": images(0),
        "parts": [stacked[0], stacked[1:], stacked.T, stacked],
        "types": tuple(
            torch.ones(3, dtype=kind) for kind in (torch.bfloat16, torch.int16, torch.bool, torch.complex64)
        ),
        "empty": torch.empty(0, 4),
        "one": torch.tensor(0.1, dtype=torch.float64),
        "infinite": torch.tensor([float("nan"), float("inf")]),
        "python": random.Random(3).getstate(),
        "numpy": np.random.RandomState(3).get_state(),
        "pcg": np.random.default_rng(3).bit_generator.state,
        "plain": [None, True, 1, 0.1, float("inf"), float("nan"), -0.0, "é", 2**80, [], {}, ()],
    }
    write_checkpoint(tmp_path / "a", {"keys": ["b"]}, tree)
    head, found = read_checkpoint(tmp_path / "a", "cpu")
    assert same(found, tree)
    assert head == read_head(tmp_path / "a") == {"keys": ["b"]}
    assert [file.name for file in tmp_path.iterdir()] == ["a"]


@pytest.mark.parametrize("what", [object(), {1: 2}, np.array(["a"]), [torch], 1j])
def test_what_it_cannot_hold_is_not_written(tmp_path: Path, what: object) -> None:
    write_checkpoint(tmp_path / "a", {}, 1)
    with pytest.raises(NotKept, match=f"type {type(what[0] if isinstance(what, list) else what).__name__}"):
        write_checkpoint(tmp_path / "a", {}, {"x": what})
    assert read_checkpoint(tmp_path / "a", "cpu")[1] == 1


def test_each_damaged_byte_and_each_missing_one_is_noticed(tmp_path: Path) -> None:
    file = tmp_path / "a"
    write_checkpoint(file, {"keys": ["b"]}, {"x": torch.arange(5.0), "y": [1, 2]})
    whole = file.read_bytes()
    for place in range(len(whole)):
        file.write_bytes(whole[:place] + bytes([whole[place] ^ 4]) + whole[place + 1 :])
        try:
            head, tree = read_checkpoint(file, "cpu")
        except Damaged:
            continue
        # Blanks around JSON mean nothing.
        assert head == {"keys": ["b"]}
        assert tree["x"].tolist() == [0, 1, 2, 3, 4]
        assert tree["y"] == [1, 2]
    for size in range(0, len(whole), 7):
        file.write_bytes(whole[:size])
        with pytest.raises(Damaged):
            read_checkpoint(file, "cpu")


def test_another_format_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(checkpoint_file, "FORMAT", 99)
    write_checkpoint(tmp_path / "a", {}, 1)
    monkeypatch.undo()
    with pytest.raises(Damaged, match="it has format 99, this byrote reads 1"):
        read_checkpoint(tmp_path / "a", "cpu")


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        read_checkpoint(tmp_path / "a", "cpu")
    remove_checkpoint(tmp_path / "a")


def test_removed_with_what_killed_writers_have_left(tmp_path: Path) -> None:
    write_checkpoint(tmp_path / "a", {}, 1)
    (tmp_path / ".a.0123").write_bytes(b"half")
    write_checkpoint(tmp_path / "ab", {}, 1)
    remove_checkpoint(tmp_path / "a")
    assert [file.name for file in tmp_path.iterdir()] == ["ab"]
