"""Every source keeps one contract; here it runs over all formats, and over real files."""

import hashlib
import subprocess
import sys
import warnings
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch

from byrote.data.dataset import Dataset
from byrote.data.sources import SOURCES, from_arrays, load, refuse_other_types
from byrote.errors import UserError

from .conftest import DIGITS, FORMATS, Format, make_arrays, write_image_splits


def check_contract(data: Dataset) -> None:
    assert len(data.train) > 0
    assert len(data.test) > 0
    assert data.corruptions == ()
    assert len(set(data.class_names)) == data.num_classes >= 2
    for split in (data.train, data.test):
        assert split.inputs.dtype == (np.uint8 if data.is_images else np.float32)
        assert split.inputs.shape[1:] == data.input_shape
        assert split.inputs.flags.c_contiguous
        assert len(split.inputs) == len(split.labels) == len(split.changed)
        assert split.labels.dtype == np.int64
        assert split.labels.min() >= 0
        assert split.labels.max() < data.num_classes
        assert not split.changed.any()
    assert set(data.test.labels) <= set(data.train.labels)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        torch.from_numpy(data.train.inputs)


def test_every_format_gives_back_what_was_written(any_format: Format, tmp_path: Path) -> None:
    arrays = make_arrays(*any_format.shape)
    any_format.write(tmp_path, arrays)
    name = any_format.name.format(tmp_path)
    data = load(name, **dict(any_format.options))
    check_contract(data)
    for split, written in ((data.train, "train"), (data.test, "test")):
        np.testing.assert_array_equal(split.inputs, arrays[f"x_{written}"])
        np.testing.assert_array_equal(split.labels, arrays[f"y_{written}"])
    assert data.name == name
    assert data.class_names[:3] == any_format.class_names[:3] or "fashion" in name
    assert data.num_classes == len(any_format.class_names)
    assert data.fingerprint == load(name, **dict(any_format.options), title="Mine").fingerprint


@pytest.mark.parametrize("name", ["mnist", "cifar10-binary", "parquet", "images", "npz", "csv"])
def test_every_format_names_a_class_that_is_only_in_test(name: str, tmp_path: Path) -> None:
    arrays = make_arrays(*FORMATS[name].shape)
    arrays["y_test"][-1] = 9
    FORMATS[name].write(tmp_path, arrays)
    with pytest.raises(UserError, match=r"class ('(9|truck)'|9) is (in|not among).*training split.*; (add|correct)"):
        load(FORMATS[name].name.format(tmp_path), **dict(FORMATS[name].options))


@pytest.mark.parametrize("name", ["mnist", "cifar10-python", "parquet", "images", "npz", "csv"])
def test_every_format_names_data_of_one_class(name: str, tmp_path: Path) -> None:
    FORMATS[name].write(tmp_path, make_arrays(*FORMATS[name].shape, num_classes=1))
    with pytest.raises(UserError, match=r"all training examples of .* have one class, '(0|airplane)'; expected at"):
        load(FORMATS[name].name.format(tmp_path), **dict(FORMATS[name].options))


@pytest.mark.parametrize("name", ["mnist", "cifar10-python", "cifar10-binary", "npz", "csv"])
def test_every_format_names_a_split_without_rows(name: str, tmp_path: Path) -> None:
    arrays = make_arrays(*FORMATS[name].shape, sizes=(0, 12))
    FORMATS[name].write(tmp_path, arrays)
    with pytest.raises(UserError, match=r"has no rows.*, expected at least one example"):
        load(FORMATS[name].name.format(tmp_path), **dict(FORMATS[name].options))


def test_fashion_mnist_has_its_class_names(tmp_path: Path) -> None:
    FORMATS["mnist"].write(tmp_path, make_arrays(1, 5, 4))
    data = load(f"fashion-mnist:{tmp_path}")
    assert (data.title, data.class_names[9]) == ("Fashion-MNIST", "Ankle boot")


