"""Uniform stability on a page: what one replaced example changes, by labels, and where theory is exact."""

from __future__ import annotations

from collections.abc import Sequence

import altair as alt
import numpy as np
import pandas as pd

from byrote.charts.figure import Figure, layered, rounded, slug, with_dashes
from byrote.charts.marks import by_series, estimate_tips, points, tip
from byrote.charts.sections import Cell, PageTable, Presentation, Section
from byrote.evidence.finding import Finding
from byrote.evidence.words import count_of_seeds
from byrote.studies.stability.calculations import LOSSES, SHARES, Loss, Point, ReplacementStability
from byrote.studies.stability.findings import BOTH_LABELS, Change, Sensitivity, known, networks
from byrote.studies.stability.study import StabilityStudy
from byrote.studies.study import Results
from byrote.theory.calculation import Computed

_POINTS: dict[Point, str] = {
    "test": "test points",
    "kept": "other training points",
    "left": "replaced example",
    "came": "its replacement",
}
_LOSSES: dict[Loss, str] = {"probability": "1 - probability of the label", "zero_one": "0-1 loss"}
_NOTES = (
    (
        "Each network is trained again with one example replaced by another that was held out, and the same initial "
        "weights, batch order, labels of all others and number of steps. Losses are 1 minus the softmax probability of "
        "the label, and the 0-1 loss: both in [0, 1]."
    ),
    (
        "Uniform stability (Bousquet & Elisseeff, 2002; Hardt et al., 2016) is the largest change of the loss at any "
        "point, for any data and any replacement: it bounds the generalization gap in the mean. It belongs to the "
        "algorithm alone, and so cannot differ between true and random labels; that is the paper's argument. What is "
        "measured on one data set depends on it, and may well differ. Its largest value over all that was tried is a "
        "lower bound on the uniform constant: of training with these seeds, which leaves nothing else to chance."
    ),
    (
        "What the replaced example loses is, in the mean over data sets, the generalization gap itself: to the set "
        "without it, it is a new example; its replacement gains as much. The gap on random labels is that to new "
        "examples with random labels, on which nothing does better than 1 - 1/K; on true ones it is that to the test "
        "set."
    ),
    (
        "Rounding: each stack of networks trained side by side has two in which nothing is replaced. They differ by "
        "rounding alone, within a stack and between stacks; changes far above are those of the replacement."
    ),
    (
        "Where theory is exact: linear ridge regression on targets 0 and 1 with inputs of length 1 at most, the mean "
        "squared error plus 0.1 times the squared norm, by closed forms; the bound is 2 kappa^2 B^2 / (strength n) for "
        "one example left out, twice that for one replaced (Bousquet & Elisseeff, example 3). SGD on the logistic "
        "loss, n single examples with steps of 1: (2 L^2 / n) sum of steps with L = 1 (Hardt et al., theorem 3.8). "
        "Cases built to be tight show that these constants for one left out and for SGD cannot be improved."
    ),
)


def present(study: StabilityStudy, results: Results, table: pd.DataFrame, findings: Sequence[Finding]) -> Presentation:
    """A section for each model, and one for what theory knows."""
    read = [finding.reading for finding in findings if isinstance(finding.reading, Sensitivity)]
    sections = []
    for sensitivity in (one for one in read if one.changes):
        own = [result for result in results.computed if _is_of(result, sensitivity.model)]
        runs = networks(table)
        runs = runs[runs["model"] == sensitivity.model]
        sections.append(
            Section(
                id=f"stability-{slug(sensitivity.model)}",
                title=f"Change by one example: {sensitivity.model}",
                lead="The same network is trained again with one example replaced: drawn is how much the loss changes "
                "for each replacement, and how many points change by how much.",
                figures=[changes_figure(sensitivity, own), shares_figure(sensitivity, own)],
                table=changes_table(sensitivity),
                note=_runs_sentence(runs),
            )
        )
    cases = known(table)
    if len(cases):
        sections.append(
            Section(
                id="known",
                title="Where theory is exact",
                lead="There are two algorithms whose uniform constant has a known bound: what is measured in the "
                "same way stays below it.",
                table=known_table(cases),
            )
        )
    return Presentation(headline=headline(findings), sections=sections, notes=_NOTES)


