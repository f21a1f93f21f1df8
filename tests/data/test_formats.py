import gzip
import pickle
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from byrote.data.formats import read_csv, read_idx, read_idx_folder
from byrote.data.sources import load
from byrote.errors import UserError

from .conftest import (
    CLASSES,
    csv_table,
    idx_bytes,
    make_arrays,
    write_cifar_binary,
    write_cifar_python,
    write_idx,
)

small_arrays = hnp.arrays(np.uint8, hnp.array_shapes(min_dims=1, max_dims=3, min_side=0, max_side=5))


@given(array=small_arrays, zipped=st.booleans())
def test_idx_round_trip(tmp_path_factory: pytest.TempPathFactory, array: np.ndarray, zipped: bool) -> None:
    path = tmp_path_factory.mktemp("idx") / "file"
    path.write_bytes(gzip.compress(idx_bytes(array)) if zipped else idx_bytes(array))
    np.testing.assert_array_equal(read_idx(path, array.ndim), array)


@pytest.mark.parametrize("protocol", [0, 2, 3, 5])
def test_cifar_pickles_of_any_protocol(tmp_path: Path, protocol: int) -> None:
    arrays = make_arrays(3, 32, 32)
    write_cifar_python(tmp_path, arrays, protocol=protocol)
    np.testing.assert_array_equal(load(f"cifar10:{tmp_path}").train.inputs, arrays["x_train"])


@pytest.mark.parametrize(
    ("name", "write"), [("cifar-10-batches-py", write_cifar_python), ("cifar-10-batches-bin", write_cifar_binary)]
)
def test_cifar_is_found_in_the_folder_that_its_archive_makes(tmp_path: Path, name: str, write: Callable) -> None:
    (tmp_path / name).mkdir()
    write(tmp_path / name, make_arrays(3, 32, 32))
    assert load(f"cifar10:{tmp_path}").class_names == CLASSES


class Exploit:
    """A pickle that runs a command where it is loaded without restrictions."""

    def __init__(self, call: Callable, *arguments: Any) -> None:
        self.call = call, arguments

    def __reduce__(self) -> tuple[Callable, tuple[Any, ...]]:
        return self.call


@pytest.mark.parametrize("call", [Path.touch, eval, print, np.load, np.fromfile])
def test_no_pickle_runs_code(tmp_path: Path, call: Callable) -> None:
    write_cifar_python(tmp_path, make_arrays(3, 32, 32))
    witness = tmp_path / "witness"
    (tmp_path / "test_batch").write_bytes(pickle.dumps({"data": Exploit(call, witness), "labels": []}))
    with pytest.raises(
        UserError, match=r"test_batch cannot be read .*: it asks for .*, and only arrays are admitted; "
    ):
        load(f"cifar10:{tmp_path}")
    assert not witness.exists()


def write_csv_text(folder: Path, text: str) -> None:
    (folder / "table.csv").write_text(text)


def write_npz(folder: Path, **arrays: Any) -> None:
    np.savez(folder / "arrays.npz", **arrays)


def cut(folder: Path, name: str, size: int) -> None:
    path = folder / name
    path.write_bytes(path.read_bytes()[:size])


def replace_batch(folder: Path, content: object) -> None:
    (folder / "data_batch_3").write_bytes(pickle.dumps(content))


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
    "no batch": ("cifar10:{}", lambda folder: (folder / "data_batch_4").unlink(), r"cannot read .*data_batch_4 \(No"),
    "no meta": ("cifar10:{}", lambda folder: (folder / "batches.meta").unlink(), r"cannot read .*batches.meta \(No"),
    "truncated pickle": ("cifar10:{}", lambda folder: cut(folder, "data_batch_2", 999), "data_batch_2 cannot be read"),
    "no pickle": ("cifar10:{}", lambda folder: cut(folder, "test_batch", 0), "test_batch cannot be read as a CIFAR-10"),
    "list for batch": ("cifar10:{}", partial(replace_batch, content=[]), "data_batch_3 holds a list, expected a dict"),
    "no data": ("cifar10:{}", partial(replace_batch, content={}), "data_batch_3 holds 'data' NoneType, expected uint8"),
    "floats for data": (
        "cifar10:{}",
        partial(replace_batch, content={"data": np.zeros((2, 3072)), "labels": [0, 1]}),
        r"data_batch_3 holds 'data' float64 \(2, 3072\), expected uint8 \(N, 3072\); fetch the file again",
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
    "no npz": ("npz:{}/arrays.npz", lambda folder: write_csv_text(folder, ""), r"cannot read .*arrays.npz \(No such"),
    "text for npz": (
        "npz:{}/arrays.npz",
        lambda folder: (folder / "arrays.npz").write_text("hello"),
        r"arrays.npz cannot be read as an .npz file of plain arrays: .*; save it again",
    ),
    "npy for npz": (
        "npz:{}/arrays.npy",
        lambda folder: np.save(folder / "arrays.npy", np.zeros(3)),
        r"arrays.npy is a single array, expected an .npz file with x_train and y_train",
    ),
    "other names": ("npz:{}/arrays.npz", partial(write_npz, a=[1], y=[1]), "has arrays a, y and lacks x, expected x_t"),
    "half the names": (
        "npz:{}/arrays.npz",
        partial(write_npz, x_train=[1], y_train=[1]),
        "lacks x_test, y_test, expected",
    ),
    "objects in npz": (
        "npz:{}/arrays.npz",
        lambda folder: np.savez(folder / "arrays.npz", x=np.array([{}, 2]), y=[0, 1]),
        "cannot be read as an .npz file of plain arrays: .*pickle",
    ),
    "NaN in npz": (
        "npz:{}/arrays.npz",
        partial(write_npz, x=[[0], [np.nan]], y=[0, 1]),
        r"arrays.npz: x, row 1 \(counting from 0\): NaN or infinity",
    ),
    "empty csv": (
        "csv:{}/table.csv",
        partial(write_csv_text, text=""),
        "table.csv cannot be read as csv: .*No columns",
    ),
    "header only": ("csv:{}/table.csv", partial(write_csv_text, text="a,kind\n"), "table.csv has no rows, expected at"),
    "labels only": (
        "csv:{}/table.csv",
        partial(write_csv_text, text="kind\na\nb\n"),
        r"table.csv have shape \(2, 0\), expected vectors",
    ),
    "misspelt column": (
        "csv:{}/table.csv",
        partial(write_csv_text, text="a,kinds\n1,x\n"),
        r"table.csv has no column 'kind', did you mean 'kinds'\? Its columns are a, kinds",
    ),
    "text feature": (
        "csv:{}/table.csv",
        partial(write_csv_text, text="a,kind\n1,x\nred,y\n"),
        r"table.csv, row 1 \(counting from 0\), column 'a': got 'red', expected a number; drop the column or encode it",
    ),
    "missing feature": (
        "csv:{}/table.csv",
        partial(write_csv_text, text="a,b,kind\n1,1,x\n1,,y\n"),
        r"table.csv, row 1 \(counting from 0\): NaN or infinity",
    ),
    "missing label": (
        "csv:{}/table.csv",
        partial(write_csv_text, text="a,kind\n1,x\n2,\n"),
        r"table.csv, row 1 \(counting from 0\): an empty label",
    ),
    "quantities for labels": (
        "csv:{}/table.csv",
        partial(write_csv_text, text="a,kind\n1,1.5\n2,2.5\n"),
        r"table.csv, row 0 \(counting from 0\): a label that is neither a whole number nor a name .*turn quantities",
    ),
    "ragged csv": (
        "csv:{}/table.csv",
        partial(write_csv_text, text="a,kind\n1,x\n1,2,3,4\n"),
        "table.csv cannot be read as csv: .*line 3",
    ),
    "bytes for csv": (
        "csv:{}/table.csv",
        lambda folder: (folder / "table.csv").write_bytes(b"a,kind\n\xff\xfe\xfa,1\n"),
        "table.csv cannot be read as csv: .*; expected comma-separated UTF-8 text with a header",
    ),
    "folder for csv": ("csv:{}", lambda folder: None, "cannot be read as csv: .*Is a directory"),
}


