import gzip
from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from byrote.data import files
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
        "table.csv is empty, expected a header and rows",
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
        r"table.csv has no column 'kind', did you mean 'kinds'\? Its columns are a, kinds \(separated by a comma\)",
    ),
    "text feature": (
        "csv:{}/table.csv",
        partial(write_csv_text, text="a,kind\n1,x\nred,y\n"),
        r"table.csv, row 1 \(counting from 0\), column 'a': got 'red', expected a number, not text; drop the column or",
    ),
    "missing feature": (
        "csv:{}/table.csv",
        partial(write_csv_text, text="a,b,kind\n1,1,x\n1,,y\n"),
        r"table.csv, row 1 \(counting from 0\), column 'b': no value \(NaN\) \(1 rows have",
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
        "table.csv cannot be read as csv: .*line 3.*; give each row as many values as the header has names, 2",
    ),
    "bytes for csv": (
        "csv:{}/table.csv",
        lambda folder: (folder / "table.csv").write_bytes(b"\xef\xbb\xbfa,kind\n\xff\xfe\xfa,1\n"),
        "table.csv cannot be read as csv: 'utf-8' codec .*; save it as text in UTF-8",
    ),
    "Excel for csv": (
        "csv:{}/table.csv",
        lambda folder: (folder / "table.csv").write_bytes(b"PK\x03\x04" + bytes(99)),
        "table.csv is an Excel or zip file, expected text; save it as csv",
    ),
    "one column": (
        "csv:{}/table.csv",
        partial(write_csv_text, text="words\n1\n2\n"),
        "has one column by its first",
    ),
    "no header": (
        "csv:{}/table.csv",
        partial(write_csv_text, text="5.1,3.5,0\n4.9,3,1\n"),
        r"table.csv seems to have no header: its first line is 5.1, 3.5, 0; write the names of the columns above it",
    ),
    "no header, and a class in words": (
        "csv:{}/table.csv",
        partial(write_csv_text, text="5.1,3.5,kind\n4.9,3,x\n5,2,kind\n"),
        r"table.csv seems to have no header: its first line is 5.1, 3.5, kind; write the names of the columns above it",
    ),
    "columns without a name": (
        "csv:{}/table.csv",
        partial(write_csv_text, text=",a,,kind,\n1,2,3,x,\n4,5,6,y,\n"),
        r"table.csv has 2 columns without a name in its header \(columns 1, 3, counting from 1\): write a name above",
    ),
    "column twice": (
        "csv:{}/table.csv",
        partial(write_csv_text, text="kind, a ,b,a\nx,1,2,3\n"),
        "table.csv has the column 'a' 2 times in its header: give each column a name of its own",
    ),
    "longer rows": (
        "csv:{}/table.csv",
        partial(write_csv_text, text="a,b,kind\n1,2,x\n" + "3,4,y\n" * 300 + "1,2,x,9\n" + "3,4,y\n"),
        "table.csv cannot be read as csv: Expected 3 fields in line 303, saw 4; give each row as many values",
    ),
    "shorter rows": (
        "csv:{}/table.csv",
        partial(write_csv_text, text="kind,a,b\nx,1,2\ny,3\n"),
        r"table.csv, row 1 \(counting from 0\), column 'b': no value \(NaN\)",
    ),
    "empty column": (
        "csv:{}/table.csv",
        partial(write_csv_text, text="kind,a,b\nx,1,\ny,3,\n"),
        "table.csv, column 'b', has no value in any row; drop it",
    ),
    "infinite value": (
        "csv:{}/table.csv",
        partial(write_csv_text, text="kind,a,b\nx,1,2\ny,3,-inf\n"),
        r"table.csv, row 1 \(counting from 0\), column 'b': an infinite value \(1 rows have NaN or infinity\); drop",
    ),
    "number or thousands": (
        "csv:{}/table.csv",
        partial(write_csv_text, text='kind,a\nx,"1,234"\ny,"2,345"\n'),
        r"row 0 \(counting from 0\), column 'a': '1,234' may be 1234 or 1.234; write numbers with a decimal point",
    ),
    "points beside commas": (
        "csv:{}/table.csv",
        partial(write_csv_text, text="kind;a;b\nx;0,5;1.234\ny;2,5;2.345\n"),
        r"row 0 .*, column 'b': '1.234' has a point, where column 'a' has decimal commas, and may be meant either way",
    ),
    "points among commas": (
        "csv:{}/table.csv",
        partial(write_csv_text, text="kind;a\nx;0,5\ny;2.5\n"),
        r"row 1 .*, column 'a': '2.5' has a point, where column 'a' has decimal commas",
    ),
    "percents": (
        "csv:{}/table.csv",
        partial(write_csv_text, text="kind,a\nx,1%\ny,2%\n"),
        r"row 0 \(counting from 0\), column 'a': got '1%', expected a number, not text; drop the column or encode it",
    ),
    "a name among numbers": (
        "csv:{}/table.csv",
        partial(write_csv_text, text="kind,a\nx,1\ny,2\nx,3\ny,low\n"),
        r"row 3 \(counting from 0\), column 'a': got 'low', expected a number",
    ),
    "dates": (
        "csv:{}/table.csv",
        partial(write_csv_text, text="kind,a\nx,2024-01-31\ny,2024-02-01\n"),
        r"row 0 \(counting from 0\), column 'a': got '2024-01-31', expected a number",
    ),
    "moments": (
        "csv:{}/table.csv",
        partial(write_csv_text, text="kind,a\n" + "".join(f"{'xy'[i % 2]},{1700000000 + i * i}\n" for i in range(9))),
        r"table.csv, column 'a': float32 rounds values by up to \d+, and they spread by 21.4.*; subtract the",
    ),
    "test without training": (
        "csv:{}/table.csv",
        partial(write_csv_text, text="kind,a,split\nx,1,test\ny,2,val\n"),
        "table.csv has no rows whose split is train, expected at least one example; correct",
    ),
    "no label among numbers": (
        "csv:{}/table.csv",
        partial(write_csv_text, text="kind,a\n0,1\n1,2\n-1,3\n"),
        r"table.csv, row 2 \(counting from 0\): the label -1 beside 0, 1, as examples without a label have it",
    ),
    "folder for csv": ("csv:{}", lambda folder: None, "cannot be read as csv: it is a folder; give the path"),
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


