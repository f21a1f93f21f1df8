"""The paper's shuffled pixels (section 2): one permutation of the positions, for all images of both splits."""

from __future__ import annotations

import numpy as np
from jaxtyping import Shaped

from byrote.data.check import Check
from byrote.data.corruptions.contract import CorruptionContext, InputCorruption
from byrote.data.corruptions.pixels import as_pixels
from byrote.data.dataset import Dataset
from byrote.randomness import permutation, stream


class ShuffledPixels(InputCorruption):
    """One random permutation of the pixel positions, the same for all images."""

    name = "shuffled-pixels"
    description = (
        "one permutation of the pixel positions (of features, of places in a sequence of tokens), the same for all "
        "images"
    )
    of_places = True
    destroys_structure = True  # that of places, of which the paper speaks

    def redraw(
        self,
        inputs: Shaped[np.ndarray, "B ..."],
        generator: np.random.Generator,  # noqa: ARG002 - the blocks share one
        context: CorruptionContext,
    ) -> Shaped[np.ndarray, "B ..."]:
        pixels = as_pixels(inputs)
        order = permutation(stream(context.seed, "inputs", "permutation"), pixels.shape[2])
        return np.take(pixels, order, axis=2).reshape(inputs.shape)

    def check(self, clean: Dataset, corrupted: Dataset, strength: float) -> list[Check]:  # noqa: ARG002
        from byrote.data.corruptions.permutation_laws import permuted_places  # SciPy is slow to import

        return [permuted_places(clean, corrupted, is_one=True)]
