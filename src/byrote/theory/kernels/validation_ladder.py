"""A hyper-parameter chosen on held-out training examples: the values tried, the error of each, the best."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float, Int64
from torch import Tensor

from byrote.data.subsets import held_out_rows, stratified_rows
from byrote.errors import UserError
from byrote.randomness import stream
from byrote.theory.kernels.cholesky import NotPositiveDefinite, factorize, solve
from byrote.theory.kernels.kernel import Gaussian, gram, median_width

HELD_OUT_SHARE = 1 / 6
MOST_TRIED_ON = 12_000
"""Training examples of a trial at most, the held-out sixth among them: each value takes seconds on two cores."""


@dataclass(frozen=True)
class ValidationLadder:
    """The values tried, and the error of each."""

    tried: tuple[float, ...] = ()
    """Ascending."""
    errors: tuple[float, ...] = ()
    """On the held-out examples; NaN where the kernel matrix was numerically singular."""

    @property
    def values(self) -> tuple[tuple[float, ...], tuple[float, ...]]:
        """What was tried, and the error of each."""
        return self.tried, self.errors

    def best_first_then_smaller(self) -> tuple[float, ...]:
        """The value with the smallest error (the smallest of equal ones), and those below it, from the largest on.

        Raises:
            UserError: the matrix was singular with all of them.
        """
        if all(math.isnan(error) for error in self.errors):
            values = ", ".join(f"{value:g}" for value in self.tried)
            raise UserError(
                f"got a kernel matrix that is singular in float32 with each of {values}, expected one with a Cholesky "
                "factor: some inputs are nearly equal; take fewer examples"
            )
        best = int(np.nanargmin(self.errors))
        return self.tried[best::-1]


@dataclass(frozen=True, eq=False)
class Trial:
    """A stratified sample of training examples, those held out last, and their labels."""

    rows: Int64[np.ndarray, " S"]
    num_held_out: int
    labels: Int64[np.ndarray, " S"]
    num_classes: int

    @classmethod
    def of(cls, labels: Int64[np.ndarray, " P"], num_classes: int, seed: int) -> Trial:
        """From `labels` [P] of training examples: all of them, or 12,000, of which a sixth are held out."""
        sample = stratified_rows(labels, min(len(labels), MOST_TRIED_ON), stream(seed, "trial"))
        fitted, held_out = held_out_rows(labels[sample], HELD_OUT_SHARE, seed)
        rows = sample[np.concatenate([fitted, held_out])]
        return cls(rows, len(held_out), labels[rows], num_classes)

    def error(self, matrix: Float[Tensor, "S S"], ridge: float = 0.0) -> float:
        """On the held-out examples, of what the others determine; `matrix` is the sample's, and overwritten.

        NaN where it is numerically singular.
        """
        num_fitted = len(self.rows) - self.num_held_out
        held_out = matrix[num_fitted:, :num_fitted]
        fitted = matrix[:num_fitted, :num_fitted]
        fitted.diagonal().add_(ridge)
        targets = torch.eye(self.num_classes, dtype=torch.float64)[torch.from_numpy(self.labels[:num_fitted])]
        try:
            alpha, _ = solve(factorize(fitted), targets.to(matrix.device))
        except NotPositiveDefinite:
            return math.nan
        found = (held_out @ alpha.to(matrix)).argmax(dim=1).cpu().numpy()
        return float(np.mean(found != self.labels[num_fitted:]))


def climb(
    values: Sequence[float], error: Callable[[float], float], on_progress: Callable[[float], None]
) -> ValidationLadder:
    """Tries each value in turn."""
    errors: list[float] = []
    for value in values:
        errors.append(error(value))
        on_progress(len(errors) / len(values))
    return ValidationLadder(tuple(values), tuple(errors))


def climb_widths(
    relative: Sequence[float],
    points: Float[Tensor, "P D"],
    trial: Trial,
    seed: int,
    on_progress: Callable[[float], None],
) -> tuple[float, ValidationLadder]:
    """The median distance of the points, and a ladder of widths of the Gaussian kernel in units of it."""
    unit, sample = median_width(points, seed), points[torch.from_numpy(trial.rows).to(points.device)]
    return unit, climb(relative, lambda width: trial.error(gram(Gaussian(width * unit), sample)), on_progress)
