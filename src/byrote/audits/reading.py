"""What the user has, a source, a Dataset, tables or arrays -> Material, with its groups and times."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from jaxtyping import Float64, Int64, Real
from sklearn.model_selection import GroupShuffleSplit, StratifiedGroupKFold

from byrote.audits.columns import codes_of, seconds_of
from byrote.audits.material import Material, Rows
from byrote.data.assembly import Unassembled, assemble
from byrote.data.columns import Column
from byrote.data.csv_table import read_columns
from byrote.data.dataset import Dataset
from byrote.data.labels import numbered
from byrote.data.quantities import quantities, quantities_of_classes
from byrote.data.sources import from_arrays, load, read_arrays, read_source
from byrote.data.subsets import split_rows
from byrote.errors import UserError, suggestion, warn
from byrote.randomness import permutation, stream

_AT_RANDOM = "a fifth of each class, drawn at random, is held out to test on"


def read_material(
    data: Any,
    *,
    test: Any = None,
    label: str | None = None,
    groups: Any = None,
    time: Any = None,
    title: str | None = None,
    of_quantities: bool = False,
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
        of_quantities: labels are numbers to be foretold, and not classes.
        options: of `byrote.load`.

    Raises:
        UserError: what cannot be read, or has no such labels.
    """
    if isinstance(data, str) and data.startswith("csv:"):
        path = Path(data.removeprefix("csv:")).expanduser()
        columns = read_columns(path, label)
        for note in columns.notes:
            warn(note)
        return _of_table(
            columns.table,
            columns.labels,
            columns.splits,
            groups,
            time,
            data,
            title or path.name,
            f"row {{}} of {path.name}",
            of_quantities,
        )
    if isinstance(data, str):
        if of_quantities:
            reading, own_title = read_source(data, label=label, **options)
            return _of_quantities(reading, data, title or own_title, groups, time)
        return _split_in_words(_of_dataset(load(data, label=label, title=title, **options), groups, time))
    if isinstance(data, Dataset):
        return _of_dataset(data, groups, time, of_quantities=of_quantities)
    if isinstance(data, pd.DataFrame) or (_is_pair(data) and isinstance(data[0], pd.DataFrame)):
        parts = [data] if test is None else [data, test]
        tables, labels = zip(*(_table_and_labels(part, label) for part in parts), strict=True)
        table = pd.concat(tables, ignore_index=True)
        sizes = np.cumsum([0, *map(len, tables)])
        splits = [] if test is None else [np.arange(*sizes[i : i + 2]) for i in range(2)]
        column = Column(np.concatenate([np.asarray(part) for part in labels]), "labels")
        return _of_table(table, column, splits, groups, time, "table", title or "table", "row {}", of_quantities)
    pairs = [*data] if _is_pair(data) else [data]
    more = [] if test is None else [*test] if _is_pair(test) else [test]
    if of_quantities:
        return _of_quantities(read_arrays(*pairs, *more, label=label), "arrays", title or "arrays", groups, time)
    made = from_arrays(*pairs, *more, label=label, title=title or "")
    in_one_piece = len(pairs) == 2 and not more and made.train.origin == made.test.origin  # not of two data sets
    return _split_in_words(_of_dataset(made, groups, time, in_one_piece=in_one_piece))


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


def _split_in_words(material: Material) -> Material:
    """With words for how test rows were chosen, where both splits are of one source, that reading it has split."""
    train, test = material.train, material.test
    is_one = train.origin == test.origin and not np.isin(test.sources, train.sources).any()
    return replace(material, split_in_words=_AT_RANDOM) if is_one and not material.split_in_words else material


def _of_dataset(
    data: Dataset, groups: Any, time: Any, *, of_quantities: bool = False, in_one_piece: bool = False
) -> Material:
    """
    Args:
        in_one_piece: byrote has split it, and groups and times are those of its rows in the order in which they came.
    """
    sides = []
    for side in (data.train, data.test):
        labels = quantities_of_classes(side.labels, data.class_names, data.label) if of_quantities else side.labels
        sides.append(Rows(side.inputs, labels, side.sources, side.origin))
    names = () if of_quantities else data.class_names
    about = Material(data.name, data.label, data.kind, sides[0], sides[1], names, data.pixel_max, parts=data.parts)
    if in_one_piece and (groups is not None or time is not None):
        inputs, labels, sources = (
            np.concatenate([getattr(side, name) for side in sides]) for name in ("inputs", "labels", "sources")
        )
        sides = [Rows(inputs, labels, sources, sides[0].origin).take(np.argsort(sources, kind="stable"))]
    return _with_sides(about, sides, groups, time)


def _of_quantities(reading: Unassembled, name: str, title: str, groups: Any, time: Any) -> Material:
    """Inputs are checked as of any data set, which has classes: they are given some in place of their targets."""
    parts, names = reading.splits, reading.class_names
    if names is None:
        targets = [quantities(part.labels) for part in parts]
    else:  # some sources, such as folders of images, hold names
        codes = numbered([part.labels for part in parts], names).codes
        targets = [quantities_of_classes(each, names, title) for each in codes]
    if len(targets[0]) < 2:
        raise UserError(f"{title} has {len(targets[0])} row, expected some to train on and others to test on")
    stand_ins = [
        replace(part, labels=Column(np.arange(len(each)) % 2, part.labels.name))
        for part, each in zip(parts, targets, strict=True)
    ]
    twice = stand_ins if len(stand_ins) == 2 else stand_ins * 2  # what comes in two splits is left as it is
    data = assemble(replace(reading, splits=tuple(twice), class_names=("0", "1")), name=name, title=title)
    sides = [
        Rows(side.inputs, each, side.sources, side.origin)
        for side, each in zip((data.train, data.test), targets, strict=False)
    ]
    about = Material(name, data.label, data.kind, sides[0], sides[-1], (), data.pixel_max, parts=data.parts)
    return _with_sides(about, sides, groups, time)