ROWS = [(0.5, -1.25, "cat"), (12.0, 3.5, "dog"), (0.125, 7.0, "cat"), (2.0, 1e-3, "dog")] * 3


def text_of(separator: str = ",", decimal: str = ".", header: str = "a,b,kind", end: str = "\n") -> str:
    lines = [separator.join((f"{a:.3f}", f"{b:.3f}", kind)).replace(".", decimal) for a, b, kind in ROWS]
    return end.join([header.replace(",", separator), *lines, ""])


WRITTEN: dict[str, str | bytes] = {
    "commas": text_of(),
    "semicolons": text_of(";"),
    "tabs": text_of("\t"),
    "bars": text_of("|"),
    "blanks": text_of(" "),
    "several blanks": text_of("   "),
    "blanks after commas": text_of(", "),
    "decimal commas": text_of(";", ","),
    "decimal commas and tabs": text_of("\t", ","),
    "decimal commas in quotation marks": "a,b,kind\n"
    + "".join(f'"{a:.3f}","{b:.3f}",{kind}\n'.replace(".", ",") for a, b, kind in ROWS),
    "carriage returns": text_of(end="\r\n"),
    "old carriage returns": text_of(end="\r"),
    "no end of the last line": text_of().rstrip(),
    "blank lines": "\n\n" + text_of(end="\n\n"),
    "blanks around names": text_of(header=" a, b ,kind "),
    "names in quotation marks": text_of(header='"a, in m","b\nin s","kind"').replace('"kind"', "kind", 1),
    "separator as Excel says it": "sep=;\n" + text_of(";"),
    "comments": "# from somewhere\n# in 1998, by us; twice\n" + text_of(),
    "NumPy's header": "# " + text_of(),
    "a separator at the end of rows": text_of(end=",\n"),
    "empty columns of a spreadsheet": text_of(header="a,b,kind,,", end=",,\n").replace(",,,,", ",,"),
    "a byte order mark": b"\xef\xbb\xbf" + text_of().encode(),
    "UTF-16": text_of(";", ",").encode("utf-16"),
    "UTF-16 without a mark": text_of().encode("utf-16-be"),
    "UTF-32": text_of().encode("utf-32"),
    "gzip": gzip.compress(text_of().encode()),
    "row names without a header": "a,b,kind\n"
    + "".join(f"r{row},{a},{b},{kind}\n" for row, (a, b, kind) in enumerate(ROWS)),
}


