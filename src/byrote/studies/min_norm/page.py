"""Minimum-norm interpolation on a page: the paper's rows beside ours, error against norm, what was chosen, descent."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import altair as alt
import pandas as pd

from byrote.charts.figure import Figure, layered, rounded, with_dashes
from byrote.charts.marks import bars, by_series, estimate_tips, logarithmic, points, tip
from byrote.charts.sections import Cell, PageTable, Presentation, Section, drawn
from byrote.evidence.finding import Finding, FitsRandomLabels, Unregularized
from byrote.evidence.words import percent
from byrote.studies.min_norm.findings import error_interval, fits_of
from byrote.studies.min_norm.interpolants import descent_figure, interpolants_table
from byrote.studies.min_norm.rows import FEATURES, KernelRow, published_rows
from byrote.studies.min_norm.study import MinNormStudy
from byrote.studies.paper_numbers import PAPER
from byrote.studies.study import Results
from byrote.theory.calculation import Computed
from byrote.theory.kernels.feature_maps import Features
from byrote.theory.kernels.implicit_bias import ImplicitBias
from byrote.theory.kernels.interpolation import KernelInterpolation

LABELLINGS = ("true labels", "random labels")
_IS_TRUE = "datum.labels === 'true labels'"
_MOST_TICKS = 8
_KERNELS = (
    "Inputs and Gabor wavelets have a Gaussian kernel, random convolutions the linear one. All training labels are met "
    "exactly, but where identical inputs have different ones, which are met on average. Targets are one-hot."
)
_NORM = (
    "The norm is sqrt(tr(Y' K^-1 Y)) for targets Y and the kernel matrix K: the length, over all classes, of the "
    "shortest function in the kernel's space that takes these values. It is in units of the kernel's root mean "
    "diagonal (1 for a Gaussian), so that scaling the features changes nothing. The paper says neither how it arrives "
    "at its 220 and 390 nor which kernels, widths, wavelets and filters it takes: its norms need not mean what ours do."
)
_CHOICE = (
    "Kernel widths and the strength of l2 are chosen on a sixth of the training examples, held out while choosing, and "
    "never on the test set."
)


def present(study: MinNormStudy, results: Results, table: pd.DataFrame, findings: Sequence[Finding]) -> Presentation:
    """The paper's rows beside ours; what norms say; learning curves; the choice of widths; descent and its rivals."""
    beside = bool(published_rows(study.data))
    small = table[table["calculation"] == ImplicitBias.__name__]
    sections = [
        Section(
            id="rows",
            number="Section 5",
            title="Beside the paper" if beside else "Interpolation without regularisation",
            lead="Kernel machines take every training label exactly here; drawn is their test error after true labels, "
            "and after random ones with the same "
            f"kernel.{' Differences are in points, ours minus the paper.' if beside else ''}",
            table=page_table(study, table),
            note=_limits(study, table),
        ),
        Section(
            id="norms",
            title="The norm",
            lead="Each point is a function that interpolates. Were the norm what decides, points would lie along one "
            "rising line whatever the features and however many examples.",
            figures=drawn(norm_figure(study, table)),
        ),
        Section(
            id="learning-curves",
            title="More examples",
            lead="These are the test error and norm of the functions that interpolate n examples.",
            figures=drawn(curve_figure(table, "test_error"), curve_figure(table, "scaled_norm")),
        ),
        Section(
            id="choices",
            title="Choices, and how they were made",
            lead="This is the error on the held-out part of the training set with each width of the kernel and "
            "strength of l2.",
            figures=drawn(*(ladder_figure(results.computed, name) for name in ("width", "ridge"))),
        ),
        Section(
            id="descent",
            title="Which solution gradient descent finds",
            lead="Left to itself from zero, descent on the squared loss goes to one solution among many. All of them "
            "fit as well and have the same curvature; what they do on test examples is in the table.",
            figures=drawn(descent_figure(results.computed)),
            table=interpolants_table(small),
        ),
    ]
    return Presentation(
        headline=headline(findings),
        sections=[section for section in sections if section.figures or section.table],
        notes=[_KERNELS, _NORM, _CHOICE],
    )


def headline(findings: Sequence[Finding]) -> str:
    """Whether interpolation without regularisation generalises, and fits random labels as well."""
    learnt = [each.outcome == "supported" for each in findings if isinstance(each.reading, Unregularized)]
    rote = [each.reading.fitted for each in findings if isinstance(each.reading, FitsRandomLabels)]
    if all(learnt) and all(rote):
        return "Kernels without regularisation generalise, and interpolate random labels as well."
    if not any(learnt + rote):
        return "No conclusion about interpolation without regularisation."
    return f"{sum(learnt)} of {len(learnt)} kernels generalise without regularisation, {sum(rote)} fit random labels."


