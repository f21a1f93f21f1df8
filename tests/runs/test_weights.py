from __future__ import annotations

from pathlib import Path

import pytest
import torch
from fake_engine import assert_equal

from byrote.errors import StoreError
from byrote.runs.weights import WeightsFolder

STACK = torch.arange(12.0).reshape(3, 4)
STATES = {
    "plain": {"w": STACK, "count": torch.tensor(3)},
    "row of a stack": {"w": STACK[1], "v": STACK[2]},
    "tied": {"encoder": STACK, "decoder": STACK},
    "transposed": {"w": STACK.T},
    "channels last": {"w": torch.arange(48.0).reshape(1, 3, 4, 4).to(memory_format=torch.channels_last)},
    "bfloat16": {"w": STACK.bfloat16().view(torch.int16), "v": STACK.half()},
    "none": {},
}


@pytest.fixture
def folder(tmp_path: Path) -> WeightsFolder:
    return WeightsFolder(tmp_path / "runs.db.weights")


@pytest.mark.parametrize("state", STATES.values(), ids=STATES)
def test_a_round_trip_is_exact(folder, state):
    final = {name: tensor + 1 for name, tensor in state.items()}
    assert not folder.holds("key")
    checksum = folder.save("key", state, final)
    assert folder.holds("key")
    assert sorted(file.name for file in folder.path.iterdir()) == [
        "key.final.safetensors",
        "key.initial.safetensors",
    ]
    for got, want in zip(folder.load("key", checksum), (state, final), strict=True):
        assert got.keys() == want.keys()
        for name in want:
            assert_equal(got[name], want[name].contiguous())


def test_a_failed_write_leaves_the_old_file_and_nothing_else(folder, monkeypatch):
    checksum = folder.save("key", {"w": STACK}, {"w": STACK})

    def full(descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.fsync", full)
    with pytest.raises(StoreError, match=r"runs\.db\.weights: make room .*No space left on device"):
        folder.save("key", {"w": STACK + 1}, {"w": STACK + 1})
    assert len(list(folder.path.iterdir())) == 2
    assert_equal(folder.load("key", checksum)[0]["w"], STACK)


def test_missing_or_damaged_files_are_named(folder):
    with pytest.raises(StoreError, match=r"cannot read the weights of run key .*: run it again and keep them"):
        folder.load("key", "")
    checksum = folder.save("key", {"w": STACK}, {"w": STACK})
    for content in (b"12345678garbage", folder.files("key")[0].read_bytes() + b" "):
        folder.files("key")[1].write_bytes(content)
        with pytest.raises(
            StoreError, match=r"not those that were kept with it: remove the files key\.\*\.safetensors"
        ):
            folder.load("key", checksum)
