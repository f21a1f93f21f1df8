"""The memorization stage's part of the page: the ladder as a figure, and all conditions in a table."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import altair as alt
import pandas as pd

from byrote.audits.memorization_findings import share, with_ends
from byrote.audits.stage import Case
from byrote.charts.figure import Figure, layered, rounded
from byrote.charts.sections import PageTable, Section


def sections_of_memorization(case: Case, figures: Mapping[str, Any]) -> list[Section]:
    """The accuracies on true, wrong and random labels, as a table and as figures."""
    rows = [_row(each) for each in figures["conditions"]]
    time = "steps to fit" if any(each["steps_to_fit"] for each in figures["conditions"]) else "seconds of a fit"
    header = ("fitted on", "right of these labels", "changed rows: as given", "their true label", "test", time)
    rest = (
        f"{figures['num_rows']:,} of {figures['num_train']:,} training rows"
        if figures["num_rows"] < figures["num_train"]
        else f"All {figures['num_rows']:,} training rows"
    )
    return [
        Section(
            "memorization",
            "Learning or rote",
            "The randomisation test on this model and data: fitted on true labels, on labels of which a share is drawn "
            "at random, on random labels, and on inputs without structure.",
            figures=[_figure(case, figures)],
            table=PageTable(header, {"": rows}),
            note=(
                f"{rest} are fitted, {figures['draws']} draws of random labels at each share. Test: balanced accuracy "
                "on test rows that training does not know, with its 95% interval over draws and rows; guessing has "
                f"{share(figures['guessing'])}."
            ),
        )
    ]


def _row(each: Mapping[str, Any]) -> list[str]:
    time = "–"
    if each["steps_to_fit"] is not None:
        time = f"{each['steps_to_fit']:,.0f}"
    elif each["seconds"] is not None:
        time = f"{each['seconds']:.2g}"
    given, true = each["changed_said_as_given"], each["changed_said_as_true"]
    return [
        each["condition"],
        share(each["train_accuracy"]["mean"]),
        share(None if given is None else given["mean"]),
        share(None if true is None else true["mean"]),
        with_ends(each["test"]),
        time,
    ]


def _figure(case: Case, figures: Mapping[str, Any]) -> Figure:
    rungs = [each for each in figures["conditions"] if each["test"] is not None]
    data = pd.DataFrame(
        {
            "rate": [each["rate"] for each in rungs],
            "test": [each["test"]["mean"] for each in rungs],
            "low": [each["test"]["low"] for each in rungs],
            "high": [each["test"]["high"] for each in rungs],
        }
    )
    at_random = 1 / figures["num_classes"]
    start = data["test"].iloc[0]
    data = rounded(
        data.assign(in_proportion=start + data["rate"] * (at_random - start), guessing=figures["guessing"]).astype(
            float
        )
    )
    base = alt.Chart()
    x = alt.X("rate:Q", title="share of random labels", axis=alt.Axis(format="%"))
    y = alt.Y("test:Q", title="balanced accuracy", axis=alt.Axis(format="%"))
    bars = base.mark_rule().encode(x=x, y=alt.Y("low:Q"), y2="high:Q")
    line = base.mark_line(point=True).encode(x=x, y=y)
    straight = base.mark_line(strokeDash=[4, 3]).encode(x=x, y=alt.Y("in_proportion:Q"))
    guess = base.mark_line(strokeDash=[1, 3]).encode(x=x, y=alt.Y("guessing:Q"))
    caption = (
        "Line: test accuracy against the share of random labels, with 95% intervals. Dashes: what copies the label of "
        "the nearest row loses. Dots: guessing."
    )
    return Figure(
        "memorization",
        "Test accuracy against random labels",
        case.material.title,
        caption,
        data,
        layered(bars, line, straight, guess, data=data, height=240),
    )
