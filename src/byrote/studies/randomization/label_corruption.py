"""Figures 1b and 1c: time to fit and test error against the share of labels that are random."""

from __future__ import annotations

from collections.abc import Sequence

import altair as alt
import pandas as pd

from byrote.charts.figure import Figure, layered, over_seeds, seed_sentence, series, with_series
from byrote.charts.marks import bars, by_series, dotted, estimate_tips, points, tip
from byrote.data.corruptions.record import UNIFORM_LABELS, corruption_words, is_of_labels
from byrote.evidence.chance import chance_of
from byrote.evidence.words import percent


def figure_1b(table: pd.DataFrame) -> Figure | None:
    """Steps to fit, relative to those under true labels with the same seed, against label corruption.

    A point needs all its seeds fitted. None where there is none beside true labels.
    """
    if "relative_time_to_fit" not in table:
        return None
    runs = _label_runs(table)
    data = over_seeds(runs, ["model", "n_train", "label_rate"], "relative_time_to_fit", "relative_time_to_fit")
    data = with_series(data.dropna(subset="relative_time_to_fit").reset_index(drop=True))
    if data.empty or data["label_rate"].max() == 0:
        return None
    unfitted = runs[~runs["fitted"]]
    note = "" if unfitted.empty else f" Not fitted, so without a time: {_which(unfitted)}."
    return Figure(
        name="figure-1b",
        title="Time to fit, relative to true labels",
        subtitle="",
        caption=f"Optimiser steps until training accuracy reached 99%. {seed_sentence(runs)}{note}",
        data=data,
        chart=_against_corruption(
            data, "relative_time_to_fit", "relative time to fit", models=series(runs), axis=alt.Axis(format="~r")
        ),
    )


def figure_1c(table: pd.DataFrame) -> Figure | None:
    """Test error against label corruption, beside the error of chance; None without corrupted runs."""
    runs = _label_runs(table).assign(test_error=lambda frame: 1 - frame["test_accuracy"])
    if runs.empty or runs["label_rate"].max() == 0:
        return None
    data = over_seeds(runs, ["model", "n_train", "label_rate"], "test_error", "test_error").assign(
        chance=1 - chance_of(runs)
    )
    fitted = runs.groupby(["model", "n_train", "label_rate"])["fitted"].all().rename("all_fitted").reset_index()
    data = with_series(data.merge(fitted, on=["model", "n_train", "label_rate"]))
    note = "" if data["all_fitted"].all() else f" Hollow: not fitted ({_which(runs[~runs['fitted']])})."
    return Figure(
        name="figure-1c",
        title="Test error",
        subtitle="",
        caption=f"{_chance_in_words(runs)} {seed_sentence(runs)}{note}",
        data=data,
        chart=_against_corruption(
            data,
            "test_error",
            "test error",
            models=series(runs),
            axis=alt.Axis(format=".0%"),
            scale=alt.Scale(domain=[0, 1]),
            under=[dotted(y="mean(chance):Q")],
        ),
    )


def _chance_in_words(runs: pd.DataFrame) -> str:
    """The error that random labels of K classes lead to, and that of the best constant where it is another."""
    num_classes, constant = int(runs["num_classes"].iloc[0]), 1 - runs["guessing"].iloc[0]
    chance = 1 - 1 / num_classes
    words = f"Dotted: chance, one in {num_classes} right, {percent(chance)} error."
    if pd.isna(constant) or abs(constant - chance) < 0.01:
        return words
    return f"{words} Classes are unequal: to name the largest class always has {percent(constant)} error."


def _label_runs(table: pd.DataFrame) -> pd.DataFrame:
    """The runs of uniform label corruption; and those of each other one as a model of its own, with true labels."""
    uniform = table[table["corruption"].isin(UNIFORM_LABELS)]
    others = table[~table["corruption"].isin(UNIFORM_LABELS)]
    others = others[others["corruption"].map(is_of_labels)]
    if others.empty:
        return uniform
    true = uniform[uniform["label_rate"] == 0]
    families = [] if uniform["label_rate"].max() == 0 else [uniform]
    for (model, corruption), runs in others.groupby(["model", "corruption"], sort=False):
        own = pd.concat([true[true["model"] == model], runs])
        families.append(own.assign(model=f"{model}, {corruption_words(str(corruption), 1.0)}"))
    return pd.concat(families, ignore_index=True)


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
    legend = alt.Legend(values=[model for model in models if model in set(data["series"])])
    looks = by_series("series", models, legend=legend)
    picked = alt.selection_point(fields=["series"], bind="legend", name="picked")
    base = alt.Chart().encode(
        x=alt.X("label_rate:Q", title="label corruption", axis=alt.Axis(format=".0%", tickCount=5)),
        color=looks.pop("color"),
        opacity=alt.condition(picked, alt.value(1), alt.value(0.12)),
    )
    y = alt.Y(f"{value}:Q", title=title, axis=axis, scale=scale or alt.Scale(zero=False))
    tips = [tip("series"), tip("label_rate", "label corruption", ".0%"), *estimate_tips(value, title, ".3~g")]
    layers = [
        *under,
        base.mark_line().encode(y=y).add_params(picked),
        *bars(base, y, data),
        points(base, y, [*tips, tip("seeds")], filled="datum.all_fitted !== false", **looks),
    ]
    return layered(*layers, data=data, height=280)


def _which(runs: pd.DataFrame) -> str:
    """ "alexnet at 75%, 100%"."""
    by_model = runs.sort_values("label_rate").groupby("model", sort=False)["label_rate"].unique()
    return "; ".join(f"{model} at {', '.join(f'{rate:.0%}' for rate in rates)}" for model, rates in by_model.items())
