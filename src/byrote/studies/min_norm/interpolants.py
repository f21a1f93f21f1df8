"""Descent to the shortest interpolant as a figure, and the other interpolants as a table."""

from __future__ import annotations

from collections.abc import Sequence

import altair as alt
import pandas as pd

from byrote.charts.figure import Figure, layered, rounded, steps_axis, with_dashes
from byrote.charts.marks import logarithmic, tip
from byrote.charts.sections import Cell, PageTable
from byrote.evidence.words import percent
from byrote.theory.calculation import Computed
from byrote.theory.kernels.implicit_bias import DESCENTS, ImplicitBias

NAMES = dict(zip(DESCENTS, ("SGD from zero", "all examples, from zero", "SGD from a random start"), strict=True))
_LEAST = 1e-16
"""Distances below are rounding, and their logarithms no news."""


def descent_figure(results: Sequence[Computed]) -> Figure | None:
    """Distance from the shortest interpolant along each descent; None where that was not computed."""
    found = [result for result in results if isinstance(result.calculation, ImplicitBias)]
    if not found:
        return None
    arrays = found[0].arrays
    parts = [
        pd.DataFrame(
            {
                "descent": name,
                "step": arrays[f"{key}_steps"].astype(float),
                "distance": arrays[f"{key}_distance"],
                "distance_to_limit": arrays[f"{key}_distance_to_limit"],
            }
        )
        for key, name in NAMES.items()
    ]
    data = rounded(pd.concat(parts, ignore_index=True).query("step > 0"))
    data["distance"] = data["distance"].clip(lower=_LEAST)
    powers = [10.0**power for power in range(-16, 2)]
    line = (
        alt.Chart()
        .mark_line()
        .encode(
            x=alt.X("step:Q", title="steps", axis=steps_axis(), scale=alt.Scale(type="log", nice=False)),
            y=alt.Y("distance:Q", title="relative distance", **logarithmic("~g", powers, padding=6)),
            tooltip=[
                *(tip("descent"), tip("step", "", ",d"), tip("distance", "", ".2~g")),
                tip("distance_to_limit", "to its own limit", ".2~g"),
            ],
            **with_dashes("descent", list(NAMES.values()), list(NAMES.values())),
        )
    )
    return Figure(
        name="descent-to-minimum-norm",
        title="Distance from the interpolant of minimum norm",
        subtitle=f"Gaussian kernel, n = {found[0].calculation.model_dump()['n_train']:,}",
        caption="Distances are in units of its norm. From a random start of the same norm, descent ends at the "
        "interpolant nearest to that start. There is one order of the examples, and so no interval.",
        data=data,
        chart=layered(line, data=data, height=260),
    )


def interpolants_table(table: pd.DataFrame) -> PageTable | None:
    """A row for each solution in a study's table; None without any."""
    if table.empty:
        return None
    rows: list[Sequence[str | Cell]] = [
        [
            row["interpolant"],
            f"{row['norm']:.4g}",
            f"{row['distance']:.3g}",
            percent(row["train_error"], 2),
            percent(row["test_error"], 2),
        ]
        for row in table.to_dict("records")
    ]
    n_train, n_test = (int(table[name].iloc[0]) for name in ("n_train", "n_test"))
    return PageTable(
        header=("interpolant", "norm", "distance", "training error", "test error"),
        blocks={f"n = {n_train:,}, {n_test:,} test examples": rows},
    )
