"""Bounds and measures on a page: a scoreboard, and what each says of true and of random labels."""

from __future__ import annotations

from collections.abc import Sequence
from typing import get_args

import altair as alt
import numpy as np
import pandas as pd

from byrote.charts.figure import Figure, layered, rounded, seed_sentence, slug
from byrote.charts.marks import bars, by_series, dotted, estimate_tips, logarithmic, points, tip
from byrote.charts.sections import Cell, PageTable, Presentation, Section, Tone
from byrote.evidence.finding import Finding
from byrote.evidence.intervals import mean_interval
from byrote.evidence.telling import TOGETHER
from byrote.evidence.words import percent
from byrote.studies.bounds.calculations import column, column_of_reason
from byrote.studies.bounds.findings import TRUE_AND_RANDOM, Badge, MeasureReading, Says, headline, number
from byrote.studies.bounds.study import BoundsStudy
from byrote.studies.study import Results
from byrote.theory.measures.catalog import MEASURES

_TONES: dict[Badge, Tone] = {"yes": "good", "no": "bad", "no conclusion": "unsure"}
_SAYS: dict[Says, Tone] = {"vacuous": "bad", "no better than guessing": "unsure", "says something": "good"}
_BLOCKS = {
    "bound": "bounds",
    "margin": "margins",
    "norm": "norms",
    "sharpness": "sharpness",
    "baseline": "baselines",
}
_NOTES = (
    (
        "A measure tells true from random labels if the relative difference (random - true) / (|random| + |true|), "
        "turned so that larger should mean a larger gap, has a 95% interval over seeds above 0, and if exchanging the "
        "labels among the networks makes the difference of any measure stand out as much in at most 5% of all ways. "
        "Networks that have not fitted 99% of their labels do not count."
    ),
    TOGETHER,
    (
        "A bound's value is its bound on the 0-1 error on new examples less the network's training error, with a "
        "probability of 95% over the draw of the training set. Vacuous: it allows an error of 1. On random "
        "labels, those of new examples are random too, and the error is that of guessing. PAC-Bayes bounds the "
        "error of a network whose weights are drawn from the optimised posterior, not of the trained one."
    ),
    (
        "Margins are output of the label minus the largest other, at their 10% quantile. Batch norm is folded into the "
        "layer before it. Constants and conventions are at the head of each measure's file."
    ),
    f"Sources: {'; '.join(f'{measure.title}, {measure.source}' for measure in MEASURES.values())}.",
)


def present(study: BoundsStudy, results: Results, table: pd.DataFrame, findings: Sequence[Finding]) -> Presentation:
    """A section for each model: its scoreboard, and a row for each measure."""
    found = [finding.reading for finding in findings]
    return Presentation(
        headline=headline(found),
        sections=[
            Section(
                id=f"scoreboard-{slug(str(model))}",
                title=f"Scoreboard of {model}",
                lead="Bars show how many times worse each measure is for the network on random labels. "
                "At 1 it does not see the difference, and cannot explain why only one of them generalises.",
                figures=[scoreboard([reading for reading in found if reading.model == model], runs)],
                table=measures_table([reading for reading in found if reading.model == model]),
                note=_runs_sentence(runs),
            )
            for model, runs in table.groupby("model", sort=False)
        ],
        notes=_NOTES,
    )


