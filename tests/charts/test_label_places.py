from __future__ import annotations

from itertools import combinations

import numpy as np
import pytest

from byrote.charts.label_places import PLACES, label_places

ABOVE, BELOW = PLACES[:2]


def places(*points):
    x, y = np.array(points, dtype=float).T
    return label_places(x, y, ["architecture"] * len(points), height=300)


def test_a_lone_point_has_its_name_above():
    assert places((0.5, 0.5)) == [ABOVE]


@pytest.mark.parametrize(("x", "align"), [(0.02, "left"), (0.98, "right")])
def test_a_name_does_not_leave_the_chart(x, align):
    assert places((x, 0.5))[0].align == align


def test_a_name_does_not_cover_the_next_point():
    assert places((0.5, 0.5), (0.5, 0.55))[0] == BELOW


@pytest.mark.parametrize("num_points", [2, 3, 4])
def test_names_of_points_close_together_are_apart(num_points):
    x = 0.5 + 0.04 * np.arange(num_points)
    found = places(*((left, 0.5) for left in x))
    width, shift = 12 * 6.6, {"left": 0.0, "center": -0.5, "right": -1.0}
    starts = [270 * left + place.dx + shift[place.align] * width for left, place in zip(x, found, strict=True)]
    for one, other in combinations(range(num_points), 2):
        assert abs(starts[one] - starts[other]) >= width or abs(found[one].dy - found[other].dy) >= 13


def test_what_lies_far_apart_does_not_matter():
    assert places((0.5, 0.1), (0.5, 0.5), (0.5, 0.9)) == [ABOVE] * 3


def test_the_order_of_points_is_kept():
    assert [place.align for place in places((0.98, 0.5), (0.02, 0.2))] == ["right", "left"]
