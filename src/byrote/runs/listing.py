"""What a store has, chosen by what it is, without its arrays: to be listed, exported or removed."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any, NamedTuple

import sqlalchemy as sa

from byrote.errors import UserError
from byrote.references import short_name
from byrote.runs.codec import from_row, is_sound, row_label
from byrote.runs.store import Store
from byrote.runs.tables import CALCULATIONS, RUNS


class Listed(NamedTuple):
    """A run or a calculation that a store has."""

    key: str
    label: str
    data: str
    created: str
    """UTC."""
    num_bytes: int
    """Of its arrays, which are nearly all of it; without weights."""
    test_accuracy: float | None
    """None of a calculation, and where it is damaged."""
    has_weights: bool
    table: sa.Table


@dataclass(frozen=True)
class Choice:
    """Which of them: those that fit all that is given. Calculations have no model and no corruption.

    Raises:
        UserError: a date that is none.
    """

    model: str | None = None
    """As a spec has it, or as it is called in short."""
    data: str | None = None
    """What figures call the data."""
    corruption: str | None = None
    """As the column of that name has it."""
    key: str | None = None
    """How the key begins."""
    before: str | None = None
    """Stored before this date or time, UTC."""
    unreadable: bool = False
    """Those alone that are damaged, or that this byrote cannot read any more."""

    def __post_init__(self) -> None:
        if self.before is not None:
            _checked(self.before)

    @property
    def is_all(self) -> bool:
        """Whether nothing is left out."""
        return self == Choice()

    def fits(self, row: dict[str, Any]) -> bool:
        """Whether a stored row is among those chosen."""
        model, corruption = row.get("model"), row.get("corruption")
        return (
            (self.model is None or (model is not None and self.model in (model, short_name(str(model)))))
            and self.data in (None, row["data"])
            and self.corruption in (None, corruption)
            and str(row["key"]).startswith(self.key or "")
            and (self.before is None or str(row["created"]) < _checked(self.before))
        )


def listed(store: Store, choice: Choice) -> Iterator[Listed]:
    """What the store has of them: runs, then calculations, each oldest first."""
    for table, columns in ((RUNS, _OF_RUNS), (CALCULATIONS, _OF_CALCULATIONS)):
        found = [
            Listed(
                row["key"],
                row_label(row),
                str(row["data"]),
                str(row["created"])[:19],
                row["size"] or 0,
                accuracy if isinstance(accuracy := row.get("test_accuracy"), int | float) else None,
                bool(row.get("weights")),
                table,
            )
            for row in store.rows(table, None, columns)
            if choice.fits(row)
        ]
        if choice.unreadable:
            bad = {row["key"] for row in store.rows(table, [each.key for each in found]) if not _is_readable(row)}
            found = [each for each in found if each.key in bad]
        yield from sorted(found, key=lambda each: (each.created, str(each.key)))


_SHARED = ("key", "data", "created", "size")
_OF_RUNS = (*_SHARED, "model", "corruption", "corruption_rate", "seed", "test_accuracy", "weights")
_OF_CALCULATIONS = (*_SHARED, "calculation")


def _is_readable(row: dict[str, Any]) -> bool:
    if not is_sound(row):
        return False
    if "calculation" in row:  # what it holds is known to its class alone
        return True
    try:
        from_row(row)
    except ValueError:
        return False
    return True


def _checked(before: str) -> str:
    try:
        return datetime.fromisoformat(before).strftime("%Y-%m-%d %H:%M:%S")
    except ValueError:
        raise UserError(f"got the date {before!r}, expected one such as 2026-03-31, or 2026-03-31T18:00") from None


def remove(store: Store, chosen: list[Listed]) -> None:
    """Removes them for good, with the weights of runs, and gives the room back.

    Raises:
        StoreError: the store cannot be written.
    """
    for table in (RUNS, CALCULATIONS):
        store.delete(table, [each.key for each in chosen if each.table is table])
    if store.keeps_weights:
        for each in chosen:
            if each.has_weights:
                store.folder().remove(each.key)
    store.compact()
