"""Outcomes and their table -> charts, each with the tidy data it draws and nothing else.

Charts leave colours and type to the `config` of `theme.py`, so that one chart serves light and dark pages, slides and
SVG files.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import altair as alt
import numpy as np
import pandas as pd
from jaxtyping import Float, Shaped

from byrote.report.theme import DASHES
from byrote.studies.statistics import mean_interval
from byrote.training.outcome import TrainOutcome

MOST_POINTS = 120
"""A drawn curve has hardly more: a page with a hundred runs stays small, and single batches do not hide the trend."""

SETTINGS = ("true labels", "random labels", "shuffled pixels", "random pixels", "Gaussian")
EARLY_MEASURES = {
    "gradient_norm": "gradient norm",
    "update_norm": "update norm",
    "gradient_cosine": "gradient cosine",
}


@dataclass(frozen=True, eq=False)
class Figure:
    name: str
    """The stem of its files."""
    title: str
    subtitle: str
    caption: str
    data: pd.DataFrame
    """All that the chart draws, tidy."""
    chart: alt.LayerChart
    log_steps: bool = False
    """Whether its x axis counts steps, and the page offers a logarithmic one."""

    @cached_property
    def spec(self) -> dict[str, Any]:
        """The chart as Vega-Lite, as wide as what holds it."""
        with alt.data_transformers.enable("default", max_rows=None):
            return {name: part for name, part in self.chart.to_dict().items() if name != "config"}


def figure_1a(outcomes: Sequence[TrainOutcome]) -> Figure | None:
    """Training loss against steps under each setting, for the runs of one model; a line a seed.

    Partial corruptions are left to Figures 1b and 1c; None where there is nothing else. A marker stands where a run
    has fitted.
    """
    shown = [outcome for outcome in outcomes if outcome.spec.label_rate in (0.0, 1.0)]
    if not shown:
        return None
    data = pd.concat([_loss_curve(outcome) for outcome in shown], ignore_index=True)
    settings = _known_first(data["setting"].unique())
    picked = alt.selection_point(fields=["setting"], bind="legend", name="picked")
    present = [name for name in settings if name in set(data["setting"])]
    base = alt.Chart().encode(
        x=alt.X("step:Q", title="training steps", axis=steps_axis()),
        y=alt.Y("train_loss:Q", title="training loss"),
        opacity=alt.condition(picked, alt.value(0.95 if _num_seeds(shown) == 1 else 0.75), alt.value(0.08)),
    )
    encodings = with_dashes("setting", settings, present)
    lines = base.mark_line(clip=True).encode(detail="seed:N", **encodings).add_params(picked)
    fitted = (
        base.transform_filter("datum.fitted")
        .mark_point(filled=True, opacity=1)
        .encode(
            color=encodings["color"],
            tooltip=[
                alt.Tooltip("setting:N"),
                alt.Tooltip("seed:N"),
                alt.Tooltip("step:Q", title="fitted after steps", format=","),
            ],
        )
    )
    return Figure(
        name=f"figure-1a-{_slug(outcomes[0])}",
        title=outcomes[0].spec.model,
        subtitle=f"n = {outcomes[0].n_train:,}",
        caption=f"{_seeds(shown)} A dot marks the step at which training accuracy reached 99%.{_unfitted(shown)}",
        data=data,
        chart=_chart(lines, fitted, data=data, height=280),
        log_steps=True,
    )


def figure_1b(table: pd.DataFrame) -> Figure | None:
    """Steps to fit, relative to those under true labels with the same seed, against label corruption.

    A point needs all its seeds fitted. None where there is none beside true labels.
    """
    if "relative_time_to_fit" not in table:
        return None
    runs = _label_runs(table)
    data = _over_seeds(runs, ["model", "n_train", "label_rate"], "relative_time_to_fit", "relative_time_to_fit")
    data = _with_series(data.dropna(subset="relative_time_to_fit").reset_index(drop=True))
    if data.empty or data["label_rate"].max() == 0:
        return None
    unfitted = runs[~runs["fitted"]]
    note = "" if unfitted.empty else f" Not fitted, so without a time: {_which(unfitted)}."
    return Figure(
        name="figure-1b",
        title="Time to fit, relative to true labels",
        subtitle="",
        caption=f"Optimiser steps until training accuracy reached 99%. {_seeds_of(runs)}{note}",
        data=data,
        chart=_against_corruption(
            data, "relative_time_to_fit", "relative time to fit", models=_series(runs), axis=alt.Axis(format="~g")
        ),
    )


def figure_1c(table: pd.DataFrame) -> Figure | None:
    """Test error against label corruption, beside the error of guessing; None without corrupted runs."""
    runs = _label_runs(table).assign(test_error=lambda frame: 1 - frame["test_accuracy"])
    if runs.empty or runs["label_rate"].max() == 0:
        return None
    data = _over_seeds(runs, ["model", "n_train", "label_rate"], "test_error", "test_error").assign(
        chance=1 - 1 / runs["num_classes"].iloc[0]
    )
    fitted = runs.groupby(["model", "n_train", "label_rate"])["fitted"].all().rename("all_fitted").reset_index()
    data = _with_series(data.merge(fitted, on=["model", "n_train", "label_rate"]))
    chance = alt.Chart().encode(y=alt.Y("mean(chance):Q"))
    note = "" if data["all_fitted"].all() else f" Hollow: not fitted ({_which(runs[~runs['fitted']])})."
    return Figure(
        name="figure-1c",
        title="Test error",
        subtitle="",
        caption=f"Against true labels. Dotted: guessing ({data['chance'].iloc[0]:.0%} error). {_seeds_of(runs)}{note}",
        data=data,
        chart=_against_corruption(
            data,
            "test_error",
            "test error",
            models=_series(runs),
            axis=alt.Axis(format=".0%"),
            scale=alt.Scale(domain=[0, 1]),
            under=(chance.mark_rule(strokeDash=[2, 3]),),
        ),
    )


def early_figures(outcomes: Sequence[TrainOutcome]) -> list[Figure]:
    """The slow start, for the runs of one model: gradient norm, update norm and gradient cosine of each early step.

    Over label rates only; means over bins of steps and over seeds, with the seeds' interval.
    """
    runs = [o for o in outcomes if o.spec.label_rate == 1.0 or o.spec.corruption in ("true-labels", "partial-labels")]
    runs = [o for o in runs if "+" not in o.spec.corruption and len(o.early["step"])]
    if len({outcome.spec.label_rate for outcome in runs}) < 2:
        return []
    last = max(int(outcome.early["step"].max()) for outcome in runs)
    figures = []
    for measure, title in EARLY_MEASURES.items():
        binned = pd.concat(
            [
                pd.DataFrame(
                    _binned(o.early["step"], o.early[measure], last, MOST_POINTS // 4), columns=["step", measure]
                )
                .assign(label_rate=o.spec.label_rate, seed=o.spec.seed)
                .dropna()
                for o in runs
            ],
            ignore_index=True,
        )
        # Where some seeds have left, the mean would jump.
        data = _over_seeds(binned, ["label_rate", "step"], measure, measure)
        data = data[data["seeds"] == data.groupby("label_rate")["seeds"].transform("max")].reset_index(drop=True)
        rates = sorted(data["label_rate"].unique())
        legend = alt.Legend(type="symbol", format=".0%", symbolType="stroke", symbolOpacity=1, values=rates)
        base = alt.Chart().encode(
            x=alt.X("step:Q", title="training steps", axis=steps_axis()),
            color=alt.Color("label_rate:Q", title="labels redrawn", scale=alt.Scale(domain=[0, 1]), legend=legend),
            detail="label_rate:Q",
        )
        layers = [base.mark_line().encode(y=alt.Y(f"{measure}:Q", title=None))]
        if data["low"].notna().any():
            layers.insert(0, base.mark_area(opacity=0.18).encode(y=alt.Y("low:Q", title=None), y2="high:Q"))
        caption = "Between the gradients of successive batches. " if measure == "gradient_cosine" else ""
        figures.append(
            Figure(
                name=f"early-{measure.replace('_', '-')}-{_slug(runs[0])}",
                title=f"{title[0].upper()}{title[1:]}",
                subtitle=_model_label(runs[0].spec.model, runs[0].n_train),
                caption=f"{caption}Each of the first {last:,} steps, averaged in bins. {_seeds(runs)}",
                data=data,
                chart=_chart(*layers, data=data, height=200),
                log_steps=True,
            )
        )
    return figures


def all_figures(outcomes: Sequence[TrainOutcome], table: pd.DataFrame) -> dict[str, list[Figure]]:
    """Every figure that the runs allow, under "1a", "1b", "1c" and "early"."""
    models: dict[tuple[str, int], list[TrainOutcome]] = {}
    for outcome in outcomes:
        models.setdefault((outcome.spec.model, outcome.n_train), []).append(outcome)
    drawn: dict[str, Sequence[Figure | None]] = {
        "1a": [figure_1a(runs) for runs in models.values()],
        "1b": [figure_1b(table)],
        "1c": [figure_1c(table)],
        "early": [figure for runs in models.values() for figure in early_figures(runs)],
    }
    return {name: [figure for figure in group if figure is not None] for name, group in drawn.items()}


def steps_axis() -> alt.Axis:
    return alt.Axis(format=",d", tickCount=5)


def with_dashes(field: str, domain: Sequence[str], shown: Sequence[str]) -> dict[str, Any]:
    """Encodings of a line by colour and by dash at once, under one legend of the values `shown`."""
    legend = alt.Legend(symbolType="stroke", values=list(shown))
    dashes = [DASHES[i % len(DASHES)] for i in range(len(domain))]
    return {
        "color": alt.Color(f"{field}:N", scale=alt.Scale(domain=list(domain)), legend=legend),
        "strokeDash": alt.StrokeDash(f"{field}:N", scale=alt.Scale(domain=list(domain), range=dashes), legend=legend),
    }


def setting_label(corruption: str, rate: float) -> str:
    """What figures call a corruption ("partial-labels+gaussian"): "partial labels 50%, Gaussian"."""
    names = [name.replace("-", " ").replace("gaussian", "Gaussian") for name in corruption.split("+")]
    if 0 < rate < 1:
        names[0] += f" {100 * rate:.3g}%"
    return ", ".join(names)


def _loss_curve(outcome: TrainOutcome) -> pd.DataFrame:
    """The dense first steps, then a point an epoch at its last step, then the step at which the run has fitted."""
    early, curve = outcome.early, outcome.curve
    later = curve["step"] > (early["step"].max() if len(early["step"]) else 0)
    step = np.concatenate([early["step"], curve["step"][later]]).astype(np.float64)
    loss = np.concatenate([early["train_loss"], curve["train_loss"][later]]).astype(np.float64)
    finite = np.isfinite(loss)
    rows = pd.DataFrame(
        _binned(step[finite], loss[finite], outcome.steps_run, MOST_POINTS), columns=["step", "train_loss"]
    )
    rows["fitted"] = False
    if outcome.steps_to_fit is not None and finite.any():
        at = float(outcome.steps_to_fit)
        there = float(np.interp(at, rows["step"], rows["train_loss"]))
        rows = pd.concat([rows, pd.DataFrame({"step": [at], "train_loss": [there], "fitted": [True]})]).sort_values(
            "step"
        )
    rows = rows.assign(
        setting=setting_label(outcome.spec.corruption, outcome.spec.corruption_rate), seed=outcome.spec.seed
    )
    return _rounded(rows[["setting", "seed", "step", "train_loss", "fitted"]])


def _binned(
    step: Shaped[np.ndarray, " N"], value: Shaped[np.ndarray, " N"], last: int, most: int
) -> Float[np.ndarray, "M 2"]:
    """Means of step and value over some `most` bins up to `last`, fine enough for a linear and a logarithmic axis."""
    edges = np.union1d(np.linspace(0, last, most // 2), np.geomspace(1, max(last, 2), most // 2))
    frame = pd.DataFrame({"step": step.astype(np.float64), "value": value.astype(np.float64)})
    means = frame.groupby(np.searchsorted(edges, frame["step"])).mean()
    return means.to_numpy(np.float64)


def _over_seeds(frame: pd.DataFrame, by: list[str], value: str, name: str) -> pd.DataFrame:
    """`by`, the mean as `name`, low and high of its interval, and the number of seeds."""
    rows = []
    for group, values in frame.groupby(by, sort=False)[value]:
        interval = mean_interval(values.to_numpy(np.float64))
        rows.append((*group, interval.mean, interval.low, interval.high, interval.n))
    return _rounded(pd.DataFrame(rows, columns=[*by, name, "low", "high", "seeds"]))


def _rounded(frame: pd.DataFrame) -> pd.DataFrame:
    """Five significant digits: what a chart can show, in half the bytes."""
    floats = frame.select_dtypes("float64").map(lambda value: float(f"{value:.5g}"))
    return frame.assign(**floats).reset_index(drop=True)


def _with_series(data: pd.DataFrame) -> pd.DataFrame:
    return data.assign(series=[_model_label(*pair) for pair in zip(data["model"], data["n_train"], strict=True)])


def _series(runs: pd.DataFrame) -> list[str]:
    return list(dict.fromkeys(_with_series(runs)["series"]))


def _label_runs(table: pd.DataFrame) -> pd.DataFrame:
    return table[table["corruption"].isin(["true-labels", "partial-labels", "random-labels"])]


def _against_corruption(
    data: pd.DataFrame,
    value: str,
    title: str,
    *,
    models: Sequence[str],
    axis: alt.Axis,
    scale: alt.Scale | None = None,
    under: Sequence[alt.Chart] = (),
) -> alt.LayerChart:
    # All models, drawn or not, so that each looks the same in Figures 1b and 1c.
    by_model = alt.Scale(domain=models)
    legend = alt.Legend(values=[model for model in models if model in set(data["series"])])
    picked = alt.selection_point(fields=["series"], bind="legend", name="picked")
    base = alt.Chart().encode(
        x=alt.X("label_rate:Q", title="label corruption", axis=alt.Axis(format=".0%", tickCount=5)),
        color=alt.Color("series:N", scale=by_model, legend=legend),
        opacity=alt.condition(picked, alt.value(1), alt.value(0.12)),
    )
    y = alt.Y(f"{value}:Q", title=title, axis=axis, scale=scale or alt.Scale(zero=False))
    layers: list[alt.Chart] = [*under, base.mark_line().encode(y=y).add_params(picked)]
    if data["low"].notna().any():
        layers.append(base.mark_rule(strokeWidth=1.5).encode(y=alt.Y("low:Q", title=title), y2="high:Q"))
    filled = alt.condition("datum.all_fitted !== false", alt.value(1), alt.value(0))
    layers.append(
        base.mark_point(filled=False).encode(
            y=y,
            fill=alt.Fill("series:N", scale=by_model, legend=legend),
            fillOpacity=filled,
            shape=alt.Shape("series:N", scale=by_model, legend=legend),
            tooltip=[
                alt.Tooltip("series:N"),
                alt.Tooltip("label_rate:Q", title="label corruption", format=".0%"),
                alt.Tooltip(f"{value}:Q", title=title, format=".3~g"),
                alt.Tooltip("low:Q", title="95% interval, low", format=".3~g"),
                alt.Tooltip("high:Q", title="95% interval, high", format=".3~g"),
                alt.Tooltip("seeds:Q"),
            ],
        )
    )
    return _chart(*layers, data=data, height=280)


def _chart(*layers: alt.Chart, data: pd.DataFrame, height: int) -> alt.LayerChart:
    return alt.LayerChart(data=data, layer=layers, width="container", height=height)


def _known_first(settings: Iterable[str]) -> list[str]:
    """SETTINGS, whether they occur or not, so that each keeps its colour; then the others."""
    return list(dict.fromkeys([*SETTINGS, *settings]))


def _model_label(model: str, n_train: int) -> str:
    return f"{model} (n = {n_train:,})"


def _slug(outcome: TrainOutcome) -> str:
    return re.sub(r"[^a-z0-9]+", "-", f"{outcome.spec.model}-{outcome.n_train}".lower()).strip("-")


def _num_seeds(outcomes: Sequence[TrainOutcome]) -> int:
    return len({outcome.spec.seed for outcome in outcomes})


def _seeds(outcomes: Sequence[TrainOutcome]) -> str:
    return _seed_sentence(_num_seeds(outcomes))


def _seeds_of(table: pd.DataFrame) -> str:
    return _seed_sentence(table["seed"].nunique())


def _seed_sentence(num_seeds: int) -> str:
    return "One seed: no interval." if num_seeds == 1 else f"{num_seeds} seeds."


def _unfitted(outcomes: Sequence[TrainOutcome]) -> str:
    names = [setting_label(o.spec.corruption, o.spec.corruption_rate) for o in outcomes if not o.fitted]
    return f" Not fitted: {', '.join(dict.fromkeys(names))}." if names else ""


def _which(runs: pd.DataFrame) -> str:
    """ "alexnet at 75%, 100%"."""
    by_model = runs.sort_values("label_rate").groupby("model", sort=False)["label_rate"].unique()
    return "; ".join(f"{model} at {', '.join(f'{rate:.0%}' for rate in rates)}" for model, rates in by_model.items())
