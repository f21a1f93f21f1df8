"""Stability where theory knows it: ridge regression and convex SGD on some of the data, each beside its bound.

The inputs are raw features, all divided by the length of the longest; the targets say whether the class is in the upper
half of the classes. For each there is a case built to be tight too, which shows that the bound's constant is right.

SGD is that of logistic regression, by coupled runs. The loss log(1 + exp(-y w.x)) with |x| <= 1 and y in {-1, +1} has
gradients of length at most L = 1 for every w, and is convex with second derivatives of at most 1/4.

Bound      Two runs that draw the same places i_1 ... i_T, on data that differ at place i. A step of at most 2/(1/4) = 8
           on the same example brings their weights no further apart: gradients of a convex smooth function are
           co-coercive. A step on the different examples, which happens to each with a chance of 1/n, adds at most
           2 L times its size. So E |w - w'| <= (2 L / n) sum of step sizes, and no loss changes by more than L times
           that. Of one sequence of places, the distance is at most 2 L times the sum of the steps that draw i.

Source     Hardt, Recht & Singer, Train faster, generalize better (ICML 2016), theorem 3.8; batches of one example
           drawn with replacement, no momentum.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Annotated, ClassVar

import numpy as np
import torch
from jaxtyping import Bool, Float64, Int64
from pydantic import Field
from scipy.special import expit

from byrote.data.dataset import Dataset, Split
from byrote.data.subsets import subset
from byrote.randomness import permutation, stream
from byrote.records import Count, Positive, Seed
from byrote.theory.calculation import Calculation, Context, Result
from byrote.theory.kernels.kernel import Linear
from byrote.theory.kernels.ridge import KernelRidge, largest_ridge_error, ridge_stability
from byrote.training.cost import Work

LIPSCHITZ = 1.0
_MOST_POINTS = 1000
"""Test examples at which changes are looked for."""
_TIGHT_RIDGE = 200.0
"""Strength times n of the case built to be tight; the larger, the nearer to the bound (0.9926 of it at 200)."""


class RidgeStability(Calculation):
    """Of linear ridge regression on targets 0 and 1, by closed forms: all removals, and as many replacements."""

    name: ClassVar[str] = "ridge-stability"
    version: ClassVar[int | str] = 2

    n_train: Count
    """Half of so many examples are trained on; each is replaced by one of the other half."""
    strength: Positive = 0.1
    data_seed: Seed = 0

    @property
    def label(self) -> str:
        return f"ridge regression, strength {self.strength:g}"

    def work(self, data: Dataset) -> Work:
        n, num_points = self.n_train, 2 * self.n_train + len(data.test)
        return Work(calls=1e4, products=8.0 * n * n * num_points, values=4.0 * n * num_points)

    def compute(self, data: Dataset, context: Context) -> Result:  # noqa: ARG002
        """values: num_trained; removal and replacement, the largest change of a squared error at any training, new or
        test point and any target in [0, 1]; removal_bound and replacement_bound; in_range, whether all predictions of
        all fits are in [0, 1], as the source's constant asks (else the bounds are those for whatever is predicted);
        tight_removal and tight_bound, of the case built to be tight."""
        inputs, targets, others = (torch.from_numpy(part) for part in _halves(data, self.n_train, self.data_seed))
        n = len(inputs) // 2
        ridge = KernelRidge(Linear(), inputs[:n], targets[:n].double(), self.strength)
        points = torch.cat([inputs, others])
        before = ridge.predictions(points)
        removed = ridge.without_each(points)
        replaced = ridge.with_replaced(torch.arange(n), inputs[n : 2 * n], targets[n : 2 * n].double(), points)
        in_range = all(part.min() >= 0 and part.max() <= 1 for part in (before, removed, replaced))
        largest_error = 1.0 if in_range else largest_ridge_error(self.strength)
        bound = ridge_stability(n, self.strength, largest_error=largest_error)
        alone = torch.zeros(n, 1, dtype=torch.float64)
        alone[0] = 1.0
        strong = _TIGHT_RIDGE / n
        tight = KernelRidge(Linear(), alone, alone[:, 0], strong)
        return Result(
            {
                "num_trained": n,
                "removal": _largest_change(before, removed),
                "removal_bound": bound,
                "replacement": _largest_change(before, replaced),
                "replacement_bound": 2 * bound,
                "in_range": in_range,
                "tight_removal": _largest_change(tight.predictions(alone[:1]), tight.without_each(alone[:1])),
                "tight_bound": ridge_stability(n, strong),
            }
        )


class SgdStability(Calculation):
    """Of SGD on the logistic loss, one example a step: coupled runs over `draws` sequences of places.

    The bound is on the change in expectation over sequences, which their mean stands for.
    """

    name: ClassVar[str] = "sgd-stability"
    version: ClassVar[int | str] = 2

    n_train: Count
    """Half of so many examples are trained on; some are replaced by examples of the other half."""
    step_size: Annotated[float, Field(gt=0, le=8)] = 1.0
    """Beyond 8 the bound does not hold: two runs on the same examples may part."""
    replacements: Count = 16
    draws: Count = 32
    seed: Seed = 0
    data_seed: Seed = 0

    @property
    def label(self) -> str:
        return f"logistic regression by SGD, steps of {self.step_size:g}"

    def work(self, data: Dataset) -> Work:
        num_steps = self.replacements * self.n_train
        each = 2 * self.draws * math.prod(data.input_shape)
        return Work(calls=2.0 * num_steps, products=4.0 * each * num_steps, values=2.0 * each * num_steps)

    def compute(self, data: Dataset, context: Context) -> Result:
        """values: num_trained, and as many steps; replacement, the largest change of the loss in the mean over draws,
        at any training, new or test point and either sign; distance, the largest distance of the weights in the mean
        over draws; replacement_bound; tight_replacement and tight_bound, of the case built to be tight."""
        inputs, targets, others = _halves(data, self.n_train, self.data_seed)
        n = len(inputs) // 2
        signs = 2.0 * targets - 1
        sizes = np.full(n, self.step_size)
        draws = _places(self.seed, self.draws, n)
        points = np.concatenate([inputs, others])
        points = np.concatenate([points, -points])
        change = distance = 0.0
        places = permutation(stream(self.seed, "replaced"), n)[: self.replacements].tolist()
        for number, place in enumerate(places):
            context.on_stage("replacements", number / len(places))
            own = Replacement(inputs[:n], signs[:n], place, inputs[n + place], float(signs[n + place]))
            weights, moved = coupled_weights(own, sizes, draws)
            change = max(change, float(np.abs(loss_changes(weights, moved, points).mean(axis=0)).max()))
            distance = max(distance, float(np.linalg.norm(weights - moved, axis=1).mean()))
        tight, start = tight_replacement(n)
        tight_sizes = np.full(n, 0.25)
        # Every place once: drawn, the one that differs would come as often in the mean.
        weights, moved = coupled_weights(tight, tight_sizes, np.arange(n)[None], start)
        return Result(
            {
                "num_trained": n,
                "replacement": change,
                "distance": distance,
                "replacement_bound": sgd_stability(n, sizes),
                "tight_replacement": float(np.abs(loss_changes(weights, moved, tight.inputs[:1])).max()),
                "tight_bound": sgd_stability(n, tight_sizes),
            }
        )


def _halves(
    data: Dataset, n_train: int, data_seed: int
) -> tuple[Float64[np.ndarray, "N D"], Bool[np.ndarray, " N"], Float64[np.ndarray, "T D"]]:
    """Examples in random order, whether their class is in the upper half, and test inputs; no longer than 1."""
    taken = subset(data, n_train, data_seed).train
    order = permutation(stream(data_seed, "halves"), len(taken))
    inputs, others = _vectors(taken)[order], _vectors(data.test.take(np.arange(min(len(data.test), _MOST_POINTS))))
    longest = max(float(np.linalg.norm(part, axis=1).max()) for part in (inputs, others)) or 1.0
    upper = taken.true_labels[order] >= data.num_classes / 2
    return inputs / longest, upper, others / longest


def _vectors(split: Split) -> Float64[np.ndarray, "N D"]:
    return split.inputs.reshape(len(split), -1).astype(np.float64)


def _places(seed: int, draws: int, n: int) -> np.ndarray:
    return (stream(seed, "places").random((draws, n)) * n).astype(np.int64)


def _largest_change(before: torch.Tensor, after: torch.Tensor) -> float:
    """Of squared errors; linear in the target, so that the largest is at 0 or at 1."""
    return max(float(((after - y) ** 2 - (before - y) ** 2).abs().max()) for y in (0.0, 1.0))


@dataclass(frozen=True, eq=False)
class Replacement:
    """A training set for logistic regression, and the example that takes the place of one of them: points no longer
    than 1, with signs -1 and +1."""

    inputs: Float64[np.ndarray, "N D"]
    signs: Float64[np.ndarray, " N"]
    place: int
    new_input: Float64[np.ndarray, " D"]
    new_sign: float


def coupled_weights(
    replacement: Replacement,
    step_sizes: Float64[np.ndarray, " T"],
    draws: Int64[np.ndarray, "M T"],
    start: Float64[np.ndarray, " D"] | None = None,
) -> tuple[Float64[np.ndarray, "M D"], Float64[np.ndarray, "M D"]]:
    """The weights after T steps of SGD on the set and on the one with the replacement, for M sequences of places.

    Args:
        step_sizes: at most 8: beyond, two runs on the same examples may part.
        draws: the place of each step's example, the same in both runs.
        start: the first weights; 0 if left out.
    """
    inputs, signs = replacement.inputs.copy(), replacement.signs.copy()
    inputs[replacement.place], signs[replacement.place] = replacement.new_input, replacement.new_sign
    pairs = np.stack([replacement.inputs, inputs]) * np.stack([replacement.signs, signs])[..., None]
    first = np.zeros(inputs.shape[1]) if start is None else start
    weights = np.tile(first, (2, len(draws), 1))
    for size, places in zip(step_sizes, draws.T, strict=True):
        examples = pairs[:, places]
        weights += size * expit(-(weights * examples).sum(axis=-1, keepdims=True)) * examples
    return weights[0], weights[1]


def loss_changes(
    weights: Float64[np.ndarray, "M D"], others: Float64[np.ndarray, "M D"], points: Float64[np.ndarray, "Z D"]
) -> Float64[np.ndarray, "M Z"]:
    """By how much the loss at each point of sign +1 is larger with `others`; for the sign -1 give -x."""
    return np.logaddexp(0, -others @ points.T) - np.logaddexp(0, -weights @ points.T)


def sgd_stability(n: int, step_sizes: Float64[np.ndarray, " T"]) -> float:
    """(2 L^2 / n) sum of step sizes, L = 1: the bound on any expected change of the loss."""
    return float(2 * LIPSCHITZ**2 * step_sizes.sum() / n)


def tight_replacement(n: int) -> tuple[Replacement, Float64[np.ndarray, " 2"]]:
    """A replacement, and first weights, for which the bound is nearly reached: 0.99 of it for a sum of steps of n/4.

    All examples but one are at the origin and teach nothing. That one and its replacement are nearly opposite, and the
    first weights get both so wrong that each gradient has its full length, 1, throughout.
    """
    angle = np.arccos(0.1)
    inputs = np.zeros((n, 2))
    inputs[0] = np.cos(angle), np.sin(angle)
    replacement = Replacement(inputs, np.ones(n), 0, np.array([np.cos(angle), -np.sin(angle)]), 1.0)
    return replacement, np.array([-500.0, 0.0])
