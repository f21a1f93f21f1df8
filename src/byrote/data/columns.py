"""Inputs or labels of N examples, and where each of them stands: what readers hand on."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Int64, Shaped

from byrote.errors import UserError


@dataclass(frozen=True, eq=False)
class Column:
    """The inputs or the labels of N examples, and where each of them stands."""

    values: np.ndarray
    name: str
    """What messages call it: a file, an array."""
    places: Callable[[int], str] | None = None
    """Row -> what messages call that row; None: "NAME, row 3 (counting from 0)"."""
    fields: tuple[str, ...] | None = None
    """What messages call the features of vectors `[N, D]`: "column 'age'"; None: "feature 3 (counting from 0)"."""

    def place(self, row: int) -> str:
        """What messages call a row."""
        return self.places(row) if self.places else f"{self.name}, row {row} (counting from 0)"

    def field(self, number: int) -> str:
        """What messages call a feature."""
        return self.fields[number] if self.fields else f"feature {number} (counting from 0)"

    def take(self, rows: slice | Int64[np.ndarray, " M"]) -> Column:
        """Some of the rows; they keep their places."""
        index = np.arange(len(self.values))[rows]
        return Column(self.values[rows], self.name, lambda row: self.place(int(index[row])), self.fields)

    @classmethod
    def joined(cls, columns: Sequence[Column], name: str) -> Column:
        """Several files as one column. The places remain those in the files."""
        starts = np.cumsum([0] + [len(column.values) for column in columns])

        def place(row: int) -> str:
            part = int(np.searchsorted(starts, row, side="right")) - 1
            return columns[part].place(row - int(starts[part]))

        return cls(np.concatenate([column.values for column in columns]), name, place, columns[0].fields)


def check_rows(wrong: Shaped[np.ndarray, "N ..."], column: Column, what: str, remedy: str) -> None:
    """Raises UserError where any row is wrong: the first of them, and how many there are."""
    rows = np.flatnonzero(wrong.reshape(len(wrong), -1).any(axis=1))
    if len(rows):
        raise UserError(f"{column.place(int(rows[0]))}: {what} ({len(rows)} such rows); {remedy}")
