import os
import subprocess
import sys
import warnings
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from byrote.data import memory, parquet
from byrote.data.dataset import Dataset
from byrote.data.parquet import RowGroupSlice
from byrote.data.sources import load
from byrote.errors import UserError

from .conftest import CLASSES, hugging_face, image_bytes, image_table, make_arrays, write_parquet

PIXELS = make_arrays(3, 4, 5)["x_train"]
LABELS = np.arange(30) % 3


def put(folder: Path, table: pa.Table, name: str = "train.parquet") -> None:
    (folder / name).parent.mkdir(parents=True, exist_ok=True)
    pq.write_table(table, folder / name)


def load_telling(folder: Path, **options: Any) -> tuple[Dataset, list[str]]:
    """The data, and what was said, with DIR for the folder."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        data = load(f"parquet:{folder}", **options)
    return data, [str(warning.message).replace(str(folder), "DIR") for warning in caught]


@pytest.mark.parametrize(
    ("column", "shape"),
    [
        (pa.array([image_bytes(image) for image in PIXELS]), (3, 4, 5)),
        (pa.array([image_bytes(image) for image in PIXELS], pa.large_binary()), (3, 4, 5)),
        (pa.array(PIXELS.tolist()), (3, 4, 5)),
        (pa.array(PIXELS.transpose(0, 2, 3, 1).tolist()), (3, 4, 5)),
        (pa.array(PIXELS[:, 0].tolist(), pa.large_list(pa.list_(pa.uint8(), 5))), (1, 4, 5)),
        (pa.FixedSizeListArray.from_arrays(pa.array(PIXELS.ravel()), 60), (60,)),
        (pa.array(PIXELS.reshape(30, -1).tolist(), pa.list_(pa.float64())), (60,)),
    ],
)
def test_columns_of_any_kind(tmp_path: Path, column: pa.Array, shape: tuple[int, ...]) -> None:
    table = pa.table({"id": range(30), "x": column, "label": LABELS})
    put(tmp_path, table)
    put(tmp_path, table, "test.parquet")
    data = load(f"parquet:{tmp_path}")
    assert data.input_shape == shape
    np.testing.assert_array_equal(data.train.inputs, PIXELS.reshape(30, -1)[:, : np.prod(shape)].reshape(30, *shape))


def test_labels_may_be_names_in_a_column_of_another_name(tmp_path: Path) -> None:
    names = np.array(CLASSES)[LABELS]
    put(tmp_path, pa.table({"x": PIXELS.tolist(), "kind": pa.array(names).dictionary_encode()}))
    assert load(f"parquet:{tmp_path}", label="kind").class_names == CLASSES[:3]


def test_broken_images_are_left_out_and_named(tmp_path: Path) -> None:
    write_parquet(tmp_path, make_arrays(3, 4, 5))
    table = image_table(PIXELS[:3], np.arange(3)).to_pydict()
    table["img"][1] = {"bytes": b"hello", "path": None}
    table["img"][2] = {"bytes": None, "path": "elsewhere.png"}
    put(tmp_path, pa.table(table), "test-00001-of-00002.parquet")
    with pytest.warns(UserWarning, match=r"^2 images are left out, such as .*test-00001-of-00002.parquet, row 1 .*not"):
        data = load(f"parquet:{tmp_path}")
    assert (len(data.train), len(data.test)) == (30, 7)
    assert data.test.labels[-1] == 0


def relabelled(labels: Any) -> pa.Table:
    return image_table(PIXELS, LABELS).set_column(
        1, "label", labels if isinstance(labels, pa.Array) else pa.array(labels)
    )


@pytest.mark.parametrize("missing", [[-1] * 30, [None] * 30, pa.array([None] * 30, pa.int64()), pa.array([""] * 30)])
def test_a_split_without_labels_is_passed_over(tmp_path: Path, missing: Any) -> None:
    names = isinstance(missing, pa.Array) and pa.types.is_string(missing.type)
    known = relabelled(np.array(CLASSES)[LABELS].tolist()) if names else image_table(PIXELS, LABELS)
    put(tmp_path, known)
    put(tmp_path, relabelled(missing), "test-0.parquet")
    data, said = load_telling(tmp_path)
    why = "as it has no labels: all of them are -1 or missing"
    what = f"the test split of DIR (30 rows, test-0.parquet) is not used, {why}"
    assert (len(data.train), len(data.test)) == (24, 6)
    assert said == [what, "a fifth of the training split of DIR is held out as the test split"]
    put(tmp_path, known.slice(0, 9), "validation-0.parquet")
    data, said = load_telling(tmp_path)
    assert (len(data.train), len(data.test)) == (30, 9)
    assert said == [what]
    put(tmp_path, known.drop_columns("label"), "test-0.parquet")
    assert "no column 'label' of labels" in load_telling(tmp_path)[1][0]


def test_minus_one_may_be_a_class(tmp_path: Path) -> None:
    put(tmp_path, relabelled(LABELS - 1 + (LABELS == 1)))
    put(tmp_path, relabelled(np.full(30, -1)), "test.parquet")
    data, _ = load_telling(tmp_path)
    assert (data.class_names, len(data.test)) == (("-1", "1"), 30)


def test_files_that_are_not_used_are_told(tmp_path: Path) -> None:
    for name in ("train_easy-0", "train_hard-0", "validation-0", "test-0", "extra-0"):
        put(tmp_path, image_table(PIXELS, LABELS), f"data/{name}.parquet")
    data, said = load_telling(tmp_path)
    assert (len(data.train), len(data.test)) == (60, 30)
    assert said == [
        "train_easy, train_hard in DIR are read together, as the training split",
        "data/extra-0.parquet (30 rows) in DIR is not used, being of no split",
        "the validation split of DIR (30 rows, validation-0.parquet) is not used, as test-0.parquet is tested on",
    ]


def test_one_file_is_enough(tmp_path: Path) -> None:
    put(tmp_path, image_table(PIXELS, LABELS))
    for cache in (None, tmp_path / "cache"):
        data = load(f"parquet:{tmp_path / 'train.parquet'}", cache=cache)
        assert (len(data.train), len(data.test)) == (24, 6)
    with pytest.raises(UserError, match=r"^no folder .*/nowhere; expected one with train-"):
        load(f"parquet:{tmp_path / 'nowhere'}")


def test_rows_keep_their_numbers(tmp_path: Path) -> None:
    """Through broken images and through a cache, they are those of the files one after another."""
    write_parquet(tmp_path, make_arrays(3, 4, 5))
    table = pq.read_table(tmp_path / "train-00001-of-00002.parquet").to_pydict()
    table["img"][2] = {"bytes": b"hello", "path": None}
    put(tmp_path, pa.table(table), "train-00001-of-00002.parquet")
    for cache in (None, tmp_path / "cache"):
        data, _ = load_telling(tmp_path, cache=cache)
        assert data.train.sources.tolist() == np.delete(np.arange(30), 17).tolist()
        assert data.train.place(17) == "row 18 of train-00000-of-00002.parquet and the 1 files after it"
        assert data.test.sources.tolist() == list(range(12))
    put(tmp_path / "arrays", pa.table({"x": PIXELS.tolist(), "label": LABELS}))
    data = load(f"parquet:{tmp_path / 'arrays'}")
    for split in (data.train, data.test):
        np.testing.assert_array_equal(split.inputs, PIXELS[split.sources])
    assert data.test.origin == "row {} of train.parquet"


@pytest.mark.parametrize("cached", [False, True])
def test_images_may_be_given_by_path(tmp_path: Path, cached: bool) -> None:
    folder, options = tmp_path / "hub", {"cache": tmp_path / "cache"} if cached else {}
    (folder / "images").mkdir(parents=True)
    structs = [{"bytes": None, "path": f"images/{row}.png"} for row in range(30)]
    for row, image in enumerate(PIXELS):
        (folder / "images" / f"{row}.png").write_bytes(image_bytes(image))
    structs[4] = {"bytes": image_bytes(PIXELS[4]), "path": "elsewhere.png"}
    put(folder, pa.table({"image": structs, "label": LABELS}))
    data, said = load_telling(folder, **options)
    assert said == []
    for split in (data.train, data.test):
        np.testing.assert_array_equal(split.inputs, PIXELS[split.sources])
    changed = folder / "images" / "7.png"
    changed.write_bytes(image_bytes(255 - PIXELS[7]))
    os.utime(changed, (1, 1))
    data, _ = load_telling(folder, **options)
    assert any((image == 255 - PIXELS[7]).all() for image in np.concatenate([data.train.inputs, data.test.inputs]))
    changed.unlink()
    structs[8] = {"bytes": None, "path": None}
    structs[9] = {"bytes": None, "path": "https://example.invalid/9.png"}
    put(folder, pa.table({"image": structs, "label": LABELS}))
    data, said = load_telling(folder, rejected=tmp_path / "rejected.csv", **options)
    assert len(data.train) + len(data.test) == 27
    assert said[0].startswith(
        "3 images are left out, such as DIR/train.parquet, row 7 (counting from 0) (it has a path and"
    )
    reasons = (tmp_path / "rejected.csv").read_text()
    assert "no file" in reasons
    assert "it has neither bytes nor a path" in reasons


@pytest.mark.parametrize("column", ["x", "label"])
def test_small_files_of_many_values_are_refused(tmp_path: Path, column: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """One value that a dictionary repeats takes next to nothing in a file."""
    rows = 2**14
    zeros = pa.FixedSizeListArray.from_arrays(pa.array(np.zeros(rows * 64, np.float32)), 64).cast(
        pa.list_(pa.float32())
    )
    put(tmp_path, pa.table({"x": zeros, "label": np.arange(rows) % 2}))
    assert (tmp_path / "train.parquet").stat().st_size < 2**16
    needed = {"x": 2 * 4 * 64 * rows, "label": 64 * rows}[column]
    monkeypatch.setattr(memory, "free_memory", lambda: needed - 1)
    message = rf"train.parquet, column '{column}', says that it holds {needed:,} bytes, and {needed - 1:,} bytes of"
    with pytest.raises(UserError, match=message):
        load(f"parquet:{tmp_path}")


BOMB = """
import resource, sys
import byrote
resource.setrlimit(resource.RLIMIT_AS, (2**31, 2**31))
try:
    byrote.load("parquet:" + sys.argv[1])
