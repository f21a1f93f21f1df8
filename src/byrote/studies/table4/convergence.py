"""How a run on labels ended: it fits them, it converges to something else, or it does not converge.

The paper says of one network that it "failed to converge" and not what that means. Measured here, over the last tenth
of the run's steps (its last epoch, if that is longer):

- A run that has not fitted *does not converge* if its training loss is not finite, or at most 10% below that of the
  best constant prediction: it has learnt nothing but, perhaps, the frequencies of the classes.
- It *converges without fitting* if its loss is lower.
- It has *settled* if that loss is less than 5% below its mean over the tenth of the steps before: more of the same
  would not change the answer. Otherwise it was only stopped.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import numpy as np
from jaxtyping import Int64

from byrote.evidence.columns import Column
from byrote.evidence.slow_start import FALL, loss_at_chance
from byrote.training.outcome import TrainOutcome

Ending = Literal["fits", "converges without fitting", "does not converge"]

_SHARE = 0.1
_STILL_FALLING = 0.05


CONVERGENCE = (
    Column("ending", "str", "How the run ended: fits, converges without fitting or does not converge."),
    Column(
        "final_loss",
        "float64",
        "The mean training loss in train mode, on augmented batches, over the last tenth of steps.",
    ),
    Column("loss_at_chance", "float64", "The loss of the best constant prediction."),
    Column("settled", "bool", "Whether the loss had stopped falling, or was no longer finite."),
)


def convergence_columns(
    outcomes: Sequence[TrainOutcome], labels: Int64[np.ndarray, " N"], num_classes: int
) -> dict[str, list[Ending] | list[float] | list[bool]]:
    """The entries of CONVERGENCE for each run, in the order of `outcomes`.

    `labels` are the true training labels, whose frequencies give the loss at chance.
    """
    sizes = np.bincount(labels, minlength=num_classes)
    at_chance = [loss_at_chance(outcome, sizes) for outcome in outcomes]
    losses = [_last_losses(outcome) for outcome in outcomes]
    return {
        "ending": [
            _ending(outcome, final, chance)
            for outcome, (_, final), chance in zip(outcomes, losses, at_chance, strict=True)
        ],
        "final_loss": [final for _, final in losses],
        "loss_at_chance": at_chance,
        "settled": [not np.isfinite(final) or final > (1 - _STILL_FALLING) * before for before, final in losses],
    }


def _ending(outcome: TrainOutcome, final: float, chance: float) -> Ending:
    if outcome.fitted:
        return "fits"
    if outcome.stop_reason == "non-finite loss" or not final < (1 - FALL) * chance:
        return "does not converge"
    return "converges without fitting"


def _last_losses(outcome: TrainOutcome) -> tuple[float, float]:
    """Mean training loss over the last tenth of the steps and over the tenth before; NaN of no epochs."""
    step, loss = outcome.curve["step"], outcome.curve["train_loss"]
    last = step > (1 - _SHARE) * step[-1]
    before = (step > (1 - 2 * _SHARE) * step[-1]) & ~last
    if not before.any():
        before = np.arange(len(step)) == len(step) - 1 - last.sum()
    return (float(loss[before].mean()) if before.any() else np.nan), float(loss[last].mean())
