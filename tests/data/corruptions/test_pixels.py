from __future__ import annotations

import numpy as np

from byrote.data.corruptions.pixels import as_pixels


def test_positions_lie_on_one_axis() -> None:
    images = np.zeros((5, 3, 4, 2))
    assert as_pixels(images).shape == (5, 3, 8)
    assert as_pixels(np.zeros((5, 7))).shape == (5, 1, 7)
    as_pixels(images)[0, 0, 0] = 1
    assert images.sum() == 1
