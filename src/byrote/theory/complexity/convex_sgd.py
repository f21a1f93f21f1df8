"""How much one example matters to SGD on a convex loss: logistic regression, by coupled runs, and the known bound.

The loss log(1 + exp(-y w.x)) with |x| <= 1 and y in {-1, +1} has gradients of length at most L = 1 for every w, and is
convex with second derivatives of at most 1/4.

Bound      Two runs that draw the same places i_1 ... i_T, on data that differ at place i. A step of at most 2/(1/4) = 8
           on the same example brings their weights no further apart: gradients of a convex smooth function are
           co-coercive. A step on the different examples, which happens to each with a chance of 1/n, adds at most
           2 L times its size. So E |w - w'| <= (2 L / n) sum of step sizes, and no loss changes by more than L times
           that. Of one sequence of places, the distance is at most 2 L times the sum of the steps that draw i.

Source     Hardt, Recht & Singer, Train faster, generalize better (ICML 2016), theorem 3.8; batches of one example
           drawn with replacement, no momentum.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float64, Int64
from scipy.special import expit

from byrote.errors import UserError

LIPSCHITZ = 1.0
SMOOTHNESS = 0.25
_ROUNDING = 1e-12


@dataclass(frozen=True, eq=False)
class Replacement:
    """A training set for logistic regression, and the example that takes the place of one of them.

    Raises:
        UserError: a point longer than 1, a sign that is not -1 or +1, or a place that is not there.
    """

    inputs: Float64[np.ndarray, "N D"]
    signs: Float64[np.ndarray, " N"]
    place: int
    new_input: Float64[np.ndarray, " D"]
    new_sign: float

    def __post_init__(self) -> None:
        longest = max(float(np.linalg.norm(x, axis=-1).max()) for x in (self.inputs, self.new_input))
        if longest > 1 + _ROUNDING:
            raise UserError(f"got a point of length {longest:g}, expected at most 1: divide all by the longest")
        if not np.isin([*self.signs, self.new_sign], [-1.0, 1.0]).all():
            raise UserError("got other targets than -1 and +1, expected signs")
        if not 0 <= self.place < len(self.signs):
            raise UserError(f"got place={self.place} for {len(self.signs)} examples: the first is 0")


def coupled_weights(
    replacement: Replacement,
    step_sizes: Float64[np.ndarray, " T"],
    draws: Int64[np.ndarray, "M T"],
    start: Float64[np.ndarray, " D"] | None = None,
) -> tuple[Float64[np.ndarray, "M D"], Float64[np.ndarray, "M D"]]:
    """The weights after T steps of SGD on the set and on the one with the replacement, for M sequences of places.

    Args:
        draws: the place of each step's example, the same in both runs.
        start: the first weights; 0 if left out.

    Raises:
        UserError: a step that is not positive, or beyond 8, where two runs on the same examples may part.
    """
    if not (step_sizes.min() > 0 and step_sizes.max() <= 2 / SMOOTHNESS):
        raise UserError(
            f"got steps from {step_sizes.min():g} to {step_sizes.max():g}, expected all in (0, {2 / SMOOTHNESS:g}]"
        )
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
