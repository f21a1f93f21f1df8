"""What is asked for run by run, read from the store many at a time where it is asked for in their order."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeAlias

Fields: TypeAlias = Mapping[str, Any]

_MOST_RUNS = 256
_MOST_BYTES = 8 * 2**20
"""Compressed, of runs that are in memory at a time, unless a single one has more."""


class ReadAhead:
    """Gives the large fields of runs by their keys. Twice as many are read each time while keys are asked for in their
    order, as when a table is made of all of them; else one, as when some of very many are drawn.

    Args:
        read: gives the fields of some runs by their keys, and the bytes that they take together.
    """

    def __init__(self, read: Callable[[Sequence[str]], tuple[Mapping[str, Fields], int]]) -> None:
        self._read = read
        self.keys: Sequence[str] = ()
        """Of all runs, in their order; set before the first is asked for."""
        self._places: dict[str, int] = {}
        self._there: Mapping[str, Fields] = {}
        self._next = 0
        """The place after those that are there."""
        self._number, self._most = 1, _MOST_RUNS

    def __call__(self, key: str) -> Fields:
        # Held, as another thread may read on in the meantime.
        there = self._there
        if key not in there:
            there = self._load(key)
        return there[key]

    def _load(self, key: str) -> Mapping[str, Fields]:
        if not self._places:
            self._places = {each: place for place, each in enumerate(self.keys)}
        first = self._places[key]
        self._number = min(2 * self._number, self._most) if first == self._next else 1
        keys = self.keys[first : first + self._number]
        there, num_bytes = self._read(keys)
        self._most = max(1, min(_MOST_RUNS, len(keys) * _MOST_BYTES // max(num_bytes, 1)))
        self._there, self._next = there, first + len(keys)
        return there
