from __future__ import annotations

import numpy as np
import pytest

from byrote.report.label_places import label_places


def places(*points, names=None):
    x, y = np.array(points, dtype=float).T
    return label_places(x, y, names or ["architecture"] * len(points), height=300)


def test_a_lone_point_has_its_name_above():
    assert places((0.5, 0.5)) == ["above"]


@pytest.mark.parametrize(("x", "place"), [(0.02, "right"), (0.98, "left")])
def test_a_name_does_not_leave_the_chart(x, place):
    assert places((x, 0.5)) == [place]


def test_a_name_does_not_cover_the_next_point():
    assert places((0.5, 0.5), (0.5, 0.56))[0] == "below"


@pytest.mark.parametrize("gap", [0.0, 0.02])
def test_names_of_points_close_together_are_apart(gap):
    found = places((0.5, 0.5), (0.5 + gap, 0.5 + gap), names=["one", "two"])
    assert found[0] != found[1]


def test_what_lies_far_apart_does_not_matter():
    assert places((0.5, 0.1), (0.5, 0.5), (0.5, 0.9)) == ["above"] * 3


def test_the_order_of_points_is_kept():
    assert places((0.98, 0.5), (0.02, 0.2)) == ["left", "right"]
