"""Networks on random halves of one data set, and what all of them say of every example."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float16

from byrote.data.dataset import Dataset
from byrote.data.subsets import half_rows
from byrote.errors import UserError
from byrote.evidence.intervals import newcombe
from byrote.training.outcome import TrainOutcome
from byrote.training.recipe import Recipe
from byrote.training.spec import TrainSpec

STACK = 16
"""Networks that are trained side by side, and by which their number grows: so a later call with more of them trains
only the new ones. More in one stack gain nothing on a CPU (benchmarks/stacking.py)."""

_MOST_NETWORKS = 2**50
"""More than anybody trains, for widths that nobody waits for."""


def refuse_networks(networks: int) -> None:
    """Raises UserError unless they are whole stacks."""
    if networks < STACK or networks % STACK:
        raise UserError(
            f"got networks={networks}, expected a multiple of {STACK}: so many are trained side by side, and a later "
            "call with more of them trains only the new ones"
        )


def spec_of_half(recipe: Recipe, model: str, number: int, seed: int, kind: str = "") -> TrainSpec:
    """The network on half `number` of all training examples, which has weights and batches of its own.

    Args:
        kind: of the data, where runs on several are told apart by what their stacks are called.
    """
    first = number // STACK * STACK
    own = {
        "model": model,
        "half": number,
        "seed": number,
        "data_seed": seed,
        "stack": f"halves {first} to {first + STACK - 1} of draw {seed}{kind}",
        "dense_steps": 0,  # nobody would look at gradients
    }
    return TrainSpec.model_validate(recipe.model_dump() | own)


def widest_interval(networks: int) -> float:
    """The most that a 95% interval of a memorization score can be wide: where half of the answers are right whether or
    not the example is in."""
    each = np.array([networks / 2])
    low, high = newcombe(each / 2, each, each / 2, each)
    return float(high[0] - low[0])


def networks_for_width(width: float) -> int:
    """The fewest networks, in whole stacks, with which no 95% interval is wider.

    Raises:
        UserError: a width that is none.
    """
    if not 0 < width <= 1:
        raise UserError(f"got width={width:g}, expected how wide intervals may be, above 0 and at most 1: 0.1, say")
    numbers = range(STACK, _MOST_NETWORKS, STACK)
    return numbers[bisect_left(numbers, -width, hi=len(numbers) - 1, key=lambda networks: -widest_interval(networks))]


@dataclass(frozen=True, eq=False)
class Answers:
    """Of M networks, to N training and T test examples. M is even: 2k and 2k + 1 are on the two parts of one draw."""

    inside: Bool[np.ndarray, "M N"]
    """Which training examples each is trained on."""
    right: Bool[np.ndarray, "M N"]
    """Whether it gives the label that it is trained on with, or would be."""
    margins: Float16[np.ndarray, "M N"]
    """The log-odds of that label."""
    test_right: Bool[np.ndarray, "M T"]
    test_margins: Float16[np.ndarray, "M T"]


def answers_of(outcomes: Sequence[TrainOutcome], data: Dataset) -> Answers:
    """Of runs on halves of all of `data`, in pairs; a pair with a network whose loss blew up is left out."""
    pairs = [outcomes[first : first + 2] for first in range(0, len(outcomes), 2)]
    kept = [each for pair in pairs if all(one.stop_reason != "non-finite loss" for one in pair) for each in pair]
    shape = (len(kept), len(data.train))
    inside, right = np.zeros(shape, dtype=bool), np.zeros(shape, dtype=bool)
    margins = np.zeros(shape, dtype=np.float16)
    for place, outcome in enumerate(kept):
        trained, others = half_rows(data.train.labels, outcome.spec.half or 0, outcome.spec.data_seed)
        inside[place, trained] = True
        for rows, predicted, found in (
            (trained, outcome.train_predictions, outcome.train_margins),
            (others, outcome.left_out_predictions, outcome.left_out_margins),
        ):
            right[place, rows] = predicted == data.train.labels[rows]
            margins[place, rows] = found
    num_test = len(data.test)
    tested = [outcome.test_predictions == data.test.labels for outcome in kept]
    known = [outcome.test_margins for outcome in kept]
    return Answers(
        inside,
        right,
        margins,
        np.stack(tested) if kept else np.zeros((0, num_test), dtype=bool),
        np.stack(known) if kept else np.zeros((0, num_test), dtype=np.float16),
    )
