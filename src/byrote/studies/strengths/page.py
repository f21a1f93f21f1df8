"""Stronger and stronger regularisers on a page: test accuracy, what is memorised, time to fit, worth in examples."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import altair as alt
import numpy as np
import pandas as pd

from byrote.charts.figure import Figure, layered, rounded, seed_sentence, slug
from byrote.charts.marks import bars, by_series, dotted, estimate_tips, logarithmic, points, tip
from byrote.charts.sections import PageTable, Presentation, Section, drawn
from byrote.evidence.data_worth import Worth
from byrote.evidence.finding import Finding
from byrote.evidence.intervals import mean_interval
from byrote.evidence.learning import on_unseen
from byrote.evidence.words import percent
from byrote.studies.strengths.findings import BEFORE_IT_COSTS
from byrote.studies.strengths.readings import Capacity, Ladders, read_capacity, runs_of, worths
from byrote.studies.strengths.study import StrengthStudy
from byrote.studies.study import Results


def present(study: StrengthStudy, results: Results, table: pd.DataFrame, findings: Sequence[Finding]) -> Presentation:
    """For each model four pictures side by side, a row a strength, and its learning curve with each strength on it."""
    runs = {model: own for model in study.model_names if len(own := table[table["model"] == model])}
    sections: list[Section] = []
    for model, own in runs.items():
        ladders = study.ladders(model)
        found = list(worths(ladders, own))
        sections += [
            Section(
                id=f"strengths-{slug(model)}",
                title=f"{model}, regularised more and more",
                lead="One regulariser is on at a time, from its weakest strength down to its strongest; the dotted "
                "line is the network without any. Further left, test accuracy is lower, and less is memorised.",
                figures=drawn(
                    accuracy_figure(ladders, own),
                    capacity_figure(ladders, own),
                    time_figure(ladders, own, "true-labels"),
                    time_figure(ladders, own, "random-labels"),
                ),
                note="Strengths are shown, not chosen: the one that tests best here is flattered by the test set.",
            ),
            Section(
                id=f"worth-{slug(model)}",
                title=f"{model}: worth in examples",
                lead="The horizontal distance to the learning curve of the network without regularisers is how "
                "many times as many examples that one needs to do as well.",
                figures=drawn(worth_figure(ladders, own, found)),
                table=worth_table(ladders, found),
            ),
        ]
    return Presentation(
        headline=headline(findings),
        sections=[section for section in sections if section.figures or section.table],
    )


def headline(findings: Sequence[Finding]) -> str:
    """Whether any regulariser keeps the models from memorising before it costs them test accuracy."""
    asked = [finding.outcome for finding in findings if finding.claim.endswith(BEFORE_IT_COSTS)]
    if set(asked) == {"not supported"}:
        return "No strength keeps a network from memorising before it costs accuracy."
    if supported := asked.count("supported"):
        return f"In {supported} of {len(asked)} cases regularisers shrink what is memorised before they cost accuracy."
    return "No conclusion about the strengths of regularisers."


def accuracy_figure(ladders: Ladders, runs: pd.DataFrame) -> Figure | None:
    """Test accuracy on true labels of the largest n, a row a strength; None without any."""
    n = ladders.sizes[-1]
    data = _rows(ladders, lambda name, s: _mean(on_unseen(runs_of(runs, name, s, "true-labels", n)), "test_accuracy"))
    if data.empty:
        return None
    axis = alt.Axis(format=".0%", tickCount=4, labelFlush=False)
    return Figure(
        name=f"strengths-accuracy-{_slug(ladders)}",
        title="Test accuracy",
        subtitle=f"true labels, n = {n:,}",
        caption=f"Networks were tested after {ladders.steps:,} steps. {seed_sentence(runs)}",
        data=data,
        chart=_by_strength(ladders, data, axis, "test accuracy", number=".1%"),
    )


def capacity_figure(ladders: Ladders, runs: pd.DataFrame) -> Figure | None:
    """The largest n whose random labels are fitted, with the next of the ladder; None without any."""

    def read(name: str, strength: int) -> dict[str, Any] | None:
        capacity = read_capacity(ladders, runs, name, strength)
        return None if isinstance(capacity, str) else _capacity_row(ladders, capacity)

    data = _rows(ladders, read)
    if data.empty:
        return None
    scale = alt.Scale(type="log", domain=[ladders.sizes[0] / 1.5, ladders.sizes[-1] * 1.5], nice=False)
    fewer = " Hollow: fewer than the smallest." if not data["filled"].all() else ""
    more = " An arrow: the whole ladder, perhaps more." if data["note"].ne("").any() else ""
    return Figure(
        name=f"strengths-capacity-{_slug(ladders)}",
        title="Largest n memorised",
        subtitle=f"random labels, {ladders.steps:,} steps",
        caption=f"Fitted with every seed; the line ends at the next n tried, which was not.{fewer}{more} "
        f"{seed_sentence(runs)}",
        data=data,
        chart=_by_strength(ladders, data, alt.Axis(format=",d", values=ladders.sizes), "n", number=",d", scale=scale),
    )


def time_figure(ladders: Ladders, runs: pd.DataFrame, corruption: str) -> Figure | None:
    """Steps to fit true or random labels, of the largest n that every strength has fitted, or else of the smallest."""
    # The network without regularisers has more n of true labels, for its learning curve.
    sizes = ladders.sizes if corruption == "random-labels" else (ladders.worth_size, ladders.sizes[-1])
    every = runs[runs["corruption"] == corruption].groupby("n_train")["fitted"].all()
    n = max((size for size in sizes if every.get(size, False)), default=sizes[0])
    labels = corruption.replace("-", " ")

    def read(name: str, strength: int) -> dict[str, Any] | None:
        own = runs_of(runs, name, strength, corruption, n)
        row = _mean(own, "steps_to_fit")
        if row is None:
            return None
        if math.isnan(row["value"]):
            return row | {"value": float(ladders.steps), "note": "not fitted"}
        return row

    data = _rows(ladders, read)
    if data.empty:
        return None
    axis, scale = alt.Axis(format=",d", tickCount=4), alt.Scale(type="log", nice=False, padding=12)
    hollow = "" if data["filled"].all() else f" Hollow: not fitted within {ladders.steps:,}."
    return Figure(
        name=f"strengths-time-{corruption}-{_slug(ladders)}",
        title="Steps to fit",
        subtitle=f"{labels}, n = {n:,}",
        caption=f"Until training accuracy reached 99%.{hollow} {seed_sentence(runs)}",
        data=data,
        chart=_by_strength(ladders, data, axis, "training steps", number=",.0f", scale=scale),
    )


def worth_figure(ladders: Ladders, runs: pd.DataFrame, found: Sequence[tuple[str, int, Worth]]) -> Figure | None:
    """The learning curve without regularisers, and each strength at its n with its distance to the curve."""
    if not found:
        return None
    curve = found[0][2].curve.rename(columns={"fitted_accuracy": "curve"}).assign(series="none", label="none")
    lowest, highest = float(curve["n_train"].min()), float(curve["n_train"].max())
    placed = pd.DataFrame(
        [
            {
                "n_train": worth.n_train,
                "test_accuracy": worth.accuracy,
                "series": name.replace("_", " "),
                "label": ladders.label(name, strength),
                "worth": worth.factor,
                "reaches": float(np.clip(worth.factor * worth.n_train, lowest, highest)),
                "read_off": 0 < worth.factor < math.inf,
            }
            for name, strength, worth in found
        ]
    )
    data = rounded(pd.concat([curve, placed.replace({"worth": {math.inf: np.nan}})], ignore_index=True))
    looks = _looks(ladders, "series", ("color", "shape"))
    x = alt.X("n_train:Q", title="training examples", **logarithmic(at=ladders.sizes))
    y = alt.Y("test_accuracy:Q", title="test accuracy", axis=alt.Axis(format=".0%"), scale=alt.Scale(zero=False))
    base = alt.Chart().encode(x=x, color=looks.pop("color"))
    line = base.transform_filter("datum.series === 'none'").mark_line().encode(y="curve:Q")
    dashes = alt.condition("datum.read_off === false", alt.value([2, 3]), alt.value([1, 0]))
    distances = (
        base.transform_filter("datum.series !== 'none'")
        .mark_rule(strokeWidth=1.5)
        .encode(x2="reaches:Q", y=y, strokeDash=dashes)
    )
    tips = [
        *(tip("label"), tip("n_train", "n", ",")),
        *(tip("test_accuracy", "test accuracy", ".1%"), tip("worth", "times the data", ".2f")),
    ]
    marks = points(base, y, tips, **looks)
    beyond = "" if placed["read_off"].all() else " Dotted: beyond the ends of the curve, so at least that far."
    return Figure(
        name=f"worth-{_slug(ladders)}",
        title="Learning curve on true labels",
        subtitle=f"{ladders.steps:,} steps each",
        caption=f"The line is the nearest one that never falls. A rule leads from each regularised network to the n at "
        f"which the network without regularisers tests as well.{beyond} {seed_sentence(runs)}",
        data=data,
        chart=layered(line, distances, marks, data=data, height=300),
    )


def worth_table(ladders: Ladders, found: Sequence[tuple[str, int, Worth]]) -> PageTable | None:
    """What each strength is worth in training examples; None where none is known."""
    rows = [
        [
            ladders.label(name, strength),
            times(worth, worth.factor),
            "–" if math.isnan(worth.low) else f"{times(worth, worth.low)} to {times(worth, worth.high)}",
            percent(worth.accuracy),
            str(worth.num_seeds),
        ]
        for name, strength, worth in found
    ]
    if not rows:
        return None
    return PageTable(
        header=("regulariser", "times the data", "95% interval", "test accuracy", "seeds"),
        blocks={f"n = {ladders.worth_size:,}": rows},
    )


def times(worth: Worth, factor: float) -> str:
    """A worth, or an end of its interval: "1.8", "over 4" and "under 0.25" beyond the ends of the learning curve."""
    fewest, most = (worth.curve["n_train"].iloc[[0, -1]] / worth.n_train).tolist()
    if factor == 0:
        return f"under {fewest:.2g}"
    return f"over {most:.2g}" if factor == math.inf else f"{factor:.2f}"


def _rows(ladders: Ladders, read: Callable[[str, int], dict[str, Any] | None]) -> pd.DataFrame:
    """A row for each condition that can be read: label, regularizer, value, low, high, seeds, filled, note, none."""
    rows = [
        {"label": ladders.label(name, s), "regularizer": name.replace("_", " ") or "none", "strength": s, **row}
        for name, s in ladders.conditions
        if (row := read(name, s)) is not None
    ]
    data = pd.DataFrame(rows)
    if data.empty:
        return data
    none = data.loc[(data["strength"] == 0) & data["filled"], "value"]
    return rounded(data.assign(none=none.iloc[0] if len(none) else np.nan))


def _mean(runs: pd.DataFrame, column: str) -> dict[str, Any] | None:
    if runs.empty:
        return None
    interval = mean_interval(runs[column].to_numpy(dtype=float))
    fitted = not math.isnan(interval.mean)
    return {"value": interval.mean, "low": interval.low, "high": interval.high, "filled": fitted, "note": ""}


def _capacity_row(ladders: Ladders, capacity: Capacity) -> dict[str, Any]:
    value = float(capacity.fitted or ladders.sizes[0])
    end = capacity.unfitted if capacity.fitted is not None else None
    return {
        "value": value,
        "low": value if end is not None else math.nan,
        "high": math.nan if end is None else float(end),
        "filled": capacity.fitted is not None,
        "note": "→" if capacity.unfitted is None else "",
    }


def _by_strength(
    ladders: Ladders, data: pd.DataFrame, axis: alt.Axis, title: str, *, number: str, scale: alt.Scale | None = None
) -> alt.LayerChart:
    """A row a condition; a line joins the strengths of a regulariser, a dotted rule stands at none."""
    looks = _looks(ladders, "regularizer", ("color", "fill", "shape"), legend=None)
    x = alt.X("value:Q", title=title, axis=axis, scale=scale or alt.Scale(zero=False))
    base = alt.Chart().encode(
        y=alt.Y("label:N", sort=list(data["label"]), title=None, axis=alt.Axis(labelLimit=150)),
        color=looks.pop("color"),
    )
    layers = [
        dotted(x="mean(none):Q"),
        base.mark_line(strokeWidth=1).encode(x=x, order="strength:O"),
        *bars(base, x, data),
    ]
    if data["note"].ne("").any():
        layers.append(base.mark_text(align="left", dx=8).encode(x=x, text="note:N"))
    tips = [tip("label"), *estimate_tips("value", title, number, "")]
    layers.append(points(base, x, tips, filled="datum.filled !== false", **looks))
    return layered(*layers, data=data, height=22 * len(data) + 10)


def _looks(ladders: Ladders, field: str, channels: Sequence[str], **legend: Any) -> dict[str, Any]:
    names = ["none", *(name.replace("_", " ") for name in ladders.strengths)]
    return by_series(field, names, channels, **legend)


def _slug(ladders: Ladders) -> str:
    return slug(f"{ladders.model}-{ladders.sizes[-1]}")
