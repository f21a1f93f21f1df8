"""What a column of a table holds: numbers, dates or text."""

from __future__ import annotations

import warnings

import numpy as np
import pandas as pd
from jaxtyping import Float64, Int64

_DATES = 0.95
"""The share of a column's values that must read as dates."""


def is_number(column: pd.Series) -> bool:
    """Whether its entries are numbers or bools."""
    return column.dtype.kind in "iufb"


def seconds_of(column: pd.Series, *, always: bool = False) -> Float64[np.ndarray, " N"] | None:
    """Dates as seconds since 1970, NaN of what is none; None of a column that does not hold dates, unless `always`."""
    if is_number(column):
        return column.to_numpy(np.float64, na_value=np.nan) if always else None
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            parsed = pd.to_datetime(column, errors="coerce", utc=True, format="mixed")
        except (TypeError, ValueError, OverflowError):
            return np.full(len(column), np.nan) if always else None
    known, given = parsed.notna(), column.notna()
    if not always and (not given.any() or known.sum() < _DATES * given.sum()):
        return None
    seconds = np.full(len(column), np.nan)
    seconds[known] = parsed[known].astype("datetime64[ns, UTC]").astype("int64").to_numpy() / 1e9
    return seconds


def numbers_in(column: pd.Series) -> Float64[np.ndarray, " N"] | None:
    """Numbers as they are, dates as seconds; None of text."""
    return column.to_numpy(np.float64, na_value=np.nan) if is_number(column) else seconds_of(column)


def codes_of(column: pd.Series) -> tuple[Int64[np.ndarray, " N"], tuple[str, ...]]:
    """Equal numbers for equal values, and what each is called; what is missing is a value of its own for each row."""
    codes, names = pd.factorize(column.astype(object).where(column.notna(), None), use_na_sentinel=True)
    codes = codes.astype(np.int64)
    missing = codes < 0
    codes[missing] = len(names) + np.arange(int(missing.sum()))
    return codes, (*map(str, names), *("" for _ in range(int(missing.sum()))))


def numbers_of(table: pd.DataFrame) -> Float64[np.ndarray, "N D"]:
    """Every column as numbers by which rows can be told apart and put in order: dates as seconds, text as its rank."""
    columns = [_ranks(table[name]) if (found := numbers_in(table[name])) is None else found for name in table]
    return np.stack(columns, axis=1) if columns else np.zeros((len(table), 0))


def _ranks(column: pd.Series) -> Float64[np.ndarray, " N"]:
    codes, _ = pd.factorize(column.astype(str).where(column.notna()), sort=True)
    return np.where(codes < 0, np.nan, codes.astype(np.float64))
