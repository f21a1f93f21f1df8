"""The grid of regularisers on a page: what each is worth, every combination, and the analysis of variance."""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Mapping, Sequence
from typing import Any

import altair as alt
import pandas as pd

from byrote.charts.cells import accuracy_cell, half_width
from byrote.charts.figure import Figure, layered, model_label, over_seeds, rounded, seed_sentence, slug
from byrote.charts.marks import bars, by_series, dotted, estimate_tips, points, tip
from byrote.charts.sections import Cell, PageTable, Presentation, Section, drawn
from byrote.evidence.attribution import Attribution
from byrote.evidence.finding import Finding
from byrote.evidence.intervals import mean_interval
from byrote.evidence.learning import on_unseen
from byrote.evidence.words import percent
from byrote.studies.regularization.findings import attribution_of
from byrote.studies.regularization.study import RegularizationStudy
from byrote.studies.study import Results

RESPONSES = {"test_accuracy": "test accuracy", "generalization_gap": "generalization gap"}
ON, OFF = "●", "○"


def present(
    study: RegularizationStudy, results: Results, table: pd.DataFrame, findings: Sequence[Finding]
) -> Presentation:
    """Attribution, grid and study of variance, as far as the runs allow them."""
    runs = {model: own for model in study.architectures if len(own := table[table["architecture"] == model])}
    found = {
        (model, response): _attribution(study, model, own, response)
        for model, own in runs.items()
        for response in RESPONSES
    }
    reasons = [f"{model}: {reading}" for (model, _), reading in found.items() if isinstance(reading, str)]
    sections = [
        Section(
            id="attribution",
            title="Effect of each regulariser",
            lead="Drawn is its share of what all of them together change on true labels, by Shapley value: the shares "
            "of a picture add up to that change. A gap that shrinks is to the left. Intervals are simultaneous: those "
            "of all regularisers hold at once with 95%.",
            figures=drawn(*(effects_figure(model, own, found) for model, own in runs.items())),
            note=" ".join(dict.fromkeys(reasons)),
        ),
        Section(
            id="combinations",
            title="Every combination, on true and on random labels",
            lead="If a regulariser were necessary, test accuracy would be lost without it; if one were sufficient to "
            "prevent memorising, random labels would not be fitted with it.",
            figures=[grid_figure(study, model, own) for model, own in runs.items()],
            table=_grid(study, runs),
        ),
        Section(
            id="anova",
            title="Analysis of variance",
            lead="Here is how much of the spread of all runs on true labels goes with each regulariser and with each "
            "pair of them. A main effect averages over the other regularisers, on and off in equal parts. Its interval "
            "is at 95% by itself, those of Shapley values all at once.",
            table=_anova(found),
        ),
    ]
    return Presentation(headline=_headline(findings), sections=[s for s in sections if s.figures or s.table or s.note])


def effects_figure(model: str, runs: pd.DataFrame, found: dict[tuple[str, str], Attribution | str]) -> Figure | None:
    """A row a regulariser: its Shapley value for test accuracy and for the gap; None where the grid is not whole."""
    parts = []
    for response, title in RESPONSES.items():
        attribution = found[model, response]
        if isinstance(attribution, str):
            return None
        shares = attribution.shapley.set_index("factor")[["value", "low", "high"]] * 100
        parts.append(shares.reset_index().assign(response=title, seeds=attribution.num_seeds))
    data = rounded(pd.concat(parts, ignore_index=True))
    data["factor"] = data["factor"].str.replace("_", " ")
    names = list(dict.fromkeys(data["factor"]))
    looks = by_series("response", RESPONSES.values(), ("color", "shape"))
    base = alt.Chart().encode(
        y=alt.Y("factor:N", sort=names, title=None),
        yOffset=alt.YOffset("response:N", sort=list(RESPONSES.values())),
        color=looks.pop("color"),
    )
    x = alt.X("value:Q", title="percentage points", axis=alt.Axis(format="+~r", tickCount=5))
    tips = [tip("factor"), tip("response"), *estimate_tips("value", "points", "+.2f", "simultaneous 95% interval, ")]
    layers = [dotted(x=0), *bars(base, x, data), points(base, x, [*tips, tip("seeds")], **looks)]
    return Figure(
        name=f"attribution-{_slug(model, runs)}",
        title=model,
        subtitle=f"n = {_n(runs):,}",
        caption=f"{_totals(model, found)} {seed_sentence(runs)}",
        data=data,
        chart=layered(*layers, data=data, height=56 * len(names)),
    )