@pytest.mark.filterwarnings("ignore::UserWarning")
@pytest.mark.parametrize("way", WRITTEN)
def test_one_table_written_in_many_ways(way: str, tmp_path: Path) -> None:
    written = WRITTEN[way]
    (tmp_path / "table.csv").write_bytes(written if isinstance(written, bytes) else written.encode())
    data = load(f"csv:{tmp_path / 'table.csv'}", label="kind")
    assert data.class_names == ("cat", "dog")
    for split in (data.train, data.test):
        expected = [ROWS[row][:2] for row in split.sources]
        np.testing.assert_array_equal(split.inputs, np.array(expected, np.float32))
        assert [data.class_names[code] for code in split.labels] == [ROWS[row][2] for row in split.sources]
        assert split.place(0) == f"row {split.sources[0]} of {tmp_path / 'table.csv'}"


@pytest.mark.parametrize(
    ("numbers", "expected"),
    [
        (["1,234.5", "0.5", "7"], [1234.5, 0.5, 7]),
        (["1,234,567", "1", "2"], [1234567, 1, 2]),
        (["1.234,5", "1.234", "0,5"], [1234.5, 1234, 0.5]),
        (["1.234.567", "1", "2"], [1234567, 1, 2]),
        (["1 234,5", "0,5", "2"], [1234.5, 0.5, 2]),
        (["1\u00a0234", "5", "2"], [1234, 5, 2]),
        (["1'234.5", "5", "2"], [1234.5, 5, 2]),
        (["-1,5", "+2,5", "1,5e3"], [-1.5, 2.5, 1500]),
        (["\u22121.5", "2", "3"], [-1.5, 2, 3]),
        (["1,234", "0,5", "2"], [1.234, 0.5, 2]),
        (["True", "False", "True"], [1, 0, 1]),
        (["1e3", "2E-1", ".5"], [1000, 0.2, 0.5]),
    ],
)
@pytest.mark.filterwarnings("ignore::UserWarning")
def test_numbers_as_people_write_them(numbers: list[str], expected: list[float], tmp_path: Path) -> None:
    write_csv_text(tmp_path, "a;y\n" + "".join(f"{number};{row % 2}\n" for row, number in enumerate(numbers * 4)))
    data = load(f"csv:{tmp_path / 'table.csv'}", label="y")
    np.testing.assert_array_equal(data.train.inputs[:, 0], np.float32(np.array(expected * 4)[data.train.sources]))


