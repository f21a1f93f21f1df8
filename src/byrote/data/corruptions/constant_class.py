"""The label corruption that leaves nothing to memorise: labels become one and the same class."""

from __future__ import annotations

import numpy as np
from jaxtyping import Float64, Int64

from byrote.data.corruptions.contract import LabelCorruption


class ConstantClass(LabelCorruption):
    """Labels that all become the first class: at rate 1 a constant fits them."""

    name = "constant-class"
    description = "each training label, with probability RATE, becomes the first class"

    def chances(self, sizes: Int64[np.ndarray, " K"]) -> Float64[np.ndarray, "K K"]:
        return np.tile(np.eye(len(sizes))[0], (len(sizes), 1))
