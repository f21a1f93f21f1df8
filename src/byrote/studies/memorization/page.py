"""Memorization on a page: how much of each label is known by rote, the examples of which most is, who can tell what was
trained on, and what makes networks memorise more."""

from __future__ import annotations

from collections.abc import Sequence

import altair as alt
import numpy as np
import pandas as pd

from byrote.charts.cells import accuracy_cell
from byrote.charts.examples import painter
from byrote.charts.figure import Figure, layered, rounded, slug
from byrote.charts.marks import bars, by_series, dotted, estimate_tips, logarithmic, points, tip
from byrote.charts.sections import Cell, PageTable, Picture, PictureRow, Presentation, Section, drawn
from byrote.data.dataset import Dataset
from byrote.evidence.finding import Finding
from byrote.evidence.words import percent
from byrote.studies.memorization.calculations import ExampleScores
from byrote.studies.memorization.findings import Scores, in_words, interval_of, noise_in_words
from byrote.studies.memorization.halves import widest_interval
from byrote.studies.memorization.readings import ATTACKS, RATES
from byrote.studies.memorization.study import MemorizationStudy
from byrote.studies.study import Results
from byrote.theory.calculation import Computed

_MOST_SHOWN = 16
_PAIRS_SHOWN = 12
_ATTACKS = {"lira": "LiRA", "rmia": "RMIA"}
_NOTES = (
    (
        "Each network is trained on a random half of the examples, and its twin on the rest. The score of an example "
        "is how often networks that were trained on it give its label, minus how often others do (Feldman & Zhang, "
        "2020): 1 where the label is known by rote alone, 0 where it is known from others, or by nobody. An example "
        "that has a copy in the training set scores low: its copy teaches its label too."
    ),
    (
        "The interval of an example is Newcombe's of the two shares; that of a mean is Student's over pairs of "
        "networks. Intervals of single examples are not corrected for their number: that so many surely are known by "
        "rote is."
    ),
    (
        "LiRA (Carlini et al., 2022) compares the log-odds that a network gives an example's label with those of all "
        "other networks, with the example and without; RMIA (Zarifzadeh et al., 2024) with those of test examples, "
        "too. Both know the other halves, as an attacker would who has data of the same kind: what an attacker with "
        "less finds is less. The threshold is one for all networks and examples."
    ),
)


def present(
    study: MemorizationStudy, results: Results, table: pd.DataFrame, findings: Sequence[Finding]
) -> Presentation:
    """Two sections for each model and share of redrawn labels, and one of all where there are several."""
    read = [finding.reading for finding in findings if isinstance(finding.reading, Scores)]
    known = [scores for scores in read if scores.whole is not None]
    computed = {
        (result.calculation.model, result.calculation.label_rate): result
        for result in results.computed
        if isinstance(result.calculation, ExampleScores)
    }
    sections = []
    if len(known) > 1:
        sections.append(_growth_section(known))
    for scores in known:
        result, data = computed[scores.model, scores.label_rate], study.datasets[scores.label_rate]
        sections += [_scores_section(scores, table, data), _membership_section(scores, result)]
        if "influential" in result.arrays:
            sections.append(_influence_section(scores, result, data))
    return Presentation(headline=headline(known), sections=sections, notes=_NOTES)


def headline(known: Sequence[Scores]) -> str:
    """Of the first model and the smallest share of redrawn labels."""
    if not known or known[0].why_not:
        return "No conclusion about memorization."
    first = known[0]
    whole = first.memorization
    surely = f"; {first.num_surely:,} of {len(first.examples):,} surely by more than half" if first.num_surely else ""
    return f"{percent(whole.mean)} of the labels that {first.model} is trained on are known by rote{surely}."


def _title(scores: Scores) -> str:
    return f"{scores.model}{noise_in_words(scores.label_rate)}"


def _name(scores: Scores) -> str:
    return slug(f"{scores.model} {scores.label_rate:g}")


