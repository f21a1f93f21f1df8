from __future__ import annotations

import numpy as np
import pytest
from made_up import counted, failed, sound, with_labels

from byrote.data.corruptions.application import corrupt
from byrote.data.corruptions.constant_class import ConstantClass


def test_at_rate_1_there_is_one_class() -> None:
    noisy = corrupt(counted(50, (1,), 5), "constant-class").train
    assert not noisy.labels.any()
    np.testing.assert_array_equal(noisy.changed, noisy.true_labels != 0)


@pytest.mark.parametrize("rate", [0.0, 0.4, 1.0])
def test_its_checks(rate: float) -> None:
    data = counted(300, (1,), 3)
    assert sound(data, "constant-class", rate)
    assert failed(data, with_labels(data, np.full(300, 2)), "constant-class", rate) != []


def test_nothing_of_it_needs_memory_at_rate_1() -> None:
    sizes = np.array([10, 30])
    assert ConstantClass().predictable(1.0, sizes) == 1
    assert ConstantClass().predictable(0.4, sizes) == pytest.approx((10 + 0.6 * 30) / 40)
