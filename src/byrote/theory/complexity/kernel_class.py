"""Functions of bounded norm in the space of a kernel. Their Rademacher suprema follow from the Gram matrix alone."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float64

from byrote.errors import UserError
from byrote.theory.complexity.rademacher import HypothesisClass


@dataclass(frozen=True, eq=False)
class KernelClass(HypothesisClass):
    """Source: Bartlett & Mendelson (2002), lemma 22; Mohri et al. (2018), theorem 6.12.

    Args:
        gram: the kernel on all pairs of points; symmetric and positive semidefinite.
        norm: B, the largest norm of a function in the kernel's space.

    Raises:
        UserError: a norm that is not positive, or a matrix that is no Gram matrix of a kernel.
    """

    gram: Float64[np.ndarray, "N N"]
    norm: float = 1.0

    def __post_init__(self) -> None:
        if not self.norm > 0:
            raise UserError(f"got norm={self.norm:g}, expected a positive bound on the norm in the kernel's space")
        if not np.allclose(self.gram, self.gram.T) or (np.diag(self.gram) < 0).any():
            raise UserError("got a matrix that is not symmetric or negative on its diagonal, expected a Gram matrix")

    @property
    def ranges(self) -> Float64[np.ndarray, " N"]:
        """|h(x)| is at most |h| sqrt(k(x, x))."""
        return self.norm * np.sqrt(np.diag(self.gram))

    def suprema(self, signs: Float64[np.ndarray, "M N"]) -> Float64[np.ndarray, " M"]:
        """B sqrt(sigma' K sigma) / n, the linear class's in the space of the kernel."""
        squares = np.einsum("mn,mn->m", signs @ self.gram, signs)
        # Rounding can make the square of a norm near zero negative.
        return self.norm * np.sqrt(np.maximum(squares, 0.0)) / len(self.gram)

    @property
    def upper_bound(self) -> float:
        """B sqrt(trace K) / n."""
        return self.norm * math.sqrt(float(np.trace(self.gram))) / len(self.gram)
