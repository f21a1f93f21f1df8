from __future__ import annotations

import numpy as np

from byrote.data.check import newly_changed
from byrote.data.dataset import Split


def test_what_was_changed_before_is_not_new() -> None:
    def split(*changed: bool) -> Split:
        return Split(np.zeros((3, 1)), np.zeros(3, np.int64), np.zeros(3, np.int64), np.array(changed))

    np.testing.assert_array_equal(newly_changed(split(True, False, False), split(True, True, False)), [0, 1, 0])
