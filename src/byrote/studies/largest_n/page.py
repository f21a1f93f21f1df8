"""Effective capacity on a page: accuracy on random labels against n, and the bits that networks hold of them."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import altair as alt
import numpy as np
import pandas as pd

from byrote.charts.figure import Figure, layered, rounded, seed_sentence, with_dashes
from byrote.charts.marks import dotted, logarithmic, points, tip
from byrote.charts.sections import Cell, PageTable, Presentation, Section
from byrote.evidence.finding import Finding
from byrote.evidence.intervals import mean_interval
from byrote.studies.largest_n.calculations import LargestN
from byrote.studies.largest_n.findings import End, in_words
from byrote.studies.largest_n.study import LargestNStudy
from byrote.studies.study import Results
from byrote.theory.calculation import Computed
from byrote.training.course import FIT

_FITTED = (
    "Fitted: 99% of random labels right, in the mean over draws. n doubles until they are not, is bisected between, on "
    "a grid with steps of a fifth, and doubled further where there are examples. This supposes that fewer examples are "
    "never harder to fit."
)
_BITS = (
    "Bits: n (log2 K - h(e) - e log2(K - 1)) at error e, with the entropy h of a coin: the mutual information of "
    "labels and predictions for errors that are uniform over the wrong classes, and a lower bound for all others "
    "(Fano)."
)
_STEPS = (
    "All n get as many steps as the limit of epochs gives to the largest. The capacity is that of the network together "
    "with its recipe."
)


def present(study: LargestNStudy, results: Results, table: pd.DataFrame, findings: Sequence[Finding]) -> Presentation:
    """The page."""
    curve = probes(results.computed)
    return Presentation(
        headline=headline(findings),
        sections=[
            Section(
                id="capacity",
                title="Random labels against n",
                lead="A network fits the random labels of few examples, and from some n on no longer. What it holds of "
                "them is at most the dotted line, on which every label is known, and stops growing where it is full.",
                figures=[accuracy_figure(curve), bits_figure(curve, study.data.num_classes)],
                table=capacity_table(table, findings),
                note="Next: the smallest n that was found too large, a fifth above. Bits: the most at any n that was "
                "tried.",
            )
        ],
        notes=[_FITTED, _BITS, _STEPS],
    )


def headline(findings: Sequence[Finding]) -> str:
    """Of the last model, the widest where there are several."""
    end = _ends(findings)[-1]
    if end.why_not:
        return f"No conclusion about the capacity of {end.model}."
    if end.largest is None:
        return f"{end.model} fitted no random labels: no conclusion."
    if not end.is_found:
        return f"{end.model} fits the random labels of all {end.n_train:,} examples."
    return f"{end.model} fits random labels up to n = {end.largest.mean:,.0f}."


def _ends(findings: Sequence[Finding]) -> list[End]:
    return [finding.reading for finding in findings if isinstance(finding.reading, End)]


def probes(results: Sequence[Computed]) -> pd.DataFrame:
    """A row for each n that was tried, of each model and seed."""
    parts = []
    for result in results:
        calculation = result.calculation
        if isinstance(calculation, LargestN):
            found = {name: result.arrays[name] for name in ("n", "fitted", "bits")}
            accuracy = result.arrays["accuracy"].mean(axis=1)
            own = {"model": calculation.model, "seed": calculation.seed, "parameters": result.values["parameters"]}
            parts.append(pd.DataFrame({**own, **found, "accuracy": accuracy}))
    return pd.concat(parts, ignore_index=True)


def accuracy_figure(curve: pd.DataFrame) -> Figure:
    """Training accuracy on random labels against n; points are single seeds."""
    y = alt.Y("accuracy:Q", title="accuracy on random labels", axis=alt.Axis(format=".0%", tickCount=5))
    told = f"{FIT:.0%}. {seed_sentence(curve)}"
    data = _drawn(curve)
    return _against_n(data, _series(data), "accuracy", y, "Accuracy on random labels", dotted(y=FIT), told)


def bits_figure(curve: pd.DataFrame, num_classes: int) -> Figure:
    """Bits memorised against n, both on logarithmic axes."""
    data = _drawn(curve.assign(all_bits=curve["n"] * math.log2(num_classes)))
    y = alt.Y("bits:Q", title="bits memorised", **logarithmic("~s"))
    most = dotted(x="min(n):Q", x2="max(n):Q", y="min(all_bits):Q", y2="max(all_bits):Q")
    told = f"all there is to know, n log2 {num_classes}. {seed_sentence(curve)}"
    some = data[data["bits"] > 0].reset_index(drop=True)
    return _against_n(some, _series(data), "bits", y, "Bits memorised", most, told)


def _drawn(curve: pd.DataFrame) -> pd.DataFrame:
    return rounded(curve.astype({"accuracy": np.float64, "bits": np.float64}))


def _series(curve: pd.DataFrame) -> dict[str, Any]:
    """Of all models: one is drawn alike in both figures, whichever have no bits."""
    models = list(dict.fromkeys(curve["model"]))
    return with_dashes("model", models, models)


def _against_n(
    data: pd.DataFrame, series: dict[str, Any], value: str, y: alt.Y, title: str, rule: alt.Chart, told: str
) -> Figure:
    """Points of single seeds, lines through their means, and a dotted rule, of which `told` says what it is before
    it says how many seeds there are."""
    base = alt.Chart().encode(x=alt.X("n:Q", title="examples n", **logarithmic()))
    tips = [tip("model"), tip("seed"), tip("n", "", ","), tip("accuracy", "", ".1%"), tip("bits", "", ",.0f")]
    fill = alt.Fill("model:N", legend=None)
    layers = [
        rule,
        base.mark_line().encode(y=f"mean({value}):Q", **series),
        points(base, y, tips, filled="datum.fitted", color=series["color"], fill=fill),
    ]
    return Figure(
        name=f"capacity-{value}",
        title=title,
        subtitle="",
        caption=f"Lines are means over seeds. Filled: fitted. Dotted: {told}",
        data=data,
        chart=layered(*layers, data=data, height=280),
    )


def capacity_table(table: pd.DataFrame, findings: Sequence[Finding]) -> PageTable:
    """A row a model; means over seeds."""
    rows: list[Sequence[str | Cell]] = []
    ends = {end.model: end for end in _ends(findings)}
    for model, own in table.groupby("model", sort=False):
        means = {name: mean_interval(own[name].to_numpy(np.float64)) for name in ("bits", "bits_per_parameter")}
        end = ends[str(model)]
        if end.largest is None:
            largest = Cell("none", "unsure", "no conclusion")
        elif not end.is_found:
            largest = Cell(f"{end.n_train:,}", "unsure", "all there are")
        else:
            largest = Cell(in_words(end.largest))
        tried = own["next_n"].dropna()
        rows.append(
            [
                str(model),
                f"{int(own['parameters'].iloc[0]):,}",
                largest,
                Cell(f"{tried.min():,.0f}", note=f"accuracy {own['next_accuracy'].mean():.3f}") if len(tried) else "–",
                in_words(means["bits"]),
                in_words(means["bits_per_parameter"], ".2g"),
                f"{len(own)}",
            ]
        )
    header = ("model", "parameters", "largest n", "next", "bits", "bits per parameter", "seeds")
    return PageTable(header=header, blocks={"": rows})
