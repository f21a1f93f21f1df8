from __future__ import annotations

import pytest

from byrote.errors import UserError
from byrote.studies.seeds import at_most, seed_list


def test_a_number_and_a_list_are_seeds():
    assert seed_list(3) == [0, 1, 2]
    assert seed_list([7, 2**63 - 1]) == [7, 2**63 - 1]
    assert at_most(10_000, "draws") == 10_000


@pytest.mark.parametrize("seeds", [0, -1, 10**9, 10**30, True, [], [1, 1], [-1], [2**63], range(10**9)])
def test_slips_are_refused_at_once(seeds):
    with pytest.raises(UserError, match=r"got seeds=.*, expected a number of seeds, at least 1 and at most 10,000"):
        seed_list(seeds)


@pytest.mark.parametrize("count", [0, 10_001, 10**30])
def test_counts_have_a_limit(count):
    with pytest.raises(UserError, match="expected a number of draws, at least 1 and at most 10,000"):
        at_most(count, "draws")
