"""Batches as fetched ahead or not: the same numbers."""

from __future__ import annotations

import threading
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from augmented_stack import SPECS, augmentation, orders, train_split

from byrote.data.dataset import Dataset
from byrote.data.preprocessing import Inputs
from byrote.training.batches import EpochBatches, batches

BOUNDS = [(0, 50), (50, 100), (100, 121)]


def mapped(data: Dataset, folder: Path) -> Dataset:
    np.save(folder / "pixels.npy", data.train.inputs.transpose(0, 2, 3, 1))
    inputs = np.load(folder / "pixels.npy", mmap_mode="r").transpose(0, 3, 1, 2)
    return replace(data, train=replace(data.train, inputs=inputs))


def test_batches_come_in_order(tiny: Dataset) -> None:
    split = train_split(tiny)
    found = list(batches(split.picked(orders(), torch.float64), BOUNDS))
    assert [batch.shape[1] for batch in found] == [50, 50, 21]
    assert torch.equal(torch.cat(found, dim=1), split.gather(orders(), torch.float64))


@pytest.mark.parametrize("augmented", [False, True])
def test_inputs_made_where_a_step_is_compiled_are_those_of_batches(tiny: Dataset, augmented: bool) -> None:
    """In order, and from any batch on."""
    split, order = train_split(tiny), orders()
    options = (torch.float64, augmentation() if augmented else None)
    arriving = EpochBatches(split, order, split.labels.gather(1, order), BOUNDS, *options)
    expected = list(batches(split.picked(order, *options), BOUNDS))
    for number in (0, 2, 1, 2):
        batch = arriving[number]
        assert batch.picked is not None
        assert torch.equal(batch.picked.network_inputs(), expected[number])
        assert torch.equal(batch.inputs(), expected[number])
        assert torch.equal(batch.labels, split.labels.gather(1, order[:, slice(*BOUNDS[number])]))


def test_inputs_on_disk_are_not_for_compiled_steps(tiny: Dataset, tmp_path: Path) -> None:
    split, order = train_split(mapped(tiny, tmp_path), SPECS[:1]), orders(1)
    batch = EpochBatches(split, order, split.labels.gather(1, order), [(0, 50)], torch.float64)[0]
    assert batch.picked is None
    assert torch.equal(batch.inputs(), split.gather(order[:, :50], torch.float64))


@pytest.mark.parametrize("augmented", [False, True])
def test_inputs_on_disk_give_the_same_batches(tiny: Dataset, tmp_path: Path, augmented: bool) -> None:
    specs = SPECS[:2]
    on_disk = train_split(mapped(tiny, tmp_path), specs)
    assert not on_disk.inputs.is_on_device
    options = (torch.float64, augmentation(specs) if augmented else None)
    found, expected = (
        list(batches(split.picked(orders(2), *options), BOUNDS)) for split in (on_disk, train_split(tiny, specs))
    )
    assert all(torch.equal(one, other) for one, other in zip(found, expected, strict=True))


def test_what_is_on_disk_is_fetched_one_batch_ahead_in_a_thread(
    tiny: Dataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fetched: list[tuple[int, str]] = []
    fetch = Inputs.fetch

    def spying(self: Inputs, rows: torch.Tensor, *, whole: bool = False) -> object:
        fetched.append((len(rows), threading.current_thread().name))
        return fetch(self, rows, whole=whole)

    split = train_split(mapped(tiny, tmp_path), SPECS[:1])
    monkeypatch.setattr(Inputs, "fetch", spying)
    running = batches(split.picked(orders(1), torch.float32), [(0, 10), (10, 20), (20, 30)])
    next(running)
    running.close()  # a run that ends within an epoch
    assert [size for size, _ in fetched] == [10, 10]
    assert all(name.startswith("fetch") for _, name in fetched)
    assert not [thread for thread in threading.enumerate() if thread.name.startswith("fetch")]


def test_a_failure_in_the_thread_is_not_lost(tiny: Dataset, tmp_path: Path) -> None:
    split = train_split(mapped(tiny, tmp_path), SPECS[:1])
    with pytest.raises(IndexError, match="out of bounds"):
        list(batches(replace(split, rows=split.rows + 121).picked(orders(1), torch.float32), BOUNDS))
