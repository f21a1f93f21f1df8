from __future__ import annotations

import numpy as np
import pytest

from byrote.data.corruptions.label_laws import at_most, changed_by, likely_counts


def test_labels_that_follow_the_law_pass_and_others_fail() -> None:
    generator = np.random.default_rng(0)
    law = np.array([[0.9, 0.1, 0.0], [0.0, 1.0, 0.0], [0.3, 0.3, 0.4]])
    before = np.repeat(np.arange(3), [500, 300, 40])
    for _ in range(20):
        after = np.array([generator.choice(3, p=law[label]) for label in before])
        assert all(check.passed for check in changed_by(before, after, law, 0.5))
    after[before == 1] = np.where(np.arange(300) == 0, 2, 1)
    share, independent = changed_by(before, after, law, 0.5)
    assert share.passed
    assert not independent.passed  # one alone that cannot be
    assert "299 of 300 at chance 1" in independent.detail


@pytest.mark.parametrize(("chance", "ends"), [(0.0, (0, 0)), (1.0, (9, 9))])
def test_what_is_certain_has_no_width(chance: float, ends: tuple[int, int]) -> None:
    assert likely_counts(9, chance) == ends


def test_of_an_unknown_law_no_more_changes_than_is_redrawn() -> None:
    before, after = np.zeros(1000, np.int64), (np.arange(1000) < 400).astype(np.int64)
    assert [at_most(before, after, rate)[0].passed for rate in (0.1, 0.4, 1.0)] == [False, True, True]
    assert not at_most(before, after, 0.0)[0].passed
