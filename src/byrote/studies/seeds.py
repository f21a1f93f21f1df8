"""Seeds as studies take them: how many, or which."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from byrote.errors import UserError

MOST = 10_000
"""More repetitions than any study has use for: a slip, and a plan of them all would take hours to make."""


def seed_list(seeds: int | Sequence[int]) -> list[int]:
    """0, 1, ... for a number of seeds; those given else.

    Raises:
        UserError: none, too many, or some that are no seeds or come twice.
    """
    how_many = at_most(seeds, "seeds") if isinstance(seeds, int) else None
    try:
        given = range(how_many) if how_many is not None else seeds
        found = list(given) if len(given) <= MOST else []  # type: ignore[arg-type]
    except TypeError:
        raise _refusal(seeds) from None
    are_seeds = all(isinstance(seed, int) and not isinstance(seed, bool) and 0 <= seed < 2**63 for seed in found)
    if not found or not are_seeds or len(set(found)) < len(found):
        raise _refusal(seeds)
    return found


def at_most(count: int, name: str) -> int:
    """A number of repetitions; `name` is what the user calls it.

    Raises:
        UserError: none, or too many.
    """
    if not isinstance(count, int) or isinstance(count, bool) or not 1 <= count <= MOST:
        raise UserError(f"got {name}={count!r}, expected a number of {name}, at least 1 and at most {MOST:,}")
    return count


def _refusal(seeds: Any) -> UserError:
    return UserError(
        f"got seeds={seeds!r}, expected a number of seeds, at least 1 and at most {MOST:,}, or different ones, each a "
        "whole number below 2**63"
    )