def grid_figure(study: RegularizationStudy, model: str, runs: pd.DataFrame) -> Figure:
    """A row a combination: test accuracy on true labels beside train accuracy on random labels."""
    names = list(study.factors_of(model))
    series = ("test, true labels", "train, random labels")
    true = runs["corruption"] == "true-labels"
    cells = runs.assign(
        combination=[_marks(row[f"{name}_on"] for name in names) for row in runs.to_dict("records")],
        series=true.map({True: series[0], False: series[1]}),
        accuracy=on_unseen(runs)["test_accuracy"].where(true, runs["train_accuracy"]),
    ).sort_values("num_on", kind="stable")
    data = over_seeds(cells, ["combination", "series"], "accuracy", "accuracy")
    fitted = cells.groupby(["combination", "series"])["fitted"].all().rename("all_fitted").reset_index()
    data = data.merge(fitted, on=["combination", "series"]).assign(chance=runs["guessing"].iloc[0])
    looks = by_series("series", series)
    base = alt.Chart().encode(
        y=alt.Y("combination:N", sort=list(dict.fromkeys(data["combination"])), title=None),
        color=looks.pop("color"),
    )
    x = alt.X("accuracy:Q", title="accuracy", axis=alt.Axis(format=".0%"), scale=alt.Scale(domain=[0, 1]))
    tips = [tip("combination"), tip("series"), *estimate_tips("accuracy", "", ".1%"), tip("seeds")]
    layers = [
        dotted(x="mean(chance):Q"),
        *bars(base, x, data),
        points(base, x, tips, filled="datum.all_fitted !== false", **looks),
    ]
    hollow = "" if data["all_fitted"].all() else " Hollow: not fitted within the steps of the run, so no conclusion."
    return Figure(
        name=f"combinations-{_slug(model, runs)}",
        title=model,
        subtitle=f"n = {_n(runs):,}",
        caption=f"A row is a combination: {ON} on, {OFF} off, in the order {_in_words(names)}. The dotted line is "
        "the test accuracy of always naming the largest class. "
        f"{seed_sentence(runs)}{hollow}",
        data=data,
        chart=layered(*layers, data=data, height=20 * data["combination"].nunique() + 20),
    )


def _attribution(study: RegularizationStudy, model: str, runs: pd.DataFrame, response: str) -> Attribution | str:
    true = runs[runs["corruption"] == "true-labels"]
    return attribution_of(study.factors_of(model), true, len(study.seed_list), response)


def _totals(model: str, found: dict[tuple[str, str], Attribution | str]) -> str:
    """ "All together: test accuracy +4.1, gap -9.0 points." """
    totals = [
        f"{title} {100 * attribution.total.mean:+.1f}"
        for response, title in RESPONSES.items()
        if not isinstance(attribution := found[model, response], str)
    ]
    return f"All together: {', '.join(totals)} points."


def _grid(study: RegularizationStudy, runs: dict[str, pd.DataFrame]) -> PageTable:
    return PageTable(
        header=("on", "train", "test", "gap, points", "train"),
        spans=(("", 1), ("true labels", 3), ("random labels", 1)),
        blocks={
            f"{model_label(model, _n(own))}: {_in_words(study.factors_of(model))}": _grid_rows(study, model, own)
            for model, own in runs.items()
        },
    )


