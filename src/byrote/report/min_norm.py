"""Minimum-norm interpolation on a page: the paper's rows beside ours, error against norm, what was chosen, descent."""

from __future__ import annotations

import math
from collections.abc import Sequence

import altair as alt
import pandas as pd

from byrote.report.answers import percent
from byrote.report.figures import Figure, layered, rounded, with_dashes
from byrote.report.interpolants import descent_figure, interpolants_table
from byrote.report.sections import Cell, PageTable, Presentation, Section
from byrote.studies.min_norm import MinNormAnalysis
from byrote.studies.min_norm_findings import error_interval, fits_of, fits_random_labels, generalises
from byrote.studies.min_norm_rows import FEATURES, Row, published_rows
from byrote.studies.paper_numbers import PAPER
from byrote.theory.calculation import Computed
from byrote.theory.feature_maps import Features
from byrote.theory.kernel_interpolation import KernelInterpolation
from byrote.theory.other_interpolants import OtherInterpolants

LABELS = ("true labels", "random labels")
_NORM = (
    "The norm is sqrt(tr(Y' K^-1 Y)) for one-hot targets Y and the kernel matrix K: the length, over all classes, of "
    "the shortest function in the kernel's space that takes these values. The paper says neither how it arrives at "
    "its 220 and 390 nor which kernels, widths, wavelets and filters it takes: its norms need not mean what ours do."
)
_CHOICE = (
    "Kernel widths and the strength of l2 are chosen on a sixth of the training examples, held out while choosing, and "
    "never on the test set."
)


def present(analysis: MinNormAnalysis, results: Sequence[Computed], table: pd.DataFrame) -> Presentation:
    """The paper's rows beside ours; what norms say; learning curves; the choice of widths; descent and its rivals."""
    beside = bool(published_rows(analysis.data))
    small = table[table["calculation"] == OtherInterpolants.__name__]
    sections = [
        Section(
            id="rows",
            number="Section 5",
            title="Beside the paper" if beside else "Interpolation without regularisation",
            lead="Kernel machines that take every training label exactly: test error after true labels, and after "
            f"random ones with the same kernel.{' Differences are in points, ours minus the paper.' if beside else ''}",
            table=page_table(analysis, table),
            note=_limits(analysis, table),
        ),
        Section(
            id="norms",
            title="What the norm says",
            lead="Each point is a function that interpolates. Were the norm what decides, points would lie along one "
            "rising line whatever the features and however many examples.",
            figures=_drawn(norm_figure(analysis, table)),
        ),
        Section(
            id="learning-curves",
            title="More examples",
            lead="Test error and norm of the functions that interpolate n examples.",
            figures=_drawn(curve_figure(table, "test_error"), curve_figure(table, "norm")),
        ),
        Section(
            id="choices",
            title="What was chosen, and how",
            lead="Error on the held-out part of the training set with each width of the kernel and strength of l2.",
            figures=_drawn(*(ladder_figure(results, name) for name in ("width", "ridge"))),
        ),
        Section(
            id="descent",
            title="Which solution gradient descent finds",
            lead="Left to itself from zero, descent on the squared loss goes to one solution among many. All of them "
            "fit as well and have the same curvature; what they do on test examples is in the table.",
            figures=_drawn(descent_figure(results)),
            table=interpolants_table(small),
        ),
    ]
    return Presentation(
        headline=headline(analysis, table),
        sections=[section for section in sections if section.figures or section.table],
        notes=[_NORM, _CHOICE],
    )


def headline(analysis: MinNormAnalysis, table: pd.DataFrame) -> str:
    """Whether interpolation without regularisation generalises, and fits random labels as well."""
    plain = {row: n for row, n in analysis.sizes.items() if not row.regularized}
    learnt = [generalises(row, n, table).outcome == "supported" for row, n in plain.items()]
    rote = [fits_random_labels(row, n, table).outcome == "supported" for row, n in plain.items()]
    if all(learnt) and all(rote):
        return "Kernels without regularisation generalise, and interpolate random labels as well."
    if not any(learnt + rote):
        return "No conclusion about interpolation without regularisation."
    return f"{sum(learnt)} of {len(plain)} kernels generalise without regularisation, {sum(rote)} fit random labels."


