"""Decision stumps: +1 on one side of a threshold on one feature and -1 on the other, or the reverse.

The best stump for a sign vector is found by sorting: along each feature, the signs' running sum says how many are right
on either side of every threshold. O(D N log N) once, and O(D N) for each sign vector.

Their Rademacher complexity shows what an exact one looks like beside networks'.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import ClassVar

import numpy as np
from jaxtyping import Bool, Float64, Int64, Shaped

from byrote.data.dataset import Dataset
from byrote.data.subsets import subset
from byrote.randomness import stream
from byrote.records import Count, Seed
from byrote.theory.calculation import Calculation, Context, Result
from byrote.theory.complexity.rademacher import HypothesisClass, massart_bound, rademacher_complexity
from byrote.training.cost import Work


@dataclass(frozen=True, eq=False)
class Stumps(HypothesisClass):
    """All stumps on the features of the points, the two constant ones among them. With D = 1: thresholds."""

    inputs: Shaped[np.ndarray, "N D"]

    @property
    def ranges(self) -> Float64[np.ndarray, " N"]:
        return np.ones(len(self.inputs))

    def suprema(self, signs: Float64[np.ndarray, "M N"]) -> Float64[np.ndarray, " M"]:
        """A stump that is +1 above a threshold scores all signs minus twice those below it, its reverse the negative of
        that; below a threshold lie the first few points in the order of its feature."""
        total = signs.sum(axis=1)
        best = np.abs(total)
        for order, cuts in zip(self._orders, self._cuts, strict=True):
            below = np.cumsum(signs[:, order], axis=1)[:, :-1][:, cuts]
            if below.shape[1]:
                np.maximum(best, np.abs(total[:, None] - 2 * below).max(axis=1), out=best)
        return best / len(self.inputs)

    @property
    def upper_bound(self) -> float:
        """Massart's, for the patterns that the stumps really make."""
        return massart_bound(self.num_patterns, len(self.inputs))

    @cached_property
    def num_patterns(self) -> int:
        """Distinct sign patterns on the points.

        A pattern is a set of points: those of the side that the first point is not on. A set is known by the XOR of
        random numbers of 128 bits, one for each point; that two sets have the same has no real chance.
        """
        numbers = stream(0, "points").bit_generator.random_raw((len(self.inputs), 2))
        sides = [np.zeros((1, 2), dtype=np.uint64)]  # of the constant stumps
        for order, cuts in zip(self._orders, self._cuts, strict=True):
            below = np.bitwise_xor.accumulate(numbers[order], axis=0)
            first_is_below = np.flatnonzero(order == 0)[0] <= np.flatnonzero(cuts)
            sides.append(below[:-1][cuts] ^ np.where(first_is_below[:, None], below[-1], np.uint64(0)))
        return 2 * len(np.unique(np.concatenate(sides), axis=0))

    @cached_property
    def _orders(self) -> Int64[np.ndarray, "D N"]:
        return np.argsort(self.inputs, axis=0, kind="stable").T

    @cached_property
    def _cuts(self) -> Bool[np.ndarray, "D neighbours"]:
        """Between which neighbours in each feature's order a threshold fits: not between equal values."""
        ordered = np.take_along_axis(self.inputs, self._orders.T, axis=0).T
        return ordered[:, 1:] > ordered[:, :-1]


class StumpComplexity(Calculation):
    """On the raw features of `n_train` examples; over `draws` of signs, or all of them for up to 16 examples."""

    name: ClassVar[str] = "stump-complexity"

    n_train: Count
    draws: Count = 64
    seed: Seed = 0
    data_seed: Seed = 0

    @property
    def label(self) -> str:
        return f"decision stumps, n = {self.n_train:,}"

    def work(self, data: Dataset) -> Work:  # noqa: ARG002
        return Work(calls=1e5)

    def compute(self, data: Dataset, context: Context) -> Result:
        """values: complexity, low, high, upper_bound (Massart's), num_draws, is_exact."""
        inputs = subset(data, self.n_train, self.data_seed).train.inputs
        context.on_stage("stumps", 0.0)
        stumps = Stumps(inputs.reshape(len(inputs), -1))
        found = rademacher_complexity(stumps, draws=self.draws, seed=self.seed)
        return Result(
            {
                "complexity": found.value,
                "low": found.low,
                "high": found.high,
                "upper_bound": found.upper_bound,
                "num_draws": found.num_draws,
                "is_exact": found.is_exact,
            }
        )
