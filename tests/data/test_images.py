import csv
import os
import warnings
from collections.abc import Iterable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from byrote.data.dataset import Dataset
from byrote.data.images import FilesBelow
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
    data, _ = load_telling(tmp_path)
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
        UserWarning,
        match=r"^4 images are left out, such as .*0000.png \(.*truncated.*\), .*; the list is .*rejected.csv$",
    ):
        data = load(f"images:{folder}", rejected=rejected)
    assert (len(data.train), len(data.test)) == (29, 11)
    np.testing.assert_array_equal(data.train.inputs, make_arrays(3, 6, 5)["x_train"][1:])
    header, *rows = csv.reader(rejected.open())
    assert header == ["file", "reason"]
    assert {file for file, _ in rows} == {str(folder / name) for name in names}
    reasons = {Path(file).name: reason for file, reason in rows}
    assert reasons["notes.txt"] == "not an image, or in none of the formats JPEG, PNG, BMP, GIF, PPM, TIFF, WEBP"
    assert reasons["empty.png"] == "the file is empty"
    assert "truncated" in reasons["0000.png"]
    assert reasons["0008.png"] == "pixels of more than 16 bits have no fixed scale"
    with pytest.warns(UserWarning, match=r"^4 images are left out, such as .*0000.png \(.*\)$"):
        load(f"images:{folder}")
    for name in names[1:]:
        (folder / name).unlink()
    with pytest.warns(UserWarning, match=r"^1 image is left out, .*0000.png \(.*trunc"):
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
        ([], r"has 0 images and no folders, expected one for each class with its images in it$"),
        (["a.png"], r"has 1 image and no folders, expected one for each class"),
        (
            ["train/a.png", "train/b.png", "test/a.png"],
            r"/train has 2 images and no folders, expected one for each class",
        ),
        (["cat/a.png", "dog/.hidden"], r"dog has no images, expected .*/CLASS/image; fill the folder or remove it$"),
        (["train/cat/a.png", "train/dog/b.txt/"], r"train/dog has no images, expected .*/train/CLASS/image; fill"),
        (["splits/train/cat/a.png"], r"has one folder, splits, and in it train; .*: did you mean images:.*/splits\?$"),
        (
            ["cat/train/a.png", "cat/test/b.png", "dog/train/c.png"],
            r"/cat has test, train in it, .*: move its images to",
        ),
        (["test/cat/a.png", "test/dog/b.png"], r"has test, which are neither train and test nor classes alone; name"),
        (["test/cat/a.png", "val/cat/b.png"], r"has test, val, which are neither train and test nor classes alone"),
        (
            ["train/cat/a.png", "train/dog/a.png", "more/b.png"],
            r"has more, train, which are neither train and test nor",
        ),
        (["cat/a.png", "dog/a.png", "test/cat/b.png"], r"has cat, dog, test, which are neither"),
        (
            ["seg_train/cat/a.png", "seg_test/cat/b.png"],
            r"has seg_test, seg_train, which look like splits .*; rename them",
        ),
        (
            ["trainset/a.png", "testset/b.png", "val2017/b.png"],
            r"has testset, trainset, val2017, which look like splits",
        ),
        (["train/cat/a.png", "Train/cat/a.png", "test/cat/a.png"], r"has both Train and train, .*; join them$"),
        (
            ["train/Cat/a.png", "train/dog/b.png", "test/cat/a.png", "test/dog/b"],
            r"/test/cat: class 'cat' .* to 'Cat'$",
        ),
        (["train/a/a.png", "train/b/b.png", "test/a/a.png", "test/c/b"], r"/test/c: class 'c' is not .*\(a, b\); add"),
        (["cat/a.png", "dog/b.png"], r"none of 2 images could be read \(the first: .*cat/a.png: the file is empty\)"),
    ],
)
def test_folders_of_another_kind(tmp_path: Path, files: list[str], message: str) -> None:
    touch(tmp_path, files)
    with pytest.raises(UserError, match=message):
        load(f"images:{tmp_path}")


def touch(folder: Path, files: Iterable[str]) -> None:
    for file in files:
        (folder / file).parent.mkdir(parents=True, exist_ok=True)
        (folder / file).mkdir() if file.endswith("/") else (folder / file).touch()


def put(folder: Path, *files: str, count: int = 1, **options: object) -> None:
    """Random images; `count` of them instead of each {} in a name."""
    random = np.random.default_rng(0)
    for file in files:
        for number in range(count):
            path = folder / file.replace("{}", str(number))
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(image_bytes(random.integers(0, 256, (3, 4, 4), dtype=np.uint8)))


