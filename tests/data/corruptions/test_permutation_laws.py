from __future__ import annotations

from dataclasses import replace

import numpy as np
from made_up import counted

from byrote.data.corruptions.application import corrupt
from byrote.data.corruptions.permutation_laws import permuted_places
from byrote.data.dataset import Dataset


def test_values_that_are_no_images_own_fail_as_one_and_as_many() -> None:
    """More of both checks, by mistakes made by hand, in tests/training/test_checks.py."""
    data = counted(60, (1, 4, 4))

    def found(corrupted: Dataset, *, is_one: bool) -> bool:
        return permuted_places(data, corrupted, is_one=is_one).passed

    for name, is_one in (("shuffled-pixels", True), ("random-pixels", False)):
        moved = corrupt(data, name)
        assert found(moved, is_one=is_one)
        inputs = np.where(np.arange(60)[:, None, None, None] == 7, 0, moved.train.inputs)
        assert not found(replace(moved, train=replace(moved.train, inputs=inputs)), is_one=is_one)
