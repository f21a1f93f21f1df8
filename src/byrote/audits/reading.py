"""What the user has, a source, a Dataset, tables or arrays -> Material, with its groups and times."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from jaxtyping import Float64, Int64, Shaped
from sklearn.model_selection import StratifiedGroupKFold

from byrote.audits.columns import codes_of, seconds_of
from byrote.audits.material import Material, Rows
from byrote.data.columns import Column
from byrote.data.csv_table import read_columns
from byrote.data.dataset import Dataset
from byrote.data.labels import numbered
from byrote.data.sources import from_arrays, load
from byrote.data.subsets import split_rows
from byrote.errors import UserError, suggestion


def read_material(
    data: Any,
    *,
    test: Any = None,
    label: str | None = None,
    groups: Any = None,
    time: Any = None,
    title: str | None = None,
    **options: Any,
) -> Material:
    """The examples to audit.

    Args:
        data: a source of `byrote.load`; a Dataset; a DataFrame with its label column; a pair (x, y), of arrays or a
            DataFrame and labels; or what else `byrote.from_arrays` takes.
        test: the same of a test split; without one, a fifth is held out: whole groups where there are groups, the
            latest where there are times, else at random within each class.
        label: the column of labels.
        groups, time: a column's name; or values, one for each row, of both splits one after another.
        options: of `byrote.load`.

    Raises:
        UserError: what cannot be read, or is no classification.
    """
    if isinstance(data, str) and data.startswith("csv:"):
        path = Path(data.removeprefix("csv:")).expanduser()
        columns = read_columns(path, label)
        for note in columns.notes:
            warnings.warn(note, stacklevel=3)
        return _of_table(
            columns.table,
            columns.labels,
            columns.splits,
            groups,
            time,
            data,
            title or path.name,
            f"row {{}} of {path.name}",
        )
    if isinstance(data, str):
        loaded = load(data, label=label, title=title, **options)
        return _of_dataset(loaded, groups, time)
    if isinstance(data, Dataset):
        return _of_dataset(data, groups, time)
    if isinstance(data, pd.DataFrame) or (_is_pair(data) and isinstance(data[0], pd.DataFrame)):
        parts = [data] if test is None else [data, test]
        tables, labels = zip(*(_table_and_labels(part, label) for part in parts), strict=True)
        table = pd.concat(tables, ignore_index=True)
        sizes = np.cumsum([0, *map(len, tables)])
        splits = [] if test is None else [np.arange(*sizes[i : i + 2]) for i in range(2)]
        column = Column(np.concatenate([np.asarray(part) for part in labels]), "labels")
        return _of_table(table, column, splits, groups, time, "table", title or "table", "row {}")
    pairs = [*data] if _is_pair(data) else [data]
    more = [] if test is None else [*test] if _is_pair(test) else [test]
    return _of_dataset(from_arrays(*pairs, *more, label=label, title=title or ""), groups, time)


def _is_pair(data: Any) -> bool:
    return isinstance(data, tuple | list) and len(data) == 2


def _table_and_labels(part: Any, label: str | None) -> tuple[pd.DataFrame, Any]:
    if not isinstance(part, pd.DataFrame):
        return part[0], part[1]
    if label is None:
        raise UserError(
            f"got a table without label=, expected the name of its column of labels, one of {_listed(part)}"
        )
    if label not in part:
        raise UserError(
            f"the table has no column {label!r}{suggestion(label, list(map(str, part)))}; it has {_listed(part)}"
        )
    return part.drop(columns=[label]), part[label].to_numpy()


def _listed(table: pd.DataFrame) -> str:
    names = [str(name) for name in table]
    return ", ".join(names if len(names) <= 30 else [*names[:29], "…"])


def _of_dataset(data: Dataset, groups: Any, time: Any) -> Material:
    sides = (data.train, data.test)
    num_train = len(data.train)
    total = num_train + len(data.test)
    for name, value in (("groups", groups), ("time", time)):
        if isinstance(value, str):
            raise UserError(
                f"got {name}={value!r}, the name of a column, of data without columns: give a csv file or a "
                f"DataFrame, or "
                f"the values, one for each of {total:,} examples"
            )
    codes, names = (None, ()) if groups is None else codes_of(_values(groups, total, "groups"))
    times = None if time is None else _times(_values(time, total, "time"), "time")
    train, test = (
        Rows(
            side.inputs,
            side.labels,
            side.sources,
            side.origin,
            None if codes is None else codes[part],
            None if times is None else times[part],
        )
        for side, part in zip(sides, (slice(0, num_train), slice(num_train, None)), strict=True)
    )
    return Material(data.name, data.label, data.kind, train, test, data.class_names, data.pixel_max, group_names=names)


def _values(given: Any, total: int, what: str) -> pd.Series:
    found = pd.Series(np.asarray(given))
    if len(found) != total:
        raise UserError(f"got {len(found):,} {what}, expected one for each of {total:,} examples, training ones first")
    return found


def _of_table(
    table: pd.DataFrame,
    labels: Column,
    splits: Sequence[np.ndarray],
    groups: Any,
    time: Any,
    name: str,
    title: str,
    origin: str,
) -> Material:
    (codes,), class_names, notes = numbered([labels], None)
    for note in notes:
        warnings.warn(note, stacklevel=4)
    if len(class_names) < 2:
        raise UserError(f"all rows of {title} have one class, {class_names[0]!r}; expected at least two classes")
    group_column = groups if isinstance(groups, str) else ""
    group_codes, group_names = (None, ()) if groups is None else codes_of(_column(table, groups, "groups"))
    times = None if time is None else _times(_column(table, time, "time"), time if isinstance(time, str) else "time")
    in_words = ""
    if len(splits) < 2:
        splits, in_words = _split(codes, group_codes, times)
    missing = np.setdiff1d(codes[splits[1]], codes[splits[0]])
    if len(missing):
        raise UserError(
            f"class {class_names[missing[0]]!r} of {title} has test rows alone ({in_words or 'by its column split'}): "
            "give training rows of it too, or leave it out"
        )
    rows = Rows(table, codes, np.arange(len(table)), origin, group_codes, times)
    train, test = (rows.take(np.asarray(part)) for part in splits[:2])
    return Material(name, title, "table", train, test, class_names, 1.0, in_words, group_column, group_names)


def _column(table: pd.DataFrame, given: Any, what: str) -> pd.Series:
    if not isinstance(given, str):
        return _values(given, len(table), what)
    if given not in table:
        near = suggestion(given, [str(name) for name in table])
        raise UserError(f"got {what}={given!r}, which is no column{near}; the columns are {_listed(table)}")
    return table[given]


def _times(column: pd.Series, what: str) -> Float64[np.ndarray, " N"]:
    if column.dtype.kind in "iuf":
        return column.to_numpy(np.float64, na_value=np.nan)
    seconds = seconds_of(column)
    if seconds is None:
        raise UserError(f"got the times {what}, of which {column.iloc[0]!r} is the first, expected dates or numbers")
    return seconds


def _split(
    labels: Int64[np.ndarray, " N"],
    groups: Int64[np.ndarray, " N"] | None,
    times: Float64[np.ndarray, " N"] | None,
) -> tuple[list[Shaped[np.ndarray, " _"]], str]:
    """The rows to train and to test on, and how they were chosen."""
    if times is not None:
        order = np.argsort(np.where(np.isnan(times), -np.inf, times), kind="stable")
        first = len(order) * 4 // 5
        return [np.sort(order[:first]), np.sort(order[first:])], "the latest fifth of all rows is held out to test on"
    if groups is not None:
        parts = StratifiedGroupKFold(5, shuffle=True, random_state=0)
        train, test = next(parts.split(labels[:, None], labels, groups))
        return [np.asarray(train), np.asarray(test)], "a fifth of the groups, whole, is held out to test on"
    train, test = split_rows(labels, 0)
    return [train, test], "a fifth of each class, drawn at random, is held out to test on"
