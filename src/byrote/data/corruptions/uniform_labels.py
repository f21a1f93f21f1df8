"""The paper's label corruption (section 2): each label, with the chance RATE, becomes any of the K classes."""

from __future__ import annotations

import numpy as np
from jaxtyping import Float64, Int64

from byrote.data.corruptions.contract import CorruptionContext, LabelCorruption


class UniformLabels(LabelCorruption):
    """Labels redrawn uniformly: the paper's partially corrupted labels, and at rate 1 its random labels."""

    name = "partial-labels"
    description = "each training label, with probability RATE, becomes a class drawn uniformly from all K"
    full_name = "random-labels"
    full_description = "every training label becomes a class drawn uniformly from all K"

    def chances(self, sizes: Int64[np.ndarray, " K"]) -> Float64[np.ndarray, "K K"]:
        return np.full((len(sizes), len(sizes)), 1 / len(sizes))

    def redraw(
        self,
        labels: Int64[np.ndarray, " N"],  # noqa: ARG002 - all become the same
        uniform: Float64[np.ndarray, " N"],
        context: CorruptionContext,
    ) -> Int64[np.ndarray, " N"]:
        # floor(uK) < K even for u = 1 - 2^-53, for every K below 2^52.
        return (uniform * context.data.num_classes).astype(np.int64)
