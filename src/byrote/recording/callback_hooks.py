"""What callbacks of other libraries' trainers share, without their base classes."""

from __future__ import annotations

from typing import Any, Protocol

from torch import Tensor


class Records(Protocol):
    """What callbacks need of a recorder."""

    def record(self, index: Any, logits: Tensor, targets: Any) -> None:
        """One batch."""

    def end_epoch(self) -> None:
        """All batches of an epoch have come."""


def _nothing(*args: Any, **kwargs: Any) -> None:
    """Of a hook that is not needed here."""


class CallbackHooks:
    """Answers every hook that a trainer calls; those that do anything are methods of subclasses."""

    def __getattr__(self, name: str) -> Any:
        if name.startswith("_"):
            raise AttributeError(name)
        return _nothing
