from __future__ import annotations

import altair as alt
import pandas as pd
import pytest

from byrote.charts.figure import layered
from byrote.charts.marks import bars, by_series, dotted, estimate_tips, logarithmic, points, tip

DATA = pd.DataFrame({"n": [1, 2], "net": ["a", "b"], "value": [0.2, 0.4], "low": [0.1, 0.3], "high": [0.3, 0.5]})
BASE = alt.Chart().encode(x="n:Q")
VALUE = alt.Y("value:Q", title="accuracy", scale=alt.Scale(domain=[0, 1]))


def drawn(*layers: alt.Chart) -> list[dict[str, object]]:
    return layered(*layers, data=DATA, height=100).to_dict()["layer"]


def test_an_estimate_is_a_point_over_its_bar_and_told_on_hovering() -> None:
    tips = [tip("net"), *estimate_tips("value", "accuracy", ".1%"), tip("n", "examples", ",")]
    bar, point = drawn(*bars(BASE, VALUE, DATA), points(BASE, VALUE, tips, color="net:N"))
    assert bar["mark"] == {"type": "rule", "strokeWidth": 1.5, "clip": True}
    assert [bar["encoding"][name]["field"] for name in ("y", "y2")] == ["low", "high"]
    assert point["mark"] == {"type": "point", "filled": True, "opacity": 1}
    told = [(line["field"], line.get("title"), line.get("format")) for line in point["encoding"]["tooltip"]]
    assert told == [
        ("net", None, None),
        ("value", "accuracy", ".1%"),
        ("low", "95% interval, low", ".1%"),
        ("high", "95% interval, high", ".1%"),
        ("n", "examples", ","),
    ]


def test_bars_lie_along_the_estimate_and_are_left_out_where_there_are_none() -> None:
    (bar,) = drawn(*bars(BASE, alt.X("value:Q"), DATA))
    assert (bar["encoding"]["x"]["field"], bar["encoding"]["x2"]["field"]) == ("low", "high")
    assert bars(BASE, VALUE, DATA.assign(low=float("nan"))) == []


def test_a_point_that_fails_a_test_is_hollow() -> None:
    looks = by_series("net", ["a", "b"], legend=None)
    (point,) = drawn(points(BASE, VALUE, [], filled="datum.n > 1", **looks))
    assert point["mark"]["filled"] is False
    assert point["encoding"]["fillOpacity"] == {"condition": {"test": "datum.n > 1", "value": 1}, "value": 0}
    assert {name: point["encoding"][name]["scale"]["domain"] for name in looks} == {key: ["a", "b"] for key in looks}
    assert all(point["encoding"][name]["legend"] is None for name in looks)


@pytest.mark.parametrize(("place", "expected"), [(1.0, {"datum": 1.0}), ("mean(n):Q", {"field": "n"})])
def test_a_rule_stands_at_a_number_or_a_field(place: float | str, expected: dict[str, object]) -> None:
    (rule,) = drawn(dotted(x=place))
    assert rule["mark"]["strokeDash"] == [2, 3]
    assert expected.items() <= rule["encoding"]["x"].items()


def test_logarithmic_axes_have_ticks_at_what_was_tried_or_some_five() -> None:
    channel = alt.X("n:Q", **logarithmic(at=[4, 1, 4], padding=12)).to_dict()
    assert channel["scale"] == {"type": "log", "nice": False, "padding": 12}
    assert channel["axis"] == {"format": ",d", "labelOverlap": True, "values": [1, 4]}
    assert alt.X("n:Q", **logarithmic("~s")).to_dict()["axis"]["tickCount"] == 5
