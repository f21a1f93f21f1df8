"""How far a command is, on standard error: a bar on a terminal; plain lines in a file, a pipe or a dumb terminal."""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Any, TypeVar

from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn

D = TypeVar("D", bound="Display")


class Display:
    """Counts what is done of what there is to do; a context manager, during which the bar is there. Abstract.

    Args:
        num_all: how many there are.
        num_done: how many of these are done already.
        fields: what the bar shows besides, in this order and before what it describes, each with its first value.
    """

    def __init__(self, num_all: int, num_done: int, **fields: Any) -> None:
        self._num_all, self._num_done = num_all, num_done
        console = Console(stderr=True, highlight=False)
        self._bar: Progress | None = None
        if console.is_terminal and not console.is_dumb_terminal:
            own = [TextColumn(f"{{task.fields[{name}]}}") for name in fields]
            columns = (BarColumn(bar_width=20), MofNCompleteColumn(), *own, TextColumn("{task.description}"))
            self._bar = Progress(*columns, console=console, transient=True)
            self._task = self._bar.add_task("", total=num_all, completed=num_done, **fields)

    def __enter__(self: D) -> D:
        if self._bar is not None:
            self._bar.start()
        return self

    def __exit__(self, *_: object) -> None:
        if self._bar is not None:
            self._bar.stop()

    @property
    def has_bar(self) -> bool:
        """Whether progress is shown as a bar."""
        return self._bar is not None

    def print(self, line: str) -> None:
        """Above the bar, where there is one."""
        if self._bar is not None:
            self._bar.console.print(escape(line))
        else:
            print(line, file=sys.stderr, flush=True)

    def describe(self, standing: str, **fields: str) -> None:
        """On the bar alone."""
        self._move(description=escape(standing), **fields)

    def count(self, ended: str, **fields: str) -> None:
        """One more is done: a line, and the bar moves."""
        self._num_done += 1
        self.print(f"{self._num_done}/{self._num_all}  {ended}")
        self._move(completed=self._num_done, **fields)

    def advance(self, number: int) -> None:
        """So many more are done: the bar alone moves."""
        self._num_done += number
        self._move(completed=self._num_done)

    def _move(self, **fields: Any) -> None:
        if self._bar is not None:
            self._bar.update(self._task, **fields)


def each(*callbacks: Callable[..., None] | None) -> Callable[..., None] | None:
    """One callback that calls those that are there, in turn; None where none is."""
    there = [callback for callback in callbacks if callback is not None]
    if len(there) < 2:
        return there[0] if there else None

    def call(*arguments: Any) -> None:
        for callback in there:
            callback(*arguments)

    return call
