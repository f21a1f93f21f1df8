"""The slow start on random labels: when a run's loss begins to fall, and its gradients until then.

The claim (section 2.1 of the paper): under random labels the objective takes longer to start falling, because
prediction errors stay large and are propagated back as large gradients that have nothing in common from one
batch to the next. Measured here:

- A loss has *started to fall* once its mean over 20 steps, or over an epoch, is 10% below that of the best constant
  prediction, which is the entropy of the labels trained on (ln K where classes are equally frequent).
  Falling back to that level after a bad start is no progress, so it does not depend on the initial weights.
  A network that has fitted has started, whatever its loss in train mode (under dropout, say).
- Gradients are compared over the *same steps* of runs that share initial weights and batch order: those
  before the loss under random labels started to fall. A second figure, over the first 20 steps alone, tells
  gradients that are large from the beginning from those that merely shrink later than under true labels.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import numpy as np
from jaxtyping import Float, Int64
from scipy import special

from byrote.evidence.columns import Column
from byrote.training.outcome import TrainOutcome

WINDOW = 20
"""Steps that a loss is averaged over, so that one lucky batch does not count as a start."""
FALL = 0.1
"""The share of the loss at chance that must be gone."""


SLOW_START = (
    Column(
        "steps_to_start",
        "float64",
        "The optimiser steps until the training loss had started to fall; missing if it never did.",
    ),
    Column("initial_gradient_norm", "float64", f"The mean norm of batch gradients in the first {WINDOW} steps."),
    Column(
        "early_gradient_norm",
        "float64",
        "Their mean norm over the steps before the loss started to fall in the run of the same model and seed on "
        "random labels, as far as recorded; missing without such a run.",
    ),
    Column("early_gradient_cosine", "float64", "The mean cosine of successive batch gradients over the same steps."),
)


def slow_start_columns(
    outcomes: Sequence[TrainOutcome], labels: Int64[np.ndarray, " N"], num_classes: int
) -> dict[str, list[float]]:
    """The entries of SLOW_START for each run, in the order of `outcomes`.

    The start is exact to ten steps beyond the first hundred, to one epoch beyond the first `dense_steps` and where
    epochs have fewer steps than the window. `labels` are the true training labels, whose frequencies give the
    loss at chance.
    """
    sizes = np.bincount(labels, minlength=num_classes)
    # In one pass, as early steps of very many runs are read one after another.
    first = [(_steps_to_start(o, sizes), _mean_until(o.early, float(WINDOW))[0]) for o in outcomes]
    starts = [start for start, _ in first]
    waits = {
        (outcome.spec.model, outcome.spec.seed): np.inf if np.isnan(start) else start
        for outcome, start in zip(outcomes, starts, strict=True)
        if outcome.spec.uniform_rate == 1
    }
    early = [_mean_until(o.early, waits.get((o.spec.model, o.spec.seed), np.nan)) for o in outcomes]
    entries = [
        starts,
        [norm for _, norm in first],
        [norm for norm, _ in early],
        [cosine for _, cosine in early],
    ]
    return {column.name: own for column, own in zip(SLOW_START, entries, strict=True)}


def _steps_to_start(outcome: TrainOutcome, sizes: Int64[np.ndarray, " K"]) -> float:
    early, curve = outcome.early, outcome.curve
    recorded = early["step"][-1] if len(early["step"]) else 0
    # Epochs within the record add nothing to it, unless they end before the first window does.
    epochs = (curve["step"] > recorded) | (curve["step"] < WINDOW)
    steps = np.concatenate([early["step"], curve["step"][epochs]])
    losses = np.concatenate([_trailing_mean(early["step"], early["train_loss"]), curve["train_loss"][epochs]])
    started = steps[losses <= (1 - FALL) * loss_at_chance(outcome, sizes)]
    fitted = [] if outcome.steps_to_fit is None else [outcome.steps_to_fit]
    return float(min([*started, *fitted], default=np.nan))


def _trailing_mean(steps: Float[np.ndarray, " M"], losses: Float[np.ndarray, " M"]) -> Float[np.ndarray, " M"]:
    """Over the WINDOW steps up to each row; NaN in the first rows, which have fewer behind them."""
    weights = np.diff(steps, prepend=0)
    total = np.concatenate([[0.0], np.cumsum(weights * losses)])
    count = np.concatenate([[0.0], np.cumsum(weights)])
    first = np.searchsorted(steps, steps - WINDOW, side="right")
    rows = np.arange(len(steps))
    means = (total[rows + 1] - total[first]) / (count[rows + 1] - count[first])
    return np.where(steps >= WINDOW, means, np.nan)


def loss_at_chance(outcome: TrainOutcome, sizes: Int64[np.ndarray, " K"]) -> float:
    """The loss of the best constant prediction, if so many examples are truly of each class; NaN where it is not known
    what the labels trained on are."""
    method = outcome.spec.label_method
    law = np.eye(len(sizes)) if method is None else method.law(outcome.spec.label_rate, sizes)
    if law is None:
        return math.nan
    mixed = sizes / sizes.sum() @ law
    if outcome.spec.loss == "cross-entropy":
        return float(special.entr(mixed).sum())
    return float(1 - (mixed**2).sum())


def _mean_until(early: Mapping[str, np.ndarray], step: float) -> tuple[float, float]:
    """Means over steps of gradient norm and cosine in the rows up to `step`; NaN where there are none.

    A row stands for the steps since the row before. The first batch has no cosine.
    """
    rows = early["step"] <= step
    weights = np.diff(early["step"], prepend=0)[rows]
    means = []
    for name in ("gradient_norm", "gradient_cosine"):
        values = early[name][rows]
        known = ~np.isnan(values)
        means.append(float(np.average(values[known], weights=weights[known])) if known.any() else np.nan)
    return means[0], means[1]
