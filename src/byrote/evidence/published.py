"""Numbers of the paper beside ours: within our interval, off by so much, or not to be compared."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
import pandas as pd

from byrote.evidence.intervals import Interval, binomial_interval, joined, next_value, within_0_and_1
from byrote.evidence.tested import Tested

Agreement = Literal["agrees", "differs", "does not compare"]

_STRICT = 0.999
"""Confidence in an interval over test examples alone, of one seed: see `accuracy_interval`."""
_LARGE = 1000


@dataclass(frozen=True)
class Ours:
    """What our runs have where the paper has a number."""

    interval: Interval
    """In the paper's unit: where one more network like ours would lie, for the paper's is one."""
    n_train: int
    num_seeds: int
    others: tuple[str, ...] = ()
    """What is not the paper's beside the number of examples: "data", "model", "recipe"."""
    blocked: str = ""
    """Why it supports nothing: "a check failed", "not interpolated"."""
    words: str = ""
    """In place of a number."""


@dataclass(frozen=True)
class PublishedFigure:
    """One number of the paper, and ours; None where no run of ours has it."""

    place: str
    """ "Table 1"."""
    block: str
    """What several settings share: a model, or a set of data."""
    setting: str
    quantity: str
    printed: str
    """As the paper has it: "89.05"; or a word."""
    n_train: int
    ours: Ours | None
    in_percent: bool = True

    def of_another_recipe(self) -> PublishedFigure:
        """With a mark where ours depends on how networks were trained, as their number of parameters does not."""
        if self.ours is None or not self.in_percent:
            return self
        return replace(self, ours=replace(self.ours, others=(*self.ours.others, "recipe")))

    @property
    def value(self) -> float:
        """NaN for a word."""
        try:
            return float(self.printed)
        except ValueError:
            return math.nan

    @property
    def difference(self) -> float:
        """Ours minus the paper's, in its unit; NaN where either is no number."""
        return self.ours.interval.mean - self.value if self.ours else math.nan

    @property
    def agreement(self) -> Agreement:
        """Whether ours agrees with the paper's, where the two compare."""
        if self.ours is None or self.ours.blocked or self.mark.startswith("other "):
            return "does not compare"
        return "agrees" if self.mark in ("the same", "within the interval") else "differs"

    @property
    def mark(self) -> str:
        """ "the same" (to its last digit), "within the interval", "off by +0.12 points"; or why they do not compare:
        "not run", "other data", "other size", "other recipe", or what blocks ours."""
        ours = self.ours
        if ours is None:
            return "not run"
        if ours.blocked:
            return ours.blocked
        others = [*ours.others, *(["size"] if ours.n_train != self.n_train else [])]
        if others:
            return f"other {'data' if 'data' in others else ' and '.join(others)}"
        if math.isnan(self.value):
            return "the same" if ours.words == self.printed else "not as in the paper"
        rounding = 0.5 * 10.0 ** -len(self.printed.partition(".")[2])
        if abs(self.difference) <= rounding + 1e-9:
            return "the same"
        if ours.interval.low - rounding <= self.value <= ours.interval.high + rounding:
            return "within the interval"
        digits = 2 if self.in_percent else 1 if abs(self.difference) < _LARGE else 0
        return f"off by {self.difference:+,.{digits}f}{' points' if self.in_percent else ''}"


def ours_of_runs(runs: pd.DataFrame, column: str, others: Sequence[str]) -> Ours | None:
    """What the runs of one setting, a row for each seed, have of an accuracy; None without any.

    Accuracies on test examples have the luck of these in their interval too; of one seed it is all that they have.
    """
    values = runs[column].to_numpy(np.float64) if column in runs else np.array([])
    if not len(values) or np.isnan(values).any():
        return None
    if "test" not in column:
        interval = next_value(values)
    elif len(values) == 1:
        interval = binomial_interval(float(values[0]), Tested.on_all(runs).worth, _STRICT)
    else:
        interval = joined(next_value(values), binomial_interval(float(values.mean()), Tested.on_all(runs).worth))
    return Ours(
        in_percent(within_0_and_1(interval)),
        int(runs["n_train"].iloc[0]),
        len(values),
        tuple(others),
        "a check failed" if runs["failed_checks"].any() else "",
    )


def in_percent(interval: Interval) -> Interval:
    """A fraction's interval in percent."""
    return Interval(100 * interval.mean, 100 * interval.low, 100 * interval.high, interval.n)
