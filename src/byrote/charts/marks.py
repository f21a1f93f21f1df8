"""What charts are drawn with: points with their intervals, reference rules, tooltips, axes, looks of series.

An estimate is a row of the chart's data with its value and, where it has an interval, the ends "low" and "high".
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import altair as alt
import pandas as pd


def tip(field: str, title: str = "", number: str = "") -> alt.Tooltip:
    """A line of a tooltip: a number in the format `number`, or words; called `title`, or else like its field."""
    named: dict[str, Any] = {name: value for name, value in (("title", title), ("format", number)) if value}
    return alt.Tooltip(f"{field}:{'Q' if number else 'N'}", **named)


def estimate_tips(value: str, title: str, number: str, interval: str = "95% interval, ") -> list[alt.Tooltip]:
    """Three lines of a tooltip: an estimate and the ends of its interval."""
    return [tip(value, title, number), *(tip(end, f"{interval}{end}", number) for end in ("low", "high"))]


def dotted(**place: Any) -> alt.Chart:
    """A reference rule through the whole chart, at `x` or at `y`: a number, or what altair takes for the channel."""
    at = {name: value if isinstance(value, str) else alt.datum(value) for name, value in place.items()}
    return alt.Chart().mark_rule(strokeDash=[2, 3]).encode(**at)


def bars(base: alt.Chart, value: alt.X | alt.Y, data: pd.DataFrame, **looks: Any) -> list[alt.Chart]:
    """The intervals of estimates along the channel of `value`, cut where the axis ends; no layer where none has one."""
    return _from_low_to_high(base.mark_rule(strokeWidth=1.5, clip=True), value, data, looks)


def bands(base: alt.Chart, value: alt.X | alt.Y, data: pd.DataFrame, **looks: Any) -> list[alt.Chart]:
    """The same for estimates that a line joins."""
    return _from_low_to_high(base.mark_area(opacity=0.18, clip=True), value, data, looks)


def _from_low_to_high(
    marks: alt.Chart, value: alt.X | alt.Y, data: pd.DataFrame, looks: Mapping[str, Any]
) -> list[alt.Chart]:
    if not data["low"].notna().any():
        return []
    channel = _channel(value)
    return [marks.encode(**{channel: "low:Q", f"{channel}2": "high:Q"}, **looks)]


def points(
    base: alt.Chart, value: alt.X | alt.Y, tooltip: Sequence[alt.Tooltip], *, filled: str = "", **looks: Any
) -> alt.Chart:
    """A point at each `value`. With `filled`, a test of a row: hollow where it fails, and `looks` has a `fill`."""
    if filled:
        looks["fillOpacity"] = alt.condition(filled, alt.value(1), alt.value(0))
    mark = base.mark_point(filled=not filled, opacity=1)
    return mark.encode(**{_channel(value): value}, tooltip=list(tooltip), **looks)


def by_series(
    field: str, names: Iterable[str], channels: Sequence[str] = ("color", "fill", "shape"), **legend: Any
) -> dict[str, Any]:
    """Encodings that tell the series `names` apart, by colour and shape; all with one `legend`, where it is given."""
    kinds = {"color": alt.Color, "fill": alt.Fill, "shape": alt.Shape}
    scale = alt.Scale(domain=list(names))
    return {channel: kinds[channel](f"{field}:N", scale=scale, **legend) for channel in channels}


def logarithmic(number: str = ",d", at: Iterable[Any] | None = None, **scale: Any) -> dict[str, Any]:
    """Scale and axis of a channel, logarithmic, with ticks at the values `at`, or at some five."""
    ticks = {"tickCount": 5} if at is None else {"values": sorted(set(at))}
    axis = alt.Axis(format=number, labelOverlap=True, **ticks)
    return {"scale": alt.Scale(**{"type": "log", "nice": False, **scale}), "axis": axis}


def _channel(value: alt.X | alt.Y) -> str:
    return "x" if isinstance(value, alt.X) else "y"
