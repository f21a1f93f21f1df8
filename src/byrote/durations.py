"""Times as users write them: 90s, 10min, 2h, or a number of seconds."""

from __future__ import annotations

import re

from byrote.errors import UserError

_UNITS = {"": 1.0, "s": 1.0, "sec": 1.0, "min": 60.0, "m": 60.0, "h": 3600.0}


def seconds_of(name: str, given: str | float | None) -> float | None:
    """Of what was given for `name`, seconds; None of None.

    Raises:
        UserError: no time above 0.
    """
    if given is None:
        return None
    match = re.fullmatch(r"\s*(\d+(?:\.\d+)?(?:e[+-]?\d+)?)\s*([a-z]*)\s*", str(given).lower())
    if match is None or match[2] not in _UNITS or not float(match[1]):
        raise UserError(f"got {name}={given!r}, expected a time such as 90s, 10min or 2h")
    return float(match[1]) * _UNITS[match[2]]
