"""Theorem 1 on a page, one step of its proof a section: points, line, matrix, substitution, function."""

from __future__ import annotations

from collections.abc import Sequence

import altair as alt
import numpy as np
import pandas as pd
from jaxtyping import Float

from byrote.charts.examples import painter
from byrote.charts.figure import Figure, layered, rounded
from byrote.charts.marks import tip
from byrote.charts.sections import Cell, PageTable, Section
from byrote.data.dataset import Dataset
from byrote.theory.calculation import Computed

_LEVELS = 3
"""Pictures of neighbours hang at different heights, so that they do not cover each other."""


def worked_sections(result: Computed, data: Dataset) -> list[Section]:
    """The proof on the points of `result`, which a WorkedExample has computed."""
    arrays, n, d = result.arrays, int(result.values["n"] or 0), int(result.values["d"] or 0)
    names = [data.class_names[int(target)] for target in arrays["targets"]]
    return [
        Section(
            id="step-1",
            number="Step 1",
            title=f"{n} points, put on a line",
            lead=f"These are {n} training examples with random labels, each {d:,} numbers long. One direction a "
            f"of {d:,} weights makes each a single number, z = <a, x>. Almost any direction keeps them apart; of "
            "several, the one with the widest smallest gap is taken. Above the pictures stand the labels to be "
            "learned.",
            figures=[line_figure(result, data, names)],
        ),
        Section(
            id="step-2",
            number="Step 2",
            title="A threshold below each point",
            lead="Unit i is max(z - b_i, 0): it is at rest up to its threshold b_i and rises from there on. The "
            "thresholds interleave with the points, b_1 < z_1, and from then on b_i is the point before, so that "
            "unit i answers to point i and to those after it, and to none before.",
            table=PageTable(
                header=("unit", "threshold b", "point z", "z - b", "target y", "label"),
                blocks={"": _threshold_rows(arrays["thresholds"], arrays["projections"], arrays["targets"], names)},
            ),
        ),
        Section(
            id="step-3",
            number="Step 3",
            title="The matrix is triangular",
            lead="Row i has what all units answer to point i, max(z_i - b_j, 0). Above the diagonal there are zeros, "
            "on it positive numbers: its eigenvalues, so it has full rank, and for any targets y there are weights w "
            "with A w = y.",
            table=_matrix_table(arrays["matrix"]),
            note=f"The smallest number on the diagonal is {np.diag(arrays['matrix']).min():.3g}.",
        ),
        Section(
            id="step-4",
            number="Step 4",
            title="Solved from the top",
            lead="The first row has one unknown. Each further row has one more, and all before are known: what the "
            "units before already add up to is taken off the target, and the rest divided by the diagonal.",
            table=PageTable(
                header=("", "target y", "units before give", "left to give", "z - b", "weight w"),
                blocks={"": _substitution_rows(arrays["matrix"], arrays["weights"], arrays["targets"])},
            ),
            note="The network that was built has the same weights, up to rounding "
            f"({result.values['solution_difference']:.0e} of the largest).",
        ),
        Section(
            id="step-5",
            number="Step 5",
            title="The function",
            lead="The sum of the units is a line with a corner at each threshold, and goes through all targets. "
            f"It has {d:,} weights for the direction, {n} thresholds and {n} weights: "
            f"{int(result.values['num_weights'] or 0):,} in all.",
            figures=[function_figure(result)],
            note=f"The forward pass of the network misses the targets by {result.values['largest_error']:.0e} at most.",
        ),
    ]


