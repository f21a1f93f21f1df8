"""Sharpness: by how much the training loss rises when every weight may move a little, in the worst direction.

Plain      Keskar et al., "On large-batch training for deep learning" (ICLR 2017), metric 2.1 in the full space: 100
           (max L(w + d) - L(w)) / (1 + L(w)) over |d_i| <= eps (|w_i| + 1), eps = 1e-3. Dinh et al. (2017): a ReLU
           network can be rescaled so that it computes the same and is as sharp as one likes.
Adaptive   Kwon et al., "ASAM" (ICML 2021), definition 2 with p = infinity: max L(w + d) - L(w) over |d_i| <= rho |w_i|.
           The box moves with the weights, so that rescaling a ReLU network changes nothing. rho = 1e-3 as above, which
           keeps the two apart by the "+ 1" alone; in percent of 1 + L(w) likewise.
Here       At least what is given: the largest rise found, at corners of the box. From a corner to the one that the
           signs of the gradient there point to, until the loss gains no more: where the loss is convex in the box, as
           it nearly is in one so small, each such step gains. The starts are the weights and random corners. Keskar et
           al. take L-BFGS-B, which finds as much or a little less. L is the mean cross-entropy of the training set.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor, nn

from byrote.randomness import stream
from byrote.theory.measures.flat_network import TrainingLoss
from byrote.theory.measures.measure import State, TrainingSet
from byrote.training.outcome import TrainOutcome

RADIUS = 1e-3
_NUM_STARTS = 3
_MOST_STEPS = 30
"""Of one start; some 3 to 10 are taken."""
_LEAST_GAIN = 1e-3
"""Of a step, as a share of the rise so far: below what differs between starts."""


def sharpness(model: nn.Module, _initial: State, data: TrainingSet, _outcome: TrainOutcome) -> float:
    """Keskar et al.'s, in percent; at least."""
    return worst_rise(model, data, lambda weight: RADIUS * (weight.abs() + 1))


def adaptive_sharpness(model: nn.Module, _initial: State, data: TrainingSet, _outcome: TrainOutcome) -> float:
    """Within a box proportional to the weights, in percent; at least."""
    return worst_rise(model, data, lambda weight: RADIUS * weight.abs())


def worst_rise(model: nn.Module, data: TrainingSet, box: Callable[[Tensor], Tensor]) -> float:
    """100 (max L(w + d) - L(w)) / (1 + L(w)) over |d_i| <= `box`(w)_i; in float64, since the rise may be tiny."""
    loss = TrainingLoss(model, data.inputs, data.labels)
    bounds = box(loss.weights)
    generator = stream(0, "corners of the box")
    start, gradient = loss.value_and_gradient(loss.weights)
    best = _climbed(loss, bounds, start, gradient)
    for _ in range(_NUM_STARTS - 1):
        corner = bounds * torch.from_numpy(np.where(generator.random(len(bounds)) < 0.5, -1.0, 1.0))
        best = max(best, _climbed(loss, bounds, *loss.value_and_gradient(loss.weights + corner), least=start))
    return 100 * (best - start) / (1 + start)


def _climbed(loss: TrainingLoss, bounds: Tensor, value: float, gradient: Tensor, least: float | None = None) -> float:
    """The largest loss on the way from a place with this loss and gradient; `least` is that at the weights."""
    least = value if least is None else least
    for _ in range(_MOST_STEPS):
        reached, gradient = loss.value_and_gradient(loss.weights + bounds * gradient.sign())
        gain, value = reached - value, max(value, reached)
        if not gain > _LEAST_GAIN * (value - least):
            break
    return value
