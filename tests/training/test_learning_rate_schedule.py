"""Schedules against those of torch, and what becomes of a user's own."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from torch.optim import lr_scheduler

from byrote.errors import UserError
from byrote.references import name_of
from byrote.training.learning_rate_schedule import find_schedule, learning_rate_factors, verify_schedule
from byrote.training.recipe import Recipe

WARMUP = 6


def factors(recipe: Recipe, total: int = 40) -> list[float]:
    return learning_rate_factors(recipe, first=0, num=total, total=total)


def triangle(step: int, total_steps: int) -> float:
    return 1 - abs(2 * step / total_steps - 1)


@pytest.mark.parametrize(
    ("fields", "of_torch"),
    [
        ({"schedule": "constant"}, lambda optimizer, _: lr_scheduler.ConstantLR(optimizer, 1.0)),
        ({"decay": 0.5, "decay_steps": 10}, lambda optimizer, _: lr_scheduler.StepLR(optimizer, 10, 0.5)),
        ({"schedule": "cosine"}, lr_scheduler.CosineAnnealingLR),
        (
            {"schedule": triangle},
            lambda optimizer, total: lr_scheduler.LambdaLR(optimizer, lambda step: triangle(step, total)),
        ),
    ],
    ids=["constant", "steps", "cosine", "own"],
)
@pytest.mark.parametrize("warmup", [0, WARMUP])
def test_the_factors_are_those_of_torch(fields: dict[str, object], of_torch: object, warmup: int) -> None:
    optimizer = torch.optim.SGD([torch.zeros(1)], lr=1.0)
    scheduler = of_torch(optimizer, 40 - warmup)  # type: ignore[operator]
    if warmup:
        optimizer.param_groups[0]["lr"] = optimizer.param_groups[0]["initial_lr"] = 1.0
        rising = lr_scheduler.LinearLR(optimizer, 1 / (warmup + 1), total_iters=warmup)
        scheduler = lr_scheduler.SequentialLR(optimizer, [rising, scheduler], [warmup])
    expected = []
    for _ in range(40):
        expected.append(optimizer.param_groups[0]["lr"])
        optimizer.step()
        scheduler.step()
    np.testing.assert_allclose(factors(Recipe(warmup_steps=warmup, **fields)), expected, atol=1e-12)


def test_the_default_is_the_papers_to_the_last_bit() -> None:
    assert factors(Recipe(), 5000) == [0.95 ** (step // 391) for step in range(5000)]


@pytest.mark.parametrize("name", ["constant", "steps", "cosine", name_of(triangle)])
def test_a_part_is_a_part_of_the_whole(name: str) -> None:
    recipe = Recipe(schedule=name, warmup_steps=WARMUP)
    whole = factors(recipe)
    for first in (0, 4, 6, 20):
        assert learning_rate_factors(recipe, first=first, num=7, total=40) == whole[first : first + 7]


def test_a_schedule_may_lie_in_a_file_and_may_use_torch(tmp_path: Path) -> None:
    file = tmp_path / "own.py"
    file.write_text(
        "import torch\ndef root(step, total_steps):\n    return torch.tensor(1 - step / total_steps).sqrt()\n"
    )
    np.testing.assert_allclose(factors(Recipe(schedule=f"{file}:root"), 4), np.sqrt([1, 0.75, 0.5, 0.25]), rtol=1e-6)


def negative(step: int, total_steps: int) -> float:
    return 0.5 - step / total_steps


def words(step: int, total_steps: int) -> str:
    return "half"


def nothing_after_ten(step: int, total_steps: int) -> float:
    return 1 / max(10 - step, 0)


def one_argument(step: int) -> float:
    return 1.0


@pytest.mark.parametrize(
    ("schedule", "message"),
    [
        ("cosin", "got schedule 'cosin', expected one of constant, steps, cosine, FILE.py:NAME, package.module:NAME"),
        (
            name_of(negative),
            "gave -0.475 at step 39, expected a factor of the learning rate: a finite number, at",
        ),
        (name_of(words), "gave 'half' at step 0, expected a factor"),
        (name_of(nothing_after_ten), r"ZeroDivisionError: .* \(test_learning_rate_schedule.py, line \d+, in nothing_"),
        (name_of(one_argument), "failed: TypeError: one_argument"),
        ("torch.optim.lr_scheduler:OneCycleLR", "is a class, expected a function .step, total_steps. -> factor"),
        (f"{__file__}:WARMUP", "is an int, expected a function"),
        (f"{__file__}:triangel", "did you mean 'triangle'"),
    ],
)
def test_what_is_no_schedule_is_refused(schedule: str, message: str) -> None:
    with pytest.raises(UserError, match=message):
        verify_schedule(Recipe(schedule=schedule), 40)


@pytest.mark.parametrize(("fields", "remedy"), [({"steps": 40}, "more steps"), ({}, "more epochs")])
def test_a_warm_up_that_never_ends_is_refused(fields: dict[str, int], remedy: str) -> None:
    verify_schedule(Recipe(warmup_steps=39, **fields), 40)
    with pytest.raises(UserError, match=f"got warmup_steps=40 for runs of at most 40 steps: give fewer, or {remedy}"):
        verify_schedule(Recipe(warmup_steps=40, **fields), 40)


def test_a_schedule_that_draws_disturbs_nothing() -> None:
    def noisy(step: int, total_steps: int) -> float:
        return float(torch.rand(()))

    recipe = Recipe(schedule=noisy)
    torch.manual_seed(0)
    first = torch.rand(3)
    torch.manual_seed(0)
    assert 0 < learning_rate_factors(recipe, first=0, num=1, total=2)[0] < 1
    torch.testing.assert_close(torch.rand(3), first)
    assert find_schedule(recipe) is noisy
