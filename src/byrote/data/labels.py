"""Labels as a source holds them -> 0..K-1. What is missing or doubtful among them is said here, for every source."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable, Sequence
from types import UnionType
from typing import NamedTuple

import numpy as np
from jaxtyping import Bool, Int64, Shaped

from byrote.data.columns import Column, check_rows
from byrote.errors import UserError

# How programs write a missing number; no class is called so.
_NOT_A_NUMBER = ("nan", "NaN", "NAN", "-nan", "<NA>", "NaT")
# What people write for a missing value, and what a class may be called as well.
_PERHAPS_MISSING = ("NA", "N/A", "n/a", "None", "null", "NULL", "none", "?", "-", "missing", "unknown")
_LARGEST_EXACT = 2**53  # of the whole numbers that a float64 holds


class Numbered(NamedTuple):
    """Labels as numbers of classes."""

    codes: list[Int64[np.ndarray, " _"]]
    """0..K-1, for each of the splits given."""
    class_names: tuple[str, ...]
    notes: tuple[str, ...]
    """What the user should look at."""


def numbered(columns: Sequence[Column], class_names: tuple[str, ...] | None) -> Numbered:
    """Labels as 0..K-1, and the names of the K classes: those given, or else the labels found in training.

    Labels are whole numbers (of any type), names, bools, or one-hot rows.

    Args:
        columns: of the training split, then of the others.

    Raises:
        UserError: a label that is missing, unknown, or no label: the row and the remedy.
    """
    values = [_whole_or_names(column) for column in columns]
    widths = {column.values.shape[1] for column in columns if column.values.ndim == 2 and column.values.shape[1] > 1}
    if len(widths) > 1:
        raise UserError(
            f"one-hot labels of {columns[0].name} and {columns[1].name} have {' and '.join(map(str, sorted(widths)))} "
            "columns: give both splits the same classes"
        )
    kinds = {array.dtype.kind for array in values}
    if len(kinds) > 1:
        raise UserError(
            f"labels of {columns[0].name} and {columns[1].name} mix names and numbers: use one kind in both splits"
        )
    if kinds == {"i"}:
        _check_marks(columns, values)
    if class_names is None:
        classes = np.unique(values[0])
        if kinds == {"U"}:
            classes = np.array(ordered_names(classes.tolist()), classes.dtype)
        class_names = tuple(map(str, classes))
    else:
        if len(set(class_names)) < len(class_names):
            raise UserError(f"got class names {', '.join(class_names)} for {columns[0].name}: each may occur once")
        classes = np.array(class_names) if kinds == {"U"} else np.arange(len(class_names))
    order = np.argsort(classes)
    codes = []
    for column, labels in zip(columns, values, strict=True):
        position = np.searchsorted(classes, labels, sorter=order).clip(max=len(classes) - 1)
        found = order[position]
        unknown = np.flatnonzero(classes[found] != labels)
        if len(unknown):
            raise _unknown(column, int(unknown[0]), labels, classes, in_training=column is not columns[0])
        codes.append(found.astype(np.int64))
    return Numbered(codes, class_names, _notes(columns[0], classes) if kinds == {"U"} else ())


def has_no_label(column: Column) -> bool:
    """Whether not one of the examples has a label: all -1, nan, none or empty, as unlabelled test splits have them."""
    values = column.values.ravel()
    if values.dtype.kind == "O":
        return all(label in ("", -1) or missing for label, missing in zip(values, _is_missing(values), strict=True))
    if values.dtype.kind == "f":
        return bool((np.isnan(values) | (values == -1)).all())
    if values.dtype.kind == "i":
        return bool((values == -1).all())
    return values.dtype.kind == "U" and bool(np.isin(np.char.strip(values), ("", "-1", *_NOT_A_NUMBER)).all())


def one_hot_codes(values: np.ndarray) -> Int64[np.ndarray, " N"] | None:
    """Which entry of each row is 1, where all others are 0; None where that is not so."""
    if values.ndim != 2 or values.shape[1] < 2 or values.dtype.kind not in "biuf":
        return None
    is_one = values == 1
    if not (is_one | (values == 0)).all() or not (is_one.sum(axis=1) == 1).all():
        return None
    return is_one.argmax(axis=1)


def _whole_or_names(column: Column) -> Shaped[np.ndarray, " N"]:
    """Labels as an array of int64 or of text."""
    labels = column.values
    if labels.ndim == 2 and labels.shape[1] == 1:
        labels = labels[:, 0]
    if labels.ndim != 1:
        codes = one_hot_codes(labels)
        if codes is None:
            raise UserError(_no_column(column))
        labels = codes
    if labels.dtype.kind == "O":
        labels = _from_objects(labels, column)
    if labels.dtype.kind in "TS":
        labels = _as_text(labels, column)
    if labels.dtype.kind == "U":
        _check_text(labels, column)
        return labels
    if labels.dtype.kind not in "biuf":
        raise UserError(f"labels of {column.name} are of type {labels.dtype}, expected whole numbers or names")
    if labels.dtype.kind == "b":
        return labels.astype(str)
    if labels.dtype.kind == "f":
        check_rows(np.isnan(labels), column, "a label that is missing (nan)", _GIVE_OR_LEAVE_OUT)
        check_rows(
            ~(np.abs(labels) <= _LARGEST_EXACT) | (labels != np.rint(labels)),
            column,
            "a label that is neither a whole number nor a name",
            _CLASSIFIES,
        )
    if labels.dtype == np.uint64:
        check_rows(
            labels > np.iinfo(np.int64).max,
            column,
            "a label beyond 64 signed bits",
            "number the classes, or give their names as text",
        )
    whole = labels.astype(np.int64)
    if labels.dtype.kind == "u":
        _check_unsigned_mark(labels, column)
    return whole


_CLASSIFIES = (
    "byrote classifies: turn quantities into classes, and fill in what is missing; `byrote audit` takes quantities as "
    "they are, with a regressor or with --metric r2"
)
_LEAVE_OUT_OR_NAME = "leave these rows out, or, if it is a class, give the classes names in place of numbers"
_GIVE_OR_LEAVE_OUT = "give each example its class, or leave the row out"


def _no_column(column: Column) -> str:
    """Why rows of several values are no labels."""
    labels, start = column.values, f"labels of {column.name} have shape {column.values.shape}"
    if labels.ndim == 2 and labels.dtype.kind in "biuf":
        if np.isin(labels, (0, 1)).all():
            counts = (labels == 1).sum(axis=1)
            row = int(np.flatnonzero(counts != 1)[0])
            return (
                f"{start}, and {column.place(row)}, has {counts[row]} classes: byrote trains on one class for each "
                "example; give one column of them as the label (each column is a question of its own, yes or no)"
            )
        if (labels >= 0).all() and np.allclose(labels.sum(axis=1), 1, atol=1e-3):
            return (
                f"{start}, shares of classes that add up to 1: byrote trains on one class for each example; "
                "give the class that each example is to count as"
            )
    return f"{start}, expected one whole number or name per example; give the one column that holds the class"


def _from_objects(labels: Shaped[np.ndarray, " N"], column: Column) -> Shaped[np.ndarray, " N"]:
    """Python's or pandas' values, which are all text, all bools, or all numbers."""
    check_rows(_is_missing(labels), column, "a label that is missing", _GIVE_OR_LEAVE_OUT)
    is_text = _are(labels, str | bytes)
    is_bool = _are(labels, bool | np.bool_)
    is_number = _are(labels, int | float | np.number) & ~is_bool
    is_complex = _are(labels, complex | np.complexfloating) & ~_are(labels, float)
    check_rows(
        is_complex | ~(is_text | is_bool | is_number),
        column,
        "a label that is neither a whole number nor a name",
        "give each example its class",
    )
    for kind, words in ((is_text, "names"), (is_bool, "True and False")):
        if kind.any():
            check_rows(~kind, column, f"a label of another kind among {words}", f"use {words} throughout")
    if is_text.any():
        return np.array([_decoded(label, column, row) for row, label in enumerate(labels)], dtype=str)
    if is_bool.any():
        return labels.astype(bool)
    whole = [int(label) for label in labels if _is_whole(label)]
    check_rows(
        np.array([not _is_whole(label) or abs(int(label)) > np.iinfo(np.int64).max for label in labels], dtype=bool),
        column,
        "a label that is neither a whole number nor a name",
        _CLASSIFIES,
    )
    return np.array(whole, dtype=np.int64)


def _are(labels: Shaped[np.ndarray, " N"], kinds: UnionType | type) -> Bool[np.ndarray, " N"]:
    return np.array([isinstance(label, kinds) for label in labels], dtype=bool)


def _is_whole(label: int | float | np.number) -> bool:
    return isinstance(label, int | np.integer) or float(label).is_integer()


def _is_missing(labels: Shaped[np.ndarray, " N"]) -> Bool[np.ndarray, " N"]:
    """None, nan, and what pandas and masked arrays have in their place."""
    import pandas as pd

    return np.array([label is np.ma.masked or (pd.api.types.is_scalar(label) and pd.isna(label)) for label in labels])


def _decoded(label: str | bytes, column: Column, row: int) -> str:
    if isinstance(label, str):
        return str(label)
    try:
        return label.decode()
    except UnicodeDecodeError as error:
        raise UserError(f"{column.place(row)}: got the label {label!r}, expected text in UTF-8; decode it") from error


def _as_text(labels: Shaped[np.ndarray, " N"], column: Column) -> Shaped[np.ndarray, " N"]:
    """Text of fixed width, of NumPy's own string type or of bytes."""
    objects = labels.astype(object)
    check_rows(_is_missing(objects), column, "a label that is missing", _GIVE_OR_LEAVE_OUT)
    return np.array([_decoded(label, column, row) for row, label in enumerate(objects)], dtype=str)


