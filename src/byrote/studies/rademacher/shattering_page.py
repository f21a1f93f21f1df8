"""Shattering on a page: a square for each labeling of a few examples, coloured by whether training fits it."""

from __future__ import annotations

from collections.abc import Sequence

import altair as alt
import numpy as np
import pandas as pd

from byrote.charts.figure import Figure, layered, slug
from byrote.charts.marks import tip
from byrote.charts.sections import Cell, PageTable, Presentation, Section
from byrote.evidence.finding import Finding
from byrote.studies.rademacher.calculations import Shattering
from byrote.studies.rademacher.shattering import ShatteringStudy
from byrote.studies.study import Results
from byrote.theory.calculation import Computed

_ORDER = (
    "Rows go by the labels of the second half of the examples, columns by those of the first, both in binary order: "
    "the first square is the class -1 for all."
)
_STATES = ("fitted", "1 wrong", "2 wrong", "3 or more wrong")


def present(study: ShatteringStudy, results: Results, table: pd.DataFrame, findings: Sequence[Finding]) -> Presentation:
    """The page."""
    mistakes = {model: _mistakes(results.computed, model) for model in study.models}
    shown = {model: own for model, own in mistakes.items() if len(own)}
    return Presentation(
        headline=headline(study, shown),
        sections=[
            Section(
                id="labelings",
                title=f"All {2**study.largest:,} labelings",
                lead=f"Each square is one way to label the same {study.largest} examples with two classes, and one "
                "network trained on it. A network that fits every one of them shatters the examples: no labels could "
                "have surprised it.",
                figures=[labelings_figure(model, own, study.largest) for model, own in shown.items()],
                table=_table(shown, table, study.largest),
                note="Complexity: the mean of twice the training accuracy minus 1, over all labelings. Unless all are "
                "fitted, it is a lower bound.",
            )
        ],
        notes=[_ORDER, "That training misses a labeling does not prove that no weights fit it."],
    )


def headline(analysis: ShatteringStudy, mistakes: dict[str, pd.DataFrame]) -> str:
    """Of the last model, the widest where there are several."""
    if not mistakes:
        return "No conclusion about shattering."
    model, own = list(mistakes.items())[-1]
    fitted, n = int((own["mistakes"] == 0).sum()), analysis.largest
    if fitted == 2**n:
        return f"{model} shatters {n} examples: it fits all {fitted:,} labelings."
    return f"{model} fits {fitted:,} of the {2**n:,} labelings of {n} examples."


def labelings_figure(model: str, own: pd.DataFrame, n: int) -> Figure:
    """A grid of 2^ceil(n/2) columns."""
    width = 2 ** ((n + 1) // 2)
    data = pd.DataFrame(
        {
            "row": own["labeling"] // width,
            "column": own["labeling"] % width,
            "labeling": [format(number, f"0{n}b")[::-1] for number in own["labeling"]],
            "state": np.array(_STATES)[np.minimum(own["mistakes"], len(_STATES) - 1)],
        }
    )
    fitted = int((own["mistakes"] == 0).sum())
    scale = alt.Scale(paddingInner=0.12, paddingOuter=0)
    chart = (
        alt.Chart()
        .mark_rect()
        .encode(
            x=alt.X("column:O", axis=None, scale=scale),
            y=alt.Y("row:O", axis=None, scale=scale),
            color=alt.Color("state:N", scale=alt.Scale(domain=list(_STATES)), legend=alt.Legend(symbolType="square")),
            tooltip=[tip("labeling", "classes, first example first"), tip("state", " ")],
        )
    )
    return Figure(
        name=f"labelings-{slug(model)}",
        title=model,
        subtitle=f"n = {n}",
        caption=f"{fitted:,} of {len(own):,} labelings are fitted.",
        data=data,
        chart=layered(chart, data=data, height=360),
    )


def _mistakes(results: Sequence[Computed], model: str) -> pd.DataFrame:
    """A row for each labeling that was tried: its number, and how many examples the best try gets wrong."""
    parts = []
    for result in results:
        calculation = result.calculation
        if isinstance(calculation, Shattering) and calculation.model == model:
            mistakes = result.arrays["mistakes"]
            numbers = calculation.first + np.arange(len(mistakes))
            parts.append(pd.DataFrame({"labeling": numbers, "mistakes": mistakes}))
    return pd.concat(parts, ignore_index=True) if parts else pd.DataFrame({"labeling": [], "mistakes": []})


def _table(mistakes: dict[str, pd.DataFrame], table: pd.DataFrame, n: int) -> PageTable:
    rows: list[Sequence[str | Cell]] = []
    for model, own in mistakes.items():
        runs = table[table["model"] == model]
        fitted, interrupted = int((own["mistakes"] == 0).sum()), int(runs["num_interrupted"].sum())
        rows.append(
            [
                model,
                f"{int(runs['parameters'].iloc[0]):,}",
                Cell(f"{fitted:,} of {len(own):,}", "good" if fitted == 2**n else "unsure"),
                f"{1 - 2 * own['mistakes'].mean() / n:.3f}",
                f"{own['mistakes'].max()}",
                f"{interrupted:,}",
            ]
        )
    header = ("model", "parameters", "labelings fitted", "complexity", "most mistakes", "ended by their limit")
    return PageTable(header=header, blocks={"": rows})