def line_figure(result: Computed, data: Dataset, names: Sequence[str]) -> Figure:
    """The points over the line, at their projections, with pictures and labels; thresholds beneath as ticks."""
    draw, z = painter(data), result.arrays["projections"]
    points = rounded(
        pd.DataFrame(
            {
                "z": z,
                "level": np.arange(len(z)) % _LEVELS,
                "picture": [draw(values) for values in result.arrays["inputs"]],
                "label": list(names),
            }
        )
    )
    x = alt.X(
        "z:Q", title="z = <a, x>", scale=alt.Scale(padding=24, zero=False, nice=False), axis=alt.Axis(tickCount=5)
    )
    height = alt.Y("level:Q", axis=None, scale=alt.Scale(domain=[-0.7, _LEVELS - 0.3]))
    base = alt.Chart().encode(x=x)
    stem = base.mark_rule(strokeWidth=0.7).encode(y=height, y2=alt.datum(-0.7))
    image = base.mark_image(width=28, height=28, smooth=False).encode(y=height, url="picture:N")
    text = base.mark_text(dy=-22).encode(y=height, text="label:N")
    return Figure(
        name="worked-projections",
        title="The points on the line",
        subtitle=f"n = {len(z)}, d = {int(result.values['d'] or 0):,}",
        caption="Each picture stands over its z; its height has no meaning.",
        data=points,
        chart=layered(stem, image, text, data=points, height=230),
    )


def function_figure(result: Computed) -> Figure:
    """The network's output along the line, through the targets."""
    arrays = result.arrays
    line = pd.DataFrame({"z": arrays["grid"], "output": arrays["function"], "what": "network"})
    points = pd.DataFrame({"z": arrays["projections"], "output": arrays["targets"], "what": "target"})
    corners = pd.DataFrame({"z": arrays["thresholds"], "output": np.nan, "what": "threshold"})
    data = rounded(pd.concat([line, points, corners], ignore_index=True))
    x = alt.X("z:Q", title="z = <a, x>", scale=alt.Scale(zero=False, nice=False), axis=alt.Axis(tickCount=5))
    y = alt.Y("output:Q", title="class index", axis=alt.Axis(tickCount=5))
    color = alt.Color("what:N", scale=alt.Scale(domain=["network", "target"]), legend=None)
    base = alt.Chart().encode(x=x)
    layers = [
        base.transform_filter("datum.what == 'threshold'").mark_rule(strokeDash=[2, 3], strokeWidth=0.8),
        base.transform_filter("datum.what == 'network'").mark_line().encode(y=y, color=color),
        base.transform_filter("datum.what == 'target'")
        .mark_point(filled=True)
        .encode(y=y, color=color, tooltip=[tip("z"), tip("output", "target")]),
    ]
    return Figure(
        name="worked-function",
        title="Through all targets",
        subtitle=f"n = {len(points)}",
        caption="Points are the targets, dotted the thresholds.",
        data=data,
        chart=layered(*layers, data=data, height=260),
    )


def _threshold_rows(
    thresholds: Float[np.ndarray, " N"],
    projections: Float[np.ndarray, " N"],
    targets: Float[np.ndarray, " N"],
    names: Sequence[str],
) -> list[list[str | Cell]]:
    return [
        [str(i + 1), _number(b), _number(z), _number(z - b), f"{target:.0f}", name]
        for i, (b, z, target, name) in enumerate(zip(thresholds, projections, targets, names, strict=True))
    ]


def _matrix_table(matrix: Float[np.ndarray, "N N"]) -> PageTable:
    rows: list[list[str | Cell]] = []
    for i, row in enumerate(matrix):
        entries: list[str | Cell] = [f"z_{i + 1}"]
        for j, value in enumerate(row):
            entries.append(Cell("0", "quiet") if j > i else Cell(_number(value), "good" if i == j else ""))
        rows.append(entries)
    return PageTable(header=("", *(f"b_{j + 1}" for j in range(len(matrix)))), blocks={"": rows})


def _substitution_rows(
    matrix: Float[np.ndarray, "N N"], weights: Float[np.ndarray, " N"], targets: Float[np.ndarray, " N"]
) -> list[list[str | Cell]]:
    rows: list[list[str | Cell]] = []
    for i, target in enumerate(targets):
        before = float(matrix[i, :i] @ weights[:i])
        entries = (_number(before), _number(target - before), _number(matrix[i, i]))
        rows.append([f"w_{i + 1}", f"{target:.0f}", *entries, Cell(_number(weights[i]), "good")])
    return rows


def _number(value: float) -> str:
    """Four significant digits."""
    return f"{value:.4g}".replace("-", "\N{MINUS SIGN}")
