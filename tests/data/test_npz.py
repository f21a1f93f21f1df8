import io
import zipfile
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from byrote.data import memory
from byrote.data.sources import load
from byrote.errors import UserError

from .conftest import make_arrays


def write_npz(folder: Path, **arrays: Any) -> None:
    np.savez(folder / "arrays.npz", **arrays)


def test_npz_of_one_piece_is_split(tmp_path: Path) -> None:
    write_npz(tmp_path, x=np.arange(20).reshape(10, 2), y=np.arange(10) % 2)
    data = load(f"npz:{tmp_path / 'arrays.npz'}")
    assert (len(data.train), len(data.test), data.input_shape) == (8, 2, (2,))


@pytest.mark.parametrize(
    "names",
    [
        "train_images train_labels test_images test_labels",
        "X_train Y_train X_test Y_test",
        "Xtrain ytrain Xtest ytest",
        "trainX trainY testX testY",
        "x_tr y_tr x_te y_te",
        "train_data train_targets test_data test_targets",
        "features_train labels_train features_val labels_val",
        "images_training target_training images_valid target_valid",
        "data-train label-train data-test label-test",
    ],
)
def test_the_usual_names_are_understood(tmp_path: Path, names: str) -> None:
    arrays = make_arrays(3, 6, 5)
    write_npz(tmp_path, **dict(zip(names.split(), arrays.values(), strict=True)))
    data = load(f"npz:{tmp_path / 'arrays.npz'}")
    np.testing.assert_array_equal(data.train.inputs, arrays["x_train"])
    np.testing.assert_array_equal(data.test.labels, arrays["y_test"])


def test_what_is_not_used_is_said(tmp_path: Path) -> None:
    train, val = np.arange(12.0).reshape(6, 2), np.arange(8.0).reshape(4, 2)
    names = np.array(["cat", "dog"])
    arrays = {"train_images": train, "train_labels": np.arange(6) % 2, "val_images": val, "val_labels": [0, 1] * 2}
    write_npz(tmp_path, **arrays, test_images=val + 9, test_labels=[1, 0] * 2, class_names=names, mean=[0])
    with pytest.warns(UserWarning, match=r"arrays.npz has mean, val_images, val_labels, which are not used$"):
        data = load(f"npz:{tmp_path / 'arrays.npz'}")
    assert data.class_names == ("cat", "dog")
    assert data.test.inputs.max() == 16

    write_npz(tmp_path, **arrays, test_images=val + 9, test_labels=[-1] * 4)
    with pytest.warns(UserWarning, match=r"all labels in test_labels are missing .*, so that the test split is passed"):
        data = load(f"npz:{tmp_path / 'arrays.npz'}")
    assert data.test.inputs.max() == 7

    write_npz(tmp_path, x_train=train, y_train=np.arange(6) % 2, x_test=val)
    with pytest.warns(UserWarning, match=r"x_test has no labels and is passed over"):
        assert len(load(f"npz:{tmp_path / 'arrays.npz'}").train) == 4


def bomb(folder: Path, rows: int, written: int) -> None:
    """A small file whose x.npy has this many rows of 2**20 bytes by its header, and so many in truth."""
    header, labels = io.BytesIO(), io.BytesIO()
    np.lib.format.write_array_header_1_0(header, {"descr": "|u1", "fortran_order": False, "shape": (rows, 2**20)})
    np.save(labels, np.arange(4) % 2)
    with zipfile.ZipFile(folder / "arrays.npz", "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive:
        with archive.open("x.npy", "w", force_zip64=True) as file:
            file.write(header.getvalue())
            for _ in range(written):
                file.write(bytes(2**20))
        archive.writestr("y.npy", labels.getvalue())


def test_sizes_are_checked_before_anything_is_inflated(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    bomb(tmp_path, rows=2**40, written=1)
    with pytest.raises(UserError, match=r"x.npy is said to have shape .* and has 1,048,576 bytes in place of"):
        load(f"npz:{tmp_path / 'arrays.npz'}")
    bomb(tmp_path, rows=64, written=64)
    monkeypatch.setattr(memory, "free_memory", lambda: 2**25)
    with pytest.raises(
        UserError, match=r"arrays.npz says that it holds 67,108,\d+ bytes, and 33,554,432 bytes of memory are free"
    ):
        load(f"npz:{tmp_path / 'arrays.npz'}")


WRONG_FILES: dict[str, tuple[str, Callable[[Path], object], str]] = {
    "no npz": ("npz:{}/arrays.npz", lambda folder: None, r"cannot read .*arrays.npz \(No such"),
    "text for npz": (
        "npz:{}/arrays.npz",
        lambda folder: (folder / "arrays.npz").write_text("hello"),
        r"arrays.npz cannot be read as an .npz file of plain arrays: .*; save it again",
    ),
    "npy for npz": (
        "npz:{}/arrays.npy",
        lambda folder: np.save(folder / "arrays.npy", np.zeros(3)),
        r"arrays.npy is a single array, expected an .npz file with x_train, y_train",
    ),
    "other names": (
        "npz:{}/arrays.npz",
        partial(write_npz, a=[1], y=[1]),
        "has arrays a, y and lacks inputs to train on, exp",
    ),
    "names by number": ("npz:{}/arrays.npz", partial(write_npz, arr_0=[1], arr_1=[1]), "lacks inputs and labels to"),
    "labels alone": ("npz:{}/arrays.npz", partial(write_npz, x=[1], y=[1], y_test=[1]), "has y_test and no inputs for"),
    "two inputs": ("npz:{}/arrays.npz", partial(write_npz, x=[1], images=[1], y=[1]), "has x and images, and either"),
    "objects in npz": (
        "npz:{}/arrays.npz",
        lambda folder: np.savez(folder / "arrays.npz", x=np.array([{}, 2]), y=[0, 1]),
        "x.npy holds Python objects, which byrote does not unpickle: save plain arrays",
    ),
    "NaN in npz": (
        "npz:{}/arrays.npz",
        partial(write_npz, x=[[0], [np.nan]], y=[0, 1]),
        r"arrays.npz: x, row 1 \(counting from 0\), feature 0 .*: no value \(NaN\)",
    ),
}


@pytest.mark.parametrize("case", WRONG_FILES)
def test_wrong_files_are_named_with_row_and_remedy(case: str, tmp_path: Path) -> None:
    name, damage, message = WRONG_FILES[case]
    damage(tmp_path)
    with pytest.raises(UserError, match=message) as caught:
        load(name.format(tmp_path))
    assert str(tmp_path) in str(caught.value)
