"""Linear functions of bounded norm: x -> w.x with |w| at most B. Their Rademacher suprema have a closed form."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float64

from byrote.errors import UserError
from byrote.theory.complexity.rademacher import HypothesisClass


@dataclass(frozen=True, eq=False)
class LinearClass(HypothesisClass):
    """Source: Bartlett & Mendelson (2002), lemma 22; Mohri et al. (2018), theorem 5.10.

    Args:
        inputs: the points.
        norm: B.

    Raises:
        UserError: a norm that is not positive.
    """

    inputs: Float64[np.ndarray, "N D"]
    norm: float = 1.0

    def __post_init__(self) -> None:
        if not self.norm > 0:
            raise UserError(f"got norm={self.norm:g}, expected a positive bound on the norm of the weights")

    @property
    def ranges(self) -> Float64[np.ndarray, " N"]:
        return self.norm * np.linalg.norm(self.inputs, axis=1)

    def suprema(self, signs: Float64[np.ndarray, "M N"]) -> Float64[np.ndarray, " M"]:
        """B |sum_i sigma_i x_i| / n: by Cauchy and Schwarz, w in the direction of the sum is best."""
        return self.norm * np.linalg.norm(signs @ self.inputs, axis=1) / len(self.inputs)

    @property
    def upper_bound(self) -> float:
        """B sqrt(sum_i |x_i|^2) / n: the mean of a norm is at most the root of the mean square (Jensen)."""
        return self.norm * math.sqrt(float(np.square(self.inputs).sum())) / len(self.inputs)