def test_digits() -> None:
    data = load("digits")
    check_contract(data)
    assert (len(data.train), len(data.test), data.input_shape) == (1437, 360, (1, 8, 8))
    assert data.pixel_max == 16 == data.train.inputs.max()
    assert data.class_names == DIGITS
    assert np.ptp(np.bincount(data.test.labels) / np.bincount(data.train.labels)) < 0.01
    digest = hashlib.sha256(data.train.inputs.tobytes() + data.train.labels.astype("<i8").tobytes())
    assert digest.hexdigest()[:16] == "e0bea37b1cbe0d91"


def test_mnist(real_data: Path) -> None:
    data = load(f"mnist:{real_data / 'mnist'}")
    check_contract(data)
    assert data.train.inputs.shape == (60_000, 1, 28, 28)
    assert data.test.inputs.shape == (10_000, 1, 28, 28)
    content = bytes.fromhex("00000803 0000ea60 0000001c 0000001c") + data.train.inputs.tobytes()
    assert hashlib.md5(content).hexdigest() == "6bbc9ace898e44ae57da46a324031adb"
    assert np.bincount(data.train.labels).tolist() == [5923, 6742, 5958, 6131, 5842, 5421, 5918, 6265, 5851, 5949]
    assert np.bincount(data.test.labels).tolist() == [980, 1135, 1032, 1010, 982, 892, 958, 1028, 974, 1009]


def test_fashion_mnist() -> None:
    folder = Path("/usr/share/datasets/fashion-mnist")
    if not folder.is_dir():
        pytest.skip(f"no {folder}: install the Debian package dataset-fashion-mnist")
    data = load(f"fashion-mnist:{folder}")
    check_contract(data)
    assert data.train.inputs.shape == (60_000, 1, 28, 28)
    assert np.bincount(data.train.labels).tolist() == [6000] * 10


@pytest.mark.slow
def test_cifar10_parquet(real_data: Path) -> None:
    data = load(f"parquet:{real_data / 'cifar10'}", title="CIFAR-10 (JPEG copy)")
    check_contract(data)
    assert data.train.inputs.shape == (50_000, 3, 32, 32)
    assert data.test.inputs.shape == (10_000, 3, 32, 32)
    assert data.class_names[:2] == ("airplane", "automobile")
    assert set(np.bincount(data.train.labels)) == {5000}
    assert set(np.bincount(data.test.labels)) == {1000}
    # Means of the original pixels, as widely published: 125.3, 123.0, 113.9.
    np.testing.assert_allclose(data.train.inputs.mean((0, 2, 3)), [125.3, 123.0, 113.9], atol=0.5)
    assert data.label == "CIFAR-10 (JPEG copy)"


@pytest.mark.parametrize(
    ("name", "options", "message"),
    [
        ("digit", {}, r"got data 'digit', expected one of digits, mnist:DIR, .*csv:FILE; did you mean 'digits'\?"),
        ("cifar:/x", {}, r"did you mean 'cifar10'\?"),
        ("MNIST:/x", {}, r"did you mean 'mnist'\?"),
        ("quux", {}, r"got data 'quux', expected one of digits"),
        ("", {}, r"got data '', expected one of digits"),
        ("imagess:/x", {}, r"did you mean 'images'\?"),
        ("images", {}, r"got data 'images', expected images:DIR: DIR/CLASS/image"),
        ("mnist:", {}, r"got data 'mnist:', expected mnist:DIR: the four idx files"),
        ("digits:/x", {}, r"got data 'digits:/x', expected digits: 1,797"),
        ("digits", {"image_size": 8}, r"got image_size=8, which has no meaning for digits: leave it out"),
        ("npz:/x", {"label": "y"}, r"got label='y', which has no meaning for npz:FILE: leave it out"),
        ("csv:/x", {"cache": "/y"}, r"got cache='/y', which has no meaning for csv:FILE: leave it out"),
        ("images:/x", {"image_size": 0}, r"got image_size=0, expected a number of pixels of at least 1"),
        ("images:/nowhere", {}, r"no folder /nowhere; expected one with a folder of images for each class"),
        ("parquet:/nowhere", {}, r"no folder /nowhere; expected one with train-\*.parquet"),
        ("cifar10:/nowhere", {}, r"no data_batch_1 .* in /nowhere \(no such folder\); unpack cifar-10-python.tar.gz"),
        ("mnist:/nowhere", {}, r"no folder /nowhere; expected one with train-images-idx3"),
        ("npz:/nowhere", {}, r"cannot read /nowhere \(No such file or directory\)"),
        ("csv:/nowhere", {"label": "y"}, r"cannot read /nowhere .No such file or directory."),
    ],
)
def test_wrong_names_get_one_sentence(name: str, options: dict[str, object], message: str) -> None:
    with pytest.raises(UserError, match=f"^{message}" if message.startswith("got") else message):
        load(name, **options)


