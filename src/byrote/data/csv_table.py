"""csv files -> Unassembled: separator, encoding, decimal commas and the like are found out, or asked about."""

from __future__ import annotations

import csv
import io
import re
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from byrote.data.assembly import Examples, Unassembled
from byrote.data.columns import Column
from byrote.data.decimals import parse_decimals
from byrote.data.files import read_inflated
from byrote.data.labels import is_number
from byrote.data.roles import HELD_OUT, SPLITS
from byrote.data.tables import features, without_row_numbers
from byrote.errors import UserError

if TYPE_CHECKING:
    import pandas as pd

# What stands for a missing number in a csv file.
_MISSING = ("", "?", "NA", "N/A", "NaN", "nan", "None", "null", "<NA>")
_SEPARATORS = {",": "comma", ";": "semicolon", "\t": "tab", "|": "vertical bar", " ": "blank"}
_SAMPLE = 2**18  # letters by which the separator is judged
_SAMPLE_ROWS = 200
_WHOLE = r"[+-]?(?:0|[1-9]\d*)(?:\.0*)?"


@dataclass(frozen=True)
class _Layout:
    """How a file is written."""

    separator: str
    names: tuple[str, ...]
    """Of the columns as they stand in the rows: "" for row names without a header, and for what a separator at the end
    of each row makes."""


def read_csv(path: Path, label: str | None) -> Unassembled:
    """A column of labels; all others are features, except `split` where it holds only "train", "test" and the like."""
    found = read_columns(path, label)
    left_out, index_notes = without_row_numbers(found.table, str(path))
    everything = Examples(features(found.table.drop(columns=left_out), str(path)), found.labels)
    return Unassembled(
        (everything,) if len(found.splits) < 2 else tuple(everything.take(rows) for rows in found.splits),
        notes=(*found.notes, *index_notes),
    )


class Columns(NamedTuple):
    """What a csv file holds, before any of it is taken for features."""

    table: pd.DataFrame
    """Numbers, text and missing values as they came, without labels and `split`."""
    labels: Column
    splits: list[np.ndarray]
    """The rows to train and to test on, where the file says so; else empty."""
    notes: tuple[str, ...]


def read_columns(path: Path, label: str | None) -> Columns:
    """The columns of a file as they came; decimal commas become points."""
    text, notes = _text(path)
    layout = _layout(path, text, label)
    table = _table(path, text, layout, label)
    labels = table.pop(_label(path, layout, label))
    splits, split_notes = _splits(path, table)
    table, decimals = parse_decimals(table, str(path), lambda column: _raw(text, layout, column))
    return Columns(table, Column(_numbers_or_names(labels), str(path)), splits, (*notes, *split_notes, *decimals))


def _text(path: Path) -> tuple[str, list[str]]:
    """The file as text with "\\n" at the ends of lines; and what is to be said of its encoding."""
    if path.is_dir():
        raise UserError(f"{path} cannot be read as csv: it is a folder; give the path of a file")
    content = read_inflated(path, copies=6)
    for magic, what in (
        (b"PK\x03\x04", "an Excel or zip file"),
        (b"PAR1", "a parquet file"),
        (b"\xd0\xcf\x11\xe0", "Excel"),
    ):
        if content.startswith(magic):
            raise UserError(f"{path} is {what}, expected text; save it as csv")
    notes = []
    encoding = next((name for mark, name in _MARKS.items() if content.startswith(mark)), "")
    if not encoding and b"\0" in content[:4096]:
        encoding = "utf-16-be" if content[:1] == b"\0" else "utf-16-le"
    try:
        text = content.decode(encoding or "utf-8")
    except UnicodeDecodeError as error:
        if encoding:
            raise UserError(f"{path} cannot be read as csv: {error}; save it as text in UTF-8") from error
        text = content.decode("cp1252", "replace")
        notes.append(
            f"{path} is not in UTF-8 and is read as Windows-1252 (Latin-1): save it in UTF-8 if names look wrong"
        )
    text = text.replace("\r\n", "\n").replace("\r", "\n").lstrip("\n")
    if not text.strip():
        raise UserError(f"{path} is empty, expected a header and rows")
    return text, notes


_MARKS = {
    b"\xef\xbb\xbf": "utf-8-sig",
    b"\xff\xfe\x00\x00": "utf-32",
    b"\x00\x00\xfe\xff": "utf-32",
    b"\xff\xfe": "utf-16",
    b"\xfe\xff": "utf-16",
}


