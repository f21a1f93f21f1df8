"""Interpolants of a linear model: the one that SGD from zero finds, others, and the curvature that all of them share.

Source     Zhang et al. (ICLR 2017), section 5: with more dimensions than examples X w = y has infinitely many
           solutions. Every step of SGD adds multiples of examples to w, so from zero it ends at the solution in their
           span, X' (X X')^-1 y, which has the least norm; and at every solution the squared loss has the same Hessian.
Steps      Of SGD with m examples at a time: m / (b + (m - 1) l), where b is the largest squared norm of an example and
           l the largest eigenvalue of X'X / N (Ma, Bassily & Belkin, ICML 2018, theorem 4); 1 / l with all of them.

A kernel machine on given centres is a linear model: `coordinates` of their Gram matrix are inputs whose inner products
are the kernel's values, so that the norm of the weights is the norm in the kernel's space.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float64, Int64
from torch import Tensor
from torch.func import hessian

from byrote.errors import UserError
from byrote.randomness import permutation, stream

_RECORDED = 60
"""Steps of a descent that are recorded at most: evenly spaced in their logarithm."""


@dataclass(frozen=True, eq=False)
class Descent:
    """A run of gradient descent on (1 / 2N) |X w - Y|^2, at T of its steps."""

    steps: Int64[np.ndarray, " T"]
    """The first is 0, the last is the last."""
    distance: Float64[np.ndarray, " T"]
    """|w - w*| / |w*| from the solution of least norm."""
    distance_to_limit: Float64[np.ndarray, " T"]
    """|w - w_0*| / |w*| from the solution nearest to the start; the same if that is zero."""
    residual: Float64[np.ndarray, " T"]
    """|X w - Y| / |Y|"""
    norm: Float64[np.ndarray, " T"]
    """|w|"""
    batch_size: int
    step_size: float
    weights: Float64[Tensor, "D K"]
    """At the end."""


@dataclass(frozen=True, eq=False)
class Interpolant:
    """One solution of X w = Y, one-hot targets Y."""

    name: str
    norm: float
    distance: float
    """|w - w*| / |w*| from the solution of least norm."""
    residual: float
    """|X w - Y| / |Y|: rounding."""
    train_error: float
    """As a share, like the next."""
    test_error: float
    weights: Float64[Tensor, "D K"]


def coordinates(gram: Float64[Tensor, "N N"]) -> Float64[Tensor, "N N"]:
    """N points in N dimensions whose inner products are `gram`: the rows of its Cholesky factor.

    Raises:
        UserError: a matrix that is not positive definite: equal points, or too few dimensions for so many.
    """
    factor, failed_at = torch.linalg.cholesky_ex(gram)
    if failed_at:
        raise UserError(
            f"got a Gram matrix whose leading {int(failed_at)} x {int(failed_at)} block is not positive definite, "
            "expected points that the kernel keeps apart; remove equal ones, or take a narrower kernel"
        )
    return factor


def minimum_norm(inputs: Float64[Tensor, "N D"], targets: Float64[Tensor, "N K"]) -> Float64[Tensor, "D K"]:
    """w* = X' (X X')^-1 Y.

    Raises:
        UserError: inputs that are not linearly independent, on which not all targets can be interpolated.
    """
    return nearest_interpolant(inputs, targets, torch.zeros_like(inputs.T @ targets))


def nearest_interpolant(
    inputs: Float64[Tensor, "N D"], targets: Float64[Tensor, "N K"], start: Float64[Tensor, "D K"]
) -> Float64[Tensor, "D K"]:
    """The solution nearest to `start`, where gradient descent from there ends: start + X' (X X')^-1 (Y - X start).

    Raises:
        UserError: inputs that are not linearly independent, on which not all targets can be interpolated.
    """
    # X' = Q R, so X' (X X')^-1 = Q R'^-1: its condition is that of X and not the square of it.
    num, dims = inputs.shape
    basis, triangle = torch.linalg.qr(inputs.T)
    diagonal = triangle.diagonal().abs()
    if num > dims or diagonal.min() <= num * torch.finfo(inputs.dtype).eps * diagonal.max():
        raise UserError(
            f"got {num} inputs of {dims} dimensions that are not linearly independent, expected some that any targets "
            "can be interpolated on; take fewer, or more features of them"
        )
    missing = targets - inputs @ start
    return start + basis @ torch.linalg.solve_triangular(triangle.T, missing, upper=False)


def descend(
    inputs: Float64[Tensor, "N D"],
    targets: Float64[Tensor, "N K"],
    *,
    num_steps: int,
    batch_size: int | None = None,
    start: Float64[Tensor, "D K"] | None = None,
    seed: int = 0,
) -> Descent:
    """Runs SGD, or gradient descent on all examples (`batch_size` None), from zero or from `start`.

    Batches follow random orders of all examples. Examples left over at the end of an order are passed over.

    Raises:
        UserError: inputs that are not linearly independent.
    """
    num = len(inputs)
    size = num if batch_size is None else batch_size
    weights = torch.zeros_like(inputs.T @ targets) if start is None else start.clone()
    limit = nearest_interpolant(inputs, targets, weights)
    least = minimum_norm(inputs, targets)
    curvature = torch.linalg.matrix_norm(inputs, 2).item() ** 2 / num
    largest = inputs.square().sum(1).max().item()
    step_size = 1 / curvature if size == num else size / (largest + (size - 1) * curvature)
    recorded = np.unique(np.geomspace(1, num_steps, _RECORDED).round().astype(np.int64))
    steps = np.concatenate([[0], recorded])
    rows: list[list[float]] = []
    for step in range(num_steps + 1):
        if step == steps[len(rows)]:
            found = (weights - least, weights - limit, inputs @ weights - targets, weights)
            rows.append([torch.linalg.matrix_norm(part).item() for part in found])
        if step == num_steps:
            break
        epoch, batch = divmod(step, num // size)
        if batch == 0:
            order = torch.from_numpy(permutation(stream(seed, "batches", epoch), num)).to(inputs.device)
        x, y = (part[order[batch * size : (batch + 1) * size]] for part in (inputs, targets))
        weights -= step_size / size * (x.T @ (x @ weights - y))
    distance, to_limit, residual, norm = np.array(rows).T
    scale = torch.linalg.matrix_norm(least).item()
    return Descent(
        steps=steps,
        distance=distance / scale,
        distance_to_limit=to_limit / scale,
        residual=residual / torch.linalg.matrix_norm(targets).item(),
        norm=norm,
        batch_size=size,
        step_size=step_size,
        weights=weights,
    )


def interpolants(
    inputs: Float64[Tensor, "N D"],
    labels: Int64[Tensor, " N"],
    test_inputs: Float64[Tensor, "M D"],
    test_labels: Int64[Tensor, " M"],
    centers: Float64[Tensor, "P D"],
    *,
    num_classes: int,
    seed: int = 0,
) -> tuple[Interpolant, ...]:
    """Solutions that fit the same labels, and how they do on the test set:

    - "minimum norm";
    - "random centres": combinations of `centers`, which the labels know nothing of, instead of the examples;
    - "null space x1", "x3": a random vector that all examples are orthogonal to added, of 1 and 3 times the norm of the
      first; where SGD ends that starts from any vector with this part;
    - "wrong test labels": of least norm among those that give each test example the class after its own.

    Args:
        centers: as many as there are examples, or more.

    Raises:
        UserError: examples (with test examples, or with the centres in their place) that are not linearly independent.
    """
    targets = _one_hot(labels, num_classes)
    least = minimum_norm(inputs, targets)
    norm = torch.linalg.matrix_norm(least)
    random = torch.from_numpy(stream(seed, "null space").standard_normal(least.shape)).to(least)
    null = nearest_interpolant(inputs, torch.zeros_like(targets), random)
    null *= norm / torch.linalg.matrix_norm(null)
    wrong = torch.cat([targets, _one_hot((test_labels + 1) % num_classes, num_classes)])
    solutions = {
        "minimum norm": least,
        "random centres": centers.T @ minimum_norm(inputs @ centers.T, targets),
        "null space x1": least + null,
        "null space x3": least + 3 * null,
        "wrong test labels": minimum_norm(torch.cat([inputs, test_inputs]), wrong),
    }
    return tuple(
        Interpolant(
            name=name,
            norm=torch.linalg.matrix_norm(weights).item(),
            distance=(torch.linalg.matrix_norm(weights - least) / norm).item(),
            residual=(torch.linalg.matrix_norm(inputs @ weights - targets) / torch.linalg.matrix_norm(targets)).item(),
            train_error=_error(inputs, labels, weights),
            test_error=_error(test_inputs, test_labels, weights),
            weights=weights,
        )
        for name, weights in solutions.items()
    )


def curvature(inputs: Float64[Tensor, "N D"]) -> Float64[Tensor, "D D"]:
    """X'X / N, the Hessian of (1 / 2N) |X w - y|^2 in the weights of any output, whatever w and y are."""
    return inputs.T @ inputs / len(inputs)


def differentiated_curvature(
    inputs: Float64[Tensor, "N D"], targets: Float64[Tensor, "N K"], weights: Float64[Tensor, "D K"]
) -> Float64[Tensor, "D K D K"]:
    """The same from automatic differentiation at these weights, D^2 K^2 numbers: to be seen on small problems.

    Between the weights of one output it is `curvature`, between those of two outputs it is 0.
    """

    def loss(w: Tensor) -> Tensor:
        return (inputs @ w - targets).square().sum() / (2 * len(inputs))

    return hessian(loss)(weights)


def _one_hot(labels: Int64[Tensor, " N"], num_classes: int) -> Float64[Tensor, "N K"]:
    return torch.nn.functional.one_hot(labels, num_classes).double()


def _error(inputs: Float64[Tensor, "N D"], labels: Int64[Tensor, " N"], weights: Float64[Tensor, "D K"]) -> float:
    return ((inputs @ weights).argmax(1) != labels).double().mean().item()
