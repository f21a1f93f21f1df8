"""Architectures on a page: how much each memorises against how well it generalises, and what each switch does."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import altair as alt
import numpy as np
import pandas as pd

from byrote.charts.cells import accuracy_cell, half_width, points_cell
from byrote.charts.figure import Figure, layered, rounded, seed_sentence, slug
from byrote.charts.label_places import label_places
from byrote.charts.marks import bars, by_series, dotted, estimate_tips, points, tip
from byrote.charts.sections import Cell, PageTable, Presentation, Section, drawn
from byrote.evidence.attribution import Attribution
from byrote.evidence.finding import Finding
from byrote.evidence.intervals import Interval, mean_interval
from byrote.evidence.learning import on_unseen
from byrote.evidence.words import count_of_seeds
from byrote.studies.architectures.findings import RESPONSES, attribution_of, headline, regularizer_label
from byrote.studies.architectures.record import ArchitectureRecord, Unrecorded
from byrote.studies.architectures.study import ArchitectureStudy
from byrote.studies.families import family_label
from byrote.studies.study import Results

_HEIGHT = 300
_TITLES = {"test_accuracy": "Test accuracy on true labels", "log2_steps_to_fit": "Time to fit random labels"}
_AXES = {"test_accuracy": "percentage points", "log2_steps_to_fit": "doublings"}


def present(
    study: ArchitectureStudy, results: Results, table: pd.DataFrame, findings: Sequence[Finding]
) -> Presentation:
    """Architectures and switches, as far as the runs tell of them."""
    num_seeds = len(study.seed_list)
    records = [finding.reading for finding in findings if isinstance(finding.reading, ArchitectureRecord)]
    missing = [finding.reading for finding in findings if isinstance(finding.reading, Unrecorded)]
    reasons = [f"{family_label(one.planned.family)}: {one.reason}" for one in missing]
    bars = " Bars: the draw of test examples." if num_seeds == 1 else ""
    seeds = f"{seed_sentence(table)}{bars}"
    sections = [
        Section(
            id="architectures",
            title="Learning and learning by rote",
            lead="To the right stand architectures that generalise better; at the top stand those that memorise more "
            "examples, and those that take longest to, beside learning.",
            figures=drawn(capacity_figure(records, seeds), time_figure(records, seeds)),
            table=_architectures_table(records) if records else None,
            note=" ".join([_limits(study), *reasons]),
        ),
        *_switches(study, table, num_seeds),
    ]
    return Presentation(headline=headline(findings), sections=sections)


def _limits(study: ArchitectureStudy) -> str:
    return (
        f"Sizes are matched to {study.parameters:,} parameters, as nearly as whole widths allow. Runs on true labels "
        f"take {study.num_steps:,} steps, those on random labels as many at most."
    )


def capacity_figure(records: Sequence[ArchitectureRecord], seeds: str) -> Figure | None:
    """The largest number of random labels fitted against test accuracy, a labelled point for each architecture."""
    if not records:
        return None
    numbers = sorted({number for one in records for number in one.planned.numbers})
    data = _points(records, [float(max(one.largest_fitted, numbers[0] / 2)) for one in records])
    data = data.assign(fitted=[one.largest_fitted > 0 for one in records])
    none = "" if data["fitted"].all() else f" Hollow: not even {numbers[0]:,}."
    return _scatter(
        "capacity",
        "Random labels fitted",
        f"The largest number of random labels fitted, out of {', '.join(f'{number:,}' for number in numbers)}.{none} "
        f"{seeds}",
        data,
        names=_names(records),
        y_title="examples",
        scale=alt.Scale(type="log", base=2, domain=[numbers[0] / 2.6, numbers[-1] * 1.6], nice=False),
        axis=alt.Axis(values=numbers, format=",d"),
    )


def time_figure(records: Sequence[ArchitectureRecord], seeds: str) -> Figure | None:
    """Time to fit random labels, relative to true ones, against test accuracy; only of those that fitted both."""
    timed = [one for one in records if not math.isnan(one.relative_time_to_fit.mean)]
    if not timed:
        return None
    missing = _names([one for one in records if one not in timed])
    note = f" Not fitted, so without a time: {', '.join(missing)}." if missing else ""
    times = [one.relative_time_to_fit for one in timed]
    data = _points(timed, [time.mean for time in times]).assign(
        fitted=True, low=[time.low for time in times], high=[time.high for time in times]
    )
    most = float(np.nanmax([[time.mean for time in times], [time.high for time in times]]))
    return _scatter(
        "time-to-memorise",
        "Time to fit random labels",
        f"Steps to fit random labels over those to fit true labels of the same examples.{note} {seeds}",
        data,
        names=_names(records),
        y_title="relative time to fit",
        scale=alt.Scale(domain=[0, 1.15 * most], nice=False),
        axis=alt.Axis(tickCount=5, format="~r"),
    )


def attribution_figure(found: Attribution, title: str, axis: str, scale: float) -> Figure:
    """A row for each switch: its Shapley value for one response, in units of 1/scale."""
    shares = found.shapley.set_index("factor")[["value", "low", "high"]] * scale
    data = rounded(shares.reset_index().rename(columns={"factor": "switch"}).assign(seeds=found.num_seeds))
    base = alt.Chart().encode(y=alt.Y("switch:N", sort=list(data["switch"]), title=None))
    x = alt.X("value:Q", title=axis, axis=alt.Axis(tickCount=5))
    tips = [tip("switch"), *estimate_tips("value", axis, "+.2f", "simultaneous 95% interval, "), tip("seeds")]
    layers = [dotted(x=0), *bars(base, x, data), points(base, x, tips)]
    total = f"All together: {scale * found.total.mean:+.2g} {axis}."
    return Figure(
        name=f"switches-{slug(title)}",
        title=title,
        subtitle="",
        caption=f"{total} {count_of_seeds(found.num_seeds, 'One seed: no interval')}.",
        data=data,
        chart=layered(*layers, data=data, height=44 * len(data)),
    )


def _names(records: Sequence[ArchitectureRecord]) -> list[str]:
    return [family_label(one.planned.family) for one in records]


def _points(records: Sequence[ArchitectureRecord], values: Sequence[float]) -> pd.DataFrame:
    accuracies = [one.test_accuracy for one in records]
    return rounded(
        pd.DataFrame(
            {
                "architecture": _names(records),
                "parameters": [one.parameters for one in records],
                "test_accuracy": [accuracy.mean for accuracy in accuracies],
                "accuracy_low": [accuracy.low for accuracy in accuracies],
                "accuracy_high": [accuracy.high for accuracy in accuracies],
                "value": [float(value) for value in values],
            }
        )
    )


def _scatter(
    name: str,
    title: str,
    caption: str,
    data: pd.DataFrame,
    *,
    names: Sequence[str],
    y_title: str,
    scale: alt.Scale,
    axis: alt.Axis,
) -> Figure:
    """A labelled point for each row; `names` are all architectures, drawn or not, so that each keeps its colour."""
    low, high = data["accuracy_low"].min(), data["accuracy_high"].max()
    margin = 0.06 * (high - low) + 0.002
    across = [low - margin, high + margin]
    x = (data["test_accuracy"] - across[0]) / (across[1] - across[0])
    bottom, top = (float(end) for end in scale.domain)
    y = (data["value"] - bottom) / (top - bottom)
    if scale.type == "log":
        y = np.log(data["value"] / bottom) / math.log(top / bottom)
    places = label_places(x.to_numpy(float), y.to_numpy(float), list(data["architecture"]), height=_HEIGHT)
    data = data.assign(place=[sorted(set(places)).index(place) for place in places])
    # A scale that only some layers name would be joined with the whole range, zero included, of the others.
    wide: dict[str, Any] = {
        "title": "test accuracy, true labels",
        "axis": alt.Axis(format=".1~%", tickCount=5),
        "scale": alt.Scale(domain=across, nice=False),
    }
    tall: dict[str, Any] = {"title": y_title, "scale": scale, "axis": axis}
    base = alt.Chart().encode(x=alt.X("test_accuracy:Q", **wide), y=alt.Y("value:Q", **tall))
    layers = [base.mark_rule(opacity=0.5).encode(x=alt.X("accuracy_low:Q", **wide), x2="accuracy_high:Q")]
    if "low" in data and data["low"].notna().any():
        layers.append(base.mark_rule(opacity=0.5).encode(y=alt.Y("low:Q", **tall), y2="high:Q"))
    tips = [
        *(tip("architecture"), tip("parameters", number=",")),
        *(tip("test_accuracy", number=".1%"), tip("value", y_title, ",.3~g")),
    ]
    looks = by_series("architecture", names, legend=None)
    layers.append(points(base, alt.Y("value:Q", **tall), tips, filled="datum.fitted", **looks))
    for number, place in enumerate(sorted(set(places))):
        text = base.transform_filter(f"datum.place === {number}").mark_text(baseline="middle", **place._asdict())
        layers.append(text.encode(text="architecture:N"))
    chart = layered(*layers, data=data, height=_HEIGHT)
    return Figure(name=name, title=title, subtitle="", caption=caption, data=data, chart=chart)


def _architectures_table(records: Sequence[ArchitectureRecord]) -> PageTable:
    regularizers = list(dict.fromkeys(name for one in records for name in one.gains))
    rows = [
        [
            Cell(one.planned.model, note=f"{one.parameters:,}"),
            accuracy_cell(one.test_accuracy),
            _steps(one.steps_true),
            _steps(one.steps_random),
            _ratio(one.relative_time_to_fit),
            _largest(one),
            *(_gain(one.gains.get(name)) for name in regularizers),
        ]
        for one in sorted(records, key=lambda one: -one.test_accuracy.mean)
    ]
    return PageTable(
        header=(
            "model, parameters",
            "test accuracy",
            "true",
            "random",
            "ratio",
            "random fitted",
            *(regularizer_label(name) for name in regularizers),
        ),
        spans=(("", 2), ("steps to fit", 3), ("", 1), ("points of test accuracy by", len(regularizers))),
        blocks={"": rows},
    )


def _switches(study: ArchitectureStudy, table: pd.DataFrame, num_seeds: int) -> list[Section]:
    if not study.combinations:
        return []
    found = {response: attribution_of(study.combinations, table, num_seeds, response) for response in RESPONSES}
    reasons = [reading for reading in found.values() if isinstance(reading, str)]
    return [
        Section(
            id="switches",
            title="Which switch matters",
            lead="It is one network whose properties are exchanged one by one, all combinations at about the same "
            "size. Drawn is each switch's share of what all of them together change, by Shapley value"
            + ("." if num_seeds < 2 else "; the intervals of all switches hold at once with 95%."),
            figures=[
                attribution_figure(reading, _TITLES[response], _AXES[response], _scale(response))
                for response, reading in found.items()
                if isinstance(reading, Attribution)
            ],
            table=_combinations_table(study.combinations, table),
            note=" ".join(dict.fromkeys(reasons)),
        )
    ]


def _scale(response: str) -> float:
    return 100.0 if response == "test_accuracy" else 1.0


def _combinations_table(combinations: Mapping[str, Mapping[str, bool]], table: pd.DataFrame) -> PageTable:
    names = list(next(iter(combinations.values())))
    rows: list[list[str | Cell]] = []
    for family, on in combinations.items():
        own = table[(table["family"] == family) & (table["ladder"] == 1) & (table["regularizer"] == "")]
        if own.empty:
            continue
        true, random = (on_unseen(own[own["corruption"] == labels]) for labels in ("true-labels", "random-labels"))
        rows.append(
            [
                str(own["model"].iloc[0]),
                *(Cell("●") if on[name] else Cell("○", "quiet") for name in names),
                f"{int(own['parameters'].iloc[0]):,}",
                accuracy_cell(mean_interval(true["test_accuracy"].to_numpy(dtype=float))),
                _steps(true["steps_to_fit"].mean(skipna=False)),
                _steps(random["steps_to_fit"].mean(skipna=False)),
            ]
        )
    return PageTable(
        header=("model", *names, "parameters", "test accuracy", "true", "random"),
        spans=(("", len(names) + 3), ("steps to fit", 2)),
        blocks={"": rows},
    )


def _steps(steps: float) -> str | Cell:
    return Cell("not fitted", "unsure") if math.isnan(steps) else f"{steps:,.0f}"


def _ratio(time: Interval) -> str | Cell:
    return "–" if math.isnan(time.mean) else Cell(f"{time.mean:.1f}", note=half_width(time, 1))


def _largest(one: ArchitectureRecord) -> Cell:
    if one.smallest_unfitted is None:
        return Cell(f"{one.largest_fitted:,}", note="or more")
    if one.largest_fitted == 0:
        return Cell(f"fewer than {one.smallest_unfitted:,}", "unsure")
    return Cell(f"{one.largest_fitted:,}", note=f"not {one.smallest_unfitted:,}")


def _gain(gain: Interval | None) -> str | Cell:
    return "–" if gain is None else points_cell(gain)
