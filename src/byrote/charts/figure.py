"""What all charts share. A chart comes with the tidy data it draws and nothing else.

Charts leave colours and type to the `config` of `theme.py`, so that one chart serves light and dark pages, slides and
SVG files.
"""

from __future__ import annotations

import re
from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from functools import cache, cached_property
from pathlib import Path
from typing import Any

import altair as alt
import numpy as np
import pandas as pd
from jaxtyping import Float, Shaped

from byrote.charts.theme import DASHES
from byrote.errors import UserError
from byrote.evidence.intervals import mean_interval
from byrote.evidence.words import count_of_seeds, regularizers
from byrote.training.spec import TrainSpec

MOST_LINES = 20
"""Of more runs than this under one setting, the mean is drawn with a band, and not each: no eye follows more lines."""
BAND = (0.1, 0.9)
"""The quantiles over runs that such a band spans."""
BANDS_IN_WORDS = (
    f"Lines are means over all runs alike, and the bands of test accuracy span {BAND[1] - BAND[0]:.0%} of them; a run "
    "that has stopped counts on with its last accuracy."
)
MOST_CURVES = 200
"""Of more runs than this under one setting, so many are drawn or averaged: curves of many thousands take minutes to
read, and the mean of 200 is within a seventh of the runs' standard deviation (two standard errors)."""
MOST_POINTS = 120
"""A drawn curve has hardly more: a page with a hundred runs stays small, and single batches do not hide the trend."""


@dataclass(frozen=True, eq=False)
class Figure:
    """A chart with its words, and the data that it draws.

    >>> data = pd.DataFrame({"width": [16, 32], "steps": [120, 80]})
    >>> chart = alt.layer(alt.Chart().mark_point().encode(x="width:O", y="steps:Q"), data=data)
    >>> Figure("widths", "Steps to fit", "n = 300", "A point for each width.", data, chart).title
    'Steps to fit'
    """

    name: str
    """The stem of its files."""
    title: str
    subtitle: str
    caption: str
    data: pd.DataFrame
    """All that the chart draws, tidy."""
    chart: alt.LayerChart
    log_steps: bool = False
    """Whether its x axis is `steps_x`, and the page offers a linear one in its place."""

    def __post_init__(self) -> None:
        if Path(self.name).name != self.name or self.name.startswith("."):
            raise UserError(
                f"got the figure {self.name!r}, expected the name of a file without its ending or its folder"
            )

    @cached_property
    def spec(self) -> dict[str, Any]:
        """The chart as Vega-Lite, as wide as what holds it."""
        with alt.data_transformers.enable("default", max_rows=None):
            parts = {name: part for name, part in self.chart.to_dict().items() if name != "config"}
        return {"width": "container"} | parts


def steps_axis() -> alt.Axis:
    """The axis of optimiser steps."""
    return alt.Axis(format=",d", tickCount=5)


def steps_x() -> alt.X:
    """Training steps on a logarithmic axis: on a linear one, what happens in the first of them is not seen."""
    return alt.X("step:Q", title="training steps", axis=steps_axis(), scale=alt.Scale(type="log", nice=False))


