"""The paper's Gaussian inputs (section 2): noise with the moments of the data in place of each image.

Assumed    Mean and variance of each channel, over the training set, and numbers that are not clamped to the range of
           pixels: the paper says "matching mean and variance to the original image dataset".
"""

from __future__ import annotations

import numpy as np
from jaxtyping import Shaped

from byrote.data.check import Check
from byrote.data.corruptions.contract import CorruptionContext, InputCorruption
from byrote.data.dataset import Dataset, moments


class GaussianInputs(InputCorruption):
    """Gaussian noise in place of the inputs."""

    name = "gaussian"
    title = "Gaussian inputs"
    description = "Gaussian noise with the mean and variance of each channel of the training set; not for tokens"
    of_quantities = True
    destroys_structure = True

    def redraw(
        self, inputs: Shaped[np.ndarray, "B ..."], generator: np.random.Generator, context: CorruptionContext
    ) -> Shaped[np.ndarray, "B ..."]:
        mean, deviation = (moment.astype(np.float32) for moment in context.moments)
        noise = generator.standard_normal(inputs.shape, dtype=np.float32)
        noise *= deviation
        noise += mean
        return noise

    def check(self, clean: Dataset, corrupted: Dataset, strength: float) -> list[Check]:  # noqa: ARG002
        from byrote.data.corruptions.noise_laws import gaussian_noise  # SciPy is slow to import

        deviation = moments(clean.train.inputs)[1]
        return [gaussian_noise(clean, corrupted, deviation, added=False, name="moments of Gaussian inputs")]
