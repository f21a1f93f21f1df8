from __future__ import annotations

import pytest

from byrote.durations import seconds_of
from byrote.errors import UserError


def test_times_have_units() -> None:
    given = ("90s", "10min", "2h", 30, 1e-5, None)
    assert [seconds_of("budget", each) for each in given] == [
        90,
        600,
        7200,
        30,
        1e-5,
        None,
    ]


@pytest.mark.parametrize("given", ["soon", "10 parsecs", "0s", -1, ""])
def test_what_is_no_time_is_refused(given: object) -> None:
    with pytest.raises(UserError, match=r"got budget=.*, expected a time such as 90s, 10min or 2h"):
        seconds_of("budget", given)  # type: ignore[arg-type]
