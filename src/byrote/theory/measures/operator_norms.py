"""Spectral norms of linear maps that are given as functions, such as convolutions with zero padding."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch
from jaxtyping import Float
from scipy.sparse.linalg import LinearOperator, svds
from torch import Tensor
from torch.func import vjp

from byrote.randomness import stream

_DENSE = 64
"""Maps into or out of so few dimensions are written out as matrices: Lanczos needs some room, and gains nothing."""
TOLERANCE = 1e-6
"""Relative: by so much `linear_map_norm` may be off."""


def linear_map_norm(linear: Callable[[Tensor], Tensor], like: Float[Tensor, " ..."]) -> float:
    """The largest singular value of `linear`, a linear map of tensors shaped as `like`.

    By Lanczos' method on the map and its adjoint (ARPACK), exact to a relative 1e-6: the operator as it is, at the
    edges of images too, where the usual shortcut through Fourier transforms takes images for periodic.
    """
    zeros = torch.zeros_like(like, dtype=torch.float64)
    image, pull_back = vjp(linear, zeros)  # type: ignore[misc]
    shape = (image.numel(), zeros.numel())

    def forward(vector: np.ndarray) -> np.ndarray:
        return linear(torch.from_numpy(vector.ravel()).to(zeros).view_as(zeros)).detach().cpu().numpy().ravel()

    def adjoint(vector: np.ndarray) -> np.ndarray:
        return pull_back(torch.from_numpy(vector.ravel()).to(image).view_as(image))[0].detach().cpu().numpy().ravel()

    if min(shape) <= _DENSE:
        few, other = (forward, shape[1]) if shape[1] <= shape[0] else (adjoint, shape[0])
        return float(np.linalg.norm(np.stack([few(unit) for unit in np.eye(other)]), 2))
    operator = LinearOperator(shape, matvec=forward, rmatvec=adjoint, dtype=np.float64)
    draws = stream(0, "lanczos").random(max(shape)) - 0.5
    if not forward(draws[: shape[1]]).any():  # of no other linear map than zero
        return 0.0
    start = draws[: min(shape)]
    return float(svds(operator, k=1, tol=TOLERANCE, v0=start, return_singular_vectors=False)[0])