def _start(text: str) -> int:
    """Where the header begins: after Excel's "sep=;", and after lines of comments, the last of which may be it."""
    first, _, _ = text.partition("\n")
    start = len(first) + 1 if re.fullmatch(r'"?sep=.+', first.strip(), re.IGNORECASE) else 0
    comment = start
    while text.startswith("#", start):
        comment, start = start, text.find("\n", start) + 1 or len(text)
    return comment + 1 if comment != start and _is_commented_header(text[comment:start], text[start:]) else start


def _is_commented_header(comment: str, rest: str) -> bool:
    """NumPy writes "# a,b,label" over "1,2,0": the comment has as many parts as the rows."""
    row = rest.partition("\n")[0]
    counts = [(comment.count(separator), row.count(separator)) for separator in ",;\t|"]
    return any(in_comment == in_row > 0 for in_comment, in_row in counts)


def _layout(path: Path, text: str, label: str | None) -> _Layout:
    """The separator under which the header has the label, or else makes most columns; and the names of the columns."""
    found = []
    for separator in _SEPARATORS:
        rows = _sample(text, separator)
        header = [name.strip() for name in rows[0]]
        body = rows[1:] or [header]
        usual = max((len(row) for row in body), key=[len(row) for row in body].count)
        steady = sum(len(row) == usual for row in body) / len(body)
        fits = abs(usual - len(header)) <= 1
        found.append(((label in header, len(header) > 1 and fits, steady, len(header)), separator, header, body))
    (has_label, has_columns, *_), separator, header, body = max(found, key=lambda candidate: candidate[0])
    if not (has_label or has_columns):
        raise UserError(
            f"{path} has one column by its first line, {header[0][:80]!r}: expected a header with several names, and "
            "commas, semicolons, tabs or vertical bars as separators"
        )
    if _is_a_row(header, body) and not (has_label and all(name.isdecimal() for name in header)):
        raise UserError(
            f"{path} seems to have no header: its first line is {', '.join(header)[:80]}; write the names of the "
            "columns above it"
        )
    return _Layout(separator, tuple(_names(path, header, body)))


def _is_a_row(header: list[str], body: list[list[str]]) -> bool:
    """Whether it holds numbers, and beside them only what stands below in the same column again, as classes do."""
    words = [place for place, name in enumerate(header) if not is_number(name)]
    again = all(any(row[place : place + 1] == [header[place]] for row in body) for place in words)
    return len(words) < len(header) and again and (not words or body != [header])


def _sample(text: str, separator: str) -> list[list[str]]:
    start = _start(text)
    sample = text[start : start + _SAMPLE]
    rows = []
    try:
        for row in csv.reader(io.StringIO(sample), delimiter=separator, skipinitialspace=True):
            if separator == " ":
                row = [value for value in row if value]
            if row:
                rows.append(row)
            if len(rows) > _SAMPLE_ROWS:
                break
    except csv.Error:  # a quotation mark without its other half, by another separator's rules
        pass
    if len(rows) > 2 and start + _SAMPLE < len(text) and len(rows) <= _SAMPLE_ROWS:
        rows = rows[:-1]  # cut in two
    return rows or [[""]]


def _names(path: Path, header: list[str], body: list[list[str]]) -> list[str]:
    """The header, completed where rows have one value more than it has names."""
    lengths = {len(row) for row in body}
    if lengths == {len(header) + 1}:
        if all(row[-1].strip() == "" for row in body):
            header = [*header, ""]
        elif _names_rows([row[0].strip() for row in body]):
            header = ["", *header]
        else:
            raise UserError(
                f"{path} has {len(header) + 1} values in each row and {len(header)} names in its header, and the first "
                f"column, {body[0][0]}, …, does not name rows: write a name above each column"
            )
    elif lengths == {len(header) - 1} and header[-1] == "":
        header = header[:-1]
    twice = sorted({name for name in header if name and header.count(name) > 1})
    if twice:
        raise UserError(
            f"{path} has the column {twice[0]!r} {header.count(twice[0])} times in its header: give each column a name "
            "of its own, or drop those that are not meant"
        )
    return header


def _names_rows(values: list[str]) -> bool:
    """Whether each is another text or whole number, as the names of rows are that R and pandas write."""
    numbers = [float(value) for value in values if is_number(value)]
    return len(set(values)) == len(values) and all(number.is_integer() for number in numbers)


