"""What the runs of one architecture come to: how well it generalises, and how much and how fast it memorises."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import takewhile
from typing import Any

import numpy as np
import pandas as pd

from byrote.evidence.chance import DECISIVE
from byrote.evidence.intervals import Interval, binomial_interval, mean_interval
from byrote.evidence.learning import Yardstick, unseen_accuracies, yardsticks
from byrote.evidence.obstacles import obstacle
from byrote.evidence.tested import Tested


@dataclass(frozen=True)
class Ladder:
    """What is tried with one architecture."""

    family: str
    model: str
    num_examples: int
    """Of the true labels; one of the numbers below."""
    numbers: Sequence[int]
    """Of random labels, ascending."""
    regularizers: Mapping[str, Any]
    """Fields of the recipe with their values, each tried alone on true labels."""


@dataclass(frozen=True)
class ArchitectureRecord:
    """What was measured of one architecture."""

    planned: Ladder
    parameters: int
    test_accuracy: Interval
    """On true labels without regularisers and unseen test examples: over seeds; over test examples with one."""
    tested: str
    """On how many test examples it rests, in words."""
    standing: Sequence[Yardstick]
    """Beside guessing, on true labels without regularisers."""
    num_classes: int
    steps_true: float
    """Steps to fit true labels, mean over seeds; NaN unless all fitted, like the next two."""
    steps_random: float
    """To fit random labels of the same examples."""
    relative_time_to_fit: Interval
    """The ratio of the two, seed by seed."""
    largest_fitted: int
    """The largest of the numbers up to which every run fitted its random labels; 0 if not even the smallest."""
    smallest_unfitted: int | None
    """The number after that; None where all were fitted."""
    gains: Mapping[str, Interval]
    """What each regulariser adds to test accuracy; NaN where its runs do not tell."""


@dataclass(frozen=True)
class Unrecorded:
    """That there is none of an architecture, and why."""

    planned: Ladder
    reason: str


def record(planned: Ladder, table: pd.DataFrame, num_seeds: int) -> ArchitectureRecord | str:
    """The reason where the runs without regularisers do not make one."""
    num_planned = num_seeds * (1 + len(planned.numbers))
    if table.empty:
        return f"{num_planned} of {num_planned} runs have not finished."
    runs = table[table["family"] == planned.family]
    bare = runs[(runs["corruption"] == "true-labels") & (runs["regularizer"] == "")]
    random = runs[runs["corruption"] == "random-labels"]
    reason = obstacle(pd.concat([bare, random]), num_planned)
    if reason:
        return reason
    fitted = random.groupby("n_train")["fitted"].all()
    reached = list(takewhile(lambda number: bool(fitted[number]), planned.numbers))
    accuracies, tested = unseen_accuracies(bare), Tested.on_unseen(bare)
    same = random[random["ladder"] == 1]
    return ArchitectureRecord(
        planned=planned,
        parameters=int(bare["parameters"].iloc[0]),
        test_accuracy=mean_interval(accuracies)
        if num_seeds > 1
        else binomial_interval(float(accuracies[0]), tested.worth),
        tested=tested.in_words,
        standing=yardsticks(bare, strict=DECISIVE),
        num_classes=int(bare["num_classes"].iloc[0]),
        steps_true=float(bare["steps_to_fit"].mean(skipna=False)),
        steps_random=float(same["steps_to_fit"].mean(skipna=False)),
        relative_time_to_fit=mean_interval(same["relative_time_to_fit"].to_numpy(dtype=float)),
        largest_fitted=reached[-1] if reached else 0,
        smallest_unfitted=planned.numbers[len(reached)] if len(reached) < len(planned.numbers) else None,
        gains={name: _gain(runs, name, num_seeds) for name in planned.regularizers},
    )


def _gain(runs: pd.DataFrame, regularizer: str, num_seeds: int) -> Interval:
    own = runs[runs["regularizer"] == regularizer]
    if obstacle(own, num_seeds):
        return Interval(np.nan, np.nan, np.nan, len(own))
    return mean_interval(own["gain"].to_numpy(dtype=float))
