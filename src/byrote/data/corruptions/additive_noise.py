"""Gaussian noise on top of the inputs, which leaves of their structure what it does not drown."""

from __future__ import annotations

import numpy as np
from jaxtyping import Shaped

from byrote.data.check import Check
from byrote.data.corruptions.contract import CorruptionContext, InputCorruption
from byrote.data.dataset import Dataset, moments


class AdditiveNoise(InputCorruption):
    """Gaussian noise added to the inputs, not clamped."""

    name = "additive-noise"
    description = (
        "to each value Gaussian noise is added, of STRENGTH times the standard deviation of its channel in the "
        "training set; not for tokens"
    )
    strength = 1.0
    of_quantities = True

    def redraw(
        self, inputs: Shaped[np.ndarray, "B ..."], generator: np.random.Generator, context: CorruptionContext
    ) -> Shaped[np.ndarray, "B ..."]:
        deviation = (context.strength * context.moments[1]).astype(np.float32)
        return inputs + deviation * generator.standard_normal(inputs.shape, dtype=np.float32)

    def check(self, clean: Dataset, corrupted: Dataset, strength: float) -> list[Check]:
        from byrote.data.corruptions.noise_laws import gaussian_noise  # SciPy is slow to import

        deviation = strength * moments(clean.train.inputs)[1]
        return [gaussian_noise(clean, corrupted, deviation, added=True, name="moments of added noise")]