except byrote.UserError as error:
    print(error)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="macOS does not heed the limit")
@pytest.mark.parametrize("as_struct", [False, True])
def test_an_image_that_all_rows_share_is_held_once(tmp_path: Path, as_struct: bool) -> None:
    """4 MiB in the file, 2 GiB if each row had its own."""
    image = pa.array([np.random.default_rng(0).bytes(2**22)])
    column = pa.DictionaryArray.from_arrays(pa.array(np.zeros(512, np.int32)), image)
    if as_struct:
        column = pa.StructArray.from_arrays([column, pa.nulls(512, pa.string())], ["bytes", "path"])
    table = pa.table({"x": column, "label": np.arange(512) % 2})
    pq.write_table(table, tmp_path / "train.parquet", store_schema=False, dictionary_pagesize_limit=2**30)
    assert (tmp_path / "train.parquet").stat().st_size < 2**24
    done = subprocess.run([sys.executable, "-c", BOMB, tmp_path], capture_output=True, text=True, timeout=500)
    assert "none of 512 images could be read" in done.stdout, done.stderr[-2000:]


def test_image_size(tmp_path: Path) -> None:
    write_parquet(tmp_path, make_arrays(3, 4, 6))
    assert load(f"parquet:{tmp_path}", image_size=3).input_shape == (3, 3, 3)