def load_telling(folder: Path, **options: object) -> tuple[Dataset, list[str]]:
    """The data, and what was said, without the folder's own name."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        data = load(f"images:{folder}", **options)
    return data, [str(warning.message).replace(f"{folder}/", "") for warning in caught]


def num_examples(data: Dataset) -> tuple[int, int]:
    return len(data.train), len(data.test)


def test_deeper_folders_belong_to_the_class_on_top(tmp_path: Path) -> None:
    put(
        tmp_path, "train/cat/{}.png", "train/cat/tabby/{}.png", "train/cat/big/lion/{}.png", "train/dog/{}.png", count=3
    )
    put(tmp_path, "test/dog/all/{}.png", "test/cat/{}.png", count=2)
    data, said = load_telling(tmp_path)
    assert said == []
    assert data.class_names == ("cat", "dog")
    assert np.bincount(data.train.labels).tolist() == [9, 3]
    assert np.bincount(data.test.labels).tolist() == [2, 2]
    assert data.train.sources[6] == "train/cat/tabby/0.png"
    assert data.train.place(3) == "train/cat/big/lion/0.png"
    for split in (data.train, data.test):
        for row, name in enumerate(split.sources):
            np.testing.assert_array_equal(split.inputs[row], np.asarray(Image.open(tmp_path / name)).transpose(2, 0, 1))


def test_classes_below_other_folders_are_told(tmp_path: Path) -> None:
    put(tmp_path, "photos/cat/{}.png", "photos/dog/{}.png", "sketches/cat/{}.png", "sketches/dog/{}.png", count=3)
    data, said = load_telling(tmp_path)
    assert data.class_names == ("photos", "sketches")
    (line,) = said
    assert line == (
        "the classes are the folders on top, photos, sketches, though all images lie deeper in folders of equal names, "
        "cat, dog; move those up if they are the classes"
    )


def test_links_are_followed_and_broken_ones_listed(tmp_path: Path) -> None:
    root = tmp_path / "root"
    put(root, "cat/{}.png", "dog/{}.png", "../more/{}.png", count=5)
    (root / "cat" / "gone.png").symlink_to("nowhere.png")
    (root / "cat" / "itself.png").symlink_to("itself.png")
    (root / "dog" / "back").symlink_to("..")
    (root / "dog" / "more").symlink_to("../../more")
    (root / "dog" / "one.png").symlink_to("0.png")
    os.mkfifo(root / "dog" / "pipe.png")
    data, said = load_telling(root, rejected=tmp_path / "rejected.csv")
    assert sum(num_examples(data)) == 16
    assert len(said) == 1
    assert said[0].startswith(
        "4 images are left out, such as cat/gone.png (a link to nowhere.png, which is not there), "
    )
    _, *rows = csv.reader((tmp_path / "rejected.csv").open())
    assert [(Path(file).relative_to(root), reason) for file, reason in rows] == [
        (Path("cat/gone.png"), "a link to nowhere.png, which is not there"),
        (Path("cat/itself.png"), "it cannot be reached (Too many levels of symbolic links)"),
        (Path("dog/pipe.png"), "neither a file nor a folder"),
        (Path("dog/back"), "a link that leads back to a folder above it"),
    ]


HIDDEN = "is left out, as its name is that of a hidden one or of another program; rename it if it is a class"
ALIKE = "differ in case or form alone, and are classes of their own; join the folders if they are one"


@pytest.mark.parametrize(
    ("files", "sizes", "said"),
    [
        (["{s}train/a/{}.png", "{s}train/b/{}.png"], (8, 2), []),
        (["Train/a/{}.png", "Train/b/{}.png", "TEST/a/{}.png", "TEST/b/{}.png"], (10, 10), []),
        (["training/a/{}.png", "training/b/{}.png", "dev/a/{}.png", "dev/b/{}.png"], (10, 10), []),
        (["train/a/{}.png", "train/b/{}.png", "valid/a/{}.png", "valid/b/{}.png"], (10, 10), []),
        (["train/a/{}.png", "train/b/{}.png", "test/a/{}.png", "test/b/"], (10, 5), []),
        (
            ["train/a/{}.png", "train/b/{}.png", "val/a/{}.png", "test/a/{}.png"],
            (10, 5),
            ["val (5 images) is not used, as test is the test split"],
        ),
        (
            ["train/a/{}.png", "train/b/{}.png", "validation/a/{}.png", "test/{}.png"],
            (10, 5),
            ["test (5 images) is not used, as it has no folders of classes, hence no labels"],
        ),
        (
            ["train/a/{}.png", "train/b/{}.png", "test/unknown/{}.png"],
            (8, 2),
            [
                "test (5 images) is not used, as it has no folders of classes, hence no labels",
                "a fifth of train is held out as the test split",
            ],
        ),
        (
            ["train/a/{}.png", "train/b/{}.png", "test/a/{}.png", "masks/a/{}.png", "more/{}.png", "notes.md"],
            (10, 5),
            ["what lies beside the splits in ROOT, masks (5 images), more (5 images), are no splits and are not used"],
        ),
        (
            ["a/{}.png", "b/{}.png", "{}.png", "labels.csv"],
            (8, 2),
            ["5 images are left out, such as 0.png (it lies beside the folders of the classes, hence has none)"],
        ),
        (
            ["a/{}.png", "b/{}.png", ".c/{}.png", ".git/x", "__MACOSX/a/._{}.png", "a/.DS_Store", "a/._0.png"],
            (8, 2),
            [
                f"the folder .c (5 images) {HIDDEN}",
                f"the folder __MACOSX (5 images) {HIDDEN}",
                "1 image is left out, a/._0.png (a hidden file; rename it if it is an image)",
            ],
        ),
        (["__background__/{}.png", "b/{}.png"], (8, 2), []),
        (
            ["Cat/{}.png", "cat/{}.png", "dog/{}.png"],
            (12, 3),
            [f"Cat, cat in ROOT {ALIKE}"],
        ),
        (["val/{}.png", "bus/{}.png"], (8, 2), ["the folder val is taken for a class like the others beside it"]),
    ],
)  # fmt: skip
def test_layouts(tmp_path: Path, files: list[str], sizes: tuple[int, int], said: list[str]) -> None:
    root = tmp_path / "root"
    put(root, *[file.replace("{s}", "") for file in files if file.endswith("png")], count=5)
    touch(root, [file for file in files if not file.endswith("png")])
    data, heard = load_telling(root)
    assert num_examples(data) == sizes
    assert [line.replace(str(root), "ROOT") for line in heard] == said


def test_a_list_is_written_when_every_image_fails(tmp_path: Path) -> None:
    for row in range(8):
        (tmp_path / "photos" / "ab"[row % 2]).mkdir(parents=True, exist_ok=True)
        (tmp_path / "photos" / "ab"[row % 2] / f"{row}.tif").write_bytes(encode(Image.new("F", (5, 6)), "TIFF"))
    with pytest.raises(UserError, match=r"^none of 8 images could be read \(the first: .*0.tif: .* 16 bits"):
        load(f"images:{tmp_path / 'photos'}", rejected=tmp_path / "rejected.csv")
    assert (tmp_path / "rejected.csv").read_text().count("more than 16 bits") == 8


def test_a_class_of_which_no_image_is_left_is_refused(tmp_path: Path) -> None:
    put(tmp_path, "cat/{}.png", "dog/{}.png", count=5)
    touch(tmp_path, ["owl/0.png", "owl/1.png"])
    with pytest.raises(UserError, match=r"^no image is left of owl in .* \(the first of all: .*owl/0.png: the file is"):
        load(f"images:{tmp_path}", rejected=tmp_path / "rejected.csv")
    assert (tmp_path / "rejected.csv").read_text().count("the file is empty") == 2


def test_folders_that_may_not_be_read_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    put(tmp_path, "cat/{}.png", "dog/{}.png", count=2)
    scan = os.scandir

    def guarded(folder: str) -> object:
        if str(folder).endswith("dog"):
            raise PermissionError(13, "Permission denied")
        return scan(folder)

    monkeypatch.setattr(os, "scandir", guarded)
    with pytest.raises(UserError, match=r"^cannot read the folder .*/dog \(Permission denied\): make it readable, or"):
        load(f"images:{tmp_path}")


def test_names_of_files_take_little_memory() -> None:
    """Each name is one string, which the batches share with the sources of the examples."""
    names = [f"{row}.png" for row in range(100)]
    batch = FilesBelow("folder", tuple(names))
    assert list(batch)[:2] == ["folder/0.png", "folder/1.png"]
    assert batch.names[0] is names[0] is np.array(names, dtype=object)[0]
