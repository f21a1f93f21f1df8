"""Learning-rate schedules: the factor that every replica's own learning rate is multiplied by at each step.

Source     steps: Zhang et al. (ICLR 2017), appendix A, times 0.95 after every epoch of CIFAR-10 (391 steps). cosine:
           Loshchilov & Hutter (ICLR 2017), to 0, without restarts. Warm-up: Goyal et al. (2017), linear.

They count optimiser steps, not epochs, whatever the size of the training set is. A schedule begins when the warm-up has
ended, at the whole learning rate.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import partial
from typing import TypeAlias

from byrote.errors import UserError, kind_of, suggestion
from byrote.isolation import undisturbed
from byrote.references import is_reference, load_object, users_code
from byrote.training.recipe import Recipe

SCHEDULES: dict[str, str] = {
    "constant": "the learning rate stays what it is",
    "steps": "times decay (0.95) after every decay_steps (391) optimiser steps, as in the paper",
    "cosine": "half a cosine, from the learning rate to 0 after all steps that a run may take",
    "FILE.py:NAME": "your own: a function called as NAME(step, total_steps) -> factor of the learning rate, where step "
    "counts from 0 and total_steps are all that a run may take, both without the steps of the warm-up",
    "package.module:NAME": "the same, from an installed package",
}

Schedule: TypeAlias = Callable[[int, int], float]

_CALL = "(step, total_steps)"
_CALLED_AS = f"a function {_CALL} -> factor of the learning rate"


def learning_rate_factors(recipe: Recipe, *, first: int, num: int, total: int) -> list[float]:
    """The factors of the learning rate at `num` steps from `first` on, of a run that may take `total` steps.

    A cosine, and a schedule of the user's own, end at `total`: `steps`, or under at_interpolation as many as `epochs`
    epochs have, of which a run that fits takes fewer.

    Raises:
        UserError: the user's schedule fails, or gives something else than a finite number of at least 0.
    """
    schedule, warmup = find_schedule(recipe), recipe.warmup_steps
    after = range(max(first, warmup) - warmup, max(first + num, warmup) - warmup)
    rising = [(step + 1) / (warmup + 1) for step in range(first, min(first + num, warmup))]
    if not is_reference(recipe.schedule):
        return [*rising, *(schedule(step, total - warmup) for step in after)]
    with users_code(recipe.schedule, f"schedule {recipe.schedule!r}, called as {_CALL},"), undisturbed(0):
        return [*rising, *(_number(recipe.schedule, schedule(step, total - warmup), step) for step in after)]


def find_schedule(recipe: Recipe) -> Schedule:
    """The function behind a recipe's `schedule`.

    Raises:
        UserError: no such schedule, or one that is no function.
    """
    name = recipe.schedule
    built_in: dict[str, Schedule] = {
        "constant": _constant,
        "steps": partial(_steps, recipe.decay, recipe.decay_steps),
        "cosine": _cosine,
    }
    if not is_reference(name):
        if name not in built_in:
            raise UserError(
                f"got schedule {name!r}, expected one of {', '.join(SCHEDULES)}{suggestion(name, built_in)}"
            )
        return built_in[name]
    found: object = load_object(name)
    if isinstance(found, type) or not callable(found):
        kind = "a class" if isinstance(found, type) else kind_of(found)
        raise UserError(f"schedule {name!r} is {kind}, expected {_CALLED_AS}")
    return found


def verify_schedule(recipe: Recipe, total: int) -> None:
    """Tries it at the beginning, in the middle and at the end of a run that may take `total` steps.

    Raises:
        UserError: a schedule that is not there or cannot be used, or a warm-up as long as the run.
    """
    if recipe.warmup_steps >= total:
        raise UserError(
            f"got warmup_steps={recipe.warmup_steps:,} for runs of at most {total:,} steps: give fewer, or more "
            f"{'epochs' if recipe.steps is None else 'steps'}"
        )
    for step in {0, recipe.warmup_steps, total // 2, total - 1}:
        learning_rate_factors(recipe, first=step, num=1, total=total)


def _constant(step: int, total_steps: int) -> float:  # noqa: ARG001
    return 1.0


def _steps(decay: float, decay_steps: int, step: int, total_steps: int) -> float:  # noqa: ARG001
    return decay ** (step // decay_steps)


def _cosine(step: int, total_steps: int) -> float:
    return (1 + math.cos(math.pi * step / total_steps)) / 2


def _number(name: str, factor: object, step: int) -> float:
    try:
        found = float(factor)  # type: ignore[arg-type]
    except (TypeError, ValueError):
        found = math.nan
    if not math.isfinite(found) or found < 0:
        raise UserError(
            f"schedule {name!r} gave {factor!r} at step {step:,}, expected a factor of the learning rate: a finite "
            "number, at least 0"
        )
    return found