SAID = {
    "a column without a name that counts": (
        ",a,kind\n" + "".join(f"{i},{i % 7},{'xy'[i % 2]}\n" for i in range(30)),
        r"table.csv has a column without a name that names the rows: it is left out$",
        1,
    ),
    "names of rows": (
        ",a,kind\n" + "".join(f"car {i},{i % 7},{'xy'[i % 2]}\n" for i in range(30)),
        r"a column without a name that names the rows: it is left out$",
        1,
    ),
    "an id from 1": (
        "id,a,kind\n" + "".join(f"{i + 1},{i % 7},{'xy'[i % 2]}\n" for i in range(30)),
        r"table.csv: column 'id' counts the rows from 1 to 30, and is taken as a feature: drop it if",
        2,
    ),
    "an id in another order": (
        "a,no,kind\n" + "".join(f"{i % 7},{i * 7 % 30},{'xy'[i % 2]}\n" for i in range(30)),
        r"column 'no' counts the rows from 0 to 29, in another order, and is taken",
        2,
    ),
    "an id with gaps": (
        "a,no,kind\n" + "".join(f"{i % 7},{i * i},{'xy'[i % 2]}\n" for i in range(30)),
        r"column 'no' grows from row to row, and is taken as a feature",
        2,
    ),
    "Latin-1": (
        "größe,kind\n" + "".join(f"{i % 7},{'xy'[i % 2]}\n" for i in range(30)),
        r"table.csv is not in UTF-8 and is read as Windows-1252 \(Latin-1\): save it in UTF-8 if names look wrong",
        1,
    ),
    "rows of another split": (
        "a,kind,split\n" + "".join(f"{i % 7},{'xy'[i % 2]},{('Train', 'TEST', 'val')[i // 10]}\n" for i in range(30)),
        r"table.csv: the 10 rows of the validation split are not used",
        1,
    ),
    "decimal commas": (
        "a;kind\n" + "".join(f"{i % 7},5;{'xy'[i % 2]}\n" for i in range(30)),
        r"table.csv have decimal commas \('a' among others\): 0,5 is read as 0.5",
        1,
    ),
    "a doubtful class": (
        "a,kind\n" + "".join(f"{i % 7},{('NA', 'EU')[i % 2]}\n" for i in range(30)),
        r"'NA' is taken as a class, not as a missing label",
        1,
    ),
    "rounded counts": (
        "a,kind\n" + "".join(f"{i * i % 7 * 10**8 + 1},{'xy'[i % 2]}\n" for i in range(30)),
        r"table.csv, row 1 \(counting from 0\), column 'a': 100000001 is rounded to 100000000 in float32",
        1,
    ),
}


@pytest.mark.parametrize("case", SAID)
def test_what_may_be_meant_otherwise_is_said(case: str, tmp_path: Path) -> None:
    text, said, num_features = SAID[case]
    (tmp_path / "table.csv").write_bytes(text.encode("latin-1"))
    with pytest.warns(UserWarning, match=said) as caught:
        assert load(f"csv:{tmp_path / 'table.csv'}", label="kind").input_shape == (num_features,)
    assert len(caught) == 1


@pytest.mark.parametrize(
    ("labels", "expected"),
    [
        (["007", "7"], ("007", "7")),
        (["1.0", "2", "1"], ("1", "2")),
        (["a b", "a"], ("a", "a b")),
        (["-1", "1"], ("-1", "1")),
        (['"x, y"', '"x\ny"'], ("x\ny", "x, y")),
    ],
)
def test_labels_of_a_csv(labels: list[str], expected: tuple[str, ...], tmp_path: Path) -> None:
    write_csv_text(tmp_path, "a,y\n" + "".join(f"{row % 3},{label}\n" for row, label in enumerate(labels * 5)))
    assert load(f"csv:{tmp_path / 'table.csv'}", label="y").class_names == expected


def test_a_bomb_is_not_inflated(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(files, "free_memory", lambda: 2**24)
    (tmp_path / "table.csv").write_bytes(gzip.compress(b"a,y\n" + b"1,2\n" * 2**21, 1))
    with pytest.raises(UserError, match=r"table.csv has [\d,]+ bytes and inflates to more than 3,145,728, for which"):
        load(f"csv:{tmp_path / 'table.csv'}", label="y")


@pytest.mark.parametrize("first", ["{}.5", "{}"])
def test_a_header_that_lacks_the_last_name_is_refused(first: str, tmp_path: Path) -> None:
    """Names belong to the columns from the second on only where the first names rows."""
    rows = [f"{first.format(row % 4)},{row},{'cat' if row % 2 else 'dog'}" for row in range(20)]
    (tmp_path / "table.csv").write_text("\n".join(["a,kind", *rows]))
    with pytest.raises(
        UserError, match=r"has 3 values in each row and 2 names in its header, .* write a name above each"
    ):
        load(f"csv:{tmp_path / 'table.csv'}", label="kind")