def headline(findings: Sequence[Finding]) -> str:
    """Of the last model, the widest where there are several."""
    of_bounds = [finding for finding in findings if isinstance(finding.reading, Sensitivity)]
    decided = [finding for finding in of_bounds if not finding.reading.why_not]
    if not decided:
        return "No conclusion about stability."
    last = decided[-1].reading
    bound = "uniform stability bounds nothing" if decided[-1].outcome == "supported" else "a lower bound"
    return f"One example changes a loss of {last.model} by up to {last.uniform('probability'):.2f}: {bound}."


def changes_figure(sensitivity: Sensitivity, results: Sequence[Computed]) -> Figure:
    """A row for each kind of point and labels: a dot for each replacement, and the mean with its interval."""
    shown: tuple[Point, ...] = ("left", "test", "kept")
    rows = [
        {
            "points": _POINTS[point],
            "labels": _name(result.calculation.corruption),
            "change": abs(float(change)),
            "kind": "replacement",
        }
        for result in results
        if isinstance(result.calculation, ReplacementStability)
        for point in shown
        for change in result.arrays[f"probability_at_{point}"]
    ]
    for (labels, loss, point), own in sensitivity.changes.items():
        if loss == "probability" and point in shown:
            interval = own.interval
            rows.append(
                {
                    "points": _POINTS[point],
                    "labels": _name(labels),
                    "change": interval.mean,
                    "kind": "mean",
                    "low": interval.low,
                    "high": interval.high,
                    "largest": own.largest,
                }
            )
    data = rounded(pd.DataFrame(rows, columns=["points", "labels", "kind", "change", "low", "high", "largest"]))
    names = [_name(labels) for labels in BOTH_LABELS]
    looks = by_series("labels", names, ("color", "shape"))
    color = looks["color"]
    x = alt.X(
        "change:Q",
        title="change (square-root scale)",
        scale=alt.Scale(type="sqrt", domain=[0, 1], clamp=True),
        axis=alt.Axis(values=[0, 0.01, 0.05, 0.2, 0.5, 1], format="~g"),
    )
    mark = "Mark and bar: the mean over replacements with its 95% interval."
    if data["low"].isna().all():
        mark = "Mark: the mean over replacements, which are too few for an interval."
    base = alt.Chart().encode(
        y=alt.Y("points:N", sort=[_POINTS[point] for point in shown], title=None, axis=alt.Axis(labelLimit=200)),
        yOffset=alt.YOffset("labels:N", scale=alt.Scale(domain=names)),
    )
    means = base.transform_filter("datum.kind === 'mean'")
    tips = [tip("points"), tip("labels"), *estimate_tips("change", "mean", ".4f"), tip("largest", "", ".3f")]
    return Figure(
        name=f"changes-{slug(sensitivity.model)}",
        title="Change by one example",
        subtitle=f"n = {sensitivity.n_train:,}",
        caption=f"Dots: each replacement, in the mean over points. {mark} Stroke: the largest change at a single "
        f"point, a lower bound on the uniform constant. {_seeds(sensitivity)}",
        data=data,
        chart=layered(
            base.transform_filter("datum.kind === 'replacement'")
            .mark_circle(size=24, opacity=0.4)
            .encode(x=x, color=color),
            means.mark_rule(strokeWidth=2).encode(x="low:Q", x2="high:Q", color=color),
            means.mark_tick(thickness=2, size=18).encode(x="largest:Q", color=color),
            points(means, x, tips, **looks),
            data=data,
            height=240,
        ),
    )


