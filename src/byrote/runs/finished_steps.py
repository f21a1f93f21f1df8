"""What a long calculation has found step by step, in a checkpoint: a process that was killed costs no finished step."""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import suppress
from typing import Any, TypeVar

from byrote.runs.groups import OnLog
from byrote.theory.calculation import Calculation
from byrote.training.checkpoint_file import Damaged, NotKept, read_checkpoint, remove_checkpoint
from byrote.training.checkpoints import Checkpoints, made_by

T = TypeVar("T")


class FinishedSteps:
    """Of one calculation, those that a process before this one has finished, and those of this one.

    They are written once so much work has been done since the last time as a kill may cost.
    """

    def __init__(self, calculation: Calculation, key: str, checkpoints: Checkpoints, device: str, log: OnLog) -> None:
        self._label, self._checkpoints, self._device, self._log = calculation.label, checkpoints, device, log
        self._head = {"keys": [key], "made_by": made_by(device)}
        self._path = checkpoints.file([key])
        self._found = self._read()
        self._is_off = False
        self._kept = time.monotonic()

    def __call__(self, name: str, make: Callable[[], T]) -> T:
        """What the step of that name has found: plain values, NumPy arrays, tensors, in tuples, lists, dictionaries."""
        if name not in self._found:
            self._found[name] = make()
            self._keep()
        found: T = self._found[name]
        return found

    def remove(self) -> None:
        """Once the calculation is stored."""
        with suppress(OSError):
            remove_checkpoint(self._path)

    def _read(self) -> dict[str, Any]:
        try:
            head, found = read_checkpoint(self._path, self._device)
        except (FileNotFoundError, NotADirectoryError):
            return {}
        except (OSError, Damaged) as error:
            return self._anew(f"is damaged: {error}")
        if head != self._head:
            return self._anew("was made by other versions, on another kind of device, or of another calculation")
        self._log(f"{self._label}: goes on from its checkpoint, after {', '.join(found)}")
        return dict(found)

    def _anew(self, reason: str) -> dict[str, Any]:
        self._log(f"{self._label}: starts over, since its checkpoint {self._path} {reason}")
        return {}

    def _keep(self) -> None:
        if self._is_off or time.monotonic() - self._kept < self._checkpoints.seconds:
            return
        try:
            self._checkpoints.write(self._path, self._head, self._found)
        except (NotKept, OSError) as error:
            self._is_off = True
            self._log(f"{self._label}: no checkpoints any more ({error}): a kill costs the work since the last one")
        self._kept = time.monotonic()
