import pickle
from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np
import pytest

from byrote.data.sources import load
from byrote.errors import UserError

from .conftest import CLASSES, make_arrays, write_cifar100, write_cifar_binary, write_cifar_python


@pytest.mark.parametrize(
    ("name", "write"), [("cifar-10-batches-py", write_cifar_python), ("cifar-10-batches-bin", write_cifar_binary)]
)
def test_cifar_is_found_in_the_folder_that_its_archive_makes(tmp_path: Path, name: str, write: Callable) -> None:
    (tmp_path / name).mkdir()
    write(tmp_path / name, make_arrays(3, 32, 32))
    assert load(f"cifar10:{tmp_path}").class_names == CLASSES


@pytest.mark.parametrize("is_binary", [False, True])
def test_cifar100_has_fine_and_coarse_labels(tmp_path: Path, is_binary: bool) -> None:
    arrays = make_arrays(3, 32, 32)
    folder = tmp_path / ("cifar-100-binary" if is_binary else "cifar-100-python")
    folder.mkdir()
    write_cifar100(folder, arrays, is_binary=is_binary)
    for label, prefix, first in ((None, "fine", 0), ("fine", "fine", 0), ("coarse", "coarse", 10)):
        data = load(f"cifar100:{tmp_path}", label=label)
        assert data.class_names == tuple(f"{prefix} {number}" for number in range(100 if prefix == "fine" else 20))
        np.testing.assert_array_equal(data.train.inputs, arrays["x_train"])
        np.testing.assert_array_equal(data.test.labels, first + arrays["y_test"])
    assert load(f"cifar100:{folder}").title == "CIFAR-100"
    with pytest.raises(UserError, match=r"got label='rough' for CIFAR-100, expected 'fine' .* or 'coarse'"):
        load(f"cifar100:{tmp_path}", label="rough")
    with pytest.raises(UserError, match=rf"{folder} holds CIFAR-100; load it as cifar100:{folder}$"):
        load(f"cifar10:{folder}")


def test_cifar10_is_not_cifar100(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"no train .* and no train.bin .* of CIFAR-100 .*unpack cifar-100-python"):
        load(f"cifar100:{tmp_path}")
    write_cifar_python(tmp_path, make_arrays(3, 32, 32))
    with pytest.raises(UserError, match=r"holds CIFAR-10; load it as cifar10:"):
        load(f"cifar100:{tmp_path}")


def cut(folder: Path, name: str, size: int) -> None:
    path = folder / name
    path.write_bytes(path.read_bytes()[:size])


def replace_batch(folder: Path, content: object) -> None:
    (folder / "data_batch_3").write_bytes(pickle.dumps(content))


WRONG_FILES: dict[str, tuple[str, Callable[[Path], object], str]] = {
    "no batch": ("cifar10:{}", lambda folder: (folder / "data_batch_4").unlink(), r"cannot read .*data_batch_4 \(No"),
    "no meta": ("cifar10:{}", lambda folder: (folder / "batches.meta").unlink(), r"cannot read .*batches.meta \(No"),
    "truncated pickle": ("cifar10:{}", lambda folder: cut(folder, "data_batch_2", 999), "data_batch_2 cannot be read"),
    "no pickle": (
        "cifar10:{}",
        lambda folder: cut(folder, "test_batch", 0),
        "test_batch cannot be read as a CIFAR",
    ),
    "list for batch": ("cifar10:{}", partial(replace_batch, content=[]), "data_batch_3 holds a list, expected a dict"),
    "no data": ("cifar10:{}", partial(replace_batch, content={}), "data_batch_3 holds 'data' NoneType, expected uint8"),
    "floats for data": (
        "cifar10:{}",
        partial(replace_batch, content={"data": np.zeros((2, 3072)), "labels": [0, 1]}),
        "data_batch_3 cannot be read as a CIFAR batch: it holds an array of type 'f8', expected 'u1', bytes; fetch",
    ),
    "no labels": (
        "cifar10:{}",
        partial(replace_batch, content={"data": np.zeros((2, 3072), np.uint8)}),
        r"data_batch_3 has no list of 'labels'",
    ),
    "label from nowhere": (
        "cifar10:{}",
        partial(replace_batch, content={"data": np.zeros((2, 3072), np.uint8), "labels": [0, 12]}),
        r"data_batch_3, row 1 \(counting from 0\): class 12 is not among the 10 classes",
    ),
    "truncated binary batch": (
        "cifar10:{}/bin",
        lambda folder: cut(folder / "bin", "data_batch_5.bin", 5000),
        r"data_batch_5.bin has 5000 bytes, expected a multiple of 3073 .*: the file is truncated; fetch it again",
    ),
}


@pytest.mark.parametrize("case", WRONG_FILES)
def test_wrong_files_are_named_with_row_and_remedy(case: str, tmp_path: Path) -> None:
    name, damage, message = WRONG_FILES[case]
    write_cifar_python(tmp_path, make_arrays(3, 32, 32))
    (tmp_path / "bin").mkdir()
    write_cifar_binary(tmp_path / "bin", make_arrays(3, 32, 32))
    damage(tmp_path)
    with pytest.raises(UserError, match=message) as caught:
        load(name.format(tmp_path))
    assert str(tmp_path) in str(caught.value)
