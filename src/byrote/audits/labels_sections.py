"""What the page shows of the stage of labels: what the list holds at each length, and its first rows."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import altair as alt
import pandas as pd

from byrote.audits.labels_findings import number_is_known
from byrote.audits.stage import Case, StageResult, picture_rows
from byrote.charts.figure import Figure, layered, rounded
from byrote.charts.sections import PageTable, Section

_KINDS = {"confused": "planted between classes that look alike", "uniform": "planted uniformly"}
_ASSUMPTION = (
    "What is stated assumes that errors strike rows of a class alike, hard and easy ones, and go between classes as "
    "rows that look otherwise than they are labelled do. Where people err on hard rows more, more errors are left."
)


def sections_of_labels(case: Case, result: StageResult) -> list[Section]:
    """The rates of the list, where they are known, how well labels are voted on, and the list."""
    figures, known = result.figures, number_is_known(result.figures)
    rates = [_rates_section(case, figures)] if known and figures["curve"] else []
    return [*rates, _voters_section(case, figures), *_list_sections(result)]


def _rates_section(case: Case, figures: Mapping[str, Any]) -> Section:
    lead = (
        "A list of the likeliest rows holds this, by its length: a share that is labelled rightly after all, and a "
        "share of the planted errors."
    )
    return Section(
        "wrong-labels",
        "The list of wrong labels",
        lead,
        figures=[_false_figure(case, figures), _recall_figure(case, figures)],
        note=_ASSUMPTION,
    )


def _false_figure(case: Case, figures: Mapping[str, Any]) -> Figure:
    data = rounded(pd.DataFrame(figures["curve"])[["length", "false_share", "low", "high"]])
    base = alt.Chart()
    x = alt.X("length:Q", title="length of the list")
    y = alt.Y("low:Q", title="labelled rightly", scale=alt.Scale(domain=[0, 1]), axis=alt.Axis(format="%"))
    band = base.mark_area(opacity=0.25).encode(x=x, y=y, y2="high:Q")
    line = base.mark_line().encode(x=x, y=alt.Y("false_share:Q"))
    return Figure(
        "wrong-labels-false",
        "False discoveries",
        case.material.title,
        "Line: the stated rate of false discoveries. Band: its 95% interval.",
        data,
        layered(band, line, data=data, height=240),
    )


def _recall_figure(case: Case, figures: Mapping[str, Any]) -> Figure:
    curve = pd.DataFrame(figures["curve"])
    parts = [
        curve[["length", f"recall_{kind}"]].rename(columns={f"recall_{kind}": "recall"}).assign(errors=words)
        for kind, words in _KINDS.items()
        if f"recall_{kind}" in curve
    ]
    data = rounded(pd.concat(parts, ignore_index=True))
    base = alt.Chart()
    lines = base.mark_line().encode(
        x=alt.X("length:Q", title="length of the list"),
        y=alt.Y("recall:Q", title="found", scale=alt.Scale(domain=[0, 1]), axis=alt.Axis(format="%")),
        color=alt.Color("errors:N", title=None),
    )
    return Figure(
        "wrong-labels-recall",
        "Planted errors that are found",
        case.material.title,
        "Each planted error is alone in otherwise unchanged labels.",
        data,
        layered(lines, data=data, height=240),
    )


def _voters_section(case: Case, figures: Mapping[str, Any]) -> Section:
    rows = [
        [name + (" (taken)" if name == figures["voter"] else ""), f"{100 * share:.1f}%"]
        for name, share in figures["planted_found_by"].items()
    ]
    in_words = {
        "neighbours": "the labels of the ten nearest rows",
        "ridge": "kernel ridge regression, each row left out",
        case.subject.name: "the audited model, fitted on other rows",
    }
    said = "; ".join(f"{name}: {in_words[name]}" for name in figures["planted_found_by"] if name in in_words)
    return Section(
        "label-voters",
        "Who says that a label is wrong",
        f"These shares of planted errors are found in lists of {figures['compared_at_length']:,} rows. {said}.",
        table=PageTable(("", "found"), {"": rows}),
    )


def _list_sections(result: StageResult) -> list[Section]:
    table, figures = result.tables["wrong_labels.csv"], result.figures
    if not len(table):
        return []
    lead = "Each stands with the label it has, the one that is suggested, and the chance that the first is wrong."
    note = "`wrong_labels.csv` has all of them, with reasons and copies. Nothing of your data was changed."
    if figures["pictures"]:
        shown = picture_rows(figures)
        return [Section("likely-wrong", "Labels that are likely wrong", lead, pictures=shown, note=note)]
    rows = [
        [
            f"{each['split']}: {each['place']}",
            *values,
            str(each["given_label"]),
            str(each["suggested_label"]),
            _chance(each["p_wrong"]),
        ]
        for each, values in zip(table.to_dict("records"), figures["rows"]["rows"], strict=False)
    ]
    header = ("row", *figures["rows"]["columns"], "label", "suggested", "wrong")
    return [
        Section("likely-wrong", "Labels that are likely wrong", lead, table=PageTable(header, {"": rows}), note=note)
    ]


def _chance(value: Any) -> str:
    return "–" if value in ("", None) or value != value else f"{100 * float(value):.0f}%"
