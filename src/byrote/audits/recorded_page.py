"""The page of a recorded run: the list of wrong labels, the data map, and examples that are hard, easy or forgotten."""

from __future__ import annotations

import math
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import altair as alt
import numpy as np
import pandas as pd
from jaxtyping import Int64

from byrote.audits.page import page_html, write_parts
from byrote.charts.examples import painter
from byrote.charts.figure import Figure, layered, rounded
from byrote.charts.marks import tip
from byrote.charts.sections import PageTable, Picture, PictureRow, Section
from byrote.randomness import stream
from byrote.recording.planting import ErrorKind

if TYPE_CHECKING:
    from byrote.audits.recorded_audit import RecordedAudit

_TITLES = {"labels": "Which labels are wrong?", "rote": "What is learnt by rote, and what is forgotten?"}
_MOST_POINTS = 2_000
"""On the data map: more hide each other, and the page grows."""
_SHOWN = 16
_ASSUMPTION: Mapping[ErrorKind, str] = {
    "uniform": "Planted errors are uniform: they go to any other class alike, from easy and hard examples alike. "
    "Errors that people make between classes that look alike fare more as right labels do; where most are of that "
    "kind, more are left than is said, and `plant(confusions=...)` plants such.",
    "confusable": "Planted errors go between classes as often as these are taken for each other, from easy and hard "
    "examples alike. Errors between classes that look less alike stand out more; where most are of that kind, fewer "
    "are left than is said.",
}
_NOT_JUDGED = "Examples in which errors were planted are not judged themselves."
_GROUPS = ("planted errors", "likely wrong", "others")


def write_page(path: Path, audit: RecordedAudit) -> None:
    """Writes the page, and its figures into a folder beside it."""
    parts = sections(audit)
    model = f"a run of {audit.recording.num_epochs} epochs"
    write_parts(path, parts, page_html(audit, _TITLES, parts, notes(audit), title=audit.title, model=model))


def sections(audit: RecordedAudit) -> list[Section]:
    """In the order of the page."""
    return [*_label_sections(audit), _map_section(audit), _forgetting_section(audit), *_example_sections(audit)]


def notes(audit: RecordedAudit) -> list[str]:
    """How to read the page."""
    recording, found = audit.recording, audit.courses
    planted = 0 if recording.planted is None else len(recording.planted.rows)
    about = (
        f"Recorded: {recording.num_epochs} epochs of {recording.num_examples:,} examples of {recording.num_classes} "
        f"classes, {planted:,} of them with a planted error. byrote trained nothing."
    )
    taken = (
        "Each figure of an example is from the step that trained on it, before the weights changed; with augmentation "
        "and dropout, as the loop used them."
    )
    said = [about, taken, "`examples.csv` has every example with its row, `wrong_labels.csv` the ranked list."]
    unseen = int((found.num_seen == 0).sum())
    if unseen:
        said.append(f"{unseen:,} examples were in no epoch, or never had a finite loss.")
    if recording.incomplete_epochs:
        plural = " that did not come whole is" if recording.incomplete_epochs == 1 else "s that did not come whole are"
        said.append(f"{recording.incomplete_epochs} epoch{plural} not in the record.")
    if recording.num_not_finite:
        said.append(f"{recording.num_not_finite:,} losses were not finite, and were left out.")
    return said