def _grid_rows(study: RegularizationStudy, model: str, runs: pd.DataFrame) -> list[list[str | Cell]]:
    on = [f"{name}_on" for name in study.factors_of(model)]
    rows: list[list[str | Cell]] = []
    for cell in sorted(study.cells(model), key=sum):
        own = on_unseen(runs[(runs[on].astype(bool) == list(cell)).all(axis=1)])
        true, random = (own[own["corruption"] == labels] for labels in ("true-labels", "random-labels"))
        figures = [_figure(true, column) for column in ("train_accuracy", "test_accuracy")]
        rows.append([_marks(cell), *figures, _gap(true), _figure(random, "train_accuracy", fitted=True)])
    return rows


def _figure(runs: pd.DataFrame, column: str, *, fitted: bool = False) -> Cell:
    interval = mean_interval(runs[column].to_numpy(dtype=float))
    if fitted and len(runs) and not runs["fitted"].all():
        return accuracy_cell(interval, "not fitted", tone="unsure")
    return accuracy_cell(interval)


def _gap(runs: pd.DataFrame) -> str | Cell:
    interval = mean_interval(runs["generalization_gap"].to_numpy(dtype=float))
    if pd.isna(interval.mean):
        return "–"
    return Cell(f"{100 * interval.mean:.1f}", note=half_width(interval))


def _anova(found: dict[tuple[str, str], Attribution | str]) -> PageTable | None:
    blocks = {
        f"{model}: {RESPONSES[response]}": _anova_rows(attribution)
        for (model, response), attribution in found.items()
        if not isinstance(attribution, str)
    }
    if not blocks:
        return None
    return PageTable(
        header=("term", "effect, points", "Shapley value", "share of variance", "F", "p, Holm-corrected"), blocks=blocks
    )


def _anova_rows(attribution: Attribution) -> list[list[str | Cell]]:
    shares = {row["factor"]: _points(row["value"], row) for row in attribution.shapley.to_dict("records")}
    effects = {row["factor"]: _points(row["effect"], row) for row in attribution.main_effects.to_dict("records")}
    for row in attribution.interactions.to_dict("records"):
        effects[f"{row['first']} x {row['second']}"] = _points(row["effect"], row)
    return [
        [
            row["term"].replace("_", " "),
            effects.get(row["term"], ""),
            shares.get(row["term"], ""),
            percent(row["eta_squared"]),
            "–" if pd.isna(row["f"]) else f"{row['f']:.1f}",
            "–" if pd.isna(row["holm_p_value"]) else f"{row['holm_p_value']:.2g}",
        ]
        for row in attribution.anova.to_dict("records")
    ]


def _points(value: float, ends: Mapping[Hashable, Any]) -> Cell:
    low, high = ends["low"], ends["high"]
    return Cell(f"{100 * value:+.1f}", note="" if pd.isna(low) else f"{100 * low:+.1f} to {100 * high:+.1f}")


def _headline(found: Sequence[Finding]) -> str:
    necessary, sufficient = (
        all(finding.outcome == "supported" for finding in found if claim in finding.claim)
        for claim in ("none is necessary", "none is sufficient")
    )
    if necessary and sufficient:
        return "No regulariser is necessary, none is sufficient."
    if necessary:
        return "No regulariser is necessary."
    return "No regulariser prevents learning by rote." if sufficient else "No conclusion about regularisers."


def _in_words(names: Iterable[str]) -> str:
    return ", ".join(name.replace("_", " ") for name in names)


def _marks(on: Iterable[bool]) -> str:
    return "".join(ON if is_on else OFF for is_on in on)


def _n(runs: pd.DataFrame) -> int:
    return int(runs["n_train"].iloc[0])


def _slug(model: str, runs: pd.DataFrame) -> str:
    return slug(f"{model}-{_n(runs)}")
