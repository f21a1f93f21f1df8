"""Rademacher complexity on a page: what training reaches against n and size, and the bound that follows."""

from __future__ import annotations

from collections.abc import Sequence

import altair as alt
import pandas as pd

from byrote.charts.figure import Figure, layered, rounded, with_dashes
from byrote.charts.marks import bars, dotted, logarithmic, points, tip
from byrote.charts.sections import Cell, PageTable, Presentation, Section
from byrote.evidence.finding import Finding
from byrote.studies.rademacher.findings import NEAR_ONE, STUMPS, pooled
from byrote.studies.rademacher.study import RademacherStudy
from byrote.studies.study import Results

_NOTES = (
    (
        "R = E sup (1/n) sum of sigma h(x) over fair signs sigma and all h of a class, without a factor 2 or an "
        "absolute value: from 0 to 1. Here h is the sign of a network's one output, as the difference of two under "
        "cross-entropy, and the sum is twice its training accuracy minus 1."
    ),
    (
        "The supremum is searched by training: the mean over draws is a lower estimate. The best of all exact training "
        "accuracies along a run counts. Lower limits are McDiarmid's: a sign moves a supremum by at most 2/n, so the "
        "mean of M of them is too high by sqrt(2 log(1/0.05) / (n M)) with a chance of at most 5%. The upper bound is "
        "the trivial one, 1."
    ),
    (
        "The bound: with a chance of 95%, test error is at most training error + R + 3 sqrt(log(2/0.05) / 2n), for all "
        "functions of the class and the 0-1 error (Mohri et al., 2018, theorem 3.5). It is vacuous from 1 on."
    ),
    (
        "Decision stumps, on the raw features, stand for a class whose suprema are computed exactly, by sorting. Their "
        "interval is McDiarmid's on both sides; their upper bound is Massart's, from the patterns that they make. "
        "Where signs are drawn, the interval's upper end and the bound that takes it may fail with a chance of 2.5% "
        "each."
    ),
    "A limit of epochs is that of the largest n; smaller n get as many steps.",
)


_COMPLEXITY = alt.Y(
    "complexity:Q", title="Rademacher complexity", scale=alt.Scale(domain=[0, 1.02]), axis=alt.Axis(tickCount=5)
)
_TIPS = [tip("complexity", "", ".3f"), tip("low", "at least (95%)", ".3f")]


def present(study: RademacherStudy, results: Results, table: pd.DataFrame, findings: Sequence[Finding]) -> Presentation:
    """The page."""
    reached = pooled(table)
    stumps = table[table["model"] == STUMPS]
    figures = [complexity_figure(reached, stumps)]
    if len(study.models) > 1 and len(reached):
        figures.append(size_figure(reached[reached["n_train"] == reached["n_train"].max()]))
    return Presentation(
        headline=headline(reached),
        sections=[
            Section(
                id="complexity",
                title="How well coin flips are fitted",
                lead="1 means that every sign is fitted. A class whose complexity stays near 1 can fit anything, and "
                "nothing follows from its having fitted the training labels.",
                figures=figures,
                table=complexity_table(reached, stumps),
                note="At least: with 95% confidence. Bound: on the test error, if there is no training error.",
            )
        ],
        notes=_NOTES,
    )


def headline(reached: pd.DataFrame) -> str:
    """Of the last model on the most examples, the widest where there are several."""
    if reached.empty:
        return "No conclusion about Rademacher complexity."
    most = reached[reached["n_train"] == reached["n_train"].max()].iloc[-1]
    bound = "its bound is vacuous" if most["bound"] >= 1 else "a lower estimate"
    found = f"{most['complexity']:.2f} on {most['n_train']:,} examples"
    return f"{most['model']} reaches a Rademacher complexity of {found}: {bound}."