def _check_text(labels: Shaped[np.ndarray, " N"], column: Column) -> None:
    stripped = np.char.strip(labels)
    check_rows(stripped == "", column, "an empty label", "give each example its class")
    names = np.unique(labels).tolist()
    missing = [name for name in names if name.strip() in _NOT_A_NUMBER]
    others = [name for name in names if name.strip() not in (*_NOT_A_NUMBER, *_PERHAPS_MISSING)]
    if others and all(is_number(name) for name in others):
        missing = [name for name in names if name not in others]
    if missing:
        check_rows(
            np.isin(labels, missing),
            column,
            f"the label {missing[0]!r}, which says that there is none",
            "give each example its class, leave the row out, or call the class something else",
        )
    by_words: dict[str, str] = {}
    for name in names:
        other = by_words.setdefault(" ".join(name.split()), name)
        if other != name:
            raise UserError(
                f"labels {other!r} and {name!r} of {column.name} differ in blanks alone: strip the blanks, or give "
                "the classes names that differ"
            )


def is_number(text: str) -> bool:
    """Whether a text is a number as Python writes one."""
    try:
        float(text)
    except ValueError:
        return False
    return True


def _check_marks(columns: Sequence[Column], values: Sequence[Int64[np.ndarray, " _"]]) -> None:
    """One negative number beside 0, or beside several others, says that there is no label: -1, -100.

    {-1, 1} are two classes, and so is any scale with several negative numbers.
    """
    classes = np.unique(np.concatenate(list(values)))
    if (classes < 0).sum() != 1 or not (0 in classes or len(classes) > 2):
        return
    mark = int(classes[0])
    for column, labels in zip(columns, values, strict=True):
        check_rows(
            labels == mark,
            column,
            f"the label {mark} beside {_abbreviated(classes[1:])}, as examples without a label have it",
            _LEAVE_OUT_OR_NAME,
        )


