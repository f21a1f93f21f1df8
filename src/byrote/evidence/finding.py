"""A claim, and what was found of it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Literal, TypeAlias, get_args

from byrote.errors import UserError

Outcome: TypeAlias = Literal["supported", "not supported", "no conclusion"]


@dataclass(frozen=True)
class Finding:
    """One claim, tried on this data: what was found, in plain words and with its figures.

    >>> Finding("Networks fit random labels", "supported", "All 3 runs fitted.").outcome
    'supported'
    """

    claim: str
    outcome: Outcome
    statement: str
    reading: Any = field(default=None, compare=False, repr=False)
    """What it was decided by, of a type of the study's own: its page sums that up, and decides nothing anew."""

    def __post_init__(self) -> None:
        if self.outcome not in get_args(Outcome):
            raise UserError(
                f"got the outcome {self.outcome!r} of the claim {self.claim!r}, expected one of "
                f"{', '.join(map(repr, get_args(Outcome)))}"
            )


@dataclass(frozen=True)
class Unregularized:
    """The reading of a finding on whether a model generalises without regularisers."""


@dataclass(frozen=True)
class FitsRandomLabels:
    """The reading of a finding on whether a model fits random labels, and tests at chance."""

    fitted: bool
    """By all of its runs, none of which failed a check, and by more than luck."""
