"""A finding has one of three outcomes."""

from __future__ import annotations

import pytest

from byrote.errors import UserError
from byrote.evidence.finding import Finding


def test_other_outcomes_are_refused():
    with pytest.raises(UserError, match="got the outcome 'maybe' of the claim 'It runs', expected one of 'supported'"):
        Finding("It runs", "maybe", "It ran.")  # type: ignore[arg-type]
