"""The direction along which a memoriser tells points apart, and projections that are the same in any batch.

Theorem 1's network sees a point x as the one number <a, x>. Any direction a that keeps n distinct points distinct will
do on paper; in float64 the slopes between neighbours are as large as the smallest gap is small, so of several
directions the one is kept whose smallest gap is the largest, relative to the range of all projections.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float64, Int64, Shaped

from byrote.errors import UserError
from byrote.randomness import stream
from byrote.theory.memorizers.points import LARGEST, as_vectors, blocks, differ, num_features, refuse_non_finite

NUM_RANDOM = NUM_PRINCIPAL = 4
"""Directions of each kind that are tried. The smallest gap of random points is about exponentially distributed: the
best of 8 tries is 2.7 times the mean, of 16 only 3.4 times."""

_SAMPLE = 256
"""Evenly spaced rows that tell the features' scales and the principal direction: enough for one direction."""
_PERTURBATION = 0.3
"""Of the principal direction: a random vector of this length beside its own of 1, so that its tries differ."""
_DIRECTION_BITS = 24
"""Weights are multiples of 2**-24 of their feature's scale: with 8-bit pixels, products and their sums are exact in
float64, in any order, and so is the ordinary forward pass."""
_SLICES = 3


@dataclass(frozen=True)
class Try:
    """A direction that was tried."""

    kind: str
    """ "random", "principal" (the leading principal direction, perturbed) or "identity" (in one dimension)."""
    relative_gap: float
    """Between the closest distinct points, as a share of the range; 0 if float64 cannot tell them apart."""


@dataclass(frozen=True, eq=False)
class Projection:
    """N points as N numbers."""

    direction: Float64[np.ndarray, " D"]
    values: Float64[np.ndarray, " N"]
    """<direction, x>, as `project` computes it."""
    order: Int64[np.ndarray, " N"]
    """Sorts the values."""
    smallest_gap: float
    """Between neighbouring distinct points; NaN if all are equal."""
    relative_gap: float
    """The same as a share of the range of the values."""
    largest_term: float
    """Over the points: sum_j |a_j x_j|, of which rounding makes its share where the product is an ordinary one."""
    chosen: Try
    tried: tuple[Try, ...]


def choose_projection(x: Shaped[np.ndarray, "N ..."], *, seed: int = 0, name: str = "x") -> Projection:
    """Tries random directions and perturbed principal ones (in one dimension, the identity), and keeps the one with
    the largest relative gap. Features are brought to one scale first, by powers of two.

    O(N D + N log N) time; N numbers for each of the 8 tries are held.

    Raises:
        UserError: if x holds NaN, or distinct points that no direction tried tells apart in float64.
    """
    directions, kinds, tolerances = _directions(x, seed, name)
    values = projections(x, directions)
    if not (np.abs(values) < LARGEST).all():
        refuse_non_finite(x, name)
    gaps = [_relative_gap(x, values[:, t].copy(), tolerances[t]) for t in range(len(kinds))]
    del values
    tried = tuple(map(Try, kinds, gaps))
    collision = (0, 0)
    for t in sorted(range(len(kinds)), key=lambda t: -gaps[t]):
        direction = np.ascontiguousarray(directions[:, t])
        z = project(x, direction)
        order = np.argsort(z, kind="stable")
        steps = np.diff(z[order])
        ties = np.flatnonzero(steps == 0)
        wrong = ties[differ(x, order[ties], order[ties + 1])]
        if not len(wrong):
            smallest = float(steps[steps > 0].min()) if (steps > 0).any() else math.nan
            return Projection(
                direction=direction,
                values=z,
                order=order,
                smallest_gap=smallest,
                relative_gap=smallest / float(z[order[-1]] - z[order[0]] or 1),
                largest_term=max(float((np.abs(block) @ np.abs(direction)).max()) for _, block in blocks(x)),
                chosen=tried[t],
                tried=tried,
            )
        collision = (int(order[wrong[0]]), int(order[wrong[0] + 1]))
    first, second = sorted(collision)
    raise UserError(
        f"rows {first} and {second} of {name} (counting from 0) differ, but float64 cannot tell their projections "
        f"apart (directions tried: {len(kinds)}); centre and rescale the features, or make the rows equal"
    )


def projections(x: Shaped[np.ndarray, "N ..."], directions: Float64[np.ndarray, "D T"]) -> Float64[np.ndarray, "N T"]:
    """<a, x> of all points along T directions, in one pass over x: ordinary products, rounded as the batch has it."""
    values = np.empty((len(x), directions.shape[1]))
    for rows, block in blocks(x):
        np.matmul(block, directions, out=values[rows])
    return values


