"""A claim, and what was found of it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, TypeAlias

Outcome: TypeAlias = Literal["supported", "not supported", "no conclusion"]


@dataclass(frozen=True)
class Finding:
    """One claim, tried on this data: what was found, in plain words and with its figures."""

    claim: str
    outcome: Outcome
    statement: str
