"""Sharpness: by how much the training loss rises when every weight may move a little, in the worst direction.

Plain      Keskar et al., "On large-batch training for deep learning" (ICLR 2017), metric 2.1 in the full space: 100
           (max L(w + d) - L(w)) / (1 + L(w)) over |d_i| <= eps (|w_i| + 1), eps = 1e-3. Dinh et al. (2017): a ReLU
           network can be rescaled so that it computes the same and is as sharp as one likes.
Adaptive   Kwon et al., "ASAM" (ICML 2021), definition 2 with p = infinity: max L(w + d) - L(w) over |d_i| <= rho |w_i|.
           The box moves with the weights, so that rescaling a ReLU network changes nothing. rho = 1e-3 as above, which
           keeps the two apart by the "+ 1" alone; in percent of 1 + L(w) likewise.
Here       The maximum by projected ascent along the signs of the gradient, a quarter of the box a step: Keskar et al.
           take L-BFGS-B, which finds the same corner of so small a box. L is the mean cross-entropy of the training
           set.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn

from byrote.theory.measures.measure import State, TrainingSet
from byrote.theory.training_loss import TrainingLoss
from byrote.training.outcome import TrainOutcome

RADIUS = 1e-3
_STEP = 0.25
_NUM_STEPS = 12
"""Enough to cross the box from corner to corner and settle."""


def sharpness(model: nn.Module, _initial: State, data: TrainingSet, _outcome: TrainOutcome) -> float:
    """Keskar et al.'s, in percent."""
    return worst_rise(model, data, lambda weight: RADIUS * (weight.abs() + 1))


def adaptive_sharpness(model: nn.Module, _initial: State, data: TrainingSet, _outcome: TrainOutcome) -> float:
    """Within a box proportional to the weights, in percent."""
    return worst_rise(model, data, lambda weight: RADIUS * weight.abs())


def worst_rise(model: nn.Module, data: TrainingSet, box: Callable[[Tensor], Tensor]) -> float:
    """100 (max L(w + d) - L(w)) / (1 + L(w)) over |d_i| <= `box`(w)_i; in float64, since the rise may be tiny."""
    loss = TrainingLoss(model, data.inputs, data.labels)
    bounds = box(loss.weights)
    start = best = float(loss(loss.weights))
    moved = torch.zeros_like(bounds)
    for _ in range(_NUM_STEPS):
        gradient = loss.gradient(loss.weights + moved)
        moved = torch.clamp(moved + _STEP * bounds * gradient.sign(), -bounds, bounds)
        best = max(best, float(loss(loss.weights + moved)))
    return 100 * (best - start) / (1 + start)
