"""The curvature of the training loss where training ended: the top eigenvalue and the trace of its Hessian.

Source     Hochreiter and Schmidhuber, "Flat minima" (1997); Keskar et al. (ICLR 2017). The trace as estimated by
           Hutchinson (1990): the mean of v'Hv over random signs v, with a variance of at most 2 |H|_F^2 a probe.
Here       The mean cross-entropy of the training set in float64, over all parameters. Rescaling a ReLU network changes
           both.
           A product is compared with a difference of gradients first: where a module of the user's can be
           differentiated once alone, autograd leaves out what went through it, without a word.
"""

from __future__ import annotations

import numpy as np
import torch
from scipy.sparse.linalg import LinearOperator, eigsh
from torch import nn

from byrote.errors import UserError, kind_of
from byrote.randomness import stream
from byrote.theory.measures.flat_network import TrainingLoss
from byrote.theory.measures.measure import State, TrainingSet
from byrote.training.outcome import TrainOutcome

_TOLERANCE = 1e-4
"""Relative, of the eigenvalue: far below what differs between seeds."""
_NUM_PROBES = 64
_STEPS = (1e-7, 1e-8, 1e-6)
"""Of the differences, whose weights are of the order of 1: short, so that no unit crosses its kink; else another."""
_AGREEMENT = 1e-2
_PROBES_AT_ONCE = 4
"""Six times as fast as one by one for thousands of parameters; more are slower for a hundred thousand."""


def top_eigenvalue(model: nn.Module, _initial: State, data: TrainingSet, _outcome: TrainOutcome) -> float:
    """The largest, by Lanczos' method (ARPACK) on products with the Hessian.

    Raises:
        UserError: a network that has no second derivative.
    """
    loss = _twice_differentiable(model, data)
    num = len(loss.weights)

    def product(vector: np.ndarray) -> np.ndarray:
        return loss.hessian_products(loss.weights, torch.from_numpy(vector.reshape(1, num)))[0].numpy()

    operator = LinearOperator((num, num), matvec=product, dtype=np.float64)
    start = stream(0, "lanczos").random(num) - 0.5
    return float(eigsh(operator, k=1, which="LA", tol=_TOLERANCE, v0=start, return_eigenvectors=False)[0])


def hessian_trace(
    model: nn.Module, _initial: State, data: TrainingSet, _outcome: TrainOutcome, *, num_probes: int = _NUM_PROBES
) -> float:
    """
    Raises:
        UserError: a network that has no second derivative.
    """
    loss = _twice_differentiable(model, data)
    generator = stream(0, "hutchinson")
    total = 0.0
    for done in range(0, num_probes, _PROBES_AT_ONCE):
        draws = generator.random((min(_PROBES_AT_ONCE, num_probes - done), len(loss.weights)))
        probes = torch.from_numpy(np.where(draws < 0.5, -1.0, 1.0))
        total += float((probes * loss.hessian_products(loss.weights, probes)).sum())
    return total / num_probes


def _twice_differentiable(model: nn.Module, data: TrainingSet) -> TrainingLoss:
    """
    Raises:
        UserError: products with the Hessian are not what differences of gradients are.
    """
    loss = TrainingLoss(model, data.inputs, data.labels)
    along = torch.from_numpy(stream(0, "second derivative").standard_normal((1, len(loss.weights))))
    product = loss.hessian_products(loss.weights, along)[0]
    for step in _STEPS:
        ahead, behind = (loss.gradient(loss.weights + sign * step * along[0]) for sign in (1, -1))
        difference = (ahead - behind) / (2 * step)
        if (product - difference).norm() <= _AGREEMENT * difference.norm():
            return loss
    raise UserError(
        f"got {kind_of(model)} whose second derivative is not what differences of its gradients are, expected "
        "modules that can be differentiated twice (an autograd function marked as once differentiable cannot)"
    )
