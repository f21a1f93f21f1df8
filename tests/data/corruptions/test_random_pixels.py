from __future__ import annotations

import numpy as np
from made_up import counted, failed

from byrote.data.corruptions.application import corrupt


def test_each_image_has_its_own_order_at_every_rate() -> None:
    data = counted(40, (2, 3, 3))
    whole, half = (corrupt(data, "random-pixels", rate=rate, seed=3) for rate in (1.0, 0.5))
    chosen = half.train.changed_inputs
    np.testing.assert_array_equal(half.train.inputs[chosen], whole.train.inputs[chosen])
    assert failed(data, whole, "random-pixels") == []
    assert failed(data, corrupt(data, "shuffled-pixels"), "random-pixels") == ["many permutations"]
