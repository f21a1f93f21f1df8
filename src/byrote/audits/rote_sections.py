"""The rote stage's part of the page: how much of labels is known by rote, the rows of which most is, who is told."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import altair as alt
import numpy as np
import pandas as pd

from byrote.audits.stage import Case
from byrote.charts.examples import picture_of
from byrote.charts.figure import Figure, layered, rounded
from byrote.charts.marks import by_series, dotted, tip
from byrote.charts.sections import Cell, PageTable, Picture, PictureRow, Section
from byrote.evidence.words import percent

_SHOWN = 12
_ATTACKS = {"lira": "LiRA", "rmia": "RMIA"}


def sections_of_rote(case: Case, figures: Mapping[str, Any], table: pd.DataFrame) -> list[Section]:
    """Of the stage's figures and its table of rows, those most known by rote first."""
    most = table.head(_SHOWN)
    rest = (
        f" {figures['num_rows']:,} of {figures['num_train']:,} training rows were asked about."
        if figures["num_rows"] < figures["num_train"]
        else ""
    )
    scores = Section(
        "rote",
        "Known by rote",
        "A score is how often fits on halves of the rows that have a row in them give its label, minus how often the "
        "others do: it is 1 where the label is known from that row alone.",
        figures=[_scores_figure(case, table)],
        table=PageTable(("", "right with it", "right without", "by rote", "told"), {"": _rows_of(most)}),
        pictures=_pictures(case, most),
        note=f"{figures['num_fits']} fits, each on a random half.{rest} Told: by LiRA, at a false-positive rate of 1%. "
        "All rows are in `rote.csv`.",
    )
    attacks: list[list[str | Cell]] = [
        [
            name,
            Cell(f"{found['auc']['mean']:.3f}", note=_ends(found["auc"], lambda end: f"{end:.3f}")),
            *(
                Cell(percent(found[each]["mean"]), note=_ends(found[each], percent))
                for each in ("told_at_0.1%", "told_at_1%")
            ),
        ]
        for attack, name in _ATTACKS.items()
        for found in (figures[attack],)
    ]
    members = Section(
        "members",
        "Who it was fitted on",
        "An attacker who sees the answers, and can fit the same model on other rows of the same kind, can tell this "
        "much.",
        figures=[_roc_figure(case, figures)],
        table=PageTable(("", "AUC", "told at 0.1% false alarms", "at 1%"), {"": attacks}),
    )
    return [scores, members]


def _rows_of(most: pd.DataFrame) -> list[list[str | Cell]]:
    return [
        [
            Cell(str(row["place"]), note=str(row["label"])),
            percent(row["right_with_it"]),
            percent(row["right_without"]),
            Cell(percent(row["memorization"]), note=f"{percent(row['low'])} to {percent(row['high'])}"),
            Cell(percent(row["told_at_1%"]), note=f"{percent(row['told_low'])} to {percent(row['told_high'])}"),
        ]
        for row in most.to_dict("records")
    ]


def _ends(found: Mapping[str, Any], words: Any) -> str:
    return "" if found["low"] is None else f"{words(found['low'])} to {words(found['high'])}"


def _pictures(case: Case, most: pd.DataFrame) -> list[PictureRow]:
    material, look = case.material, case.material.look
    if look.kind != "images":
        return []
    shown = []
    for each in most.to_dict("records"):
        pixels = look.take(np.asarray(material.train.inputs)[[each["row"]]])[0]
        shares = [percent(each[name], 0) for name in ("right_with_it", "right_without")]
        words = f"{each['label']}: {shares[0]} with it, {shares[1]} without"
        shown.append(Picture(picture_of(pixels, look.pixel_max), words, str(each["place"])))
    return [PictureRow("Most known by rote", shown)]


def _scores_figure(case: Case, table: pd.DataFrame) -> Figure:
    edges = np.linspace(-1, 1, 41)
    counts, _ = np.histogram(table["memorization"].clip(-1, 1), edges)
    data = rounded(pd.DataFrame({"low": edges[:-1], "high": edges[1:], "rows": counts}))
    data = data[(data["rows"] > 0) | (data["low"] >= 0)].reset_index(drop=True)
    y = alt.Y("rows:Q", title="rows", scale=alt.Scale(type="symlog"), axis=alt.Axis(tickCount=4, format=",d"))
    x = alt.X("low:Q", title="right with the row minus right without")
    tips = [tip("low", "from", ".2f"), tip("high", "to", ".2f"), tip("rows", "", ",")]
    return Figure(
        "rote",
        "Labels known by rote",
        case.material.title,
        "Training rows by how much of their label is known by rote. The rule is one half.",
        data,
        layered(
            alt.Chart().mark_rect().encode(x=x, x2="high:Q", y=y, y2=alt.datum(0), tooltip=tips),
            dotted(x=0.5),
            data=data,
            height=220,
        ),
    )


def _roc_figure(case: Case, figures: Mapping[str, Any]) -> Figure:
    rows = [
        {"attack": name, "false_positive_rate": rate, "true_positive_rate": share}
        for attack, name in _ATTACKS.items()
        for rate, share in zip(figures["roc_rates"], figures[attack]["roc"], strict=True)
        if rate > 0 and share > 0
    ]
    data = rounded(pd.DataFrame(rows, columns=["attack", "false_positive_rate", "true_positive_rate"]))
    data["guessing"] = data["false_positive_rate"]
    shares = alt.Axis(format="~%", values=[1e-4, 1e-3, 1e-2, 0.1, 1])
    scale = alt.Scale(type="log", nice=False)
    x = alt.X("false_positive_rate:Q", title="others taken for members", scale=scale, axis=shares)
    y = alt.Y("true_positive_rate:Q", title="members told", scale=scale, axis=shares)
    tips = [tip("attack"), tip("false_positive_rate", "", ".2%"), tip("true_positive_rate", "", ".1%")]
    base = alt.Chart()
    return Figure(
        "members",
        "Members told, against false alarms",
        case.material.title,
        "Over all fits and rows, with one threshold for all; both axes are logarithmic. Dotted: guessing.",
        data,
        layered(
            base.mark_line(strokeDash=[2, 3]).encode(x=x, y=alt.Y("guessing:Q")),
            base.mark_line().encode(x=x, y=y, tooltip=tips, **by_series("attack", _ATTACKS.values(), ("color",))),
            data=data,
            height=260,
        ),
    )
