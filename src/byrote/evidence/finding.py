"""A claim, and what was found of it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Literal, TypeAlias

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


@dataclass(frozen=True)
class Unregularized:
    """The reading of a finding on whether a model generalises without regularisers."""


@dataclass(frozen=True)
class FitsRandomLabels:
    """The reading of a finding on whether a model fits random labels, and tests at chance."""

    fitted: bool
    """By all of its runs, none of which failed a check, and by more than luck."""
