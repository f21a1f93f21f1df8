from __future__ import annotations

import numpy as np

from byrote.data.corruptions.uniform_labels import UniformLabels


def test_the_class_tells_less_the_more_labels_are_redrawn() -> None:
    sizes = np.array([30, 50, 20, 0])
    assert UniformLabels().predictable(0.0, sizes) == 1
    assert UniformLabels().predictable(1.0, sizes) == 1 / 4
    np.testing.assert_allclose(UniformLabels().law(0.4, sizes)[0], [0.7, 0.1, 0.1, 0.1])
