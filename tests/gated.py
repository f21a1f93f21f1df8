"""A network that stops in the middle of its training, in whatever process, until the test lets it go on."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

_SOURCE = """
import math, os, time
from pathlib import Path
from torch import nn

HERE = Path({folder!r})
num_calls = 0

class Gated(nn.Module):
    def __init__(self, input_shape, num_classes):
        super().__init__()
        self.linear = nn.Linear(math.prod(input_shape), num_classes)

    def forward(self, x):
        global num_calls
        num_calls += 1
        if num_calls > {num_calls} and not (HERE / "go").exists():
            {arrive}
            while not (HERE / "go").exists():
                time.sleep(0.01)
        return self.linear(x.flatten(1))
"""


class Gate:
    """Of networks in processes that wait at it.

    Args:
        folder: where they leave a file each in `waiting`.
        num_calls: of the networks in a process, after which it waits.
        name: what its file is called: Python that says so.
    """

    def __init__(self, folder: Path, *, num_calls: int, name: str = "os.getpid()") -> None:
        self._folder = folder
        (folder / "waiting").mkdir()
        arrive = f'(HERE / "waiting" / str({name})).touch()'
        (folder / "gated.py").write_text(_SOURCE.format(folder=str(folder), num_calls=num_calls, arrive=arrive))
        self.model = f"{folder / 'gated.py'}:Gated"

    def waiting(self, but: set[str] = frozenset()) -> str:
        """The name of a process that has arrived, once one has, besides those already known."""
        until(lambda: self._arrived() - but)
        return min(self._arrived() - but)

    def _arrived(self) -> set[str]:
        return {file.name for file in (self._folder / "waiting").iterdir()}

    def open(self) -> None:
        (self._folder / "go").touch()


def until(condition: Callable[[], object], seconds: float = 300.0) -> None:
    """Waits for it; the limit is for tests that would otherwise hang."""
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.02)
