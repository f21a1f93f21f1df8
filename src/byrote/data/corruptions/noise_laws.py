"""Whether noise has the mean and the variance that it should have.

The arrays alone are looked at, so that mistakes of the code that made them are caught too.
"""

from __future__ import annotations

import math

import numpy as np
from jaxtyping import Float64
from scipy import special

from byrote.data.check import SIGNIFICANCE, Check, newly_changed
from byrote.data.dataset import Dataset, moments

# So many images of a split, spread over it, show what there is to see.
_IMAGES = 4096


def gaussian_noise(
    clean: Dataset, data: Dataset, deviation: Float64[np.ndarray, "*M"], *, added: bool, name: str
) -> Check:
    """Mean and variance of the noise in each channel and split: the laws of both are known, Bonferroni's bound over
    all of them.

    Args:
        deviation: of the noise in each channel, as `moments` has them.
        added: whether it is what was added to the inputs; else it stands in their place, with their mean.
        name: of the check.
    """
    level = moments(clean.train.inputs)[0]
    mean = np.zeros_like(level) if added else level
    # Closer together than this, float32 holds too few values for a Gaussian.
    testable = deviation > 1e-5 * np.abs(level)
    tails: list[np.ndarray] = []
    num_images, replaced = 0, True
    for before, after in ((clean.train, data.train), (clean.test, data.test)):
        rows = np.flatnonzero(newly_changed(before, after))
        rows = rows[:: max(1, len(rows) // _IMAGES)]
        noise = after.inputs[rows] - (before.inputs[rows].astype(np.float64) if added else 0)
        num_images += len(noise)
        count = noise.size // noise.shape[1]
        if count < 2 or not testable.any():
            continue
        replaced = replaced and not np.array_equal(after.inputs[rows], before.inputs[rows])
        noise_mean, noise_deviation = moments(noise)
        off = np.maximum(np.abs(noise_mean - mean) - np.spacing(np.abs(mean).astype(np.float32)), 0)
        shift = (off[testable] / deviation[testable]) * math.sqrt(count)
        ratio = (noise_deviation[testable] / deviation[testable]) ** 2 * count
        chi_square = (special.chdtr(count - 1, ratio), special.chdtrc(count - 1, ratio))
        tails += [special.ndtr(-shift), np.minimum(*chi_square)]
    every = np.concatenate([np.ones(1), *tails])
    p_value = min(1.0, 2 * len(every) * float(every.min()))
    return Check(
        name,
        p_value >= SIGNIFICANCE and replaced,
        f"means and variances of {num_images} {'noise' if replaced else 'unchanged'} images, given those of the clean "
        f"channels: the least likely of {len(every) - 1} has p = {p_value:.2g}; expected at least {SIGNIFICANCE:g}",
    )
