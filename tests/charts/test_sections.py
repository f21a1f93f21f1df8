from __future__ import annotations

import altair as alt
import pandas as pd

from byrote.charts.figure import Figure
from byrote.charts.sections import Presentation, Section


def figure(name: str) -> Figure:
    return Figure(name, name, "", "", pd.DataFrame(), alt.LayerChart(layer=[]))


def test_the_figures_of_a_page_are_those_of_its_sections_in_order() -> None:
    shown = Presentation(
        "It learns.",
        [
            Section("a", "A", "", figures=[figure("one"), figure("two")]),
            Section("b", "B", ""),
            Section("c", "C", "", figures=[figure("three")]),
        ],
    )
    assert [each.name for each in shown.figures] == ["one", "two", "three"]
