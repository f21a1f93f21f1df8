"""Cells of tables for estimates with their intervals, the same on all pages."""

from __future__ import annotations

import math

from byrote.charts.sections import Cell, Tone
from byrote.evidence.intervals import Interval
from byrote.evidence.words import percent


def half_width(interval: Interval, scale: int = 100, digits: int = 1) -> str:
    """ "± 0.3", half of an interval in units of 1/scale; "" where there is none."""
    return "" if math.isnan(interval.low) else f"± {scale * (interval.high - interval.low) / 2:,.{digits}f}"


def accuracy_cell(interval: Interval, *notes: str, digits: int = 1, tone: Tone = "") -> Cell:
    """ "97.1%", beside it "± 0.3" where there is an interval, and the notes that are not ""."""
    return Cell(percent(interval.mean, digits), tone, ", ".join(filter(None, [half_width(interval), *notes])))


def points_cell(interval: Interval, unit: str = "") -> str | Cell:
    """ "+1.2", of a difference of accuracies in percentage points, and beside it "± 0.3"; "–" of none."""
    if math.isnan(interval.mean):
        return "–"
    return Cell(f"{100 * interval.mean:+.1f}{unit}", note=half_width(interval))


def steps_cell(interval: Interval, none: str | Cell) -> str | Cell:
    """ "1,200", beside it "± 30"; `none` where a run has not arrived."""
    return none if math.isnan(interval.mean) else Cell(f"{interval.mean:,.0f}", note=half_width(interval, 1, 0))