def project(x: Shaped[np.ndarray, "N ..."], direction: Float64[np.ndarray, " D"]) -> Float64[np.ndarray, " N"]:
    """<direction, x>, for each point the same number to the last bit in whatever batch it comes, and accurate to it.

    A slope of 1e11 between two close points, as among a million, turns the last bits of an ordinary product, which
    depend on the order of its additions and so on the shape of the batch, into errors of 1e-4. Here both factors are
    cut into slices of so few bits that products of slices add up without rounding (Ozaki, Ogita, Oishi & Rump, 2012,
    "Error-free transformations of matrix multiplication by using fast routines of matrix multiplication").
    """
    bits = (53 - math.ceil(math.log2(max(len(direction), 2)))) // 2
    # Powers of two move to the points, so that a row's numbers are as large as what they contribute.
    mantissas, exponents = np.frexp(direction)
    factors = np.stack([part[0] for part in _slices(mantissas[None], bits)], axis=1)
    scale = np.ldexp(1.0, exponents)
    values = np.empty(len(x))
    for rows, block in blocks(x):
        total = np.zeros(len(block))
        for part in reversed(_slices(block * scale, bits)):
            products = part @ factors
            for column in reversed(products.T):
                total += column
        values[rows] = total
    return values


def _slices(vectors: Float64[np.ndarray, "B D"], bits: int) -> list[Float64[np.ndarray, "B D"]]:
    """Summands, largest first, each with multiples of one power of two a row, at most 2**bits times as large.

    Three are enough: what is left is below 2**-60 of the row's largest number. Those below 1e-250 count as 1e-250.
    """
    largest = np.abs(vectors).max(axis=1, keepdims=True)
    exponents = np.frexp(largest)[1].clip(-900, 900)
    parts = []
    rest = vectors
    for number in range(_SLICES):
        # Adding 1.5 * 2**52 grids, then subtracting it, rounds to a multiple of the grid.
        shift = np.ldexp(1.5, 52 + exponents - bits - number * (bits + 1))
        part = rest + shift
        part -= shift
        parts.append(part)
        rest = rest - part
        if not rest.any():
            break
    return parts


def _directions(
    x: Shaped[np.ndarray, "N ..."], seed: int, name: str
) -> tuple[Float64[np.ndarray, "D T"], list[str], Float64[np.ndarray, " T"]]:
    """Directions to try, their kinds, and for each the error that an ordinary product with it may have."""
    if num_features(x) == 1:
        return np.ones((1, 1)), ["identity"], np.zeros(1)
    sample = as_vectors(x[np.linspace(0, len(x) - 1, min(len(x), _SAMPLE)).astype(np.int64)])
    if not (np.abs(sample) < LARGEST).all():
        refuse_non_finite(x, name)
    mean, spread = sample.mean(0), sample.std(0)
    # A feature that is constant in the sample may still tell a rare point apart: it counts by its size, or as it is.
    scale = np.where(spread > 0, spread, np.where(mean != 0, np.abs(mean), 1))
    exponents = np.frexp(scale)[1].clip(-500, 500)
    generator = stream(seed, "projection")
    directions = generator.standard_normal((num_features(x), NUM_RANDOM + NUM_PRINCIPAL))
    directions /= np.linalg.norm(directions, axis=0)
    principal = _principal_direction(np.ldexp(sample - mean, -exponents))
    directions[:, NUM_RANDOM:] = principal[:, None] + _PERTURBATION * directions[:, NUM_RANDOM:]
    directions /= np.abs(directions).max(axis=0)
    directions = np.ldexp(np.rint(np.ldexp(directions, _DIRECTION_BITS)), -_DIRECTION_BITS - exponents[:, None])
    sizes = (np.abs(sample) @ np.abs(directions)).max(axis=0)
    return directions, ["random"] * NUM_RANDOM + ["principal"] * NUM_PRINCIPAL, len(mean) * 2.0**-52 * sizes


def _principal_direction(centred: Float64[np.ndarray, "M D"]) -> Float64[np.ndarray, " D"]:
    """The unit vector of largest variance, by way of the smaller of the two Gram matrices; zero if there is none."""
    direction = centred.T @ np.linalg.eigh(centred @ centred.T)[1][:, -1]
    return direction / (np.linalg.norm(direction) or 1)


def _relative_gap(x: Shaped[np.ndarray, "N ..."], values: Float64[np.ndarray, " N"], tolerance: float) -> float:
    """The smallest difference between the values of distinct points, as a share of the range; inf if all are equal.

    Equal points may differ by `tolerance`, by rounding: pairs so close are compared.
    """
    ordered = np.sort(values)
    gaps = np.diff(ordered)
    extent = float(ordered[-1] - ordered[0]) or 1.0
    if not len(gaps) or gaps.min() > tolerance:
        return float(gaps.min(initial=np.inf)) / extent
    order = np.argsort(values)
    close = np.flatnonzero(gaps <= tolerance)
    equal = close[~differ(x, order[close], order[close + 1])]
    gaps[equal] = np.inf
    return float(gaps.min()) / extent
