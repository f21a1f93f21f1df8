import csv
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from byrote.data.sources import load
from byrote.errors import UserError

from .conftest import CLASSES, encode, image_bytes, make_arrays, write_image_splits, write_images


def test_a_folder_without_splits_is_split(tmp_path: Path) -> None:
    arrays = make_arrays(1, 3, 2)
    write_images(tmp_path, arrays["x_train"], arrays["y_train"])
    data = load(f"images:{tmp_path}")
    assert data.class_names == CLASSES[:3]
    assert np.bincount(data.train.labels).tolist() == [8, 8, 8]
    assert np.bincount(data.test.labels).tolist() == [2, 2, 2]


@pytest.mark.parametrize(("folders", "held_out"), [("train val", "val"), ("Train validation test", "test")])
def test_the_test_split_comes_before_validation(tmp_path: Path, folders: str, held_out: str) -> None:
    for value, name in enumerate(folders.split()):
        write_images(tmp_path / name, np.full((6, 1, 2, 2), value, np.uint8), np.arange(6) % 2)
    data = load(f"images:{tmp_path}")
    assert set(data.test.inputs.ravel()) == {folders.split().index(held_out)}
    assert set(data.train.inputs.ravel()) == {0}


def test_classes_may_be_called_train_and_numbers_sort_as_numbers(tmp_path: Path) -> None:
    for name in ("train", "bus"):
        write_images(tmp_path / name, make_arrays(1, 2, 2)["x_train"], np.zeros(30, int))
        (tmp_path / name / "airplane").rename(tmp_path / f"{name}s")
        (tmp_path / name).rmdir()
        (tmp_path / f"{name}s").rename(tmp_path / name)
    assert load(f"images:{tmp_path}").class_names == ("bus", "train")
    for old, new in (("bus", "10"), ("train", "9")):
        (tmp_path / old).rename(tmp_path / new)
    assert load(f"images:{tmp_path}").class_names == ("9", "10")


def test_broken_files_are_listed_and_left_out(tmp_path: Path) -> None:
    folder, rejected = tmp_path / "photos", tmp_path / "out" / "rejected.csv"
    write_image_splits(folder, make_arrays(3, 6, 5))
    names = ["train/airplane/0000.png", "train/bird/notes.txt", "train/bird/empty.png", "test/bird/0008.png"]
    whole = (folder / names[0]).read_bytes()
    (folder / names[0]).write_bytes(whole[: len(whole) // 2])
    (folder / names[1]).write_text("hello")
    (folder / names[2]).touch()
    (folder / names[3]).write_bytes(encode(Image.new("F", (5, 6)), "TIFF"))
    (folder / "train/bird/.DS_Store").touch()
    with pytest.warns(
        UserWarning, match=r"^4 images could not be decoded and are left out; the list is .*rejected.csv"
    ):
        data = load(f"images:{folder}", rejected=rejected)
    assert (len(data.train), len(data.test)) == (29, 11)
    np.testing.assert_array_equal(data.train.inputs, make_arrays(3, 6, 5)["x_train"][1:])
    header, *rows = csv.reader(rejected.open())
    assert header == ["file", "reason"]
    assert {file for file, _ in rows} == {str(folder / name) for name in names}
    reasons = {Path(file).name: reason for file, reason in rows}
    assert (
        reasons["notes.txt"]
        == reasons["empty.png"]
        == ("not an image, or in none of the formats JPEG, PNG, BMP, GIF, PPM, TIFF, WEBP")
    )
    assert "truncated" in reasons["0000.png"]
    assert reasons["0008.png"] == "pixels of more than 16 bits have no fixed scale"
    with pytest.warns(UserWarning, match=r"^4 images .*; the first is .*0000.png: "):
        load(f"images:{folder}")
    for name in names[1:]:
        (folder / name).unlink()
    with pytest.warns(UserWarning, match=r"^1 image could not be decoded and is left out; it is .*0000.png: .*trunc"):
        load(f"images:{folder}")


def test_no_broken_file_leaves_no_list(tmp_path: Path) -> None:
    write_image_splits(tmp_path / "photos", make_arrays(3, 6, 5))
    (tmp_path / "rejected.csv").write_text("of the run before")
    load(f"images:{tmp_path / 'photos'}", rejected=tmp_path / "rejected.csv")
    assert not (tmp_path / "rejected.csv").exists()


def test_mixed_sizes_need_an_image_size(tmp_path: Path) -> None:
    write_images(tmp_path, np.zeros((9, 1, 4, 6), np.uint8), np.arange(9) % 3)
    (tmp_path / "bird" / "0005.png").write_bytes(image_bytes(np.zeros((1, 3, 2), np.uint8)))
    message = r"different sizes: .*0000.png is 6x4, .*0005.png is 2x3; choose one size for all with --image-size N$"
    with pytest.raises(UserError, match=message):
        load(f"images:{tmp_path}")
    assert load(f"images:{tmp_path}", image_size=4).input_shape == (1, 4, 4)


@pytest.mark.parametrize(
    ("files", "message"),
    [
        ([], r"has no folders, expected one for each class with its images in it$"),
        (["a.png"], r"has no folders, expected one for each class"),
        (["cat/a.png", "dog/.hidden"], r"dog has no images, expected .*/CLASS/image; fill the folder or remove it$"),
        (["train/cat/a.png", "test/a.png"], r"test has no folders, expected one for each class"),
        (["splits/train/cat/a.png"], r"splits has no images, expected .*/CLASS/image"),
        (["cat/a.png", "dog/b.png"], r"none of 2 images could be read \(the first: .*cat/a.png: not an image"),
    ],
)
def test_folders_of_another_kind(tmp_path: Path, files: list[str], message: str) -> None:
    for file in files:
        (tmp_path / file).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / file).touch()
    with pytest.raises(UserError, match=message):
        load(f"images:{tmp_path}")
