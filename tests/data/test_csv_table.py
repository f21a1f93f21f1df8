from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from byrote.data.csv_table import read_csv
from byrote.data.sources import load
from byrote.errors import UserError

from .conftest import csv_table, make_arrays


def write_csv_text(folder: Path, text: str) -> None:
    (folder / "table.csv").write_text(text)


WRONG_FILES: dict[str, tuple[str, Callable[[Path], object], str]] = {
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
    damage(tmp_path)
    with pytest.raises(UserError, match=message) as caught:
        load(name.format(tmp_path), label="kind")
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
