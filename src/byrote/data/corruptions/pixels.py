"""Inputs as corruptions of places see them: pixel positions on one axis."""

from __future__ import annotations

import numpy as np
from jaxtyping import Shaped


def as_pixels(inputs: Shaped[np.ndarray, "B ..."]) -> Shaped[np.ndarray, "B C P"]:
    """A view with all pixel positions on one axis; the features of vectors are pixels of one channel."""
    channels = inputs.shape[1] if inputs.ndim == 4 else 1
    return inputs.reshape(len(inputs), channels, -1)
