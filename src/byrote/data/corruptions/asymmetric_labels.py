"""Label noise as people make it: a class is mistaken for one other class (pair flipping).

Source     Han et al., Co-teaching (NeurIPS 2018), section 4: each class for the next one.
"""

from __future__ import annotations

import numpy as np
from jaxtyping import Float64, Int64

from byrote.data.corruptions.contract import LabelCorruption


class AsymmetricLabels(LabelCorruption):
    """Labels that become the one class that theirs is mistaken for.

    Args:
        transition: [K, K], for each class the chances of what it is mistaken for; None mistakes each for the next.
    """

    name = "asymmetric-labels"
    description = "each training label, with probability RATE, becomes the next class, and the last the first"

    def __init__(self, transition: Float64[np.ndarray, "K K"] | None = None) -> None:
        self.transition = transition

    def chances(self, sizes: Int64[np.ndarray, " K"]) -> Float64[np.ndarray, "K K"]:
        return np.roll(np.eye(len(sizes)), 1, axis=1) if self.transition is None else np.asarray(self.transition)
