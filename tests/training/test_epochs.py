from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from byrote.training.epochs import batch_bounds, most_steps
from byrote.training.recipe import Recipe


@pytest.mark.parametrize(
    ("n", "size", "expected"),
    [
        (10, 4, [(0, 4), (4, 7), (7, 10)]),
        (9, 4, [(0, 3), (3, 6), (6, 9)]),
        (8, 4, [(0, 4), (4, 8)]),
        (5, 2, [(0, 3), (3, 5)]),
        (3, 2, [(0, 3)]),
        (2, 1, [(0, 1), (1, 2)]),
        (1, 4, [(0, 1)]),
    ],
)
def test_batches_of_few_examples(n: int, size: int, expected: list[tuple[int, int]]) -> None:
    assert batch_bounds(n, size) == expected


@given(n=st.integers(1, 10_000), size=st.integers(1, 300))
def test_batches_are_as_few_and_as_equal_as_can_be(n: int, size: int) -> None:
    bounds = batch_bounds(n, size)
    assert [start for start, _ in bounds] == [0, *(end for _, end in bounds[:-1])]
    assert bounds[-1][1] == n
    sizes = [end - start for start, end in bounds]
    assert max(sizes) - min(sizes) <= 1
    assert size == 1 or n == 1 or min(sizes) > 1
    if size != 2:
        assert max(sizes) <= size
        assert len(bounds) == math.ceil(n / size)


def test_a_run_may_take_its_steps_or_all_of_its_epochs() -> None:
    assert most_steps(Recipe(steps=7), 1000) == 7
    # Nine examples in batches of four are three steps an epoch.
    assert most_steps(Recipe(epochs=20, batch_size=4), 9) == 60