def complexity_figure(reached: pd.DataFrame, stumps: pd.DataFrame) -> Figure:
    """Complexity against n, a line for each model; a bar down to the lower limit, for stumps up to the upper too."""
    columns = ["model", "n_train", "complexity", "low", "high", "draws"]
    parts = [
        reached.assign(high=reached["complexity"], draws=reached["num_draws"]) if len(reached) else reached,
        stumps.assign(draws=stumps["num_draws"]) if len(stumps) else stumps,
    ]
    data = rounded(pd.concat([part[columns] for part in parts if len(part)], ignore_index=True))
    models = list(dict.fromkeys(data["model"]))
    series = with_dashes("model", models, models)
    base = alt.Chart().encode(x=alt.X("n_train:Q", title="examples n", **logarithmic(at=data["n_train"])))
    tips = [tip("model"), tip("n_train", "n", ","), *_TIPS, tip("draws")]
    return Figure(
        name="complexity",
        title="Complexity against n",
        subtitle="",
        caption="Networks: the mean over draws of what training reached, and down to the 95% lower limit of R. Stumps: "
        "exact suprema with the 95% interval of their mean. The rule is the trivial upper bound.",
        data=data,
        chart=layered(
            dotted(y=1.0),
            *bars(base, _COMPLEXITY, data, color=series["color"]),
            base.mark_line().encode(y=_COMPLEXITY, **series),
            points(base, _COMPLEXITY, tips, color=series["color"]),
            data=data,
            height=280,
        ),
    )


def size_figure(largest: pd.DataFrame) -> Figure:
    """Complexity against the number of parameters, at one n."""
    data = rounded(
        largest[["model", "parameters", "n_train", "complexity", "low", "num_draws"]]
        .astype({"parameters": int})
        .assign(high=largest["complexity"])
    )
    n = int(data["n_train"].iloc[0])
    base = alt.Chart().encode(x=alt.X("parameters:Q", **logarithmic(at=data["parameters"])))
    return Figure(
        name="complexity-by-size",
        title="Complexity against size",
        subtitle=f"n = {n:,}",
        caption="The mean over draws of what training reached, and down to the 95% lower limit of R. Solid: as many "
        "parameters as examples.",
        data=data,
        chart=layered(
            alt.Chart().mark_rule().encode(x=alt.datum(n)),
            dotted(y=1.0),
            *bars(base, _COMPLEXITY, data),
            base.mark_line().encode(y=_COMPLEXITY),
            points(base, _COMPLEXITY, [tip("model"), tip("parameters", "", ","), *_TIPS]),
            data=data,
            height=280,
        ),
    )


def complexity_table(reached: pd.DataFrame, stumps: pd.DataFrame) -> PageTable:
    """A block a model, a row an n."""
    blocks: dict[str, list[list[str | Cell]]] = {}
    for row in reached.to_dict("records"):
        interrupted = int(row["num_interrupted"])
        vacuous = row["bound"] >= 1
        blocks.setdefault(f"{row['model']}, {row['parameters']:,.0f} parameters", []).append(
            [
                f"n = {row['n_train']:,}",
                Cell(f"{row['complexity']:.3f}", "" if row["complexity"] >= NEAR_ONE else "quiet"),
                f"{row['low']:.3f}",
                "1",
                Cell(
                    f"{row['num_interpolated']:.0f} of {row['num_draws']}",
                    note=f"{interrupted} ended by their limit" if interrupted else "",
                ),
                Cell(f"{row['bound']:.2f}", "bad" if vacuous else "unsure", "vacuous" if vacuous else "or more"),
            ]
        )
    for row in stumps.to_dict("records"):
        blocks.setdefault(f"{STUMPS}, exact suprema", []).append(
            [
                f"n = {row['n_train']:,}",
                f"{row['complexity']:.3f}",
                f"{row['low']:.3f}",
                Cell(f"{row['high']:.3f}", note=f"Massart {row['upper_bound']:.3f}"),
                f"{row['num_draws']:,}",
                _bound_of_stumps(row["bound"]),
            ]
        )
    return PageTable(header=("examples", "complexity", "at least", "at most", "draws fitted", "bound"), blocks=blocks)


def _bound_of_stumps(bound: float) -> Cell:
    return Cell(f"{bound:.2f}", "bad", "vacuous") if bound >= 1 else Cell(f"{bound:.2f}", "good")
