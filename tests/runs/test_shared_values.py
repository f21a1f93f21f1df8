"""What is shared arrives equal, in the same order in memory, and is not copied."""

from __future__ import annotations

import pickle
from pathlib import Path

import numpy as np
import pytest
from fake_engine import assert_equal, real_points

from byrote.data.preprocessing import preprocess
from byrote.errors import UserError
from byrote.runs.shared_values import SharedValue


def arrived(value: object, folder: Path) -> tuple[SharedValue, object]:
    shared = SharedValue(value, lambda: folder)
    return shared, pickle.loads(pickle.dumps(shared))


def test_a_data_set_arrives_equal_and_its_arrays_lie_in_a_file(tmp_path):
    data = real_points()
    shared, found = arrived(data, tmp_path)
    assert found.fingerprint == data.fingerprint
    assert_equal(found.train.inputs, data.train.inputs)
    (file,) = tmp_path.iterdir()
    assert file.stat().st_size > data.train.inputs.nbytes
    assert found.train.inputs.base is not None
    del shared
    assert list(tmp_path.iterdir()) == []
    assert found.fingerprint == data.fingerprint


def test_it_is_written_once_and_only_when_it_is_sent(tmp_path):
    shared = SharedValue(np.arange(9), lambda: tmp_path)
    assert list(tmp_path.iterdir()) == []
    assert pickle.dumps(shared) == pickle.dumps(shared)
    assert len(list(tmp_path.iterdir())) == 1


@pytest.mark.parametrize(
    "make",
    [
        lambda images: images,
        lambda images: np.moveaxis(np.ascontiguousarray(np.moveaxis(images, 1, -1)), -1, 1),
        lambda images: images[::-2, :, 1:],
        lambda images: np.asfortranarray(images),
    ],
    ids=["plain", "channels innermost", "a view", "fortran"],
)
def test_axes_keep_their_order_in_memory(make, tmp_path):
    array = make(np.random.default_rng(0).integers(0, 255, (6, 3, 4, 5)).astype(np.uint8))
    _shared, found = arrived(array, tmp_path)
    np.testing.assert_array_equal(found, array)
    assert np.argsort(found.strides).tolist() == np.argsort(np.abs(array.strides)).tolist()


def test_whoever_writes_changes_nothing_for_others(tmp_path):
    array = np.zeros(5)
    shared, found = arrived(array, tmp_path)
    found[:] = 1
    assert not array.any()
    assert not pickle.loads(pickle.dumps(SharedValue(array, lambda: tmp_path))).any()
    del shared


def test_what_lies_on_disk_stays_there(tmp_path):
    images = np.random.default_rng(0).integers(0, 255, (6, 4, 4, 3)).astype(np.uint8)
    np.save(tmp_path / "pixels.npy", images)
    mapped = np.moveaxis(np.load(tmp_path / "pixels.npy", mmap_mode="r")[2:], -1, 1)
    (tmp_path / "shared").mkdir()
    _shared, found = arrived(mapped, tmp_path / "shared")
    np.testing.assert_array_equal(found, mapped)
    assert found.strides == mapped.strides
    assert not found.flags.writeable
    (file,) = (tmp_path / "shared").iterdir()
    assert b"pixels.npy" in file.read_bytes()
    assert isinstance(_root(found), np.memmap), "it is told from data in memory by that"


def test_networks_see_the_same_inputs(tmp_path):
    data = real_points()
    _shared, found = arrived(data, tmp_path)
    for one, other in zip(preprocess(data, "standardize"), preprocess(found, "standardize"), strict=True):
        assert_equal(one.pixels, other.pixels)


def test_a_folder_that_cannot_be_written_is_told(tmp_path):
    with pytest.raises(UserError, match=r"cannot share the data with worker processes in .*none: .*--processes 1"):
        pickle.dumps(SharedValue(np.zeros(3), lambda: tmp_path / "none"))


def _root(array: np.ndarray) -> object:
    while isinstance(array.base, np.ndarray):
        array = array.base
    return array