IMAGES = image_table(PIXELS, LABELS)


@pytest.mark.parametrize(
    ("files", "options", "message"),
    [
        ({}, {}, r"no train-\*.parquet in .* \(0 other parquet files there\); expected train-\*.parquet and test-"),
        ({"test.parquet": IMAGES}, {}, r"no train-\*.parquet in .* \(1 other parquet files there\)"),
        (
            {"train.parquet": IMAGES.rename_columns(["img", "labels"])},
            {},
            "train.parquet has no column 'label', but img, labels; did you mean 'labels'.; name .* with --label NAME",
        ),
        ({"train.parquet": IMAGES}, {"label": "kind"}, "has no column 'kind', but img, label; name the column of"),
        (
            {"train.parquet": pa.table({"a": [1.0], "label": [0]})},
            {},
            r"has columns a, label, expected one of images \(struct with bytes\) .*; save tables .* use csv:FILE",
        ),
        (
            {"train.parquet": IMAGES.append_column("mask", IMAGES["img"])},
            {},
            "train.parquet has several columns of inputs, img, mask: keep one of them",
        ),
        (
            {"train.parquet": IMAGES, "test.parquet": IMAGES.rename_columns(["image", "label"])},
            {},
            "test.parquet has no column 'img' as .*train.parquet has: give all files the same columns",
        ),
        (
            {"train.parquet": pa.table({"x": [[1, 2], [3]], "label": [0, 1]})},
            {},
            r"train.parquet, row 1 \(counting from 0\): 'x' is missing or of another shape than in row 0; give all",
        ),
        (
            {"train.parquet": pa.table({"x": [[[1], [2]], [[3], [4, 5]]], "label": [0, 1]})},
            {},
            r"train.parquet, row 1 .*: 'x' is missing or of another shape",
        ),
        ({"train.parquet": pa.table({"x": [[1], None], "label": [0, 1]})}, {}, r"row 1 .*: 'x' is missing or of"),
        (
            {"train.parquet": pa.table({"x": [[1], [None]], "label": [0, 1]})},
            {},
            r"row 1 .*, feature 0 .*: no value .NaN.",
        ),
        (
            {
                "train.parquet": pa.table({"x": [[1]], "label": [0]}),
                "test.parquet": pa.table({"x": [[1, 2]], "label": [0]}),
            },
            {},
            r"arrays of different shapes \(.*train.parquet \(1,\), .*test.parquet \(2,\)\): give all files of",
        ),
        (
            {"train.parquet": pa.table({"x": [[1]], "label": [0]})},
            {"image_size": 8},
            "got an image size, but .* arrays",
        ),
        (
            {"train.parquet": pa.table({"x": [[1]], "label": [0]})},
            {"cache": "elsewhere"},
            "got a cache, but .* holds arrays, not image files: leave it out",
        ),
        ({"train.parquet": IMAGES.slice(0, 0)}, {}, r"none of 0 images could be read \(there is none\)"),
        (
            {"train.parquet": IMAGES.set_column(1, "label", pa.array([[0], [1, 2], []] * 10))},
            {},
            r"train.parquet, row 1 \(counting from 0\): 'label' holds 2 classes, and byrote trains on one class",
        ),
        (
            {"train.parquet": IMAGES.set_column(1, "label", pa.array([[1, 0, 1]] * 30))},
            {},
            r"train.parquet, row 0 \(counting from 0\), has 2 classes: byrote trains on one class",
        ),
        (
            {"train.parquet": IMAGES.set_column(1, "label", pa.array([{"a": 1}] * 30))},
            {},
            "train.parquet: the column 'label' of labels is of type struct.*, expected whole numbers or names; name",
        ),
        (
            {"train.parquet": IMAGES.set_column(1, "label", pa.array(["a", None, "b"] * 10).dictionary_encode())},
            {},
            r"train.parquet, row 1 \(counting from 0\): a label that is missing \(10 such rows\)",
        ),
        (
            {
                "train.parquet": IMAGES.replace_schema_metadata(hugging_face({"label": {"names": ["a", "b", "c"]}})),
                "test.parquet": IMAGES.replace_schema_metadata(hugging_face({"label": {"names": ["b", "a", "c"]}})),
            },
            {},
            "test.parquet has the classes b, a, c, but the files before it a, b, c: give all files the same, in one",
        ),
        (
            {"train.parquet": IMAGES.set_column(1, "label", pa.array([0, None, 1] * 10))},
            {},
            r"train.parquet, row 1 \(counting from 0\): a label that is missing",
        ),
        (
            {"train.parquet": IMAGES.replace_schema_metadata({"huggingface": "{"})},
            {},
            "train.parquet has Hugging Face metadata that cannot be read",
        ),
        (
            {"train.parquet": IMAGES.replace_schema_metadata(hugging_face({"label": {"names": ["a", "b"]}}))},
            {},
            r"train.parquet, row 2 \(counting from 0\): class 2 is not among the 2 classes",
        ),
    ],
)
def test_wrong_tables_get_one_sentence(
    tmp_path: Path, files: dict[str, pa.Table], options: dict[str, Any], message: str
) -> None:
    for name, table in files.items():
        put(tmp_path, table, name)
    with pytest.raises(UserError, match=message):
        load(f"parquet:{tmp_path}", **options)


