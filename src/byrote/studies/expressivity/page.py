"""Finite-sample expressivity on a page: weights against n, Theorem 1 step by step, predictions overridden."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import altair as alt
import numpy as np
import pandas as pd

from byrote.charts.examples import painter
from byrote.charts.figure import Figure, layered, rounded, seed_sentence
from byrote.charts.marks import by_series, logarithmic, tip
from byrote.charts.sections import Cell, PageTable, Presentation, Section
from byrote.charts.theme import DASHES
from byrote.evidence.finding import Finding
from byrote.evidence.words import percent
from byrote.studies.expressivity import memorization_bounds as bounds
from byrote.studies.expressivity.findings import headline
from byrote.studies.expressivity.study import ExpressivityStudy
from byrote.studies.expressivity.worked_example import worked_sections
from byrote.studies.families import family_name
from byrote.studies.study import Results
from byrote.theory.calculation import Computed

THEOREM = "2n + d"
DEEP = "depth 4"
HYPERPLANES = "hyperplanes"
TWO_HIDDEN = "two hidden layers"
EXTRACTION = "bit extraction"
FLOOR = "float64 holds"
_CONSTRUCTIONS = {"two-layer": THEOREM, "deep": DEEP, "hyperplanes": HYPERPLANES}
_CURVE_POINTS = 60


def present(
    study: ExpressivityStudy, results: Results, table: pd.DataFrame, findings: Sequence[Finding]
) -> Presentation:
    """Weights, what keeps them from being fewer, the proof worked through, and what else tents can do."""
    sections = []
    built = _of(table, "BuiltNetwork")
    trained = _of(table, "FittingWidth")
    if len(built):
        sections.append(_weights(built, trained))
        sections.append(_bits(built))
    for result in results.computed:
        if type(result.calculation).__name__ == "WorkedExample":
            sections += worked_sections(result, study.data)
    overriding = [result for result in results.computed if type(result.calculation).__name__ == "Manipulation"]
    if overriding:
        sections.append(_overridden(study, overriding, _of(table, "Manipulation")))
    return Presentation(headline=headline(findings), sections=sections, notes=[_TARGETS, _COUNTS, _SOURCES])


_TARGETS = (
    "Labels are random. The constructions have one output, whose target is the number of the class, and are decoded by "
    "rounding; K outputs would take (K + 1)n + d weights. Training inputs that repeat an earlier one are left out."
)
_COUNTS = (
    "Free weights are counted for Theorem 1 and Corollary 1, whose units share one direction of d weights. All others "
    "are counted as trained networks are, every connection and every bias."
)
_SOURCES = (
    "Sources of the curves: hyperplanes, Bubeck, Eldan, Lee & Mikulincer (NeurIPS 2020), after Baum (1988); two hidden "
    "layers, Yun, Sra & Jadbabaie (NeurIPS 2019), theorem 3.1; bit extraction, Vardi, Yehudai & Shamir (ICLR 2022)."
)


def _of(table: pd.DataFrame, calculation: str) -> pd.DataFrame:
    return table[table["calculation"] == calculation] if len(table) else table


def _weights(built: pd.DataFrame, trained: pd.DataFrame) -> Section:
    figures = [construction_figure(built)]
    if len(trained) and trained["parameters"].notna().any():
        figures.append(trained_figure(trained))
    return Section(
        id="weights",
        title="Weights that represent any labels",
        lead="On the left is what is known to be enough. Points are networks that were built on these data and tried; "
        "lines are the formulas. On the right are the smallest networks that fit random labels by training.",
        figures=figures,
        table=_built_table(built),
        note="Errors are those of the plain sum over all units, in float64, at all n points.",
    )


def construction_figure(built: pd.DataFrame) -> Figure:
    """Weights against n: networks that were built as points, formulas as lines."""
    d, num_classes = int(built["d"].iloc[0]), int(built["num_classes"].iloc[0])
    largest = int(built["n"].max())
    grid = np.unique(np.geomspace(min(8, largest), largest, _CURVE_POINTS).round().astype(int))
    formulas: dict[str, Callable[[int], float]] = {
        THEOREM: lambda n: bounds.theorem_1(n, d),
        HYPERPLANES: lambda n: bounds.hyperplanes(n, d),
        TWO_HIDDEN: lambda n: bounds.two_hidden_layers(n, d),
        EXTRACTION: bounds.bit_extraction,
        FLOOR: lambda n: bounds.fewest_float64(n, num_classes),
    }
    curves = [(name, int(n), float(formula(int(n))), False) for name, formula in formulas.items() for n in grid]
    points = [
        (_CONSTRUCTIONS[row["construction"]], int(row["n"]), float(row["num_weights"]), True)
        for row in built.drop_duplicates(["construction", "n"]).to_dict("records")
    ]
    data = rounded(pd.DataFrame([*curves, *points], columns=["series", "n", "weights", "built"]))
    return Figure(
        name="weights-by-construction",
        title="Enough by construction",
        subtitle=f"d = {d:,}",
        caption="Lines are formulas; that of bit extraction leaves out its constant. Below the lowest, no network of "
        "64-bit weights can hold the labels.",
        data=data,
        chart=_against_n(data, [*formulas, DEEP]),
    )


def trained_figure(trained: pd.DataFrame) -> Figure:
    """Parameters of the smallest trained networks that fit, against n; bars reach down to the largest too small."""
    d = int(trained["d"].iloc[0])
    fitted = trained[trained["parameters"].notna()]
    sizes = sorted(fitted["n_train"].astype(int).unique())
    rows: list[tuple[str, int, float, bool, float]] = []
    families = []
    for family, own in fitted.groupby("model", sort=False):
        families.append(family_name(str(family)))
        for n in sorted(own["n_train"].unique()):
            runs = own[own["n_train"] == n]
            too_small = runs["too_small_parameters"].min()
            rows.append((families[-1], int(n), float(runs["parameters"].mean()), True, float(too_small)))
    grid = np.unique(np.geomspace(sizes[0], sizes[-1], _CURVE_POINTS).round().astype(int))
    for name, formula in ((THEOREM, bounds.theorem_1), (HYPERPLANES, bounds.hyperplanes)):
        rows += [(name, int(n), float(formula(int(n), d)), False, np.nan) for n in grid]
    data = rounded(pd.DataFrame(rows, columns=["series", "n", "weights", "built", "too_small"]))
    steps = int(trained["limit_steps"].max())
    return Figure(
        name="weights-by-training",
        title="Enough by training",
        subtitle=f"at most {steps:,} steps a network",
        caption="Bars reach down to the largest size tried that did not fit. " + seed_sentence(trained),
        data=data,
        chart=_against_n(data, [THEOREM, HYPERPLANES, *families], bars=True),
    )


def _against_n(data: pd.DataFrame, domain: Sequence[str], *, bars: bool = False) -> alt.LayerChart:
    """Lines of what is no point, points of what was built or trained, both axes logarithmic."""
    base = alt.Chart().encode(x=alt.X("n:Q", title="n", **logarithmic("~s")))
    y = alt.Y("weights:Q", title="weights", **logarithmic("~s"))
    # In two columns, for they are many.
    legend = alt.Legend(symbolType="stroke", values=list(domain), columns=2)
    dashes = alt.Scale(domain=list(domain), range=list(DASHES[: len(domain)]))
    series = {
        "color": alt.Color("series:N", scale=alt.Scale(domain=list(domain)), legend=legend),
        "strokeDash": alt.StrokeDash("series:N", scale=dashes, legend=legend),
    }
    shape = by_series("series", domain, ["shape"], legend=None)
    found = base.transform_filter("datum.built")
    layers = [
        base.transform_filter("!datum.built").mark_line().encode(y=y, **series),
        found.mark_point(filled=False).encode(
            y=y,
            color=series["color"],
            tooltip=[tip("series", " "), tip("n", "", ","), tip("weights", "", ",.0f")],
            **shape,
        ),
    ]
    if bars:
        layers.append(found.mark_line().encode(y=y, **series))
        bar = found.transform_filter("isValid(datum.too_small)").mark_rule(strokeWidth=1.5)
        layers.append(bar.encode(y=y, y2="too_small:Q", color=series["color"]))
    return layered(*layers, data=data, height=320)


def _built_table(built: pd.DataFrame) -> PageTable:
    """A block for each construction, in it a row for each n: the draw with the largest error."""
    blocks: dict[str, list[list[str | Cell]]] = {}
    for (name, _), runs in built.groupby(["construction", "n"], sort=False):
        row = runs.sort_values("largest_error").iloc[-1]
        right = row["accuracy"] == 1
        blocks.setdefault(_CONSTRUCTIONS[str(name)], []).append(
            [
                f"n = {int(row['n']):,}",
                f"{int(row['num_weights']):,}",
                f"{int(row['num_units']):,}",
                f"{int(row['num_connections']):,}",
                f"{row['largest_weight']:.1e}",
                f"{row['largest_error']:.1e}",
                Cell(percent(row["accuracy"]), "good" if right else "bad"),
                f"{row['seconds']:.1f}",
            ]
        )
    return PageTable(
        header=(
            "",
            "weights",
            "units",
            "as a dense network",
            "largest weight",
            "largest error",
            "labels right",
            "seconds",
        ),
        blocks=blocks,
    )


def _bits(built: pd.DataFrame) -> Section:
    rows: list[list[str | Cell]] = []
    two_layer = built[built["construction"] == "two-layer"].drop_duplicates("n")
    for row in two_layer.to_dict("records"):
        n, num_classes = int(row["n"]), int(row["num_classes"])
        weights = bounds.bit_extraction(n)
        widest = bounds.bits_of_widest(n, num_classes, row["relative_gap"])
        rows.append(
            [
                f"n = {n:,}",
                f"{bounds.bits_a_weight(n, num_classes, float(row['num_weights'])):.1f}",
                f"{weights:,.0f}",
                f"{bounds.bits_a_weight(n, num_classes, weights):,.0f}",
                Cell(f"{widest:,.0f}", "bad" if widest > bounds.MANTISSA_BITS else "good"),
            ]
        )
    return Section(
        id="bits",
        title="Why not fewer weights still",
        lead="Deep networks with about sqrt(n log n) weights exist: blocks of points share a weight, whose binary "
        "digits are their positions and labels, read off one by one. The labels' bits must be somewhere, so the "
        f"fewer the weights, the more bits each has. A float64 has {bounds.MANTISSA_BITS}.",
        table=PageTable(
            header=("", "bits a weight, 2n + d", "sqrt(n log2 n)", "bits a weight, at least", "bits of the widest"),
            blocks={"": rows},
        ),
        note="The widest weight holds the positions of sqrt(n / log2 n) points, told apart down to the smallest gap "
        "between their projections that was found here. What is red does not fit into float64, so this construction "
        "is not built. Vardi et al. prove long weights necessary wherever the number of weights grows more slowly "
        "than n.",
    )


def _overridden(analysis: ExpressivityStudy, results: Sequence[Computed], rows: pd.DataFrame) -> Section:
    first = rows.iloc[0]
    lines: list[list[str | Cell]] = [
        [
            f"{int(row['num_chosen']):,}",
            f"{int(row['weights_added']):,}",
            f"{int(row['num_as_wanted']):,}",
            f"{int(row['others_changed']):,} of {int(row['num_others']):,}",
            percent(row["overridden_test_accuracy"]),
        ]
        for row in rows.sort_values("num_chosen").to_dict("records")
    ]
    return Section(
        id="override",
        title="Predictions overridden",
        lead=f"{first['model']} ({int(first['parameters']):,} parameters) was trained on {int(first['n_train']):,} "
        f"true labels to a test accuracy of {percent(first['test_accuracy'])}. Then chosen test examples that it had "
        "right got wrong classes: a narrow tent of three units each, along one direction.",
        figures=[overridden_figure(analysis, max(results, key=lambda result: len(result.arrays["true"])))],
        table=PageTable(
            header=(
                "predictions chosen",
                "weights added",
                "now as wanted",
                "others changed",
                "test accuracy after",
            ),
            blocks={"": lines},
        ),
        note=f"Tents are at most {2 * rows['half_width'].max():.0e} of the range of projections wide. The "
        "construction was told of the chosen examples alone, not of the rest of the test set.",
    )


def overridden_figure(analysis: ExpressivityStudy, result: Computed) -> Figure:
    """Chosen examples with the class they had, which was right, and the class they have now."""
    draw, names = painter(analysis.data), analysis.data.class_names
    found: dict[str, Any] = {
        "place": np.arange(len(result.arrays["true"])),
        "picture": [draw(values) for values in result.arrays["inputs"]],
        "before": [names[label] for label in result.arrays["true"]],
        "now": [names[label] for label in result.arrays["now"]],
    }
    data = pd.DataFrame(found)
    base = alt.Chart().encode(x=alt.X("place:O", axis=None, scale=alt.Scale(paddingInner=0)))
    layers = [
        base.mark_image(width=34, height=34, smooth=False).encode(url="picture:N", y=alt.value(22)),
        base.mark_text(fontSize=11).encode(text="before:N", y=alt.value(56)),
        base.mark_text(fontSize=12, fontWeight="bold").encode(text="now:N", y=alt.value(76)),
    ]
    return Figure(
        name="overridden-examples",
        title="Overridden",
        subtitle="above the class before, which was right, below the class now",
        caption=f"{len(data)} of the chosen test examples. Their pictures have not changed.",
        data=data,
        chart=layered(*layers, data=data, height=90),
    )