def with_dashes(field: str, domain: Sequence[str], shown: Sequence[str]) -> dict[str, Any]:
    """Encodings of a line by colour and by dash at once, under one legend of the values `shown`."""
    legend = alt.Legend(symbolType="stroke", symbolOpacity=1, values=list(shown))
    # As many colours as dashes: a second round pairs them otherwise.
    dashes = [DASHES[(i + i // len(DASHES)) % len(DASHES)] for i in range(len(domain))]
    return {
        "color": alt.Color(f"{field}:N", scale=alt.Scale(domain=list(domain)), legend=legend),
        "strokeDash": alt.StrokeDash(f"{field}:N", scale=alt.Scale(domain=list(domain), range=dashes), legend=legend),
    }


def condition_label(spec: TrainSpec) -> str:
    """All in which the runs of a model may differ but the seed: "random labels, weight decay 0.0005"."""
    own = regularizers(spec.augmentation, spec.dropout, spec.weight_decay)
    return ", ".join(filter(None, [spec.setting, own]))


def binned(
    step: Shaped[np.ndarray, " N"], value: Shaped[np.ndarray, " N"], last: int, most: int
) -> Float[np.ndarray, "M 2"]:
    """Means of step and value over some `most` bins up to `last`, fine enough for a linear and a logarithmic axis."""
    edges = _edges(last, most)
    step, value = step.astype(np.float64), value.astype(np.float64)
    place, known = np.searchsorted(edges, step), ~np.isnan(value)
    num_steps, num_values = (np.bincount(places, minlength=len(edges) + 1) for places in (place, place[known]))
    steps = np.bincount(place, step, minlength=len(edges) + 1)
    values = np.bincount(place[known], value[known], minlength=len(edges) + 1)
    filled = num_steps > 0
    with np.errstate(invalid="ignore"):
        return np.stack([steps[filled] / num_steps[filled], values[filled] / num_values[filled]], axis=1)


@cache
def _edges(last: int, most: int) -> Float[np.ndarray, " E"]:
    return np.union1d(np.linspace(0, last, most // 2), np.geomspace(1, max(last, 2), most // 2))


def drawn_of(settings: Sequence[Hashable]) -> tuple[list[int], str]:
    """Which runs are drawn, in their order: of more than MOST_CURVES under one setting so many, evenly spread over
    them; and a sentence that says so, "" where all are.

    Args:
        settings: of all runs.
    """
    places: dict[Hashable, list[int]] = {}
    for place, setting in enumerate(settings):
        places.setdefault(setting, []).append(place)
    chosen = sorted(
        own[round(number * (len(own) - 1) / (min(len(own), MOST_CURVES) - 1 or 1))]
        for own in places.values()
        for number in range(min(len(own), MOST_CURVES))
    )
    if len(chosen) == len(settings):
        return chosen, ""
    return chosen, (
        f"Curves are those of {len(chosen):,} of {len(settings):,} runs: of more than {MOST_CURVES} under one setting, "
        f"{MOST_CURVES} that are evenly spread over its runs. "
    )


def banded(curves: Sequence[Float[np.ndarray, "_ 2"]], value: str) -> pd.DataFrame:
    """Curves of [step, value] -> "step", the mean over them as `value`, "low" and "high" of BAND, and "runs".

    The steps are those of the longest; a curve that ends before counts on with its last value.
    """
    longest = max(curves, key=lambda curve: curve[-1, 0])
    step = longest[:, 0]
    values = np.stack([np.interp(step, curve[:, 0], curve[:, 1]) for curve in curves])
    low, high = np.quantile(values, BAND, axis=0)
    return pd.DataFrame({"step": step, value: values.mean(0), "low": low, "high": high, "runs": len(curves)})


def accuracy_bands(curves: Sequence[pd.DataFrame], by: str, value: str = "test_accuracy") -> pd.DataFrame:
    """Curves with columns "step", `value` and one value of `by` each -> `by` and what `banded` gives."""
    filled = [curve for curve in curves if len(curve)]
    groups: dict[str, list[np.ndarray]] = {}
    for curve in filled:
        groups.setdefault(curve[by].iloc[0], []).append(curve[["step", value]].to_numpy(np.float64))
    parts = [banded(group, value).assign(**{by: name}) for name, group in groups.items()]
    return rounded(pd.concat(parts, ignore_index=True))


def over_seeds(frame: pd.DataFrame, by: list[str], value: str, name: str) -> pd.DataFrame:
    """`by`, the mean as `name`, low and high of its interval, and the number of seeds."""
    rows = []
    for group, values in frame.groupby(by, sort=False)[value]:
        interval = mean_interval(values.to_numpy(np.float64))
        rows.append((*group, interval.mean, interval.low, interval.high, interval.n))
    return rounded(pd.DataFrame(rows, columns=[*by, name, "low", "high", "seeds"]))


def rounded(frame: pd.DataFrame) -> pd.DataFrame:
    """Five significant digits: what a chart can show, in half the bytes."""
    floats = frame.select_dtypes("float64").map(lambda value: float(f"{value:.5g}"))
    return frame.assign(**floats).reset_index(drop=True)


def with_series(data: pd.DataFrame) -> pd.DataFrame:
    """The data with a column `series`, model and n_train in words."""
    return data.assign(series=[model_label(*pair) for pair in zip(data["model"], data["n_train"], strict=True)])


def series(runs: pd.DataFrame) -> list[str]:
    """The names of series in the order of their runs."""
    return list(dict.fromkeys(with_series(runs)["series"]))


def layered(*layers: alt.Chart, data: pd.DataFrame, height: int) -> alt.LayerChart:
    """One chart of all `layers` over `data`, as wide as what holds it."""
    return alt.LayerChart(data=data, layer=layers, width="container", height=height)


def model_label(model: str, n_train: int) -> str:
    """A model and its number of training examples in words."""
    return f"{model} (n = {n_train:,})"


def slug(text: str) -> str:
    """A part of a file's name."""
    return re.sub(r"[^a-z0-9]+", "-", text.lower()).strip("-")


def seed_sentence(runs: pd.DataFrame) -> str:
    """How every caption ends; `runs` has a column "seed"."""
    return f"{count_of_seeds(runs['seed'].nunique(), 'One seed: no interval')}."
