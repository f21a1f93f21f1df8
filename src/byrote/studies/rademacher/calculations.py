"""Shattering, shown: a network trained on each of the 2^n labelings of n examples with two classes.

A class that fits all of them shatters the n points: its VC dimension is at least n, and its Rademacher complexity on
them is 1. Where training fits all, that is proven by example; where it misses some, a better search might not.

Source     Vapnik & Chervonenkis (1971); Zhang et al. (ICLR 2017), section 2.2.
"""

from __future__ import annotations

from functools import lru_cache
from typing import ClassVar

import numpy as np
from jaxtyping import Int64

from byrote.data.corruptions.application import apply_corruptions
from byrote.data.corruptions.record import Corruption
from byrote.data.dataset import Dataset, Split
from byrote.records import Count, Seed
from byrote.studies.random_label_runs import best_accuracy, coin_flips, failed_checks, num_interrupted
from byrote.studies.random_labels import RandomLabelSearch
from byrote.theory.calculation import Context, Result
from byrote.training.cost import Work, work_of
from byrote.training.outcome import TrainOutcome

MOST_POINTS = 12
BLOCK = 256
"""Labelings of one calculation."""
_SEEDS_APART = 2**32


class Shattering(RandomLabelSearch):
    """Of one model on `n_train` examples: the labelings numbered from `first` on, a block of them.

    Labeling m gives the class +1 to the examples at which the binary digits of m are 1, the first example's lowest. One
    that is not fitted is tried again, with other initial weights, `tries` times in all.
    """

    name: ClassVar[str] = "shattering"

    first: Seed
    tries: Count = 1

    @property
    def label(self) -> str:
        return f"{self.model}, labelings {self.first} to {self._numbers[-1]} of {self.n_train} examples"

    @property
    def _numbers(self) -> range:
        return range(self.first, min(self.first + BLOCK, 2**self.n_train))

    def work(self, data: Dataset) -> Work:
        first = self.spec()
        return work_of([first.model_copy(update={"seed": number}) for number in self._numbers], data).times(
            float(self.tries)
        )

    def compute(self, data: Dataset, context: Context) -> Result:
        """values: num_labelings, num_fitted (all labels right), complexity (the mean of twice the accuracy minus 1),
        num_interrupted (of those not fitted), parameters, failed_checks. arrays: mistakes [num_labelings]."""
        flips = coin_flips(data, self.n_train, self.data_seed)
        mistakes = np.full(len(self._numbers), self.n_train, dtype=np.int64)
        runs: list[TrainOutcome] = []
        last: list[TrainOutcome] = []
        for attempt in range(self.tries):
            pending = np.flatnonzero(mistakes)
            if not len(pending):
                break
            seeds = seeds_of_labelings(self.n_train, self.seed + attempt)[self.first + pending].tolist()
            stage = f"try {attempt + 1}, {len(seeds)} labelings"
            first = self.spec()
            last = list(context.runs([first.model_copy(update={"seed": seed}) for seed in seeds], flips, stage=stage))
            wrong = [round((1 - best_accuracy(outcome)) * self.n_train) for outcome in last]
            mistakes[pending] = np.minimum(mistakes[pending], wrong)
            runs += last
        return Result(
            {
                "num_labelings": len(mistakes),
                "num_fitted": int((mistakes == 0).sum()),
                "complexity": float(1 - 2 * mistakes.mean() / self.n_train),
                "num_interrupted": num_interrupted(last),
                "parameters": runs[0].parameters,
                "failed_checks": failed_checks(runs),
            },
            {"mistakes": mistakes},
        )


@lru_cache
def seeds_of_labelings(num_points: int, seed: int = 0) -> Int64[np.ndarray, " M"]:
    """[2^n] for each labeling the first seed whose random labels of two classes it is, from a range of `seed`'s own.

    So labelings are trained on as all random labels are. They come up after some 2^n (log 2^n + 1) seeds.
    """
    zeros = Split.clean(np.zeros((num_points, 1), dtype=np.uint8), np.zeros(num_points, dtype=np.int64))
    blank = Dataset("blank", zeros, zeros, ("-1", "+1"))
    digits = 2 ** np.arange(num_points)
    found = np.full(2**num_points, -1, dtype=np.int64)
    missing, candidate = len(found), seed * _SEEDS_APART
    while missing:
        labels = apply_corruptions(blank, (Corruption(name="random-labels"),), candidate).train.labels
        number = int(labels @ digits)
        if found[number] < 0:
            found[number] = candidate
            missing -= 1
        candidate += 1
    return found
