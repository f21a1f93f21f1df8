"""Stability where theory knows it: ridge regression and convex SGD on some of the data, each beside its bound.

The inputs are raw features, all divided by the length of the longest; the targets say whether the class is in the upper
half of the classes. For each there is a case built to be tight too, which shows that the bound's constant is right.
"""

from __future__ import annotations

from typing import ClassVar

import numpy as np
import torch
from jaxtyping import Bool, Float64

from byrote.data.dataset import Dataset, Split
from byrote.data.subsets import subset
from byrote.randomness import permutation, stream
from byrote.theory.calculation import Calculation, OnStage, Result
from byrote.theory.complexity.convex_sgd import (
    Replacement,
    coupled_weights,
    loss_changes,
    sgd_stability,
    tight_replacement,
)
from byrote.theory.kernels.kernel import Linear
from byrote.theory.kernels.ridge import KernelRidge, largest_ridge_error, ridge_stability
from byrote.training.spec import Count, Positive, Seed

_MOST_POINTS = 1000
"""Test examples at which changes are looked for."""
_TIGHT_RIDGE = 200.0
"""Strength times n of the case built to be tight; the larger, the nearer to the bound (0.9926 of it at 200)."""


class RidgeStability(Calculation):
    """Of linear ridge regression on targets 0 and 1, by closed forms: all removals, and as many replacements."""

    name: ClassVar[str] = "ridge-stability"

    n_train: Count
    """Half of so many examples are trained on; each is replaced by one of the other half."""
    strength: Positive = 0.1
    data_seed: Seed = 0

    @property
    def label(self) -> str:
        return f"ridge regression, strength {self.strength:g}"

    def compute(self, data: Dataset, *, device: str, on_stage: OnStage) -> Result:  # noqa: ARG002
        """values: num_trained; removal and replacement, the largest change of a squared error at any training, new or
        test point and any target in [0, 1]; removal bound and replacement bound; in_range, whether all predictions of
        all fits are in [0, 1], as the source's constant asks (else the bounds are those for whatever is predicted);
        tight removal and tight bound, of the case built to be tight."""
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
                "removal bound": bound,
                "replacement": _largest_change(before, replaced),
                "replacement bound": 2 * bound,
                "in_range": in_range,
                "tight removal": _largest_change(tight.predictions(alone[:1]), tight.without_each(alone[:1])),
                "tight bound": ridge_stability(n, strong),
            }
        )


class SgdStability(Calculation):
    """Of SGD on the logistic loss, one example a step: coupled runs over `draws` sequences of places.

    The bound is on the change in expectation over sequences, which their mean stands for.
    """

    name: ClassVar[str] = "sgd-stability"

    n_train: Count
    """Half of so many examples are trained on; some are replaced by examples of the other half."""
    step_size: Positive = 1.0
    replacements: Count = 16
    draws: Count = 32
    seed: Seed = 0
    data_seed: Seed = 0

    @property
    def label(self) -> str:
        return f"logistic regression by SGD, steps of {self.step_size:g}"

    def compute(self, data: Dataset, *, device: str, on_stage: OnStage) -> Result:  # noqa: ARG002
        """values: num_trained, and as many steps; replacement, the largest change of the loss in the mean over draws,
        at any training, new or test point and either sign; distance, the largest distance of the weights in the mean
        over draws; replacement bound; tight replacement and tight bound, of the case built to be tight."""
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
            on_stage("replacements", number / len(places))
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
                "replacement bound": sgd_stability(n, sizes),
                "tight replacement": float(np.abs(loss_changes(weights, moved, tight.inputs[:1])).max()),
                "tight bound": sgd_stability(n, tight_sizes),
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
