"""One store from several: what each has and the target lacks is copied, if it matches its checksum.

A key stands for all that decides a run, and for the version of our numerics. So equal keys have the same numbers, but
for the last bits where machines differ; numbers of another version have other keys, and cannot meet.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

import sqlalchemy as sa

from byrote.errors import StoreError, UserError
from byrote.runs.codec import is_sound, row_label, same_result, without_weights
from byrote.runs.store import Store
from byrote.runs.tables import CALCULATIONS, RUNS

_ROWS_AT_ONCE = 500


class Left(NamedTuple):
    """A row of a source that was not copied, or not whole."""

    key: str
    label: str


@dataclass(frozen=True)
class Merged:
    """What became of one source."""

    source: str
    num_added: int = 0
    num_there: int = 0
    """With the same numbers, in the target."""
    conflicts: Sequence[Left] = ()
    """Those that the target has with other numbers, which it keeps."""
    damaged: Sequence[Left] = ()
    """Those that do not match their checksum."""
    without_weights: Sequence[Left] = field(default=())
    """Those that were copied without their weights: these are lost or damaged, or the target has no place for them."""

    @property
    def is_whole(self) -> bool:
        """Whether the target has now all that the source has."""
        return not (self.conflicts or self.damaged or self.without_weights)


def merge(source: Store, into: Store, on_copied: Callable[[int], None] | None = None) -> Merged:
    """Copies what `into` lacks of `source`: runs with their weights, and calculations, which stay as they are there.

    Args:
        on_copied: called with how many rows were looked at since the last call.

    Raises:
        UserError: both are one store.
        StoreError: one of them cannot be read, or `into` not be written; what was copied stays.
    """
    refuse_same(source, into)
    merging = _Merging(source, into)
    for table in (RUNS, CALCULATIONS):
        keys = sorted(row["key"] for row in source.rows(table, None, ("key",)))
        for first in range(0, len(keys), _ROWS_AT_ONCE):
            some = keys[first : first + _ROWS_AT_ONCE]
            merging.take(table, some)
            if on_copied is not None:
                on_copied(len(some))
    return merging.merged()


def refuse_same(source: Store, into: Store) -> None:
    """Raises UserError where both are one store."""
    if Path(source.name).resolve() == Path(into.name).resolve():
        raise UserError(f"got {into.name} as what is merged and as the store of the result: name another one")


class _Merging:
    def __init__(self, source: Store, into: Store) -> None:
        self._source, self._into = source, into
        self._num_added = self._num_there = 0
        self._left: dict[str, list[Left]] = {"conflicts": [], "damaged": [], "without_weights": []}

    def merged(self) -> Merged:
        return Merged(self._source.name, self._num_added, self._num_there, **self._left)

    def take(self, table: sa.Table, keys: Sequence[str]) -> None:
        there = {row["key"]: row["checksum"] for row in self._into.rows(table, keys, ("key", "checksum"))}
        known = {row["key"]: row["checksum"] for row in self._source.rows(table, list(there), ("key", "checksum"))}
        equal = {key for key, checksum in known.items() if checksum == there[key]}
        self._num_there += len(equal)
        differing = {row["key"]: row for row in self._into.rows(table, [key for key in there if key not in equal])}
        new: list[Mapping[str, Any]] = []
        for row in self._source.rows(table, [key for key in keys if key not in equal]):
            if not is_sound(row):
                self._leave("damaged", row)
            elif row["key"] in differing:
                self._compare(table, row, differing[row["key"]])
            else:
                new.append(self._with_its_weights(row))
        if not new or self._into.insert(table, new):
            self._num_added += len(new)
            return
        for copied in new:  # others work on the target as well, and have added some of them
            if self._into.insert(table, [copied]):
                self._num_added += 1
            else:
                self._compare(table, copied, next(self._into.rows(table, [copied["key"]])))

    def _compare(self, table: sa.Table, row: Mapping[str, Any], own: Mapping[str, Any]) -> None:
        """With what the target has under the same key, which stays unless it is damaged, or is the same but for
        weights."""
        if not is_sound(own):
            self._into.insert(table, [self._with_its_weights(row)], replacing=True)
            self._num_added += 1
        elif not same_result(own, row):
            self._leave("conflicts", row)
        else:
            self._num_there += 1
            if row.get("weights") and not own["weights"]:
                self._into.insert(table, [self._with_its_weights(row)], replacing=True)

    def _with_its_weights(self, row: Mapping[str, Any]) -> Mapping[str, Any]:
        """The row, its weights copied; without them, where there are none or they have no place."""
        if not row.get("weights"):
            return row
        if self._into.keeps_weights and self._source.keeps_weights:
            try:
                contents = self._source.folder().read(row["key"], row["weights"])
            except StoreError:
                pass
            else:
                self._into.folder().write(row["key"], contents)
                return row
        self._leave("without_weights", row)
        return without_weights(row)

    def _leave(self, why: str, row: Mapping[str, Any]) -> None:
        self._left[why].append(Left(str(row["key"]), row_label(row)))
