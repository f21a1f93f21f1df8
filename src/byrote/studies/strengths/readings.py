"""What is read off the runs at each strength of a regulariser: test accuracy, the largest n fitted, worth in examples.

A reading that its runs do not allow is a sentence that says why.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pandas as pd

from byrote.evidence.comparisons import Comparison, compared
from byrote.evidence.data_worth import Worth, worth
from byrote.evidence.intervals import Interval, mean_interval
from byrote.evidence.learning import on_unseen
from byrote.evidence.obstacles import obstacle
from byrote.evidence.words import regularizers


@dataclass(frozen=True)
class Ladders:
    """What the study trains one model on."""

    model: str
    strengths: Mapping[str, Sequence[Any]]
    """The levels of each regulariser, none first."""
    sizes: Sequence[int]
    """The n of the training subsets, ascending."""
    worth_size: int
    """The n at which regularised networks are placed on the learning curve."""
    steps: int
    num_seeds: int

    @property
    def conditions(self) -> list[tuple[str, int]]:
        """("", 0) for none, then each regulariser with its strengths from 1."""
        return [("", 0), *((name, s) for name, levels in self.strengths.items() for s in range(1, len(levels)))]

    def label(self, regularizer: str, strength: int) -> str:
        """ "weight decay 0.001", "random crop", "none"."""
        if not strength:
            return "none"
        levels: dict[str, Any] = {"augmentation": "none", "dropout": 0.0, "weight_decay": 0.0}
        return regularizers(**(levels | {regularizer: self.strengths[regularizer][strength]}))


@dataclass(frozen=True)
class Capacity:
    """What is memorised: the largest n of the ladder whose random labels every seed has fitted."""

    fitted: int | None
    """None where not even the smallest is."""
    unfitted: int | None
    """The next n of the ladder; None at its end. What could be fitted lies between the two."""
    train_accuracy: float
    """At `unfitted`, the mean over seeds on the labels trained on; 1 at the ladder's end."""

    def __str__(self) -> str:
        if self.unfitted is None:
            return f"{self.fitted:,}, the whole ladder"
        accuracy = f"train accuracy {100 * self.train_accuracy:.1f}%"
        if self.fitted is None:
            return f"less than {self.unfitted:,} ({accuracy})"
        return f"{self.fitted:,} (but not {self.unfitted:,}: {accuracy})"


def runs_of(runs: pd.DataFrame, regularizer: str, strength: int, corruption: str, n: int | None = None) -> pd.DataFrame:
    """The rows of one condition of one model, in the order of seeds; of one n or of all."""
    if runs.empty:
        return runs
    chosen = (runs["regularizer"] == regularizer) & (runs["strength"] == strength) & (runs["corruption"] == corruption)
    if n is not None:
        chosen &= runs["n_train"] == n
    return runs[chosen].sort_values("seed")


def read_capacity(ladders: Ladders, runs: pd.DataFrame, regularizer: str, strength: int) -> Capacity | str:
    """The largest n fitted with every seed at one strength, or why it is not known."""
    own = runs_of(runs, regularizer, strength, "random-labels")
    reason = obstacle(own, len(ladders.sizes) * ladders.num_seeds)
    if reason:
        return reason
    every = own.groupby("n_train")["fitted"].all()
    fitted = max((n for n in ladders.sizes if every[n]), default=None)
    unfitted = next((n for n in ladders.sizes if fitted is None or n > fitted), None)
    missed = own.loc[own["n_train"] == unfitted, "train_accuracy"]
    return Capacity(fitted, unfitted, 1.0 if missed.empty else float(missed.mean()))


def read_shrinkage(ladders: Ladders, runs: pd.DataFrame, regularizer: str, strength: int) -> Interval:
    """By how many rungs, factors of 2, the largest n that is fitted exceeds that without regularisers, seed by seed."""

    def rungs(regularizer: str, strength: int) -> pd.Series:
        own = runs_of(runs, regularizer, strength, "random-labels")
        places = own["n_train"].map({n: place + 1 for place, n in enumerate(ladders.sizes)})
        return places.where(own["fitted"].astype(bool), 0).groupby(own["seed"]).max()

    return mean_interval((rungs(regularizer, strength) - rungs("", 0)).to_numpy(float))


def read_gain(ladders: Ladders, runs: pd.DataFrame, regularizer: str, strength: int, n: int) -> Comparison | str:
    """By how much it tests better than the network without regularisers, at this n."""
    own, none = (runs_of(runs, *condition, "true-labels", n) for condition in ((regularizer, strength), ("", 0)))
    reason = obstacle(pd.concat([own, none]), 2 * ladders.num_seeds)
    if reason:
        return reason
    return compared(own, "none")


def read_worth(ladders: Ladders, runs: pd.DataFrame, regularizer: str, strength: int) -> Worth | str:
    """What it is worth in training examples, by the test examples that are not among them."""
    curve = runs_of(runs, "", 0, "true-labels")
    own = runs_of(runs, regularizer, strength, "true-labels", ladders.worth_size)
    reason = obstacle(pd.concat([curve, own]), (len(ladders.sizes) + 1) * ladders.num_seeds)
    return reason or worth(on_unseen(curve), on_unseen(own))


def worths(ladders: Ladders, runs: pd.DataFrame) -> Iterator[tuple[str, int, Worth]]:
    """Those that can be read, in the order of the ladders."""
    for regularizer, strength in ladders.conditions[1:]:
        found = read_worth(ladders, runs, regularizer, strength)
        if not isinstance(found, str):
            yield regularizer, strength, found
