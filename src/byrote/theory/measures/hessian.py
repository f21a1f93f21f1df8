"""The curvature of the training loss where training ended: the top eigenvalue and the trace of its Hessian.

Source     Hochreiter and Schmidhuber, "Flat minima" (1997); Keskar et al. (ICLR 2017). The trace as estimated by
           Hutchinson (1990): the mean of v'Hv over random signs v, with a variance of at most 2 |H|_F^2 a probe.
Here       The mean cross-entropy of the training set in float64, over all parameters. Rescaling a ReLU network changes
           both.
"""

from __future__ import annotations

import numpy as np
import torch
from scipy.sparse.linalg import LinearOperator, eigsh
from torch import nn

from byrote.randomness import stream
from byrote.theory.measures.measure import State, TrainingSet
from byrote.theory.training_loss import TrainingLoss
from byrote.training.outcome import TrainOutcome

_TOLERANCE = 1e-4
"""Relative, of the eigenvalue: far below what differs between seeds."""
_NUM_PROBES = 64
_PROBES_AT_ONCE = 4
"""Six times as fast as one by one for thousands of parameters; more are slower for a hundred thousand."""


def top_eigenvalue(model: nn.Module, _initial: State, data: TrainingSet, _outcome: TrainOutcome) -> float:
    """The largest, by Lanczos' method (ARPACK) on products with the Hessian."""
    loss = TrainingLoss(model, data.inputs, data.labels)
    num = len(loss.weights)

    def product(vector: np.ndarray) -> np.ndarray:
        return loss.hessian_products(loss.weights, torch.from_numpy(vector.reshape(1, num)))[0].numpy()

    operator = LinearOperator((num, num), matvec=product, dtype=np.float64)
    start = stream(0, "lanczos").random(num) - 0.5
    return float(eigsh(operator, k=1, which="LA", tol=_TOLERANCE, v0=start, return_eigenvectors=False)[0])


def hessian_trace(
    model: nn.Module, _initial: State, data: TrainingSet, _outcome: TrainOutcome, *, num_probes: int = _NUM_PROBES
) -> float:
    loss = TrainingLoss(model, data.inputs, data.labels)
    generator = stream(0, "hutchinson")
    total = 0.0
    for done in range(0, num_probes, _PROBES_AT_ONCE):
        draws = generator.random((min(_PROBES_AT_ONCE, num_probes - done), len(loss.weights)))
        probes = torch.from_numpy(np.where(draws < 0.5, -1.0, 1.0))
        total += float((probes * loss.hessian_products(loss.weights, probes)).sum())
    return total / num_probes