def _label_sections(audit: RecordedAudit) -> list[Section]:
    found = audit.labels
    parts = []
    planted = audit.recording.planted
    if found is not None and planted is not None and audit.is_known:
        rows = [
            [f"{length:,}", f"{100 * false:.1f}%", f"{100 * low:.1f} to {100 * high:.1f}%", f"{100 * recall:.1f}%"]
            for length, false, low, high, recall in audit.lists()
        ]
        best = "; ".join(f"{name}: {100 * share:.1f}%" for name, share in found.found_by.items())
        parts.append(
            Section(
                "wrong-labels",
                "The list of wrong labels",
                "Lists of the likeliest examples hold this much, by their length.",
                table=PageTable(("length", "labelled rightly", "95% interval", "planted errors found"), {"": rows}),
                note=f"Ranked by {found.score}, by which planted errors are found best (in lists of "
                f"{found.compared_at:,}: {best}). {_ASSUMPTION[planted.kind]} {_NOT_JUDGED}",
            )
        )
    table = audit.wrong_labels.head(_SHOWN)
    if not len(table):
        return parts

    def sure(chance: float) -> str:
        return "–" if math.isnan(chance) else f"{100 * chance:.0f}%"

    listed = [
        [
            str(row["place"]),
            str(row["given_label"]),
            str(row["suggested_label"]),
            sure(row["p_wrong"]),
            "–" if math.isnan(row["p_wrong"]) else f"{100 * row['p_low']:.0f} to {100 * row['p_high']:.0f}%",
        ]
        for row in table.to_dict("records")
    ]
    header = ("example", "given label", "suggested label", "wrong", "95% interval")
    parts.append(
        Section(
            "suspects",
            "The first of the list",
            "Each stands with the label that it has and the class that most often came first of the others.",
            table=PageTable(header, {"": listed}),
            pictures=_pictures(audit, table["row"].to_numpy(np.int64), "Their pictures"),
        )
    )
    return parts


def _map_section(audit: RecordedAudit) -> Section:
    lead = (
        "Each point is an example. Easy ones lie at the top left, ambiguous ones to the right, and hard ones, wrong "
        "labels among them, at the bottom left."
    )
    return Section("data-map", "The data map", lead, figures=[_map_figure(audit), _learning_figure(audit)])


def _group_of(audit: RecordedAudit) -> Int64[np.ndarray, " N"]:
    """Positions in _GROUPS."""
    group = np.full(audit.recording.num_examples, 2)
    group[audit.likely_wrong] = 1
    if audit.recording.planted is not None:
        group[audit.recording.planted.rows] = 0
    return group


def _map_figure(audit: RecordedAudit) -> Figure:
    found, group = audit.courses, _group_of(audit)
    seen = np.flatnonzero(found.num_seen > 0)
    chosen = np.sort(stream(0, "points of the data map").permutation(seen)[:_MOST_POINTS])
    data = rounded(
        pd.DataFrame(
            {
                "row": chosen,
                "label": [audit.class_name(label) for label in audit.recording.labels[chosen].tolist()],
                "variability": found.variability[chosen],
                "confidence": found.confidence[chosen],
                "correctness": found.correctness[chosen],
                "examples": [_GROUPS[each] for each in group[chosen].tolist()],
            }
        )
    )
    points = (
        alt.Chart()
        .mark_point(filled=True, opacity=0.6, size=28)
        .encode(
            x=alt.X("variability:Q", title="variability of its probability", axis=alt.Axis(tickCount=4)),
            y=alt.Y("confidence:Q", title="mean probability of its label", scale=alt.Scale(domain=[0, 1])),
            color=alt.Color(
                "correctness:Q",
                title="epochs right",
                scale=alt.Scale(domain=[0, 1]),
                legend=alt.Legend(orient="bottom"),  # beside the other, one of the two would be cut off
            ),
            shape=alt.Shape(
                "examples:N", scale=alt.Scale(domain=list(_GROUPS), range=["cross", "triangle-up", "circle"])
            ),
            tooltip=[
                tip("row", number="d"),
                tip("label"),
                tip("examples"),
                *(tip(name, number=".2f") for name in ("confidence", "variability", "correctness")),
            ],
        )
    )
    drawn = "All" if len(chosen) == len(seen) else f"{len(chosen):,} of {len(seen):,}"
    caption = f"{drawn} examples, over {audit.recording.num_epochs} epochs (Swayamdipta et al., 2020)."
    return Figure("data-map", "Data map", audit.title, caption, data, layered(points, data=data, height=360))


