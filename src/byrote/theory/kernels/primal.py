"""Minimum-norm solutions of the linear kernel from the features, of which there are fewer than points.

X = Q R is found block by block of rows, Q' Y along with it, and R = U S V' then gives everything: the coefficients
V S^+ Q' U' Y, the rank, leverages. X' X is never formed, whose condition number is the square of X's.

Source     Golub & Van Loan, Matrix computations (4th edition, 2013), 5.5; by blocks: Demmel et al.,
           Communication-optimal parallel and sequential QR and LU factorizations (2012).
"""

from __future__ import annotations

import torch
from jaxtyping import Float, Float64
from torch import Tensor

from byrote.theory.calculation import OnStage
from byrote.theory.kernels.dual import Solution, leave_out

_ROWS = 2048


def solve_linear(
    x: Float[Tensor, "N D"],
    targets: Float64[Tensor, "N K"],
    *,
    ridge: float = 0.0,
    leave_one_out: bool = False,
    on_stage: OnStage,
) -> tuple[Solution, Float64[Tensor, "D K"]]:
    """The solution for N >= D, and its coefficients on the features. Computed in float64.

    The alpha of a solution without ridge is one of many; it is the smallest. Singular values of X below N times the
    rounding of the largest count as zero.
    """
    num_points, num_features = x.shape
    triangle = _triangle(x, targets, on_stage)
    left, sizes, right = torch.linalg.svd(triangle[:, :num_features])
    cut = num_points * torch.finfo(torch.float64).eps * sizes[:1]
    kept = (sizes > cut) & (sizes > 0)
    sizes, directions = sizes[kept], right[kept].T
    components = left[:, kept].T @ triangle[:, num_features:]
    eigenvalues = sizes**2 + ridge
    coefficients = directions @ (components * (sizes / eigenvalues)[:, None])

    parts: list[tuple[Tensor, ...]] = []
    for rows in x.split(_ROWS):
        on_stage("solution", len(parts) * _ROWS / num_points)
        scores = rows.double() @ (directions / sizes)  # rows of the left singular vectors of X
        parts.append(
            (
                rows.double() @ coefficients,
                scores @ (components / eigenvalues[:, None]),
                scores**2 @ (sizes**2 / eigenvalues),
                scores**2 @ (1 / eigenvalues),
            )
        )
    fitted, alpha, leverages, variances = (torch.cat(part) for part in zip(*parts, strict=True))
    if ridge:
        # What no feature explains: K + ridge I has it with the eigenvalue ridge.
        alpha = (targets - fitted) / ridge
    left_out = leave_out(targets, fitted, alpha, leverages, variances) if leave_one_out else None
    spread = 1.0
    if len(sizes):
        # Beyond the rank K + ridge I has the eigenvalue ridge; K itself has zeros, which do not count.
        smallest = ridge if ridge and len(sizes) < num_points else eigenvalues[-1].item()
        spread = eigenvalues[0].item() / smallest
    return Solution(alpha, fitted, "least-squares", len(sizes), spread, left_out), coefficients


def _triangle(x: Float[Tensor, "N D"], targets: Float64[Tensor, "N K"], on_stage: OnStage) -> Float64[Tensor, "D D+K"]:
    """R and Q' Y of X = Q R, side by side."""
    num_features = x.shape[1]
    size = max(_ROWS, num_features)
    triangle = targets.new_empty(0, num_features + targets.shape[1])
    for start in range(0, len(x), size):
        rows = slice(start, start + size)
        block = torch.cat([x[rows].double(), targets[rows]], dim=1)
        triangle = torch.linalg.qr(torch.cat([triangle, block]), mode="r").R
        on_stage("orthogonal factorisation", min(1.0, (start + size) / len(x)))
    return triangle[:num_features]
