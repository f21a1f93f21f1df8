from __future__ import annotations

import math

from byrote.charts.cells import accuracy_cell, half_width, points_cell, steps_cell
from byrote.charts.sections import Cell
from byrote.evidence.intervals import Interval

ACCURACY = Interval(0.9712, 0.9682, 0.9742, 3)
ONE_SEED = Interval(0.9712, math.nan, math.nan, 1)
NONE = Interval(math.nan, math.nan, math.nan, 2)


def test_an_accuracy_has_half_of_its_interval_and_notes_beside_it() -> None:
    assert accuracy_cell(ACCURACY) == Cell("97.1%", note="± 0.3")
    assert accuracy_cell(ACCURACY, "", "not fitted", digits=2, tone="unsure") == Cell(
        "97.12%", "unsure", "± 0.3, not fitted"
    )
    assert accuracy_cell(ONE_SEED) == Cell("97.1%")
    assert accuracy_cell(NONE) == Cell("–")


def test_a_difference_is_in_points() -> None:
    assert points_cell(Interval(-0.012, -0.015, -0.009, 3), " points") == Cell("-1.2 points", note="± 0.3")
    assert points_cell(NONE) == "–"


def test_steps_are_whole_or_never_arrived() -> None:
    assert steps_cell(Interval(1200.4, 1170.2, 1230.6, 2), "never") == Cell("1,200", note="± 30")
    assert steps_cell(NONE, "never") == "never"


def test_a_ratio_has_units_of_its_own() -> None:
    assert half_width(Interval(2.0, 1.5, 2.5, 3), 1, 2) == "± 0.50"