def _label(path: Path, layout: _Layout, label: str | None) -> str:
    named = [name for name in layout.names if name]
    names = ", ".join(named if len(named) <= 30 else [*named[:29], "…"])
    if label is None:
        raise UserError(f"{path} needs the name of its label column: --label NAME, one of {names}")
    if label not in named:
        by_small = {name.casefold(): name for name in named}
        near = get_close_matches(label.casefold(), by_small, 1)
        separator = _SEPARATORS[layout.separator]
        raise UserError(
            f"{path} has no column {label!r}{f', did you mean {by_small[near[0]]!r}?' if near else '.'} "
            f"Its columns are {names} (separated by a {separator})"
        )
    return label


def _table(path: Path, text: str, layout: _Layout, label: str | None) -> pd.DataFrame:
    import pandas as pd

    label_at = layout.names.index(_label(path, layout, label))
    missing: dict[Any, Any] = {number: _MISSING for number in range(len(layout.names)) if number != label_at}
    try:
        # Labels are text, whatever it says: a class may be called "NA".
        table = _parsed(text, layout, dtype={label_at: str}, na_values=missing, low_memory=False)
    except (ValueError, OSError) as error:
        told = str(error).strip().removeprefix("Error tokenizing data. C error: ")
        raise UserError(
            f"{path} cannot be read as csv: {told}; give each row as many values as the header has names, "
            f"{len(layout.names)}, with a {_SEPARATORS[layout.separator]} between them"
        ) from error
    if len(layout.names) != table.shape[1] or not isinstance(table.index, pd.RangeIndex):
        raise UserError(
            f"{path} has rows with more values than the header has names, {len(layout.names)}: give each column a name "
            "in the header"
        )
    # Separators at the ends of rows, and spreadsheets, leave columns with neither name nor values.
    kept = [place for place, name in enumerate(layout.names) if name or table[place].notna().any()]
    nameless = [str(place + 1) for place in kept if not layout.names[place]]
    if len(nameless) > 1:
        raise UserError(
            f"{path} has {len(nameless)} columns without a name in its header (columns {', '.join(nameless[:10])}, "
            "counting from 1): write a name above each column"
        )
    return table[kept].set_axis([layout.names[place] for place in kept], axis=1)


def _raw(text: str, layout: _Layout, column: str) -> pd.Series:
    """A column as it is written."""
    number = layout.names.index(column)
    return _parsed(text, layout, usecols=[number], dtype=str)[number]


def _parsed(text: str, layout: _Layout, **options: Any) -> pd.DataFrame:
    """The rows, with columns by their numbers."""
    import pandas as pd

    return pd.read_csv(
        io.StringIO(text[_start(text) :]),
        sep=r"\s+" if layout.separator == " " else layout.separator,
        header=0,
        names=range(len(layout.names)),
        keep_default_na=False,
        skipinitialspace=True,
        **options,
    )


def _splits(path: Path, table: pd.DataFrame) -> tuple[list[np.ndarray], list[str]]:
    """The rows to train and to test on, by the column `split`, which is taken out; none where there is none."""
    if "split" not in table or not len(table):
        return [], []
    words = table["split"].astype(object).map(lambda word: SPLITS.get(str(word).strip().lower()))
    if words.isna().any():
        return [], []
    table.pop("split")
    present = set(words)
    if "train" not in present:
        raise UserError(
            f"{path} has no rows whose split is train, expected at least one example; correct the column split"
        )
    chosen = ["train", *[split for split in HELD_OUT if split in present][:1]]
    unused = present - set(chosen)
    notes = [f"{path}: the {(words == split).sum():,} rows of the {split} split are not used" for split in unused]
    return [np.flatnonzero(words == split) for split in chosen], notes


def _numbers_or_names(labels: pd.Series) -> np.ndarray:
    """Whole numbers where all labels are written as such ("07" is a name); quantities too, which are refused later."""
    import pandas as pd

    text = labels.astype(object).str.strip()
    if text.str.fullmatch(_WHOLE).all() and len(text):
        return np.array([int(float(label)) if "." in label else int(label) for label in text], dtype=object)
    numbers = pd.to_numeric(text, errors="coerce")
    if numbers.notna().all() and (numbers % 1 != 0).any():
        return numbers.to_numpy(np.float64)
    return text.to_numpy(dtype=str)
