"""What values of all measures show: of each, whether it tells true from random labels, and of a bound, what it says."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import pandas as pd

from byrote.evidence.finding import Finding, Outcome
from byrote.evidence.intervals import Interval, mean_interval
from byrote.evidence.telling import Telling, tellings
from byrote.studies.bounds.calculations import column, column_of_bound, column_of_reason
from byrote.theory.measures.catalog import MEASURES
from byrote.theory.measures.measure import Measure

Badge = Literal["yes", "no", "no conclusion"]
Says = Literal["vacuous", "no better than guessing", "says something"]
_ROUNDING = 1e-9
TRUE_AND_RANDOM = ("true-labels", "random-labels")


@dataclass(frozen=True)
class MeasureReading:
    """One measure of the networks of one model."""

    model: str
    name: str
    measure: Measure
    values: dict[str, Interval]
    """By labels: over the networks that have fitted and for which it exists."""
    error_bounds: dict[str, Interval]
    """By labels, of a bound: on the 0-1 error, over the same networks; empty for other measures."""
    telling: Telling
    guessing: dict[str, float]
    """By labels, the error of the best constant prediction on new examples."""
    why_not: str
    """Why it does not exist for the architecture; "" where it does."""

    @property
    def badge(self) -> Badge:
        """Whether it tells true labels from random ones."""
        tells = self.telling.tells
        return "no conclusion" if tells is None else "yes" if tells else "no"

    def says(self, labels: str) -> Says | None:
        """What a bound says of networks with these labels, in the mean; None of other measures or without networks."""
        bound = self.error_bounds.get(labels)
        if bound is None or math.isnan(bound.mean):
            return None
        if bound.mean >= 1 - _ROUNDING:
            return "vacuous"
        return "no better than guessing" if bound.mean >= self.guessing[labels] else "says something"


def readings(table: pd.DataFrame) -> list[MeasureReading]:
    """Of the table of a BoundsStudy: each model's measures, in the order of MEASURES."""
    models = {str(model): _turned(runs) for model, runs in table.groupby("model", sort=False)}
    told = tellings({(model, name): (own, column(name)) for model, own in models.items() for name in MEASURES})
    return [
        _reading(str(model), runs, name, told[str(model), name])
        for model, runs in table.groupby("model", sort=False)
        for name in MEASURES
    ]


def _turned(runs: pd.DataFrame) -> pd.DataFrame:
    """Sound networks, with measures turned so that larger should mean a larger gap. Under a number of steps, each has
    taken as many."""
    sound = runs[runs["failed_checks"] == ""]
    return sound.assign(
        steps_run=sound["steps"],
        **{
            column(name): sound[column(name)].astype(float) * (1 if measure.larger_is_worse else -1)
            for name, measure in MEASURES.items()
        },
    )


def findings(table: pd.DataFrame) -> list[Finding]:
    """One for each measure, and of several models for each of theirs."""
    if table.empty:
        return []
    return list(_findings(readings(table), of_several=table["model"].nunique() > 1))


def headline(found: Sequence[MeasureReading]) -> str:
    """The whole page in one line."""
    told = [reading for reading in found if reading.badge == "yes"]
    decided = [reading for reading in found if reading.badge != "no conclusion"]
    if not decided:
        return "No conclusion about bounds and measures."
    bounds = [reading for reading in found if reading.measure.kind == "bound"]
    speaking = [reading for reading in bounds if reading.says("true-labels") == "says something"]
    return (
        f"{len(told)} of {len(decided)} measures tell true labels from random ones; {len(speaking)} of {len(bounds)} "
        f"bounds {'says' if len(speaking) == 1 else 'say'} anything."
    )


def number(value: float) -> str:
    """Three digits: "0.0123", "12,300", "1.23e+07"; "∞"; "–" for what does not exist."""
    if math.isnan(value):
        return "–"
    if math.isinf(value):
        return "∞"
    size = abs(value)
    if size >= 1e6 or 0 < size < 1e-3:
        return f"{value:.2e}"
    return f"{float(f'{value:.3g}'):,.10g}"


def _reading(model: str, runs: pd.DataFrame, name: str, told: Telling) -> MeasureReading:
    measure = MEASURES[name]
    sound = runs[runs["failed_checks"] == ""]
    counted = sound[sound["fitted"].astype(bool) & sound[column(name)].notna()]

    def over(values: str) -> dict[str, Interval]:
        return {
            labels: mean_interval(counted.loc[counted["corruption"] == labels, values].to_numpy(np.float64))
            for labels in TRUE_AND_RANDOM
        }

    reasons = runs[column_of_reason(name)]
    return MeasureReading(
        model=model,
        name=name,
        measure=measure,
        values=over(column(name)),
        error_bounds=over(column_of_bound(name)) if measure.kind == "bound" else {},
        telling=told,
        guessing={
            labels: 1 - float(runs.loc[runs["corruption"] == labels, "guessing"].max()) for labels in TRUE_AND_RANDOM
        },
        why_not=next(iter(reasons[reasons != ""]), ""),
    )


_OUTCOMES: dict[Badge, Outcome] = {"yes": "supported", "no": "not supported", "no conclusion": "no conclusion"}


def _findings(found: Sequence[MeasureReading], *, of_several: bool) -> Iterator[Finding]:
    for reading in found:
        title = reading.measure.title
        claim = f"{title[:1].upper()}{title[1:]} tells true labels from random ones"
        prefix = f"{reading.model}: " if of_several else ""
        yield Finding(prefix + claim, _OUTCOMES[reading.badge], " ".join(_sentences(reading)), reading)


def _sentences(reading: MeasureReading) -> Iterator[str]:
    if reading.why_not:
        yield f"It does not exist for this network: {reading.why_not}."
        return
    told, (true, random) = reading.telling, (reading.values[labels] for labels in TRUE_AND_RANDOM)
    if true.n or random.n:
        yield (
            f"Over networks that have fitted, its mean is {number(true.mean)} on true labels and {number(random.mean)} "
            f"on random ones ({true.n} and {random.n} networks)."
        )
    if told.num_unfitted:
        yield (
            "One pair of networks had not both fitted, and decides nothing."
            if told.num_unfitted == 1
            else f"{told.num_unfitted} pairs of networks had not both fitted, and decide nothing."
        )
    difference = told.difference
    if not math.isnan(difference.low):
        yield (
            f"Relative difference, {'' if reading.measure.larger_is_worse else 'its sign reversed, '}"
            f"{difference.mean:+.2f} (95% interval over seeds, of this measure by itself: {difference.low:+.2f} to "
            f"{difference.high:+.2f})."
        )
    if told.would_decide:
        yield told.would_decide
    if reading.measure.kind == "bound":
        said = [
            f"on {labels.replace('-', ' ')} at most {number(reading.error_bounds[labels].mean)} ({says})"
            for labels in TRUE_AND_RANDOM
            if (says := reading.says(labels)) is not None
        ]
        if said:
            yield f"The error on new examples is bounded: {', '.join(said)}."
