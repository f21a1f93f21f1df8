"""Piecewise-linear functions of one number as sums of hinges: sum_j w_j max(z - b_j, 0), with n of them and n weights.

Between two neighbouring knots the function is a line. Its slope is the sum of the weights of all hinges to the left,
and each weight is a difference of two slopes: the triangular system of Theorem 1 is solved without a matrix.
"""

from __future__ import annotations

import numpy as np
import torch
from jaxtyping import Float64
from torch import Tensor
from torch.utils.checkpoint import checkpoint

_TILE = (32, 4096)
"""Numbers and hinges that are evaluated at once: 1 MiB of activations, which stay in a core's cache."""


def exact_slopes(
    knots: Float64[np.ndarray, " J"], values: Float64[np.ndarray, " J *K"]
) -> Float64[np.ndarray, " J-1 *K"]:
    """The slopes between neighbouring knots, rounded so that sums of their differences have no rounding error.

    Over a gap so small that float64 cannot hold the slope they are not finite.

    Each is rounded to 2 units in the last place of the largest of itself and its two neighbours. Then the difference of
    neighbours is a float64, and adding up the differences from the left gives each slope back to the last bit: a steep
    piece between two close knots leaves no error behind in all pieces to the right of it.
    """
    steps = np.diff(knots).reshape(-1, *[1] * (values.ndim - 1))
    with np.errstate(divide="ignore", over="ignore", invalid="ignore"):
        slopes = np.diff(values, axis=0) / steps
    sizes = np.abs(slopes)
    largest = sizes.copy()
    np.maximum(largest[1:], sizes[:-1], out=largest[1:])
    np.maximum(largest[:-1], sizes[1:], out=largest[:-1])
    exponents = np.frexp(largest)[1] - 52
    return np.ldexp(np.rint(np.ldexp(slopes, -exponents)), exponents)


def sum_of_hinges(
    z: Float64[Tensor, " B"], thresholds: Float64[Tensor, " N"], weights: Float64[Tensor, " N *K"]
) -> Float64[Tensor, " B *K"]:
    """sum_j w_j max(z - b_j, 0), tile by tile: memory for activations does not grow with B or N, gradients included."""
    rows, units = _TILE
    tile = _recomputed_tile if torch.is_grad_enabled() else _tile
    pairs = list(zip(thresholds.split(units), weights.split(units), strict=True))
    sums = []
    for part in z.split(rows):
        total = part.new_zeros(len(part), *weights.shape[1:])
        for pair in pairs:
            total = total + tile(part, *pair)
        sums.append(total)
    return torch.cat(sums)


def _tile(z: Tensor, thresholds: Tensor, weights: Tensor) -> Tensor:
    return (z[:, None] - thresholds).relu_() @ weights


def _recomputed_tile(z: Tensor, thresholds: Tensor, weights: Tensor) -> Tensor:
    return checkpoint(_tile, z, thresholds, weights, use_reentrant=False, preserve_rng_state=False)


def evaluate_pieces(
    z: Float64[Tensor, " B"], thresholds: Float64[Tensor, " N"], weights: Float64[Tensor, " N *K"]
) -> Float64[Tensor, " B *K"]:
    """The same sum in O((N + B) log N), without gradients: finds the piece that holds z and evaluates its line.

    The values at the knots are added up from piece to piece, so what is added has the size of the values and not that
    of the hinges: none of the cancellation of the plain sum. Slopes are sums of weights, exact for `exact_slopes`.
    """
    numbers, knots, steps = (tensor.detach().cpu().numpy() for tensor in (z, thresholds, weights))
    order = np.argsort(knots, kind="stable")
    knots = knots[order]
    slopes = np.cumsum(steps[order], axis=0)
    column = (-1, *[1] * (slopes.ndim - 1))
    heights = np.zeros_like(slopes)
    np.cumsum(slopes[:-1] * np.diff(knots).reshape(column), axis=0, out=heights[1:])
    piece = np.searchsorted(knots, numbers, side="right") - 1
    values = heights[piece] + slopes[piece] * (numbers - knots[piece]).reshape(column)
    values[piece < 0] = 0
    return torch.from_numpy(values).to(z.device)
