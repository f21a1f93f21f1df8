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


@pytest.mark.parametrize("num_allowed", [0, 1, 14, 500, 10_000])
def test_samples_are_larger_than_what_may_be_wrong_but_not_much(num_allowed: int) -> None:
    first, second = sizes_of_samples(num_allowed)
    assert num_allowed + 16 <= first <= 1.25 * num_allowed + 16
    assert second == 4 * first
