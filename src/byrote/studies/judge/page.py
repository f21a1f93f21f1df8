"""The scoreboard of measures on a page: a row a measure, and each judged measure against the gap."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import altair as alt
import numpy as np
import pandas as pd

from byrote.charts.figure import Figure, layered, rounded, slug
from byrote.charts.marks import bars, by_series, dotted, estimate_tips, points, tip
from byrote.charts.sections import Cell, PageTable, Presentation, Section
from byrote.data.corruptions.record import corruption_words
from byrote.evidence.finding import Finding
from byrote.evidence.telling import TOGETHER
from byrote.studies.judge.study import BASELINES, JudgeStudy, find_measure, over
from byrote.studies.study import Results

SERIES = {
    "difference": "tells labels apart",
    "tau": "ranks",
    "granulated": "within factors",
}
_MOST_CLOUDS = 6
"""Of judged measures: a page of more is no longer looked at."""


def present(study: JudgeStudy, results: Results, table: pd.DataFrame, findings: Sequence[Finding]) -> Presentation:
    """Scoreboard, table, and clouds of networks."""
    values = study.values(results)
    judged = [name for name in table["measure"] if name in study.measures]
    own = [name for name in judged if ":" in name]
    clouds = (own or judged)[:_MOST_CLOUDS] if own or len(judged) <= _MOST_CLOUDS else []
    fitted = values["fitted"].astype(bool) & (values["failed_checks"] == "")
    sections = [
        Section(
            id="scoreboard",
            title="Scoreboard",
            lead="A measure that explains generalization is to the right throughout: larger on random labels than on "
            "true ones, and larger where the gap is. At 0 it says nothing.",
            figures=[scoreboard(table)],
            table=_table(table),
            note=f"{_pairs(table)} {_missing(table)}".strip(),
        )
    ]
    if clouds:
        sections.append(
            Section(
                id="clouds",
                title="Network by network",
                lead="Each point is a network that has fitted, by its measure and its generalization gap.",
                figures=[cloud(name, values[fitted]) for name in clouds],
            )
        )
    return Presentation(
        headline=_headline(table, judged), sections=sections, notes=[*_notes(values, fitted), _sources(table)]
    )


def scoreboard(table: pd.DataFrame) -> Figure:
    """A row a measure: three figures from -1 to 1, each with its interval."""
    parts = [
        pd.DataFrame(
            {
                "measure": table["title"],
                "quantity": title,
                "value": table[column],
                "low": table[f"{column}_low"],
                "high": table[f"{column}_high"],
            }
        )
        for column, title in SERIES.items()
    ]
    data = rounded(pd.concat(parts, ignore_index=True))
    names, legend = list(table["title"]), alt.Legend(columns=1)  # beside one another they do not fit on a telephone
    looks = by_series("quantity", SERIES.values(), ("color", "shape"), legend=legend)
    base = alt.Chart().encode(
        y=alt.Y("measure:N", sort=names, title=None, axis=alt.Axis(labelLimit=220)),
        yOffset=alt.YOffset("quantity:N", sort=list(SERIES.values())),
        color=looks.pop("color"),
    )
    signed = "datum.value == 0 ? '0' : format(datum.value, '+~g')"
    axis = alt.Axis(labelExpr=signed, tickCount=5)
    x = alt.X("value:Q", title=None, scale=alt.Scale(domain=[-1, 1]), axis=axis)
    tips = [tip("measure"), tip("quantity"), *estimate_tips("value", "", "+.2f")]
    layers = [dotted(x=0), *bars(base, x, data), points(base, x, tips, **looks)]
    return Figure(
        name="scoreboard",
        title="Each measure against the gap",
        subtitle=f"{int(table['num_trained'].max()):,} networks",
        caption="Tells labels apart: relative difference of random and true labels, mean over pairs that differ in "
        "nothing else, interval over seeds. Ranks: Kendall's tau with the generalization gap; within factors: its mean "
        "over pairs that differ in a single one, at least ten of a factor; intervals by resampling. 1: with the "
        "gap, -1: against it.",
        data=data,
        chart=layered(*layers, data=data, height=38 * len(names) + 20),
    )


def cloud(name: str, networks: pd.DataFrame) -> Figure:
    """The networks, by the measure `name` and their gap; shape and colour are their labels."""
    settings = list(map(corruption_words, networks["corruption"], networks["corruption_rate"]))
    measure = find_measure(name)
    sign = 1 if measure.larger_is_worse else -1
    data = rounded(
        pd.DataFrame(
            {
                "value": sign * networks[name],
                "gap": 100 * networks["generalization_gap"],
                "labels": settings,
                "model": networks["model"],
                "seed": networks["seed"],
            }
        ).dropna()
    )
    spread = data["value"].to_numpy(float)
    is_log = len(spread) > 0 and spread.min() > 0 and spread.max() > 30 * spread.min()
    chart = (
        alt.Chart()
        .mark_point(filled=True, opacity=0.6, size=28)
        .encode(
            x=alt.X(
                "value:Q",
                title=measure.title,
                scale=alt.Scale(type="log" if is_log else "linear", zero=False),
                axis=alt.Axis(format=".6~g" if not is_log else "~e", tickCount=4),
            ),
            y=alt.Y("gap:Q", title="generalization gap, points"),
            tooltip=[*map(tip, ("model", "labels", "seed")), tip("value", "", ".4g"), tip("gap", "gap, points", ".1f")],
            **by_series("labels", dict.fromkeys(data["labels"]), ("color", "shape")),
        )
    )
    return Figure(
        name=f"cloud-{slug(name)}",
        title=measure.title,
        subtitle=f"{len(data):,} networks",
        caption=f"{measure.title}, {measure.source}. {data['seed'].nunique()} seeds.",
        data=data,
        chart=layered(chart, data=data, height=260),
    )


def _table(table: pd.DataFrame) -> PageTable:
    rows: dict[str, list[list[str | Cell]]] = {}
    for row in table.to_dict("records"):
        rows.setdefault(f"{row['kind']}s" if row["kind"] != "sharpness" else "sharpness", []).append(
            [
                Cell(row["title"]),
                _told(row),
                _signed(row, "tau"),
                _signed(row, "granulated"),
                Cell("–", "quiet")
                if math.isnan(row["worst_sign_error"])
                else Cell(f"{100 * row['worst_sign_error']:.0f}%", note=_shown(row["worst_environment"])),
                _beaten(row),
            ]
        )
    return PageTable(
        header=(
            "measure",
            "tells labels apart",
            "rank against the gap",
            "within factors",
            "worst sign error",
            "beats",
        ),
        blocks=rows,
    )


def _shown(environment: str) -> str:
    """Without the factor, where its levels are names."""
    return environment.removeprefix("model ").removeprefix("corruption ").replace("_", " ")


def _told(row: dict[Any, Any]) -> Cell:
    if pd.isna(row["tells"]):
        return Cell("no conclusion", "unsure", f"{row['num_pairs']} pairs")
    note = f"{row['difference']:+.2f}"
    return Cell("yes", "good", note) if row["tells"] else Cell("no", "bad", note)


def _signed(row: dict[Any, Any], name: str) -> Cell:
    value, low, high = (round(row[key], 2) + 0.0 for key in (name, f"{name}_low", f"{name}_high"))  # 0.0: no -0.00
    if math.isnan(value):
        return Cell("–", "quiet")
    return Cell(f"{value:+.2f}", note="" if math.isnan(low) else f"{low:+.2f} to {high:+.2f}")


def _beaten(row: dict[Any, Any]) -> Cell:
    """How many trivial baselines its rank correlation is above, by the interval of the difference."""
    compared = [name for name in BASELINES if not math.isnan(row[f"{over(name)}_low"])]
    if row["kind"] == "baseline" or not compared:
        return Cell("–", "quiet")
    num_beaten = sum(row[f"{over(name)}_low"] > 0 for name in compared)
    return Cell(f"{num_beaten} of {len(compared)}", "good" if num_beaten == len(compared) else "")


def _pairs(table: pd.DataFrame) -> str:
    fewest, most = int(table["num_pairs"].min()), int(table["num_pairs"].max())
    pairs = f"{fewest if fewest == most else f'{fewest} to {most}'} pairs of networks"
    return f"Labels are told apart in {pairs}. Beats: trivial baselines whose rank correlation it is above."


def _missing(table: pd.DataFrame) -> str:
    lacking = table[table["missing"] != ""]
    return " ".join(
        f"{row['title']} has no finite value for {row['num_missing']} networks ({row['missing']})."
        for row in lacking.to_dict("records")
    )


def _headline(table: pd.DataFrame, judged: Sequence[str]) -> str:
    rows = table[table["measure"].isin(judged)]
    if len(rows) == 1:
        row = rows.iloc[0]
        answer = None if pd.isna(row["tells"]) else "tells" if row["tells"] else "does not tell"
        if answer is None:
            return f"Whether {row['title']} tells true labels from random ones: no conclusion."
        return f"{row['title'][:1].upper()}{row['title'][1:]} {answer} true labels from random ones."
    num_told = int(rows["tells"].sum())
    return f"{num_told} of {len(rows)} measures tell true labels from random ones."


def _sources(table: pd.DataFrame) -> str:
    return "Measures: " + "; ".join(f"{row['title']}, {row['source']}" for row in table.to_dict("records")) + "."


def _notes(values: pd.DataFrame, fitted: pd.Series) -> list[str]:
    gaps = values["generalization_gap"][fitted]
    spread = f" Their gaps are from {100 * gaps.min():.1f} to {100 * gaps.max():.1f} points." if len(gaps) else ""
    epochs = values["epochs_run"].to_numpy(float)
    counted = (
        f"{int(fitted.sum()):,} of {len(values):,} networks have fitted (99% of their training labels) and count; the "
        f"others decide nothing.{spread} Half of them ran for {np.median(epochs):.0f} epochs or fewer: runs stop when "
        "all training labels are right."
    )
    turned = "Every measure is turned so that larger should mean a larger gap; a margin counts with its sign reversed."
    ranks = (
        "Rank correlations, and which baselines a measure beats, are shown with intervals of each measure by itself, "
        "and are no claims."
    )
    within = (
        "A measure can tell true labels from random ones and yet rank networks on equal labels no better than chance: "
        "the column 'within factors' is about that."
    )
    return [counted, turned, TOGETHER, ranks, within]
