"""The paper's random pixels (section 2): a permutation of the positions for each image of its own."""

from __future__ import annotations

import numpy as np
from jaxtyping import Shaped

from byrote.data.check import Check
from byrote.data.corruptions.contract import CorruptionContext, InputCorruption
from byrote.data.corruptions.pixels import as_pixels
from byrote.data.dataset import Dataset
from byrote.randomness import permutations


class RandomPixels(InputCorruption):
    """A random permutation of the pixel positions of each image."""

    name = "random-pixels"
    description = "a permutation of the pixel positions for each image of its own"
    of_places = True
    destroys_structure = True

    def redraw(
        self,
        inputs: Shaped[np.ndarray, "B ..."],
        generator: np.random.Generator,
        context: CorruptionContext,  # noqa: ARG002 - it needs to know of nothing else
    ) -> Shaped[np.ndarray, "B ..."]:
        pixels = as_pixels(inputs)
        num_images, num_channels, num_pixels = pixels.shape
        orders = permutations(generator, num_images, num_pixels)
        orders += np.arange(num_images)[:, None] * num_pixels
        moved = [np.take(np.ascontiguousarray(pixels[:, channel]), orders) for channel in range(num_channels)]
        return np.stack(moved, axis=1).reshape(inputs.shape)

    def check(self, clean: Dataset, corrupted: Dataset, strength: float) -> list[Check]:  # noqa: ARG002
        from byrote.data.corruptions.permutation_laws import permuted_places  # SciPy is slow to import

        return [permuted_places(clean, corrupted, is_one=False)]
