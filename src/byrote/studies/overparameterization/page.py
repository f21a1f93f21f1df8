"""Growing networks on a page: train and test error against parameters per example, a panel for each labelling."""

from __future__ import annotations

from collections.abc import Sequence

import altair as alt
import numpy as np
import pandas as pd

from byrote.charts.figure import Figure, layered, over_seeds, seed_sentence, slug, with_dashes
from byrote.charts.marks import bars, by_series, dotted, estimate_tips, logarithmic, points, tip
from byrote.charts.sections import Cell, PageTable, Presentation, Section, Tone
from byrote.evidence.finding import Finding
from byrote.evidence.learning import on_unseen
from byrote.evidence.words import percent
from byrote.studies.families import family_name
from byrote.studies.overparameterization.double_descent import interpolation_threshold
from byrote.studies.overparameterization.findings import headline, labels_of
from byrote.studies.study import Results, Study

ERRORS = ("test error", "training error")
_THRESHOLD = (
    "The interpolation threshold is the smallest size from which on all sizes fit their labels, with every seed. It "
    "depends on labels, recipe and steps, and need not be where parameters equal examples."
)


def present(study: Study, results: Results, table: pd.DataFrame, findings: Sequence[Finding]) -> Presentation:
    """A section for each family: its panels, and a row for each of its sizes."""
    return Presentation(
        headline=headline(findings),
        sections=[
            Section(
                id=f"sizes-{slug(str(family))}",
                title=family_name(str(family)),
                lead="Error is drawn against the number of parameters per training example. Classically, test error "
                "grows once there are more parameters than it takes to fit; here look at what it does to the right of "
                "the dotted line, from which on all networks fit.",
                figures=[error_figure(own) for _, own in runs.groupby("label_rate")],
                table=_sizes_table(runs),
                note=f"Every size is trained for {int(runs['steps_run'].max()):,} steps, with one recipe.",
            )
            for family, runs in table.groupby("family", sort=False)
        ],
        notes=[_THRESHOLD],
    )


def error_figure(runs: pd.DataFrame) -> Figure:
    """Train and test error of one family under one labelling, against parameters per example."""
    family, rate = str(runs["family"].iloc[0]), float(runs["label_rate"].iloc[0])
    data = _errors(runs)
    ticks = logarithmic("~g", at=[0.1, 0.3, 1, 3, 10, 30, 100])
    base = alt.Chart().encode(x=alt.X("parameters_per_example:Q", title="parameters per example", **ticks))
    y = alt.Y("error:Q", title="error", axis=alt.Axis(format=".0%", tickCount=5), scale=alt.Scale(zero=True))
    series = with_dashes("of", ERRORS, ERRORS)
    tips = [
        *(tip("model"), tip("parameters", "", ","), tip("parameters_per_example", "per example", ".2~g")),
        *(tip("of", " "), *estimate_tips("error", "", ".1%"), tip("seeds")),
    ]
    looks = by_series("of", ERRORS, ("fill", "shape"), legend=None)
    layers = [
        alt.Chart().mark_rule().encode(x=alt.datum(1)),
        *bars(base, y, data, color=series["color"]),
        base.mark_line().encode(y=y, **series),
        points(base, y, tips, filled="datum.all_fitted", color=series["color"], **looks),
    ]
    threshold = ""
    if data["threshold"].notna().all():
        layers.insert(0, dotted(x="mean(threshold):Q"))
        threshold = f" Dotted: from {data['threshold'].iloc[0]:.2g} on, all networks fit."
    hollow = "" if data["all_fitted"].all() else " Hollow: not fitted."
    return Figure(
        name=f"error-{slug(family_name(family))}-{slug(labels_of(rate))}",
        title=labels_of(rate).capitalize(),
        subtitle=f"n = {int(runs['n_train'].iloc[0]):,}",
        caption=f"Solid rule: as many parameters as examples.{threshold}{hollow} {seed_sentence(runs)}",
        data=data,
        chart=layered(*layers, data=data, height=260),
    )


def _errors(runs: pd.DataFrame) -> pd.DataFrame:
    """A row for each size and each of ERRORS; the threshold is where the first of the sizes that fit lies."""
    runs = on_unseen(runs.sort_values("parameters", kind="stable"))
    by = ["model", "parameters", "parameters_per_example"]
    parts = [
        over_seeds(runs.assign(error=1 - runs[column]), by, "error", "error").assign(of=of)
        for of, column in zip(ERRORS, ("test_accuracy", "train_accuracy"), strict=True)
    ]
    fitted = runs.groupby(by, sort=False)["fitted"].all()
    first = interpolation_threshold(fitted.to_numpy(dtype=bool)[None])
    ratios = parts[0]["parameters_per_example"]
    return pd.concat(
        [
            part.assign(all_fitted=fitted.to_numpy(dtype=bool), threshold=np.nan if first is None else ratios[first])
            for part in parts
        ],
        ignore_index=True,
    )


def _sizes_table(runs: pd.DataFrame) -> PageTable:
    """A row for each size, with both errors under each labelling."""
    rates = sorted(runs["label_rate"].unique())
    rows: list[list[str | Cell]] = []
    for model, own in on_unseen(runs).sort_values("parameters", kind="stable").groupby("model", sort=False):
        row: list[str | Cell] = [
            str(model),
            f"{int(own['parameters'].iloc[0]):,}",
            f"{own['parameters_per_example'].iloc[0]:.2g}",
        ]
        for rate in rates:
            some = own[own["label_rate"] == rate]
            tone: Tone = "" if len(some) and some["fitted"].all() else "quiet"
            row += [Cell(percent(1 - some[f"{split}_accuracy"].mean()), tone) for split in ("train", "test")]
        rows.append(row)
    return PageTable(
        header=("model", "parameters", "per example", *["training error", "test error"] * len(rates)),
        spans=(("", 3), *((labels_of(rate), 2) for rate in rates)),
        blocks={"": rows},
    )