def _scores_section(scores: Scores, table: pd.DataFrame, data: Dataset) -> Section:
    own = table[(table["model"] == scores.model) & (table["label_rate"] == scores.label_rate)]
    most = scores.examples.nlargest(_MOST_SHOWN, "memorization")
    rows: list[PictureRow] = []
    if data.has_images:
        draw = painter(data)
        shown = [
            Picture(
                draw(data.train.inputs[row["row"]]),
                f"{row['label']}: {percent(row['accuracy_in'], 0)} with it, {percent(row['accuracy_out'], 0)} without",
                row["place"],
            )
            for row in most.to_dict("records")
        ]
        rows = [PictureRow("Most memorised", shown)]
    networks = int(own["networks"].iloc[0])
    return Section(
        id=f"scores-{_name(scores)}",
        title=f"Known by rote: {_title(scores)}",
        lead="A score is how often networks that were trained on an example give its label, minus how often others do. "
        "Here are those of all examples, their means by class, and the examples of which most is known by rote.",
        figures=[scores_figure(scores)],
        table=scores_table(own, most),
        pictures=rows,
        note=f"{networks:,} networks: no interval of an example is wider than {widest_interval(networks):.2f}. All "
        "scores, with the place that each example came from, are in `results.csv`.",
    )


def scores_figure(scores: Scores) -> Figure:
    """How many examples have which score."""
    edges = np.linspace(-1, 1, 41)
    counts, _ = np.histogram(scores.examples["memorization"].clip(-1, 1), edges)
    data = rounded(pd.DataFrame({"low": edges[:-1], "high": edges[1:], "examples": counts}))
    data = data[(data["examples"] > 0) | (data["low"] >= 0)].reset_index(drop=True)
    base = alt.Chart()
    # A logarithm of one plus, so that a single example is seen beside thousands.
    y = alt.Y("examples:Q", title="examples", scale=alt.Scale(type="symlog"), axis=alt.Axis(tickCount=4, format=",d"))
    return Figure(
        name=f"scores-{_name(scores)}",
        title="Memorization scores",
        subtitle=_title(scores),
        caption="Examples by how much of their label is known by rote. The rule is one half.",
        data=data,
        chart=layered(
            base.mark_rect().encode(
                x=alt.X("low:Q", title="accuracy with the example minus accuracy without"),
                x2="high:Q",
                y=y,
                y2=alt.datum(0),
                tooltip=[tip("low", "from", ".2f"), tip("high", "to", ".2f"), tip("examples", "", ",")],
            ),
            dotted(x=0.5),
            data=data,
            height=220,
        ),
    )


def scores_table(own: pd.DataFrame, most: pd.DataFrame) -> PageTable:
    """All, labels by whether they were changed, classes; and the examples of which most is known by rote."""
    blocks: dict[str, list[list[str | Cell]]] = {"": [], "classes": [], "most memorised": []}
    for row in own[own["level"] != "example"].to_dict("records"):
        name = {"all": "all examples", "class": str(row["label"])}.get(
            row["level"], "wrong labels" if row["changed"] is True else "labels as they were"
        )
        found = interval_of(pd.Series(row), "memorization", "low", "high")
        entry: list[str | Cell] = [name, f"{row['num_examples']:,}", "", "", accuracy_cell(found)]
        blocks["classes" if row["level"] == "class" else ""].append(entry)
    for row in most.to_dict("records"):
        interval = interval_of(pd.Series(row), "memorization", "low", "high")
        changed = f"{row['true_label']} before" if row["changed"] else ""
        blocks["most memorised"].append(
            [
                Cell(str(row["place"]), note=" ".join(filter(None, [str(row["label"]), changed]))),
                "1",
                percent(row["accuracy_in"]),
                percent(row["accuracy_out"]),
                Cell(percent(interval.mean), note=f"{percent(interval.low)} to {percent(interval.high)}"),
            ]
        )
    return PageTable(header=("", "examples", "right with it", "right without", "by rote"), blocks=blocks)


def _membership_section(scores: Scores, result: Computed) -> Section:
    return Section(
        id=f"membership-{_name(scores)}",
        title=f"Who was trained on: {_title(scores)}",
        lead="An attacker who sees the confidence that a network gives to an example's label can tell this much from "
        "the same networks: nothing was trained for it.",
        figures=[roc_figure(scores, result)],
        table=membership_table(scores),
        note="At risk are the examples that most of the networks trained on them betray, at a false-positive rate of "
        "0.1%.",
    )