def page_table(analysis: MinNormStudy, table: pd.DataFrame) -> PageTable:
    """A row each of the paper's for either labelling, with its largest n; means over draws of random labels."""
    paper = published_rows(analysis.data)
    blocks: dict[str, list[list[str | Cell]]] = {
        labels.capitalize(): [
            _cells(row, n, fits_of(table, row, labels, n), beside=bool(paper)) for row, n in analysis.sizes.items()
        ]
        for labels in LABELLINGS
    }
    own = ("training error", "condition")
    if not paper:
        return PageTable(header=("features", "n", "test error", "norm", *own), blocks=blocks)
    return PageTable(
        header=("features", "n", "paper", "ours", "difference", "paper", "ours", *own),
        spans=(("", 2), ("test error", 3), ("norm", 2), ("", 2)),
        blocks=blocks,
    )


def _cells(row: KernelRow, n: int, fits: pd.DataFrame, *, beside: bool) -> list[str | Cell]:
    if fits.empty:
        return [row.name, f"{n:,}", *["–"] * (3 + 3 * beside), Cell("–", note="not finished")]
    interval, fit = error_interval(fits, 0.95), fits.iloc[0]
    test = Cell(percent(interval.mean, 2), note=f"{100 * interval.low:.2f} to {100 * interval.high:.2f}")
    norm, condition = f"{fits['scaled_norm'].mean():.4g}", f"{float(format(fit['condition'], '.1g')):,.0f}"
    error = Cell(percent(fits["train_error"].max(), 2), note="" if fits["interpolated"].all() else "not interpolated")
    if not beside:
        return [row.name, f"{n:,}", test, norm, error, condition]
    theirs = Cell(percent(fit["paper_test_error"]), "quiet")
    signed = "–" if math.isnan(fit["difference"]) else f"{fit['difference']:+.2f}"
    their_norm = Cell("–" if math.isnan(fit["paper_norm"]) else f"{fit['paper_norm']:.0f}", "quiet")
    return [row.name, f"{n:,}", theirs, test, signed, their_norm, norm, error, condition]


def _limits(analysis: MinNormStudy, table: pd.DataFrame) -> str:
    words = ["Intervals are binomial, over the test examples."]
    convolutions = fits_of(table, KernelRow("random-convolutions"), LABELLINGS[0])
    if len(convolutions):
        words.append(f"Random convolutions are {int(convolutions['num_features'].iloc[0]):,} features.")
    fewer = {row: n for row, n in analysis.sizes.items() if n < len(analysis.data.train)}
    if published_rows(analysis.data):
        words.insert(
            0,
            f"The paper's figures are those of {PAPER}, section 5, on all {len(analysis.data.train):,} training "
            "examples.",
        )
        if fewer:
            sizes = " and ".join(f"{n:,}" for n in sorted(set(fewer.values())))
            words.insert(1, f"Ours on {sizes} are at a disadvantage: test error falls with the number of examples.")
    return " ".join(words)


