"""Targets that are quantities, as a source holds them -> float64. What is missing or no number is said here."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from jaxtyping import Bool, Float64, Int64, Shaped

from byrote.data.columns import Column
from byrote.data.decimals import parse_decimals
from byrote.errors import UserError, warn

_MISSING = ("", "?", "-", "NA", "N/A", "n/a", "NaN", "nan", "NAN", "None", "none", "null", "NULL", "<NA>", "NaT")
"""How files and people write that there is no number."""
_NAMED_ROWS = 5


def quantities(column: Column, what: str = "target") -> Float64[np.ndarray, " N"]:
    """One finite number for each example: numbers of any type, or text that writes them.

    Args:
        what: such a number is called.

    Raises:
        UserError: several targets a row, or targets that are missing, infinite or no numbers, with their rows.
    """
    values = column.values
    if values.ndim == 2 and values.shape[1] == 1:
        values = values[:, 0]
    if values.ndim != 1:
        raise UserError(
            f"{what}s of {column.name} have shape {values.shape}, expected one number for each example: quantities are "
            "audited one at a time; give the one column of them that the score is about"
        )
    if values.dtype.kind not in "biufOUST":
        raise UserError(f"{what}s of {column.name} are of type {values.dtype}, expected numbers")
    is_missing = np.zeros(len(values), dtype=bool)
    numbers = _of_text(values, column, is_missing) if values.dtype.kind in "OUST" else values.astype(np.float64)
    if values.dtype.kind == "f":
        is_missing = np.isnan(numbers)
    _refuse(is_missing, column, f"the {what} is missing", "fill in what is missing, or leave these rows out")
    is_none = np.isnan(numbers)
    if is_none.any():
        told = f"the {what} {str(values[int(np.argmax(is_none))])!r} is no number"
        _refuse(is_none, column, told, "correct it, or, of classes, audit a classifier by a metric such as accuracy")
    _refuse(np.isinf(numbers), column, f"the {what} is infinite", "correct these rows, or leave them out")
    return numbers


def quantities_of_classes(
    codes: Int64[np.ndarray, " N"], class_names: Sequence[str], name: str
) -> Float64[np.ndarray, " N"]:
    """The numbers that classes are called.

    Raises:
        UserError: a class that is called otherwise.
    """
    try:
        numbers = np.array([float(class_name) for class_name in class_names])
    except ValueError:
        numbers = np.full(1, np.nan)
    if not np.isfinite(numbers).all():
        raise UserError(
            f"labels of {name} are classes ({', '.join(class_names[:5])}{', …' if len(class_names) > 5 else ''}), "
            "expected numbers: audit a classifier by a metric such as accuracy, or give quantities"
        )
    return numbers[codes]


def _of_text(
    values: Shaped[np.ndarray, " N"], column: Column, is_missing: Bool[np.ndarray, " N"]
) -> Float64[np.ndarray, " N"]:
    """NaN of what is no number; marks what is missing."""
    import pandas as pd

    given = pd.Series(values.astype(object)).map(lambda value: value.strip() if isinstance(value, str) else value)
    is_missing |= (given.isna() | given.isin(_MISSING)).to_numpy(bool)
    given = given.where(~is_missing, None)
    parsed, notes = parse_decimals(pd.DataFrame({column.name: given}), column.name, lambda _: given.astype(str))
    for note in notes:
        warn(note)
    return pd.to_numeric(parsed[column.name], errors="coerce").to_numpy(np.float64, na_value=np.nan)


def _refuse(wrong: Bool[np.ndarray, " N"], column: Column, what: str, remedy: str) -> None:
    rows = np.flatnonzero(wrong)
    if not len(rows):
        return
    named = ", ".join(map(str, rows[:_NAMED_ROWS])) + (", …" if len(rows) > _NAMED_ROWS else "")
    among = "" if len(rows) == 1 else f", as in {len(rows):,} rows ({named}, counting from 0)"
    raise UserError(f"{column.place(int(rows[0]))}: {what}{among}; {remedy}")