def roc_figure(scores: Scores, result: Computed) -> Figure:
    """True against false positives of each attack."""
    rates = result.arrays["roc_rates"]
    rows = [
        {"attack": _ATTACKS[attack], "false_positive_rate": float(rate), "true_positive_rate": float(found)}
        for attack in ATTACKS
        for rate, found in zip(rates, result.arrays[f"roc_{attack}"], strict=True)
        if rate > 0 and found > 0
    ]
    data = rounded(pd.DataFrame(rows, columns=["attack", "false_positive_rate", "true_positive_rate"]))
    data["guessing"] = data["false_positive_rate"]
    shares = alt.Axis(format="~%", values=[1e-4, 1e-3, 1e-2, 0.1, 1])
    x = alt.X(
        "false_positive_rate:Q", title="others taken for members", scale=alt.Scale(type="log", nice=False), axis=shares
    )
    y = alt.Y("true_positive_rate:Q", title="members told", scale=alt.Scale(type="log", nice=False), axis=shares)
    base = alt.Chart()
    tips = [tip("attack"), tip("false_positive_rate", "", ".2%"), tip("true_positive_rate", "", ".1%")]
    return Figure(
        name=f"roc-{_name(scores)}",
        title="Members told, against false alarms",
        subtitle=_title(scores),
        caption="Over all networks and examples, with one threshold for all; both axes are logarithmic. Dotted: "
        "guessing.",
        data=data,
        chart=layered(
            base.mark_line(strokeDash=[2, 3]).encode(x=x, y=alt.Y("guessing:Q")),
            base.mark_line().encode(x=x, y=y, tooltip=tips, **by_series("attack", _ATTACKS.values(), ("color",))),
            data=data,
            height=260,
        ),
    )