def shares_figure(sensitivity: Sensitivity, results: Sequence[Computed]) -> Figure:
    """The share of points, over all replacements, whose loss changes by at least so much; the mean over seeds."""
    kinds: tuple[Point, ...] = ("test", "kept")
    rows = []
    for labels in BOTH_LABELS:
        for point in kinds:
            curves = [result.arrays[f"{point}_quantiles"] for result in results if _labels_of(result) == labels]
            if curves:
                series = f"{_name(labels)}, {_POINTS[point]}"
                rows += [
                    {"series": series, "share": float(share), "change": float(change)}
                    for share, change in zip(SHARES, np.mean(curves, axis=0), strict=True)
                ]
    data = rounded(pd.DataFrame(rows, columns=["series", "share", "change"]))
    names = list(dict.fromkeys(data["series"]))
    return Figure(
        name=f"shares-{slug(sensitivity.model)}",
        title="How many points change",
        subtitle=f"n = {sensitivity.n_train:,}",
        caption="Pairs of a replacement and a point, whose loss changes by at least so much. A line ends at the "
        f"largest change, or at one in 100,000. {_seeds(sensitivity)}",
        data=data,
        chart=layered(
            alt.Chart()
            .mark_line(interpolate="step-after")
            .encode(
                x=alt.X("change:Q", title="change of the loss, at least", scale=alt.Scale(domain=[0, 1])),
                y=alt.Y(
                    "share:Q",
                    title="share of points",
                    scale=alt.Scale(type="log", domain=[1e-5, 1]),
                    axis=alt.Axis(format="~%", values=[1, 0.1, 0.01, 1e-3, 1e-4, 1e-5]),
                ),
                order="share:Q",
                **with_dashes("series", names, names),
            ),
            data=data,
            height=240,
        ),
    )


def changes_table(sensitivity: Sensitivity) -> PageTable:
    """A block a loss, a row for each kind of point, and the gap."""
    blocks: dict[str, list[list[str | Cell]]] = {}
    for loss in LOSSES:
        rows: list[list[str | Cell]] = []
        for point, words in _POINTS.items():
            row: list[str | Cell] = [words]
            for labels in BOTH_LABELS:
                row += _cells(sensitivity.changes.get((labels, loss, point)))
            rows.append(row)
        gap: list[str | Cell] = ["generalization gap, measured"]
        for labels in BOTH_LABELS:
            gap += [_figure(sensitivity.gaps.get((labels, loss), np.nan), 3), ""]
        least = _figure(sensitivity.uniform(loss), 3)
        blocks[_LOSSES[loss]] = [*rows, gap, ["its bound, at least", *(least, "") * len(BOTH_LABELS)]]
    return PageTable(
        header=("change of the loss at", *("mean", "largest") * len(BOTH_LABELS)),
        blocks=blocks,
        spans=(("", 1), *((_name(labels), 2) for labels in BOTH_LABELS)),
    )


def known_table(cases: pd.DataFrame) -> PageTable:
    """What is measured where theory is exact, beside its bound."""
    rows: list[list[str | Cell]] = [
        [
            row["case"],
            f"{row['examples']:,}",
            f"{row['measured']:.3g}",
            Cell(f"{row['bound']:.3g}", "good" if row["measured"] <= row["bound"] else "bad", row["note"]),
            f"{row['measured'] / row['bound']:.1%}",
        ]
        for row in cases.to_dict("records")
    ]
    return PageTable(header=("algorithm", "n", "measured", "bound", "of the bound"), blocks={"": rows})


def _cells(change: Change | None) -> list[str | Cell]:
    if change is None:
        return ["–", "–"]
    interval = change.interval
    note = "" if np.isnan(interval.low) else f"{_figure(interval.low)} to {_figure(interval.high)}"
    return [Cell(_figure(interval.mean), note=note), _figure(change.largest, 3)]


def _figure(value: float, digits: int = 4) -> str:
    return "–" if np.isnan(value) else f"{value:.{digits}f}"


def _runs_sentence(runs: pd.DataFrame) -> str:
    parts = [
        f"{_name(str(labels)).capitalize()}: {int(own['num_fitted'].sum())} of {int(own['num_runs'].sum())} networks "
        f"fitted within {int(own['num_steps'].iloc[0]):,} steps."
        for labels, own in runs.groupby("corruption", sort=False)
    ]
    rounding = runs["rounding"].max()
    return " ".join([*parts, f"Largest change by rounding alone: {rounding:.1g}."])


def _seeds(sensitivity: Sensitivity) -> str:
    num = max((len(own.by_seed) for own in sensitivity.changes.values()), default=0)
    return f"{count_of_seeds(num, 'One seed')}."


def _name(labels: str) -> str:
    return labels.replace("-", " ")


def _labels_of(result: Computed) -> str:
    return result.calculation.corruption if isinstance(result.calculation, ReplacementStability) else ""


def _is_of(result: Computed, model: str) -> bool:
    return isinstance(result.calculation, ReplacementStability) and result.calculation.model == model
