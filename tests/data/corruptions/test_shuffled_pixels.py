from __future__ import annotations

import numpy as np
from made_up import counted, failed

from byrote.data.corruptions.application import corrupt


def test_one_order_for_both_splits_and_every_rate() -> None:
    data = counted(40, (2, 3, 3))
    whole, half = (corrupt(data, "shuffled-pixels", rate=rate, seed=3) for rate in (1.0, 0.5))
    np.testing.assert_array_equal(whole.train.inputs, whole.test.inputs)
    chosen = half.train.changed_inputs
    np.testing.assert_array_equal(half.train.inputs[chosen], whole.train.inputs[chosen])
    assert failed(data, whole, "shuffled-pixels") == []
    assert failed(data, corrupt(data, "random-pixels"), "shuffled-pixels") == ["one permutation"]