@pytest.mark.parametrize("case", WRONG_FILES)
def test_wrong_files_are_named_with_row_and_remedy(case: str, tmp_path: Path) -> None:
    name, damage, message = WRONG_FILES[case]
    write_idx(tmp_path, make_arrays(5, 4), zipped=False)
    if name.startswith("cifar10"):
        write_cifar_python(tmp_path, make_arrays(3, 32, 32))
        (tmp_path / "bin").mkdir()
        write_cifar_binary(tmp_path / "bin", make_arrays(3, 32, 32))
    damage(tmp_path)
    with pytest.raises(UserError, match=message) as caught:
        load(name.format(tmp_path), label="kind" if name.startswith("csv") else None)
    assert str(tmp_path) in str(caught.value)


def test_a_csv_needs_the_name_of_its_label_column(tmp_path: Path) -> None:
    write_csv_text(tmp_path, "a,b\n1,2\n")
    with pytest.raises(UserError, match=r"needs the name of its label column: --label NAME, one of a, b$"):
        load(f"csv:{tmp_path / 'table.csv'}")


@pytest.mark.parametrize(
    ("labels", "expected"), [("NA None NA null", ("NA", "None", "null")), ("10 9 10 9", ("9", "10"))]
)
def test_csv_labels_are_taken_at_their_word(tmp_path: Path, labels: str, expected: tuple[str, ...]) -> None:
    write_csv_text(tmp_path, "a,y\n" + "".join(f"1, {label}\n" for label in labels.split() * 3))
    assert load(f"csv:{tmp_path / 'table.csv'}", label="y").class_names == expected


def test_a_csv_without_splits_is_split(tmp_path: Path) -> None:
    table = csv_table(make_arrays(4), "train")
    table.to_csv(tmp_path / "table.csv", index=False)
    data = load(f"csv:{tmp_path / 'table.csv'}", label="kind")
    assert (len(data.train), len(data.test)) == (24, 6)
    assert np.bincount(data.test.labels).tolist() == [2, 2, 2]
    found = np.concatenate([data.train.inputs, data.test.inputs])
    assert sorted(map(tuple, found)) == sorted(map(tuple, table.drop(columns="kind").to_numpy(float)))


def test_a_column_called_split_may_be_a_feature(tmp_path: Path) -> None:
    pd.DataFrame({"split": [1, 2], "y": [0, 1]}).to_csv(tmp_path / "table.csv", index=False)
    assert len(read_csv(tmp_path / "table.csv", "y").splits) == 1


def test_npz_of_one_piece_is_split(tmp_path: Path) -> None:
    write_npz(tmp_path, x=np.arange(20).reshape(10, 2), y=np.arange(10) % 2)
    data = load(f"npz:{tmp_path / 'arrays.npz'}")
    assert (len(data.train), len(data.test), data.input_shape) == (8, 2, (2,))


def test_idx_files_may_have_a_dot_in_their_name(tmp_path: Path) -> None:
    write_idx(tmp_path, make_arrays(5, 4), zipped=False)
    (tmp_path / TRAIN_IMAGES).rename(tmp_path / "train-images.idx3-ubyte")
    assert len(read_idx_folder(tmp_path, CLASSES).splits[0].inputs.values) == 30