def test_the_home_folder_is_understood(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    FORMATS["npz"].write(tmp_path, make_arrays(3, 6, 5))
    monkeypatch.setenv("HOME", str(tmp_path))
    assert load("npz:~/arrays.npz").title == "arrays.npz"
    write_image_splits(tmp_path / "photos", make_arrays(3, 6, 5))
    load("images:~/photos", cache="~/cache")
    assert (tmp_path / "cache").is_dir()


def test_sources_are_described() -> None:
    assert next(iter(SOURCES)) == "digits"
    assert all(SOURCES.values())


def as_table(array: np.ndarray) -> pd.DataFrame | pd.Series:
    return pd.Series(array, index=range(5, 5 + len(array))) if array.ndim == 1 else pd.DataFrame(array).assign(a=1)


@pytest.mark.parametrize("convert", [np.asarray, torch.tensor, np.ndarray.tolist, as_table])
def test_arrays_of_any_library(convert) -> None:
    arrays = make_arrays(7)
    data = from_arrays(*(convert(array) for array in arrays.values()))
    check_contract(data)
    np.testing.assert_array_equal(data.train.inputs[:, :7], arrays["x_train"])
    np.testing.assert_array_equal(data.test.labels, arrays["y_test"])
    assert data.class_names == DIGITS[:3]


def test_torch_tensors_with_gradient_and_in_bfloat16() -> None:
    x = torch.eye(10, dtype=torch.bfloat16, requires_grad=True)
    data = from_arrays(x, torch.arange(10) % 2)
    assert data.train.inputs.sum() == 8


def test_reading_does_not_import_torch() -> None:
    code = "import sys; from byrote.data.sources import *; load('digits'); from_arrays([[1], [2]] * 9, [0, 1] * 9)"
    subprocess.run([sys.executable, "-c", f"{code}; sys.exit('torch' in sys.modules)"], check=True)


def test_splitting_takes_a_seed() -> None:
    x, y = np.arange(100)[:, None], np.arange(100) % 4
    splits = [from_arrays(x, y, split_seed=seed).test.inputs[:, 0].tolist() for seed in (0, 0, 1)]
    assert splits[0] == splits[1] != splits[2]
    assert len(splits[0]) == 20


@pytest.mark.parametrize(
    ("arrays", "message"),
    [
        (([[1], [2]], [0, 1], [[1]]), "got one of x_test and y_test, expected both, or neither to split"),
        (([[1], [2, 3]], [0, 1]), r"x_train cannot be made an array \(.*\); give all rows one shape"),
        (
            (pd.DataFrame({"a": [1, 2], "b": ["x", "y"]}), [0, 1]),
            r"x_train, row 0 .*, column 'b': got 'x'",
        ),
    ],
)
def test_arrays_that_are_none(arrays: tuple[object, ...], message: str) -> None:
    with pytest.raises(UserError, match=message):
        from_arrays(*arrays)


IDS = np.random.default_rng(0).integers(0, 1000, (40, 6))
CLASSES = np.arange(40) % 2


@pytest.mark.parametrize("dtype", [np.int64, np.int32, np.uint8, np.float64])
def test_whole_numbers_are_tokens_where_that_is_said(dtype: type) -> None:
    ids = (IDS % 200).astype(dtype)
    data = from_arrays(ids, CLASSES, kind="tokens")
    assert (data.kind, data.train.inputs.dtype, data.input_shape) == ("tokens", np.int64, (6,))
    np.testing.assert_array_equal(data.train.inputs, ids[data.train.sources])
    assert data.test.place(0) == f"row {data.test.sources[0]} of x_train"


def test_whole_numbers_are_quantities_unless_that_is_said(recwarn: pytest.WarningsRecorder) -> None:
    for table in ((IDS % 17).astype(np.uint8), IDS - 500, IDS.astype(np.float32), IDS[:, :1]):
        assert from_arrays(table, CLASSES).kind == "vectors"
    assert from_arrays(IDS, CLASSES, kind="vectors").kind == "vectors"
    assert not recwarn.list
    with pytest.warns(UserWarning, match="x_train holds whole numbers from 0 on, .* of 6 features; .* kind='tokens'"):
        assert from_arrays(IDS, CLASSES).kind == "vectors"


def test_token_ids_of_a_file(tmp_path: Path) -> None:
    np.savez(tmp_path / "ids.npz", x=IDS, y=CLASSES)
    with pytest.warns(UserWarning, match=r"ids.npz: x holds whole numbers from 0 on, .*`--kind tokens`"):
        assert load(f"npz:{tmp_path / 'ids.npz'}").kind == "vectors"
    data = load(f"npz:{tmp_path / 'ids.npz'}", kind="tokens")
    np.testing.assert_array_equal(data.test.inputs, IDS[data.test.sources])
    (tmp_path / "ids.csv").write_text("a,b,y\n" + "\n".join(f"{i},{i * i},{i % 2}" for i in range(20)))
    data = load(f"csv:{tmp_path / 'ids.csv'}", label="y", kind="tokens")
    assert data.train.inputs.dtype == np.int64


@pytest.mark.parametrize(
    ("inputs", "kind", "message"),
    [
        (IDS, "images", r"got kind='images', but inputs of x_train have shape \(40, 6\)"),
        (
            IDS[:, None],
            "tokens",
            r"got kind='tokens', but inputs of x_train have shape \(40, 1, 6\), expected \[N, T\]",
        ),
        (np.where(IDS[7, 2] == IDS, -1, IDS), "tokens", r"x_train, row 7 .*: a token id below 0"),
        (IDS + 0.5, "tokens", r"x_train, row 0 .*: a token id that is no whole number"),
    ],
    ids=["flat", "deep", "negative", "broken"],
)
def test_what_is_no_kind_of_these_inputs_is_refused(inputs: np.ndarray, kind: str, message: str) -> None:
    with pytest.raises(UserError, match=message):
        from_arrays(inputs, CLASSES, kind=kind)


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"name": np.eye(2)}, r"^got an ndarray as the name of data, expected text, .* byrote.from_arrays$"),
        ({"name": Path("/x.npz")}, r"^got a PosixPath as the name of data"),
        ({"label": 0}, r"^got label=0, expected the name of the column of labels, as text$"),
        ({"image_size": "8"}, r"^got image_size='8', expected a whole number of pixels$"),
        ({"max_pixels": 1e6}, r"^got max_pixels=1000000.0, expected a whole number of pixels$"),
    ],
)
def test_arguments_of_another_type_are_refused(wrong: dict[str, object], message: str) -> None:
    arguments = {"name": "images:/x", "label": None, "image_size": 8, "max_pixels": None} | wrong
    with pytest.raises(UserError, match=message):
        refuse_other_types(arguments.pop("name"), **arguments)


def test_a_path_without_its_kind_is_given_one() -> None:
    with pytest.raises(UserError, match=r"did you mean 'csv:/data/x.csv'\?"):
        load("/data/x.csv")


@pytest.mark.parametrize(
    ("x", "y", "message"),
    [
        ((row for row in np.eye(4)), [0, 1, 0, 1], "x_train is a generator, which .* numpy.stack"),
        ("table.csv", None, "x_train is a str, 'table.csv', expected an array; files are for byrote.load"),
        (
            pd.DataFrame({"a": [1, 2], "b": [0, 1]}),
            "b",
            r"y_train is a str, 'b', .*byrote.from_arrays\(table, label='b'\)",
        ),
    ],
)
def test_what_is_no_array(x, y, message) -> None:  # type: ignore[no-untyped-def]
    with pytest.raises(UserError, match=message):
        from_arrays(x, y)