def page_table(analysis: MinNormAnalysis, table: pd.DataFrame) -> PageTable:
    """A row each of the paper's for either labelling, with its largest n; means over draws of random labels."""
    paper = published_rows(analysis.data)
    blocks: dict[str, list[list[str | Cell]]] = {
        labels.capitalize(): [
            _cells(row, n, fits_of(table, row, labels, n), beside=bool(paper)) for row, n in analysis.sizes.items()
        ]
        for labels in LABELS
    }
    own = ("training error", "condition")
    if not paper:
        return PageTable(header=("features", "n", "test error", "norm", *own), blocks=blocks)
    return PageTable(
        header=("features", "n", "paper", "ours", "difference", "paper", "ours", *own),
        spans=(("", 2), ("test error", 3), ("norm", 2), ("", 2)),
        blocks=blocks,
    )


def _cells(row: Row, n: int, fits: pd.DataFrame, *, beside: bool) -> list[str | Cell]:
    if fits.empty:
        return [row.name, f"{n:,}", *["–"] * (3 + 3 * beside), Cell("–", note="not finished")]
    interval, fit = error_interval(fits, 0.95), fits.iloc[0]
    test = Cell(percent(interval.mean, 2), note=f"{100 * interval.low:.2f} to {100 * interval.high:.2f}")
    norm = f"{fits['norm'].mean():.4g}"
    error = Cell(percent(fits["train_error"].max(), 2), note="" if fits["interpolated"].all() else "not interpolated")
    if not beside:
        return [row.name, f"{n:,}", test, norm, error, f"{fit['condition']:.1g}"]
    theirs = Cell(percent(fit["paper_test_error"]), "quiet")
    signed = "–" if math.isnan(fit["difference"]) else f"{fit['difference']:+.2f}"
    their_norm = Cell("–" if math.isnan(fit["paper_norm"]) else f"{fit['paper_norm']:.0f}", "quiet")
    return [row.name, f"{n:,}", theirs, test, signed, their_norm, norm, error, f"{fit['condition']:.1g}"]


def _limits(analysis: MinNormAnalysis, table: pd.DataFrame) -> str:
    words = ["Intervals are binomial, over the test examples."]
    convolutions = fits_of(table, Row("random-convolutions"), LABELS[0])
    if len(convolutions):
        words.append(f"Random convolutions are {int(convolutions['num_features'].iloc[0]):,} features.")
    fewer = {row: n for row, n in analysis.sizes.items() if n < len(analysis.data.train)}
    if published_rows(analysis.data):
        words.insert(0, f"{PAPER}, section 5, on all {len(analysis.data.train):,} training examples.")
        if fewer:
            sizes = " and ".join(f"{n:,}" for n in sorted(set(fewer.values())))
            words.insert(1, f"Ours on {sizes} are at a disadvantage: test error falls with the number of examples.")
    return " ".join(words)