def _learning_figure(audit: RecordedAudit) -> Figure:
    group, rows = _group_of(audit), []
    for epoch, margin in enumerate(audit.recording.margin):
        known = ~np.isnan(margin)
        for number, name in enumerate(_GROUPS):
            inside = known & (group == number)
            if inside.any():
                rows.append((epoch + 1, name, float((margin[inside] > 0).mean()), int(inside.sum())))
    data = rounded(pd.DataFrame(rows, columns=["epoch", "examples", "right", "num"]))
    scale = alt.Scale(domain=list(_GROUPS))
    line = (
        alt.Chart()
        .mark_line(point=True)
        .encode(
            x=alt.X("epoch:Q", title="epoch", axis=alt.Axis(format="d", tickMinStep=1)),
            y=alt.Y(
                "right:Q", title="predicted as labelled", scale=alt.Scale(domain=[0, 1]), axis=alt.Axis(format="%")
            ),
            color=alt.Color("examples:N", scale=scale),
            strokeDash=alt.StrokeDash("examples:N", scale=scale),
            tooltip=[tip("examples"), tip("epoch", number="d"), tip("right", number=".1%"), tip("num", number=",d")],
        )
    )
    caption = "The share of examples whose label is predicted while they are trained on: wrong ones are learnt by rote."
    return Figure("learnt-when", "Learnt when", audit.title, caption, data, layered(line, data=data, height=360))


def _forgetting_section(audit: RecordedAudit) -> Section:
    found = audit.courses
    seen = found.num_seen > 0
    total = int(seen.sum())
    counts = {
        "never learnt": seen & (found.learnt == 0),
        "learnt, never forgotten": seen & (found.learnt > 0) & (found.forgotten == 0),
        "forgotten once": found.forgotten == 1,
        "forgotten two or three times": (found.forgotten >= 2) & (found.forgotten <= 3),
        "forgotten more often": found.forgotten > 3,
    }
    rows = [[name, f"{int(each.sum()):,}", f"{100 * each.sum() / max(total, 1):.1f}%"] for name, each in counts.items()]
    lead = "An example is forgotten when it is predicted as labelled in one epoch and otherwise in its next one."
    return Section("forgetting", "Forgetting", lead, table=PageTable(("", "examples", "share"), {"": rows}))


def _example_sections(audit: RecordedAudit) -> list[Section]:
    found = audit.courses
    lists = (
        ("hardest", "Hard examples", "Here are those whose label had the lowest mean probability.", -found.confidence),
        ("ambiguous", "Ambiguous examples", "Here are those whose probability varied most.", found.variability),
        ("easiest", "Easy examples", "Here are those whose label had the highest mean probability.", found.confidence),
        (
            "most-forgotten",
            "Forgotten examples",
            "Here are those that were forgotten most often.",
            np.where(found.forgotten > 0, found.forgotten.astype(np.float64), np.nan),
        ),
    )
    parts = []
    for identity, title, lead, values in lists:
        rows = audit.ranked(values, _SHOWN)
        rows = rows[~np.isnan(values[rows])]
        if not len(rows):
            continue
        cells = [
            [
                audit.place(row),
                audit.class_name(int(audit.recording.labels[row])),
                f"{found.confidence[row]:.3f}",
                f"{found.variability[row]:.3f}",
                f"{100 * found.correctness[row]:.0f}%",
                f"{found.forgotten[row]}",
            ]
            for row in rows.tolist()
        ]
        header = ("example", "label", "mean probability", "variability", "epochs right", "forgotten")
        parts.append(
            Section(
                identity,
                title,
                f"{lead} Planted errors and labels that are likely wrong are not among them.",
                table=PageTable(header, {"": cells}),
                pictures=_pictures(audit, rows, "Their pictures"),
            )
        )
    return parts


def _pictures(audit: RecordedAudit, rows: Int64[np.ndarray, " M"], title: str) -> list[PictureRow]:
    if audit.data is None or not audit.data.has_images:
        return []
    draw, train = painter(audit.data), audit.data.train
    given, rivals = audit.recording.labels[rows].tolist(), audit.courses.rival[rows].tolist()
    names = [
        f"{audit.class_name(label)}, else {audit.class_name(rival)}" for label, rival in zip(given, rivals, strict=True)
    ]
    shown = [
        Picture(draw(np.asarray(train.inputs[row])), name, audit.place(row))
        for row, name in zip(rows.tolist(), names, strict=True)
    ]
    return [PictureRow(title, shown)]
