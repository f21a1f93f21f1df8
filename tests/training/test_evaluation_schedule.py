from __future__ import annotations

import pytest

from byrote.training.evaluation_schedule import EvaluationSchedule, sizes_of_samples
from byrote.training.recipe import Recipe


def epochs_due(recipe: Recipe, num_evaluated: int, until: int, num_trained: int = 100) -> list[int]:
    schedule = EvaluationSchedule(recipe, num_trained=num_trained, num_evaluated=num_evaluated)
    return [epoch for epoch in range(1, until + 1) if schedule.is_due(epoch)]


def test_epochs_are_spaced_geometrically() -> None:
    paid = Recipe(evaluation_share=1e9, evaluation_spacing=1.5)
    assert epochs_due(paid, 100, 40) == [1, 2, 3, 5, 8, 12, 18, 27]
    assert epochs_due(paid.model_copy(update={"evaluation_spacing": 1.0}), 100, 5) == [1, 2, 3, 4, 5]


@pytest.mark.parametrize("share", [0.05, 0.1, 1.0])
@pytest.mark.parametrize("num_evaluated", [120, 1100])
def test_their_share_of_the_cost_is_kept_to_and_used(share: float, num_evaluated: int) -> None:
    every = epochs_due(Recipe(evaluation_share=share, evaluation_spacing=1), num_evaluated, 300)
    for done, epoch in enumerate(every, start=1):
        assert done * num_evaluated <= share * 3 * epoch * 100
    assert (len(every) + 1) * num_evaluated > share * 3 * 299 * 100 or len(every) == 300


def test_an_evaluation_that_is_postponed_comes_when_it_is_paid_for() -> None:
    assert epochs_due(Recipe(evaluation_share=0.1, evaluation_spacing=2), 300, 50) == [10, 20, 40]


@pytest.mark.parametrize(
    ("num_allowed", "num_examples", "sizes"),
    [
        (0, 1, [1]),
        (0, 16, [16]),
        (0, 60, [16, 32, 60]),
        (10, 1000, [28, 56, 112, 224, 448, 896, 1000]),
        (300, 1000, [391, 782, 1000]),
        (900, 1000, [1000]),
    ],
)
def test_samples_begin_with_some_more_than_may_be_wrong_and_double_up_to_all(
    num_allowed: int, num_examples: int, sizes: list[int]
) -> None:
    assert sizes_of_samples(num_allowed, num_examples) == sizes