def norm_figure(analysis: MinNormAnalysis, table: pd.DataFrame) -> Figure | None:
    """Test error against norm: every n, true and random labels, and the paper's points; None without any."""
    rows = [
        {
            "series": row.name,
            "labels": labels,
            "source": "ours",
            "norm": fit["norm"],
            "test_error": fit["test_error"],
            "n_train": int(fit["n_train"]),
        }
        for row in analysis.sizes
        if not row.regularized
        for labels in LABELS
        for fit in fits_of(table, row, labels).to_dict("records")
        if fit["interpolated"]
    ]
    if not rows:
        return None
    rows += [
        {
            "series": row.name,
            "labels": "true labels",
            "source": "paper",
            "norm": published.norm,
            "test_error": published.test_error,
            "n_train": len(analysis.data.train),
        }
        for row, published in published_rows(analysis.data).items()
        if not math.isnan(published.norm)
    ]
    data = rounded(pd.DataFrame(rows))
    names = [FEATURES[features] for features in dict.fromkeys(row.features for row in analysis.sizes)]
    by_series = alt.Scale(domain=names)
    x = alt.X("norm:Q", title="norm", scale=alt.Scale(type="log", nice=False, padding=12))
    y = alt.Y("test_error:Q", title="test error", axis=alt.Axis(format=".0%"), scale=alt.Scale(domain=[0, 1]))
    color = alt.Color("series:N", scale=by_series)
    lines = (
        alt.Chart()
        .transform_filter("datum.source === 'ours' && datum.labels === 'true labels'")
        .mark_line(strokeWidth=1)
        .encode(x=x, y=y, color=color, order="n_train:Q")
    )
    points = (
        alt.Chart()
        .mark_point(filled=False, opacity=1)
        .encode(
            x=x,
            y=y,
            color=color,
            fill=alt.Fill("series:N", scale=by_series, legend=None),
            fillOpacity=alt.condition("datum.labels === 'true labels'", alt.value(1), alt.value(0)),
            shape=alt.Shape("source:N", scale=alt.Scale(domain=["ours", "paper"], range=["circle", "diamond"])),
            tooltip=[
                alt.Tooltip("series:N"),
                alt.Tooltip("labels:N"),
                alt.Tooltip("source:N"),
                alt.Tooltip("norm:Q", format=".4~g"),
                alt.Tooltip("test_error:Q", title="test error", format=".2%"),
                alt.Tooltip("n_train:Q", title="n", format=","),
            ],
        )
    )
    return Figure(
        name="norm-and-error",
        title="Test error against norm",
        subtitle="functions that interpolate",
        caption=f"Filled: true labels; hollow: random labels. A line joins growing n, "
        f"{data['n_train'].min():,} to {data['n_train'].max():,}. Norms of different kernels have different units; "
        "the Gaussian ones share theirs. One draw of the training subset: no interval.",
        data=data,
        chart=layered(lines, points, data=data, height=300),
    )


def curve_figure(table: pd.DataFrame, column: str) -> Figure | None:
    """The test error or the norm against n, a line each kernel and labelling; None where no kernel has two sizes."""
    name = column.replace("_", " ")
    rows = []
    for features, series in FEATURES.items():
        for labels in LABELS:
            fits = fits_of(table, Row(features), labels)
            for n, own in fits.groupby("n_train") if fits["n_train"].nunique() > 1 else ():
                interval = error_interval(own, 0.95)
                ends = (
                    (interval.low, interval.high) if column == "test_error" else (own[column].min(), own[column].max())
                )
                place = {"series": series, "labels": labels, "n_train": n, "value": own[column].mean()}
                rows.append(place | {"low": ends[0], "high": ends[1], "interpolated": bool(own["interpolated"].all())})
    if not rows:
        return None
    data = rounded(pd.DataFrame(rows))
    names = list(dict.fromkeys(data["series"]))
    by_series = alt.Scale(domain=names)
    sizes = sorted(set(data["n_train"]))
    x = alt.X(
        "n_train:Q",
        title="training examples",
        scale=alt.Scale(type="log", nice=False, padding=12),
        axis=alt.Axis(format=",d", values=sizes, labelOverlap=True),
    )
    is_error = column == "test_error"
    axis, scale = (
        (alt.Axis(format=".0%"), alt.Scale(domain=[0, 1])) if is_error else (alt.Axis(), alt.Scale(type="log"))
    )
    y = alt.Y("value:Q", title=name, axis=axis, scale=scale)
    color = alt.Color("series:N", scale=by_series)
    number = ".2%" if is_error else ".4~g"
    base = alt.Chart().encode(x=x, color=color)
    dashes = alt.StrokeDash("labels:N", scale=alt.Scale(domain=list(LABELS), range=[[1, 0], [6, 3]]))
    layers = [
        base.mark_line().encode(y=y, strokeDash=dashes),
        base.mark_rule(strokeWidth=1.5).encode(y=alt.Y("low:Q", title=name), y2="high:Q"),
        base.mark_point(filled=False, opacity=1).encode(
            y=y,
            fill=alt.Fill("series:N", scale=by_series, legend=None),
            fillOpacity=alt.condition("datum.interpolated", alt.value(1), alt.value(0)),
            shape=alt.Shape("labels:N", scale=alt.Scale(domain=list(LABELS)), legend=None),
            tooltip=[
                alt.Tooltip("series:N"),
                alt.Tooltip("labels:N"),
                alt.Tooltip("n_train:Q", title="n", format=","),
                alt.Tooltip("value:Q", title=name, format=number),
                alt.Tooltip("low:Q", format=number),
                alt.Tooltip("high:Q", format=number),
            ],
        ),
    ]
    hollow = "" if data["interpolated"].all() else " Hollow: not interpolated."
    bars = (
        "Bars: 95% binomial intervals over the test examples, of the mean over draws of labels."
        if is_error
        else "Bars: from the smallest to the largest of the draws of labels."
    )
    return Figure(
        name=f"learning-curve-{name.replace(' ', '-')}",
        title=name.capitalize(),
        subtitle="against n, interpolating",
        caption=f"{bars}{hollow}",
        data=data,
        chart=layered(*layers, data=data, height=260),
    )