def _of_table(
    table: pd.DataFrame,
    labels: Column,
    splits: Sequence[np.ndarray],
    groups: Any,
    time: Any,
    name: str,
    title: str,
    origin: str,
    of_quantities: bool,
) -> Material:
    class_names: tuple[str, ...] = ()
    if of_quantities:
        found: Real[np.ndarray, " N"] = quantities(labels)
    else:
        (found,), class_names, notes = numbered([labels], None)
        for note in notes:
            warn(note)
        if len(class_names) < 2:
            raise UserError(f"all rows of {title} have one class, {class_names[0]!r}; expected at least two classes")
    whole = Rows(table, found, np.arange(len(table)), origin)
    sides = [whole] if len(splits) < 2 else [whole.take(np.asarray(part)) for part in splits[:2]]
    group_column = groups if isinstance(groups, str) else ""
    about = Material(name, title, "table", whole, whole, class_names, 1.0, group_column=group_column)
    order = np.concatenate([np.asarray(side.sources) for side in sides])
    columns = (
        None if given is None else _column(table, given, what).iloc[order]
        for given, what in ((groups, "groups"), (time, "time"))
    )
    return _with_sides(about, sides, *columns, time_name=time if isinstance(time, str) else "time")


def _with_sides(about: Material, sides: Sequence[Rows], groups: Any, time: Any, *, time_name: str = "time") -> Material:
    """The two splits, or one that is split here, with groups and times of all their rows, training ones first."""
    num = sum(map(len, sides))
    for what, value in (("groups", groups), ("time", time)):
        if isinstance(value, str):
            raise UserError(
                f"got {what}={value!r}, the name of a column, of data without columns: give a csv file or a "
                f"DataFrame, or the values, one for each of {num:,} examples"
            )
    codes, names = (None, ()) if groups is None else codes_of(_values(groups, num, "groups"))
    times = None if time is None else _times(_values(time, num, "time"), time_name)
    found, start = [], 0
    for side in sides:
        own = slice(start, start + len(side))
        found.append(
            replace(
                side,
                groups=None if codes is None else codes[own],
                times=None if times is None else times[own],
            )
        )
        start += len(side)
    in_words = ""
    if len(found) == 1:
        parts, in_words = _split(about, found[0])
        found = [found[0].take(rows) for rows in parts]
    train, test = found
    if about.of_quantities:
        _refuse_constant(about.title, train)
    elif in_words or about.kind == "table":
        _refuse_untrained(about, train, test, in_words)
    return replace(about, train=train, test=test, split_in_words=in_words, group_names=names)


def _refuse_constant(title: str, train: Rows) -> None:
    if train.labels.min() == train.labels.max():
        raise UserError(
            f"all training rows of {title} have one target, {train.labels[0]:g}; expected targets that differ"
        )


def _refuse_untrained(about: Material, train: Rows, test: Rows, in_words: str) -> None:
    missing = np.setdiff1d(test.labels, train.labels)
    if len(missing):
        name = about.class_names[missing[0]]
        hint = "; if these are quantities, audit a regressor (--metric r2)" if name.lstrip("-").isdecimal() else ""
        raise UserError(
            f"class {name!r} of {about.title} has test rows alone "
            f"({in_words or 'by its column split'}): give training rows of it too, or leave it out{hint}"
        )


def _values(given: Any, total: int, what: str) -> pd.Series:
    found = given.reset_index(drop=True) if isinstance(given, pd.Series) else pd.Series(np.asarray(given))
    if len(found) != total:
        raise UserError(f"got {len(found):,} {what}, expected one for each of {total:,} examples, training ones first")
    return found


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


def _split(about: Material, rows: Rows) -> tuple[list[Int64[np.ndarray, " _"]], str]:
    """The rows to train and to test on, and how they were chosen."""
    labels, groups, times, num = rows.labels, rows.groups, rows.times, len(rows)
    if num < 2:
        raise UserError(f"{about.title} has {num} row, expected some to train on and others to test on")
    if times is not None:
        order = np.argsort(np.where(np.isnan(times), -np.inf, times), kind="stable")
        first = num * 4 // 5
        return [np.sort(order[:first]), np.sort(order[first:])], "the latest fifth of all rows is held out to test on"
    if groups is not None:
        num_groups = len(np.unique(groups))
        if num_groups < 2:
            raise UserError(
                f"all rows of {about.title} belong to one group, expected at least two, so that one is held out whole"
            )
        folds = min(5, num_groups)
        parts = (
            GroupShuffleSplit(1, test_size=num_groups // folds, random_state=0)
            if about.of_quantities
            else StratifiedGroupKFold(folds, shuffle=True, random_state=0)
        )
        train, test = next(parts.split(labels[:, None], labels, groups))
        share = "a fifth of the groups" if folds == 5 else f"one of {folds} groups"
        return [np.asarray(train), np.asarray(test)], f"{share}, whole, is held out to test on"
    if about.of_quantities:
        train, test = np.split(permutation(stream(0, "split"), num), [num * 4 // 5])
        return [np.sort(train), np.sort(test)], "a fifth, drawn at random, is held out to test on"
    train, test = split_rows(labels, 0)
    return [train, test], _AT_RANDOM