def norm_figure(analysis: MinNormStudy, table: pd.DataFrame) -> Figure | None:
    """Test error against norm: every n, true and random labels, and the paper's points; None without any."""
    rows = [
        {
            "series": row.name,
            "labels": labels,
            "source": "ours",
            "norm": fit["scaled_norm"],
            "test_error": max(fit["test_error"], _least_error(table)),
            "n_train": int(fit["n_train"]),
        }
        for row in analysis.sizes
        if not row.regularized
        for labels in LABELLINGS
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
    sources = list(dict.fromkeys(data["source"]))
    by_source = alt.Scale(domain=["ours", "paper"], range=["circle", "diamond"])
    shape = alt.Shape("source:N", scale=by_source, legend=alt.Legend() if len(sources) > 1 else None)
    looks = _looks(data)
    x = alt.X("norm:Q", title="norm", **logarithmic(",~g", _ticks(data["norm"]), padding=12))
    y = _error_axis("test_error", data["test_error"])
    base = alt.Chart().encode(x=x, y=y, color=looks.pop("color"))
    lines = (
        base.transform_filter("datum.source === 'ours' && datum.labels === 'true labels'")
        .mark_line(strokeWidth=1)
        .encode(order="n_train:Q")
    )
    tips = [
        *(tip("series"), tip("labels"), tip("source"), tip("norm", "", ".4~g")),
        *(tip("test_error", "test error", ".2%"), tip("n_train", "n", ",")),
    ]
    marks = points(base, y, tips, filled=_IS_TRUE, shape=shape, **looks)
    return Figure(
        name="norm-and-error",
        title="Test error against norm",
        subtitle="functions that interpolate",
        caption=f"Filled: true labels; hollow: random labels. {_which_n(data['n_train'])} One draw of each training "
        f"subset: no interval.{_where_none_is_wrong(table)}",
        data=data,
        chart=layered(lines, marks, data=data, height=300),
    )


def _which_n(n: pd.Series) -> str:
    if n.nunique() == 1:
        return f"Of n = {n.iloc[0]:,}."
    return f"Lines join growing n, {n.min():,} to {n.max():,}."


def _where_none_is_wrong(table: pd.DataFrame) -> str:
    """Said where it is so: an axis of logarithms has no zero."""
    least = _least_error(table)
    if not (table["interpolated"].eq(True) & (table["test_error"] < least)).any():
        return ""
    return f" Functions that get every test example right are drawn at {100 * least:.2g}%."


def curve_figure(table: pd.DataFrame, column: str) -> Figure | None:
    """The column "test_error" or "scaled_norm" against n, a line for each kernel and labelling, where all fits
    interpolate; None where no kernel has two sizes."""
    is_error = column == "test_error"
    rows = []
    for features, series in FEATURES.items():
        for labels in LABELLINGS:
            fits = fits_of(table, KernelRow(features), labels)
            for n, own in fits.groupby("n_train") if fits["n_train"].nunique() > 1 else ():
                if not own["interpolated"].all():
                    continue
                low, high = own[column].min(), own[column].max()
                if is_error:
                    interval = error_interval(own, 0.95)
                    low, high = max(interval.low, _least_error(table)), interval.high
                value = max(own[column].mean(), low)
                rows.append(
                    {"series": series, "labels": labels, "n_train": n, "value": value, "low": low, "high": high}
                )
    if not rows:
        return None
    data = rounded(pd.DataFrame(rows))
    name = "test error" if is_error else "norm"
    looks = _looks(data) | by_series("series", dict.fromkeys(data["series"]), ["shape"], legend=None)
    x = alt.X("n_train:Q", title="training examples", **logarithmic(at=data["n_train"], padding=12))
    ends = pd.concat([data["low"], data["high"]])
    norms = logarithmic(",~g", _ticks(ends), padding=12)
    y = _error_axis("value", ends) if is_error else alt.Y("value:Q", title=name, **norms)
    base = alt.Chart().encode(x=x, color=looks.pop("color"))
    dashes = alt.Scale(domain=list(LABELLINGS), range=[[1, 0], [6, 3]])
    tips = [tip("series"), tip("labels"), tip("n_train", "n", ",")]
    tips += estimate_tips("value", name, ".2%" if is_error else ".4~g", "")
    layers = [
        base.mark_line().encode(y=y, strokeDash=alt.StrokeDash("labels:N", scale=dashes, legend=None)),
        *bars(base, y, data),
        points(base, y, tips, filled=_IS_TRUE, **looks),
    ]
    covered = (
        "95% binomial intervals over the test examples, of the mean over draws of labels."
        if is_error
        else "from the smallest to the largest of the draws of labels."
    )
    return Figure(
        name=f"learning-curve-{name.replace(' ', '-')}",
        title=name.capitalize(),
        subtitle="against n, interpolating",
        caption=f"Filled: true labels; hollow and dashed: random labels. Bars: {covered}"
        + (_where_none_is_wrong(table) if is_error else ""),
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
    title, format_ = {
        "width": ("width / median distance", ".2~f"),
        "ridge": ("ridge / mean diagonal of K", "~e"),
    }[name]
    x = alt.X("value:Q", title=title, **logarithmic(format_, data["value"], padding=12))
    y = alt.Y("error:Q", title="validation error", axis=alt.Axis(format=".1%"), scale=alt.Scale(zero=False))
    base = alt.Chart().encode(x=x, y=y)
    series = with_dashes("series", names, names)
    looks = by_series("series", names, ("fill", "shape"), legend=None)
    tips = [tip("series"), tip("value", title, ".3~g"), tip("error", "validation error", ".2%")]
    marks = points(base, y, tips, filled="datum.chosen", color=series["color"], **looks)
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
        chart=layered(base.mark_line().encode(**series), marks, data=data, height=220),
    )


def _looks(data: pd.DataFrame) -> dict[str, Any]:
    """Outline and filling of points."""
    names = list(dict.fromkeys(data["series"]))
    outline = by_series("series", names, ["color"], legend=alt.Legend(values=names))
    return outline | by_series("series", names, ["fill"], legend=None)


def _error_axis(column: str, values: pd.Series) -> alt.Y:
    return alt.Y(f"{column}:Q", title="test error", **logarithmic("~%", _ticks(values), padding=12))


def _least_error(table: pd.DataFrame) -> float:
    """Half a test example, so that no errors at all have a place on a logarithmic axis."""
    return 0.5 / float(table["n_test"].max())


def _ticks(values: pd.Series) -> list[float]:
    """1, 2, 5, 10 ... within the values, or powers of ten if those are many."""
    powers = range(math.floor(math.log10(values.min())), math.ceil(math.log10(values.max())) + 1)
    fine = [float(f"{digit}e{power}") for power in powers for digit in (1, 2, 5)]
    inside = [tick for tick in fine if values.min() <= tick <= values.max()]
    return inside if len(inside) <= _MOST_TICKS else [float(f"1e{power}") for power in powers]