@pytest.mark.parametrize(
    "damage", [lambda content: content[:-50], lambda content: b"", lambda content: b"PAR1" + bytes(500) + content[504:]]
)
@pytest.mark.parametrize("cached", [False, True])
def test_damaged_files_are_named(damage: Callable[[bytes], bytes], cached: bool, tmp_path: Path) -> None:
    put(tmp_path, IMAGES)
    path = tmp_path / "train.parquet"
    path.write_bytes(damage(path.read_bytes()))
    with pytest.raises(UserError, match=f"^{tmp_path}.* cannot be read as parquet: .*; fetch it again$"):
        load(f"parquet:{tmp_path}", cache=tmp_path / "cache" if cached else None, image_size=4)


def contents(slices: Iterable[RowGroupSlice]) -> list[bytes]:
    return [content for part in slices for content in part]


def test_slices_of_row_groups_hold_what_is_in_them(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(parquet, "_ROWS", 3)
    path = tmp_path / "train.parquet"
    pq.write_table(IMAGES, path, row_group_size=20)
    expected = [image_bytes(image) for image in PIXELS]
    for group, start in ((0, 0), (1, 20)):
        for first, last in ((0, 10), (4, 5), (2, 9), (9, 10), (5, 5)):
            part = RowGroupSlice(str(path), group, "img", first, last)
            assert len(part) == last - first
            assert list(part) == expected[start + first : start + last]


@pytest.mark.parametrize(
    ("cores", "group_size", "sizes"),
    [(1, 7, [7, 7, 7, 7, 2]), (5, 15, [3] * 10), (100, 15, [3] * 10), (2, 20, [10, 10, 5, 5]), (1, 30, [15, 15])],
)
def test_row_groups_are_divided_where_there_are_few(
    cores: int, group_size: int, sizes: list[int], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(parquet, "_ROWS", 3)
    monkeypatch.setattr(parquet, "num_usable_cores", lambda: cores)
    path = tmp_path / "train.parquet"
    pq.write_table(IMAGES, path, row_group_size=group_size)
    slices = parquet._row_group_slices([pq.ParquetFile(path)], [str(path)], "img")
    assert [len(part) for part in slices] == sizes
    assert contents(slices) == [image_bytes(image) for image in PIXELS]
