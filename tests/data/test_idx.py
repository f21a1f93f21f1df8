import gzip
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from byrote.data.idx import read_idx, read_idx_folder
from byrote.data.sources import load
from byrote.errors import UserError

from .conftest import CLASSES, idx_bytes, make_arrays, write_idx

small_arrays = hnp.arrays(np.uint8, hnp.array_shapes(min_dims=1, max_dims=3, min_side=0, max_side=5))


@given(array=small_arrays, zipped=st.booleans())
def test_idx_round_trip(tmp_path_factory: pytest.TempPathFactory, array: np.ndarray, zipped: bool) -> None:
    path = tmp_path_factory.mktemp("idx") / "file"
    path.write_bytes(gzip.compress(idx_bytes(array)) if zipped else idx_bytes(array))
    np.testing.assert_array_equal(read_idx(path, array.ndim), array)


def test_idx_files_may_have_a_dot_in_their_name(tmp_path: Path) -> None:
    write_idx(tmp_path, make_arrays(5, 4), zipped=False)
    (tmp_path / TRAIN_IMAGES).rename(tmp_path / "train-images.idx3-ubyte")
    assert len(read_idx_folder(tmp_path, CLASSES, "MNIST").splits[0].inputs.values) == 30


def test_torchvision_keeps_the_files_below_its_root(tmp_path: Path) -> None:
    for name, shape in (("MNIST", (5, 4)), ("FashionMNIST", (6, 7))):
        (tmp_path / name / "raw").mkdir(parents=True)
        write_idx(tmp_path / name / "raw", make_arrays(*shape))
    for place in ("", "MNIST", "MNIST/raw"):
        assert load(f"mnist:{tmp_path / place}").input_shape == (1, 5, 4)
    assert load(f"fashion-mnist:{tmp_path}").input_shape == (1, 6, 7)
    (tmp_path / "FashionMNIST").rename(tmp_path / "KMNIST")
    with pytest.raises(UserError, match=r"nor in raw/ or FashionMNIST/raw/ below it; KMNIST there is another data set"):
        load(f"fashion-mnist:{tmp_path}")


@pytest.mark.parametrize("compress", [bytes, gzip.compress])
def test_sizes_are_checked_before_anything_is_inflated(tmp_path: Path, compress: Callable[[bytes], bytes]) -> None:
    write_idx(tmp_path, make_arrays(5, 4), zipped=False)
    header = idx_bytes(np.zeros((0, 0, 0)))[:4] + b"\xff\xff\xff\xff" * 3
    (tmp_path / TRAIN_IMAGES).write_bytes(compress(header + bytes(2**20)))
    with pytest.raises(
        UserError, match=r"train-images-idx3-ubyte, of shape .*, says that it holds [\d,]{33,} bytes, and .*free"
    ):
        load(f"mnist:{tmp_path}")


def test_a_file_that_goes_on_after_its_shape_is_not_inflated_to_its_end(tmp_path: Path) -> None:
    write_idx(tmp_path, make_arrays(5, 4), zipped=False)
    content = idx_bytes(np.zeros((30, 5, 4))) + bytes(2**26)
    (tmp_path / TRAIN_IMAGES).write_bytes(gzip.compress(content, 1))
    with pytest.raises(UserError, match=r"holds at least \d{7} bytes of data, expected 600 for shape"):
        load(f"mnist:{tmp_path}")


def cut(folder: Path, name: str, size: int) -> None:
    path = folder / name
    path.write_bytes(path.read_bytes()[:size])


TRAIN_IMAGES = "train-images-idx3-ubyte"
WRONG_FILES: dict[str, tuple[str, Callable[[Path], object], str]] = {
    "no idx file": (
        "mnist:{}",
        lambda folder: (folder / "t10k-labels-idx1-ubyte").unlink(),
        r"cannot read .*t10k-labels-idx1-ubyte.gz \(No such file or directory\); .* has t10k-images-idx3-ubyte, train-",
    ),
    "truncated idx": (
        "mnist:{}",
        lambda folder: cut(folder, TRAIN_IMAGES, 100),
        r"train-images-idx3-ubyte holds 84 bytes of data, expected 600 for shape \(30, 5, 4\): .* truncated .*fetch it",
    ),
    "truncated header": (
        "mnist:{}",
        lambda folder: cut(folder, TRAIN_IMAGES, 3),
        r"train-images-idx3-ubyte starts with 00 00 08, expected the magic number 00 00 08 03",
    ),
    "empty idx": ("mnist:{}", lambda folder: cut(folder, TRAIN_IMAGES, 0), "starts with nothing, expected the magic"),
    "swapped idx": (
        "mnist:{}",
        lambda folder: (folder / "train-labels-idx1-ubyte").replace(folder / TRAIN_IMAGES),
        r"starts with 00 00 08 01, expected the magic number 00 00 08 03 of an idx file .* with 3 axes; fetch",
    ),
    "html for idx": (
        "mnist:{}",
        lambda folder: (folder / TRAIN_IMAGES).write_text("<html>"),
        r"starts with 3c 68 74 6d, expected the magic number",
    ),
    "truncated gzip": (
        "mnist:{}",
        lambda folder: (folder / TRAIN_IMAGES).write_bytes(gzip.compress(bytes(100))[:-9]),
        r"train-images-idx3-ubyte is damaged or truncated \(.*\); fetch the file again",
    ),
    "fewer labels than images": (
        "mnist:{}",
        lambda folder: (folder / "train-labels-idx1-ubyte").write_bytes(idx_bytes(np.zeros(29))),
        r"got 30 inputs in .*train-images-idx3-ubyte but 29 labels in .*train-labels-idx1-ubyte, expected one label",
    ),
    "label 10": (
        "mnist:{}",
        lambda folder: (folder / "train-labels-idx1-ubyte").write_bytes(idx_bytes(np.arange(30))),
        r"train-labels-idx1-ubyte, row 10 \(counting from 0\): class 10 is not among the 10 classes",
    ),
}


@pytest.mark.parametrize("case", WRONG_FILES)
def test_wrong_files_are_named_with_row_and_remedy(case: str, tmp_path: Path) -> None:
    name, damage, message = WRONG_FILES[case]
    write_idx(tmp_path, make_arrays(5, 4), zipped=False)
    damage(tmp_path)
    with pytest.raises(UserError, match=message) as caught:
        load(name.format(tmp_path))
    assert str(tmp_path) in str(caught.value)
