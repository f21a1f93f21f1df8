from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from byrote.data import parquet
from byrote.data.parquet import RowGroupSlice
from byrote.data.sources import load
from byrote.errors import UserError

from .conftest import CLASSES, hugging_face, image_bytes, image_table, make_arrays, write_parquet

PIXELS = make_arrays(3, 4, 5)["x_train"]
LABELS = np.arange(30) % 3


def put(folder: Path, table: pa.Table, name: str = "train.parquet") -> None:
    (folder / name).parent.mkdir(parents=True, exist_ok=True)
    pq.write_table(table, folder / name)


@pytest.mark.parametrize(
    ("names", "sizes"),
    [
        (["train-00000-of-00001.parquet", "test-00000-of-00001.parquet"], (30, 30)),
        (["plain_text/train/0000.parquet", "plain_text/test/0000.parquet"], (30, 30)),
        (["data/train-0.parquet", "data/train-1.parquet", "data/validation-0.parquet"], (60, 30)),
        (["train.parquet", "validation.parquet", "test-0.parquet", "test-1.parquet"], (30, 60)),
        (["train.parquet", "val.parquet", "unsupervised.parquet"], (30, 30)),
        (["train.parquet"], (24, 6)),
        (["part-0.parquet", "part-1.parquet"], (48, 12)),
    ],
)
def test_splits_are_told_by_name(tmp_path: Path, names: list[str], sizes: tuple[int, int]) -> None:
    for name in names:
        put(tmp_path, image_table(PIXELS, LABELS), name)
    data = load(f"parquet:{tmp_path}")
    assert (len(data.train), len(data.test)) == sizes


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
            {"train.parquet": IMAGES, "test.parquet": IMAGES.set_column(1, "label", pa.array([-1] * 30))},
            {},
            r"test.parquet, row 0 \(counting from 0\): the label -1 beside 0, 1, 2, as examples without a label",
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
    monkeypatch.setattr(parquet, "num_cores", lambda: cores)
    path = tmp_path / "train.parquet"
    pq.write_table(IMAGES, path, row_group_size=group_size)
    slices = parquet._row_group_slices([pq.ParquetFile(path)], [str(path)], "img")
    assert [len(part) for part in slices] == sizes
    assert contents(slices) == [image_bytes(image) for image in PIXELS]