def ladder_figure(results: Sequence[Computed], name: str) -> Figure | None:
    """Validation error for each "width" or "ridge" tried, of the largest n of each features; None if none was."""
    largest: dict[Features, Computed] = {}
    for result in results:  # the plan has them in the order of n
        if isinstance(result.calculation, KernelInterpolation):
            largest[result.calculation.features] = result
    rows = [
        {
            "series": FEATURES[features],
            "value": float(value),
            "error": float(error),
            "chosen": bool(value == result.values[f"relative_{name}"]),
            "n_validation": result.values["n_validation"],
        }
        for features, result in largest.items()
        for value, error in zip(result.arrays[f"{name}_tried"], result.arrays[f"{name}_error"], strict=True)
    ]
    data = rounded(pd.DataFrame(rows)).dropna() if rows else pd.DataFrame()
    if data.empty:
        return None
    names = list(dict.fromkeys(data["series"]))
    title = {"width": "width / median distance", "ridge": "ridge / mean diagonal of K"}[name]
    base = alt.Chart().encode(
        x=alt.X(
            "value:Q", title=title, scale=alt.Scale(type="log", nice=False, padding=12), axis=alt.Axis(format="~g")
        ),
        y=alt.Y("error:Q", title="validation error", axis=alt.Axis(format=".1%"), scale=alt.Scale(zero=False)),
    )
    series = with_dashes("series", names, names)
    points = base.mark_point(filled=False, opacity=1).encode(
        color=series["color"],
        fill=alt.Fill("series:N", scale=alt.Scale(domain=names), legend=None),
        fillOpacity=alt.condition("datum.chosen", alt.value(1), alt.value(0)),
        shape=alt.Shape("series:N", scale=alt.Scale(domain=names), legend=None),
        tooltip=[
            alt.Tooltip("series:N"),
            alt.Tooltip("value:Q", title=title, format=".3~g"),
            alt.Tooltip("error:Q", title="validation error", format=".2%"),
        ],
    )
    skipped = len(rows) - len(data)
    singular = f" {skipped} more left the kernel matrix numerically singular." if skipped else ""
    is_best = data["error"] == data.groupby("series")["error"].transform("min")
    passed_over = "" if is_best[data["chosen"]].all() else " among those whose matrix has a factor with all n examples"
    sizes = " or ".join(f"{n:,}" for n in sorted(set(data["n_validation"])))
    return Figure(
        name=f"validation-{name}",
        title={"width": "Width of the Gaussian", "ridge": "Strength of l2"}[name],
        subtitle=f"{sizes} held-out training examples",
        caption=f"Filled: chosen, by the lowest error{passed_over}.{singular} One split: no interval.",
        data=data,
        chart=layered(base.mark_line().encode(**series), points, data=data, height=220),
    )


def _drawn(*figures: Figure | None) -> list[Figure]:
    return [figure for figure in figures if figure is not None]
