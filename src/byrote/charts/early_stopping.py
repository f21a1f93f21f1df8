"""Test accuracy along training, with the band up to the best so far: what stopping early could have gained."""

from __future__ import annotations

from collections.abc import Sequence

import altair as alt
import pandas as pd

from byrote.charts.figure import (
    BANDS_IN_WORDS,
    MOST_LINES,
    Figure,
    accuracy_bands,
    drawn_of,
    layered,
    rounded,
    seed_sentence,
    slug,
    steps_x,
    with_dashes,
)
from byrote.charts.marks import bands, tip
from byrote.evidence.early_stopping import MOMENTS, evaluations
from byrote.training.outcome import TrainOutcome

_MARKS = {"best_on_test": ("triangle-up", 170), "best_on_validation": ("circle", 50), "last": ("square", 60)}
"""Shape and size: one that coincides with another still shows behind it."""


def early_stopping_figure(outcomes: Sequence[TrainOutcome], conditions: list[str]) -> Figure | None:
    """Runs of one model: a line a run, or of more than MOST_LINES under a condition their mean with a band; a colour
    and a dash a condition; None where there is no evaluation.

    Args:
        conditions: what each of `outcomes` is called in the legend.
    """
    rows, of_how_many = drawn_of(conditions)
    outcomes, conditions = [outcomes[row] for row in rows], [conditions[row] for row in rows]
    curves = [
        evaluations(outcome).assign(condition=condition, seed=outcome.spec.seed)
        for outcome, condition in zip(outcomes, conditions, strict=True)
    ]
    data = pd.concat(curves, ignore_index=True)
    if data.empty:
        return None
    first = outcomes[0]
    about = {
        "name": f"figure-2a-{slug(f'{first.spec.model}-{first.n_train}')}",
        "title": first.spec.model,
        "subtitle": f"n = {first.n_train:,}",
    }
    seeds = seed_sentence(data)
    if max(conditions.count(condition) for condition in conditions) > MOST_LINES:
        data = accuracy_bands(curves, "condition")
        return Figure(
            **about,
            caption=f"{BANDS_IN_WORDS} {evaluated(outcomes)} {of_how_many}{seeds}",
            data=data,
            chart=_band_chart(data),
            log_steps=True,
        )
    validated = bool(data["validation_accuracy"].notna().any())
    data = rounded(
        data[["condition", "seed", "epoch", "step", "test_accuracy", "best_so_far", "validation_accuracy", *MOMENTS]]
    )
    names = list(dict.fromkeys(conditions))
    moments = [moment for moment in MOMENTS if validated or moment != "best_on_validation"]
    shapes, sizes = ([_MARKS[moment][place] for moment in moments] for place in (0, 1))
    short = "replace(datum.label, /_(on_)?/g, ' ')"
    legend = alt.Legend(orient="bottom", labelExpr=short, symbolFillColor="transparent", columnPadding=8)
    encodings = with_dashes("condition", names, names)
    base = alt.Chart().encode(
        x=steps_x(),
        y=_accuracy("test_accuracy"),
        color=encodings["color"],
        detail="seed:N",
    )
    band = base.mark_area(opacity=0.22, line=False).encode(y2="best_so_far:Q")
    lines = base.mark_line().encode(strokeDash=encodings["strokeDash"])
    points = (
        base.transform_fold([*moments], as_=["moment", "there"])
        .transform_filter("datum.there")
        .mark_point(filled=True, opacity=1)
        .encode(
            shape=alt.Shape("moment:N", scale=alt.Scale(domain=moments, range=shapes), legend=legend),
            size=alt.Size("moment:N", scale=alt.Scale(domain=moments, range=sizes), legend=legend),
            tooltip=[
                *(tip("condition"), tip("seed"), tip("step", "", ",")),
                *(tip(f"{split}_accuracy", f"{split} accuracy", ".2%") for split in ("test", "validation")),
            ],
        )
    )
    return Figure(
        **about,
        caption=f"The band reaches from test accuracy up to its best so far. {evaluated(outcomes)} {seeds}",
        data=data,
        chart=layered(lines, band, points, data=data, height=280),
        log_steps=True,
    )


def _band_chart(data: pd.DataFrame) -> alt.LayerChart:
    names = list(data["condition"].unique())
    encodings = with_dashes("condition", names, names)
    base = alt.Chart().encode(x=steps_x(), color=encodings["color"])
    accuracy = _accuracy("test_accuracy")
    line = base.mark_line().encode(y=accuracy, strokeDash=encodings["strokeDash"])
    return layered(*bands(base, accuracy, data), line, data=data, height=280)


def _accuracy(field: str) -> alt.Y:
    return alt.Y(f"{field}:Q", title="test accuracy", axis=alt.Axis(format=".0%"), scale=alt.Scale(zero=False))


def evaluated(outcomes: Sequence[TrainOutcome]) -> str:
    """How dense the evaluations of these runs are: "Evaluated after 12 of 40 epochs on 10,000 test examples."."""
    counts = {(len(evaluations(outcome)), outcome.epochs_run) for outcome in outcomes}
    each = " or ".join(f"{count:,} of {epochs:,}" for count, epochs in sorted(counts))
    return f"Evaluated after {each} epochs on {outcomes[0].n_test:,} test examples."