def _check_unsigned_mark(labels: Shaped[np.ndarray, " N"], column: Column) -> None:
    """-1 becomes the largest number of an unsigned type."""
    classes, largest = np.unique(labels), np.iinfo(labels.dtype).max
    if len(classes) > 2 and classes[-1] == largest and classes[-2] < largest // 2:
        check_rows(
            labels == largest,
            column,
            f"the label {largest} of type {labels.dtype}, which -1, without a label, becomes in that type",
            _LEAVE_OUT_OR_NAME,
        )


def ordered_names(classes: Iterable[str]) -> tuple[str, ...]:
    """By number where all names are whole numbers ("2" before "10"), else by name."""
    if all(name.isdecimal() for name in classes):
        return tuple(sorted(classes, key=lambda name: (int(name), name)))
    return tuple(sorted(classes))


def _unknown(
    column: Column, row: int, labels: Shaped[np.ndarray, " N"], classes: Shaped[np.ndarray, " K"], *, in_training: bool
) -> UserError:
    label = labels[row].item()
    if isinstance(label, int) and label < 0:
        return UserError(
            f"{column.place(row)}: class {label} is not among the {len(classes)} classes ({_abbreviated(classes)}): "
            f"it marks an example without a label ({(labels == label).sum()} such rows); leave these rows out"
        )
    near = [str(name) for name in classes if _key(str(name)) == _key(str(label))]
    return UserError(
        f"{column.place(row)}: class {label!r} is not among the {len(classes)} classes"
        f"{' of the training split' if in_training else ''} ({_abbreviated(classes)})"
        f"{f', did you mean {near[0]!r}?' if near else ';'} correct the label or leave the row out"
    )


def _key(name: str) -> str:
    """What is left of a name without blanks, capitals, and ways to write one letter."""
    return " ".join(unicodedata.normalize("NFKC", name).casefold().split())


def _notes(column: Column, classes: Shaped[np.ndarray, " K"]) -> tuple[str, ...]:
    notes: list[str] = []
    seen: dict[str, str] = {}
    for name in classes.tolist():
        other = seen.setdefault(_key(name), name)
        if other != name:
            notes.append(f"{column.name}: {other!r} and {name!r} are taken as two classes")
        if name.strip() in _PERHAPS_MISSING:
            notes.append(f"{column.name}: {name!r} is taken as a class, not as a missing label")
    return tuple(notes)


def _abbreviated(classes: Shaped[np.ndarray, " K"]) -> str:
    names = [str(name) for name in classes]
    return ", ".join(names if len(names) <= 10 else [*names[:8], "…", names[-1]])
