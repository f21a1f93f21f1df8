"""Tables of named columns -> features. Columns are known by their names; what is no number is named with its row."""

from __future__ import annotations

import numbers
from collections.abc import Sequence
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import numpy as np
from jaxtyping import Float64

from byrote.data.columns import Column
from byrote.data.labels import is_number
from byrote.errors import UserError

if TYPE_CHECKING:
    import pandas as pd

# A column of fewer rows may count them by chance; one that grows from row to row needs more to be no chance.
_FEWEST_COUNTED, _FEWEST_GROWING = 5, 20


def features(table: pd.DataFrame, name: str) -> Column:
    """The columns of a table as vectors `[N, D]` in float64.

    Raises:
        UserError: a column twice, or of anything but numbers.
    """
    names = [str(column) for column in table.columns]
    twice = sorted({column for column in names if names.count(column) > 1})
    if twice:
        raise UserError(
            f"{name} has the column {twice[0]!r} {names.count(twice[0])} times: give each column a name of its own, "
            "or drop those that are not meant"
        )
    columns = [_numbers(table.iloc[:, number], column, name) for number, column in enumerate(names)]
    values = np.stack(columns, axis=1) if columns else np.zeros((len(table), 0))
    return Column(values, name, fields=tuple(f"column {column!r}" for column in names))


def matched(train: pd.DataFrame, test: pd.DataFrame, train_name: str, test_name: str) -> tuple[pd.DataFrame, list[str]]:
    """The test table with the columns of the training table, in their order; and what is to be said of that.

    Raises:
        UserError: either has columns that the other has not.
    """
    same = len(train.columns) == len(test.columns) and set(train.columns) == set(test.columns)
    if not same and not (has_names(train) and has_names(test)):
        if len(train.columns) == len(test.columns) and has_names(train) != has_names(test):
            named, nameless = (train_name, test_name) if has_names(train) else (test_name, train_name)
            note = f"the columns of {named} have names, those of {nameless} have none: they are taken by their position"
            return test.set_axis(train.columns, axis=1), [note]
        return test, []
    missing = [str(column) for column in train.columns if column not in test.columns]
    extra = [str(column) for column in test.columns if column not in train.columns]
    if missing or extra:
        lacks = f"lacks the column{'s' * (len(missing) > 1)} {_abbreviated(missing)}" if missing else ""
        has = f"has {_abbreviated(extra)} besides" if extra else ""
        raise UserError(
            f"{test_name} {' and '.join(filter(None, (lacks, has)))}, where {train_name} has "
            f"{_abbreviated([str(column) for column in train.columns])}: give both the same columns"
        )
    if list(train.columns) == list(test.columns) or not test.columns.is_unique:
        return test, []
    return test[list(train.columns)], [
        f"{test_name} has the columns of {train_name} in another order: they are matched by their names"
    ]


def has_names(table: pd.DataFrame) -> bool:
    """Whether the columns are more than numbered."""
    import pandas as pd

    return not isinstance(table.columns, pd.RangeIndex)


def without_row_numbers(table: pd.DataFrame, name: str) -> tuple[list[str], list[str]]:
    """Columns without a name that are but names of the rows, to be left out; and what is to be said of all columns that
    number the rows, since they tell the class wherever rows are sorted by it."""
    left_out, notes = [], []
    for number, column in enumerate(map(str, table.columns)):
        values = table.iloc[:, number]
        is_unnamed = column == "" or column.startswith("Unnamed: ")
        counts = _counts_rows(values)
        if is_unnamed and (counts or (len(values) > 1 and values.is_unique)):
            left_out.append(table.columns[number])
            notes.append(f"{name} has a column without a name that names the rows: it is left out")
        elif counts:
            notes.append(
                f"{name}: column {column!r} {counts}, and is taken as a feature: drop it if it is but a number of the "
                "row, which tells the class of rows that are sorted"
            )
    return left_out, notes


def _counts_rows(values: pd.Series) -> str:
    """In what way whole numbers count their rows; "" if they do not."""
    if values.dtype.kind not in "iuf" or len(values) < _FEWEST_COUNTED:
        return ""
    numbers_ = values.to_numpy(dtype=np.float64, na_value=np.nan)
    if not (np.isfinite(numbers_).all() and (numbers_ == np.rint(numbers_)).all()):
        return ""
    ascending = np.sort(numbers_)
    steps = np.diff(ascending)
    if (steps == 1).all():
        in_order = "" if (numbers_ == ascending).all() else ", in another order"
        return f"counts the rows from {ascending[0]:.0f} to {ascending[-1]:.0f}{in_order}"
    if len(values) >= _FEWEST_GROWING and (np.diff(numbers_) > 0).all():
        return "grows from row to row"
    return ""


def _numbers(values: pd.Series, column: str, name: str) -> Float64[np.ndarray, " N"]:
    import pandas as pd

    place = f"{name}, column {column!r},"
    kind: Any = values.dtype
    if isinstance(kind, pd.SparseDtype):
        values = pd.Series(values.to_numpy())
        kind = values.dtype
    if isinstance(kind, pd.CategoricalDtype):
        raise UserError(f"{place} holds categories, expected numbers; encode it (pandas.get_dummies), or drop it")
    if kind.kind in "mM" or isinstance(kind, pd.PeriodDtype | pd.IntervalDtype):
        raise UserError(f"{place} holds values of type {kind}, expected numbers; make numbers of them, or drop it")
    if kind.kind == "c":
        raise UserError(f"{place} holds complex numbers; give real and imaginary parts as two columns, or drop it")
    if kind.kind in "iu":
        largest = max(abs(int(values.max())), abs(int(values.min()))) if values.notna().any() else 0
        if largest > 2**53:
            raise UserError(
                f"{place} holds whole numbers up to {largest}, more than floats can tell apart; drop it if they are "
                "names of something, or scale it"
            )
    elif kind.kind not in "fb":
        wrong = [
            (row, value)
            for row, value in enumerate(values)
            if not (isinstance(value, numbers.Real | Decimal | np.bool_) or _is_missing(value))
        ]
        if wrong:
            row, value = next((pair for pair in wrong if not is_number(str(pair[1]))), wrong[0])
            raise UserError(
                f"{name}, row {row} (counting from 0), column {column!r}: got {value!r}, expected a number"
                f"{', not text' if isinstance(value, str) else ''}; drop the column or encode it"
            )
        values = pd.Series([np.nan if _is_missing(value) else float(value) for value in values], dtype=np.float64)
    return values.to_numpy(dtype=np.float64, na_value=np.nan)


def _is_missing(value: Any) -> bool:
    import pandas as pd

    return value is None or (pd.api.types.is_scalar(value) and bool(pd.isna(value)))


def _abbreviated(names: Sequence[str]) -> str:
    return ", ".join(map(repr, names if len(names) <= 10 else names[:9])) + ", …" * (len(names) > 10)