def membership_table(scores: Scores) -> PageTable:
    """A row for each attack, and for each of the examples most at risk, if any network betrays one."""
    blocks: dict[str, list[list[str | Cell]]] = {"": []}
    for attack in ATTACKS:
        auc = interval_of(scores.whole, *(f"{attack}_auc{end}" for end in ("", "_low", "_high")))
        entry: list[str | Cell] = [_ATTACKS[attack], Cell(f"{auc.mean:.3f}", note=in_words(auc, 3))]
        blocks[""].append([*entry, *(_told(scores.whole, attack, end) for end in RATES)])
    betrayed = scores.examples[scores.examples["lira_tpr_0001"] > 0]
    for row in betrayed.nlargest(_MOST_SHOWN // 2, "lira_tpr_0001").to_dict("records"):
        own = pd.Series(row)
        place = Cell(str(row["place"]), note=str(row["label"]))
        blocks.setdefault("most at risk (LiRA)", []).append([place, "", *(_told(own, "lira", end) for end in RATES)])
    headings = [f"told at {rate:.1%} false alarms" for rate in RATES.values()]
    return PageTable(header=("", "AUC", *headings), blocks=blocks)


def _told(row: pd.Series | None, attack: str, end: str) -> Cell:
    name = f"{attack}_tpr_{end}"
    found = interval_of(row, name, f"{name}_low", f"{name}_high")
    ends = "" if np.isnan(found.low) else f"{percent(found.low)} to {percent(found.high)}"
    return Cell(percent(found.mean), note=ends)


def _influence_section(scores: Scores, result: Computed, data: Dataset) -> Section:
    pairs = _pairs(result, data)
    shown: list[list[str | Cell]] = [
        [
            Cell(row["test"], note=row["test_label"]),
            Cell(row["trained"], note=row["trained_label"]),
            Cell(f"{100 * row['influence']:+.1f}", note=f"{100 * row['low']:+.1f} to {100 * row['high']:+.1f}"),
        ]
        for row in pairs.nlargest(_PAIRS_SHOWN, "influence").to_dict("records")
    ]
    return Section(
        id=f"influence-{_name(scores)}",
        title=f"Which examples decide others: {_title(scores)}",
        lead="Influence is by how many points a test example is right more often where a training example was trained "
        "on. Here are the largest, for every test example.",
        figures=drawn(influence_figure(scores, pairs)),
        table=PageTable(header=("test example", "training example", "influence"), blocks={"": shown}),
        note="These are the largest of many, and intervals of single pairs are not corrected for their number. All "
        "pairs are in the figure's csv.",
    )


def _pairs(result: Computed, data: Dataset) -> pd.DataFrame:
    names, arrays = data.class_names, result.arrays
    tests, ranks = (part.ravel() for part in np.indices(arrays["influential"].shape))
    rows = arrays["influential"].ravel()
    return rounded(
        pd.DataFrame(
            {
                "test": [data.test.place(int(test)) for test in tests],
                "test_label": [names[label] for label in data.test.labels[tests]],
                "trained": [data.train.place(int(row)) for row in rows],
                "trained_label": [names[label] for label in data.train.labels[rows]],
                "rank": ranks + 1,
                "influence": arrays["influence"].ravel(),
                "low": arrays["influence_low"].ravel(),
                "high": arrays["influence_high"].ravel(),
            }
        )
    )


def influence_figure(scores: Scores, pairs: pd.DataFrame) -> Figure | None:
    """A tick for each pair of a test example and one that decides it."""
    if pairs.empty:
        return None
    tips = [tip("test"), tip("trained"), *estimate_tips("influence", "", ".2f")]
    x = alt.X("influence:Q", title="influence on the accuracy of the test example")
    return Figure(
        name=f"influence-{_name(scores)}",
        title="Largest influences",
        subtitle=_title(scores),
        caption="A tick for each test example and one of those with the largest influence on it, by rank.",
        data=pairs,
        chart=layered(
            alt.Chart().mark_tick(opacity=0.5).encode(x=x, y=alt.Y("rank:O", title="rank"), tooltip=tips),
            dotted(x=0.0),
            data=pairs,
            height=160,
        ),
    )


def _growth_section(known: Sequence[Scores]) -> Section:
    rows: list[list[str | Cell]] = []
    for scores in known:
        if scores.whole is not None:
            auc = scores.auc
            rows.append(
                [
                    scores.model,
                    f"{scores.whole['parameters']:,}",
                    f"{scores.label_rate:.0%}",
                    accuracy_cell(scores.memorization),
                    f"{scores.num_surely:,}",
                    Cell(f"{auc.mean:.3f}", note=in_words(auc, 3)),
                    percent(scores.whole["test_accuracy"]),
                ]
            )
    header = ("model", "parameters", "redrawn labels", "by rote", "surely by rote", "LiRA AUC", "test accuracy")
    return Section(
        id="growth",
        title="What makes networks memorise",
        lead="Here is the mean share of labels that are known by rote, against the size of the network and the share "
        "of labels that were redrawn.",
        figures=[growth_figure(known)],
        table=PageTable(header=header, blocks={"": rows}),
        note="Intervals are over pairs of networks; all models have the same halves.",
    )


def growth_figure(known: Sequence[Scores]) -> Figure:
    """Against parameters where there are several models, else against noise."""
    rows = [
        {
            "model": scores.model,
            "parameters": int(scores.whole["parameters"]),
            "label_rate": scores.label_rate,
            "noise": f"{scores.label_rate:.0%} redrawn",
            "memorization": scores.memorization.mean,
            "low": scores.memorization.low,
            "high": scores.memorization.high,
        }
        for scores in known
        if scores.whole is not None
    ]
    data = rounded(pd.DataFrame(rows))
    by_size = data["model"].nunique() > 1
    x = (
        alt.X("parameters:Q", **logarithmic(at=data["parameters"]))
        if by_size
        else alt.X("label_rate:Q", title="share of labels redrawn", axis=alt.Axis(format="~%"))
    )
    y = alt.Y("memorization:Q", title="labels known by rote", axis=alt.Axis(format="~%", tickCount=5))
    series = "noise" if by_size else "model"
    looks = by_series(series, dict.fromkeys(data[series]), ("color", "shape"))
    base = alt.Chart().encode(x=x)
    tips = [tip("model"), tip("noise"), *estimate_tips("memorization", "by rote", ".1%")]
    return Figure(
        name="growth",
        title="Labels known by rote",
        subtitle="",
        caption="The mean over all examples, with its 95% interval over pairs of networks.",
        data=data,
        chart=layered(
            *bars(base, y, data, color=looks["color"]),
            base.mark_line().encode(y=y, color=looks["color"]),
            points(base, y, tips, **looks),
            data=data,
            height=260,
        ),
    )
