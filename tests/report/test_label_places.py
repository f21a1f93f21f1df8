from __future__ import annotations

import numpy as np
import pytest

from byrote.report.label_places import label_places


def places(*points, names=None):
    x, y = np.array(points, dtype=float).T
    return label_places(x, y, names or ["architecture"] * len(points), height=300)


def test_a_lone_point_has_its_name_to_the_right():
    assert places((0.2, 0.5)) == ["right"]


def test_a_name_does_not_leave_the_chart():
    assert places((0.95, 0.5)) == ["left"]


def test_a_name_does_not_cover_the_next_point():
    assert places((0.2, 0.5), (0.3, 0.5))[0] != "right"


@pytest.mark.parametrize("gap", [0.0, 0.02])
def test_names_of_points_close_together_are_apart(gap):
    found = places((0.5, 0.5), (0.5 + gap, 0.5 + gap), names=["one", "two"])
    assert found[0] != found[1]


def test_what_lies_far_apart_does_not_matter():
    assert places((0.2, 0.1), (0.2, 0.5), (0.2, 0.9)) == ["right"] * 3


def test_the_order_of_points_is_kept():
    assert places((0.95, 0.5), (0.1, 0.2)) == ["left", "right"]