def scoreboard(found: Sequence[MeasureReading], runs: pd.DataFrame) -> Figure:
    """A row a measure: the ratio of its value on random labels to that on true ones, or the other way round where less
    is worse; a geometric mean over seeds, and its interval."""
    data = rounded(pd.DataFrame([_row(reading, runs) for reading in found]))
    drawn = data.dropna(subset=["ratio"])
    domain = list(get_args(Badge))
    legend = alt.Legend(values=[badge for badge in domain if badge in set(data["told"])])
    looks = by_series("told", domain, ("color", "shape"), legend=legend)
    # Of two seeds, intervals would take the axis to where nothing is.
    ends = [min(0.5, drawn["ratio"].min() / 3), max(2.0, 3 * drawn["ratio"].max())] if len(drawn) else [0.5, 2.0]
    x = alt.X("ratio:Q", title="random over true labels", **logarithmic("~g", domain=ends))
    base = alt.Chart().encode(
        y=alt.Y("measure:N", sort=list(data["measure"]), title=None, axis=alt.Axis(labelLimit=200, grid=True))
    )
    tips = [
        *(tip("measure"), tip("true", "true labels", ".3~g"), tip("random", "random labels", ".3~g")),
        *(*estimate_tips("ratio", "", ".3~g"), tip("says", "as a bound")),
    ]
    looks |= by_series("told", domain, ["fill"], legend=None)
    layers = [
        dotted(x=1),
        *bars(base, x, data, color=looks["color"]),
        points(base, x, tips, filled="datum.says !== 'vacuous'", **looks),
    ]
    model = found[0].model
    return Figure(
        name=f"scoreboard-{slug(model)}",
        title=model,
        subtitle=f"n = {int(runs['n_train'].iloc[0]):,}",
        caption="Yes or no: whether it tells true from random labels. Geometric means over seeds, 95% intervals; of "
        "the margin, where less is worse, true over random labels. Hollow: a bound that is vacuous on true labels. "
        f"{seed_sentence(runs)}",
        data=data,
        chart=layered(*layers, data=data, height=24 * len(data) + 20),
    )


def _row(reading: MeasureReading, runs: pd.DataFrame) -> dict[str, object]:
    sound = runs[(runs["failed_checks"] == "") & runs["fitted"].astype(bool)]
    by_seed = sound.pivot_table(index="seed", columns="corruption", values=column(reading.name), aggfunc="first")
    logs = np.empty(0)
    if set(TRUE_AND_RANDOM) <= set(by_seed.columns):
        true, random = (by_seed[labels].to_numpy(np.float64) for labels in TRUE_AND_RANDOM)
        both = (true > 0) & (random > 0)
        logs = np.log(random[both] / true[both]) * (1 if reading.measure.larger_is_worse else -1)
    interval = mean_interval(logs)
    return {
        "measure": reading.measure.title,
        "told": reading.badge,
        "ratio": np.exp(interval.mean),
        "low": np.exp(interval.low),
        "high": np.exp(interval.high),
        "true": reading.values[TRUE_AND_RANDOM[0]].mean,
        "random": reading.values[TRUE_AND_RANDOM[1]].mean,
        "says": reading.says(TRUE_AND_RANDOM[0]) or "",
        "seeds": interval.n,
    }


def measures_table(found: Sequence[MeasureReading]) -> PageTable:
    """Each measure on true and on random labels, and whether it tells them apart."""
    blocks: dict[str, list[list[str | Cell]]] = {}
    for reading in found:
        blocks.setdefault(_BLOCKS[reading.measure.kind], []).append(
            [
                reading.measure.title,
                *(_value(reading, labels) for labels in TRUE_AND_RANDOM),
                _badge(reading),
            ]
        )
    return PageTable(header=("measure", "true labels", "random labels", "tells them apart"), blocks=blocks)


def _value(reading: MeasureReading, labels: str) -> Cell:
    if reading.why_not:
        return Cell("–", "quiet")
    text, says = number(reading.values[labels].mean), reading.says(labels)
    return Cell(text) if says is None else Cell(text, _SAYS[says], says)


def _badge(reading: MeasureReading) -> Cell:
    if reading.why_not:
        return Cell("no conclusion", "unsure", "does not exist here")
    difference = reading.telling.difference
    return Cell(reading.badge, _TONES[reading.badge], "" if np.isnan(difference.mean) else f"{difference.mean:+.2f}")


def _runs_sentence(runs: pd.DataFrame) -> str:
    parts = []
    for labels in TRUE_AND_RANDOM:
        own = runs[runs["corruption"] == labels]
        if len(own):
            parts.append(
                f"{labels.replace('-', ' ').capitalize()}: {int(own['fitted'].sum())} of {len(own)} networks fitted, "
                f"train accuracy {percent(own['train_accuracy'].mean())}, test {percent(own['test_accuracy'].mean())}."
            )
    reasons = sorted({reason for name in MEASURES for reason in runs[column_of_reason(name)]} - {""})
    return " ".join([*parts, *(f"Measures without a value: {reason}." for reason in reasons)])
