from pathlib import Path

import pytest

from byrote.data.parquet_layout import find_files
from byrote.errors import UserError


def touch(folder: Path, names: list[str]) -> None:
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).touch()


@pytest.mark.parametrize(
    ("names", "sizes"),
    [
        (["train-00000-of-00001.parquet", "test-00000-of-00001.parquet"], [1, 1]),
        (["plain_text/train/0000.parquet", "plain_text/test/0000.parquet"], [1, 1]),
        (["data/train-0.parquet", "data/train-1.parquet", "data/validation-0.parquet"], [2, 1]),
        (["train.parquet", "validation.parquet", "test-0.parquet", "test-1.parquet"], [1, 2, 1]),
        (["train.parquet", "val.parquet", "unsupervised.parquet"], [1, 1]),
        (["test_suite/train-0.parquet", "test_suite/test-0.parquet"], [1, 1]),
        (["plain/partial-train/0000.parquet", "plain/test/0000.parquet", "plain/more/0000.parquet"], [1, 1]),
        (["Train/0.PARQUET", "dev/0.parquet", ".cache/train/0.parquet"], [1, 1]),
        (["train.parquet"], [1]),
        (["part-0.parquet", "part-1.parquet"], [2]),
    ],
)
def test_splits_are_told_by_name(tmp_path: Path, names: list[str], sizes: list[int]) -> None:
    touch(tmp_path, names)
    layout = find_files(tmp_path)
    assert (len(layout.train), [len(files) for files in layout.held_out.values()]) == (sizes[0], sizes[1:])


@pytest.mark.parametrize(
    ("names", "message"),
    [
        (["default/train/0.parquet", "fine/train/0.parquet"], "default, fine, .* such as parquet:.*/fine, or move"),
        (["en/data/train-0.parquet", "de/data/train-0.parquet"], "de, en, .* such as parquet:.*/en, or move"),
        (["train-0.parquet", "more/train-0.parquet"], "more, the files right in it, .* such as parquet:.*/more, or"),
        (["train/a/0.parquet", "train/b/0.parquet"], "a, b, .* such as parquet:.*/train/b, or"),
        (["2023/0.parquet", "2024/0.parquet"], "2023, 2024, .* such as parquet:.*/2024, or"),
    ],
)
def test_several_configurations_are_not_mixed(tmp_path: Path, names: list[str], message: str) -> None:
    touch(tmp_path, names)
    with pytest.raises(UserError, match=f"holds several configurations or data sets, {message}"):
        find_files(tmp_path)
    assert find_files((tmp_path / names[1]).parent).train == [tmp_path / names[1]]


def test_missing_files_of_a_split_are_said(tmp_path: Path) -> None:
    """The number of files is part of their names."""
    touch(tmp_path, ["data/train-00000-of-00003.parquet", "data/train-00002-of-00003.parquet"])
    touch(tmp_path, ["data/test-00000-of-00001.parquet"])
    (note,) = find_files(tmp_path).notes
    assert note.startswith("2 of 3 files ")
    assert note.endswith("train-….parquet are there: the examples of the others are missing")


def test_hidden_folders_and_loops_are_passed_by(tmp_path: Path) -> None:
    touch(tmp_path / "hub", ["train/0.parquet", ".cache/train/0.parquet"])
    (tmp_path / "hub" / "train" / "again").symlink_to("..")
    assert find_files(tmp_path / "hub").train == [tmp_path / "hub/train/0.parquet"]
