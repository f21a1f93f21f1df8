"""Stage 2: does it beat chance? Test labels exchanged against fixed predictions, with a valid p-value; a whole
pipeline, or fits, on exchanged labels where asked."""

from __future__ import annotations

import math
import time
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

import altair as alt
import numpy as np
import pandas as pd
from jaxtyping import Bool, Float64, Real
from scipy import stats

from byrote.audits.honest_score import score_and_lead
from byrote.audits.metric import Metric, Prediction
from byrote.audits.stage import (
    Case,
    Estimate,
    Stage,
    StageResult,
    figure_interval,
    interval_figure,
    p_in_words,
    rows_in_words,
)
from byrote.audits.subject import Fit
from byrote.audits.whole_pipelines import WholePipeline
from byrote.charts.figure import Figure, layered, rounded
from byrote.charts.sections import Section
from byrote.evidence.finding import Finding, Outcome
from byrote.evidence.intervals import Interval
from byrote.evidence.label_permutations import (
    Exchange,
    chance_beyond_trend,
    exchange_of,
    exchanged_values,
    share_as_large,
)
from byrote.evidence.verdicts import LITTLE
from byrote.randomness import stream

EXCHANGES = 9999
PIPELINE_EXCHANGES = 99
_BEYOND_TREND = 999
_LEAST_ROWS = 20
"""Resamples of fewer leave out too often what is large and rare: nothing is called no better than a constant."""
_FEWEST = 199
_BINS = 40
_DIGITS = 12


class SignalStage(Stage):
    """Needs predictions on the test rows, or a pipeline that gives a score."""

    name: ClassVar[str] = "signal"
    title: ClassVar[str] = "Does it beat chance?"
    needs_predictions: ClassVar[bool] = True
    alarm_names: ClassVar[tuple[str, ...]] = ("no-signal", "leaking-pipeline")
    version: ClassVar[int] = 6

    def estimate(self, case: Case, budget_s: float = math.inf) -> Estimate:
        if isinstance(case.subject, WholePipeline):
            _, seconds, num, wanted = _tried(case, case.subject, budget_s)
            smaller = "" if num == wanted else f"The pipeline is run on {num} instead of {wanted} exchanged labellings"
            return Estimate((num + 1) * seconds, 2.0**25, smaller=smaller)
        fits = case.seconds_of_fits()
        a_fit = fits / case.seeds if fits else 0.0
        retrain = int(case.options.get("retrain", 0))
        num = _num_exchanges(case, budget_s - fits)
        smaller = _smaller(case, num)
        return Estimate(fits + num * _seconds_of_value(case) + retrain * a_fit, 2.0**25, smaller=smaller)

    def run(self, case: Case, budget_s: float = math.inf) -> StageResult:
        if isinstance(case.subject, WholePipeline):
            return self._run_pipeline(case, case.subject, budget_s)
        predictions = case.predictions()
        test, metric = case.tested(), case.metric
        clean = case.clean_test_rows()
        rows = test.take(clean)
        kept = [each.take(clean) for each in predictions]
        observed = _mean_value(metric, rows.labels, kept)
        num_classes = len(np.unique(rows.labels))
        if len(rows) < 2 or num_classes < 2 or math.isnan(observed):
            why = "no test row is left that training does not know" if len(rows) < 2 else "they are of one class"
            if metric.of_quantities and len(rows) > 1:
                why = "they have one target"
            if math.isnan(observed) and num_classes > 1:
                why = f"scikit-learn does not compute {metric.name} of these predictions"
            return StageResult("no conclusion", f"The test rows tell nothing of chance: {why}.", {"smaller": ""})
        exchange = exchange_of(
            rows.labels, rows.groups, rows.times, rows.copies, of_quantities=case.material.of_quantities
        )
        num = _num_exchanges(case, budget_s)
        drawn = exchanged_values(
            exchange, lambda labels: _mean_values(metric, labels, kept), num, len(rows), stream(0, "exchanged labels")
        )
        score, lead = score_and_lead(metric, rows.labels, kept, rows.groups, rows.copies)
        figures: dict[str, Any] = {
            "score": interval_figure(score),
            "chance": metric.chance(rows.labels),
            "lead": interval_figure(lead),
            **_exchange_figures(exchange, drawn, observed),
            "num_left_out": int((~clean).sum()),
            "smaller": _smaller(case, num),
        }
        p_values = {"signal": figures["p"]}
        if rows.times is not None:
            figures["p_beyond_trend"] = chance_beyond_trend(
                rows.labels,
                _scores(metric, kept),
                rows.groups,
                rows.times,
                min(num, _BEYOND_TREND),
                stream(0, "exchanged labels beyond a trend"),
                of_quantities=metric.of_quantities,
            )
            p_values["signal"] = max(figures["p"], figures["p_beyond_trend"])
        if retrain := int(case.options.get("retrain", 0)):
            figures["retrained"] = self._retrained(case, clean, observed, retrain)
            p_values["retrained"] = max(figures["retrained"]["p"], figures.get("p_beyond_trend", 0.0))
        statement = f"{figures['smaller']}, for want of time." if figures["smaller"] else ""
        return StageResult("done", statement, figures, p_values)

    def _retrained(self, case: Case, clean: Bool[np.ndarray, " T"], observed: float, num: int) -> dict[str, Any]:
        """Fits on exchanged training labels, each scored on exchanged test labels."""
        if not case.subject.can_fit:
            return {"p": 1.0, "num_exchanges": 0, "exchanged": []}
        train, test = case.material.train, case.tested().take(clean)
        draw, of_quantities = stream(0, "retrained labels"), case.material.of_quantities
        labels = exchange_of(train.labels, train.groups, train.times, of_quantities=of_quantities).draw(draw, num)
        tested = exchange_of(test.labels, test.groups, test.times, test.copies, of_quantities=of_quantities).draw(
            draw, num
        )
        values = np.empty(num)
        for place in range(num):
            case.log(f"fit {place + 1} of {num} on exchanged labels")
            (predict,) = case.subject.fit_all([Fit(train.relabelled(labels[place]), 0)])
            values[place] = case.metric.value(tested[place], predict(test))
        return {
            "p": share_as_large(values, observed),
            "num_exchanges": num,
            "mean": float(np.nanmean(values)),
            "exchanged": _histogram(values),
        }

    def _run_pipeline(self, case: Case, subject: WholePipeline, budget_s: float) -> StageResult:
        rows = subject.rows
        observed, _, num, wanted = _tried(case, subject, budget_s)
        exchange = exchange_of(rows.labels, rows.groups, rows.times, of_quantities=case.material.of_quantities)
        labellings = exchange.draw(stream(0, "exchanged labels"), num)
        drawn = np.empty(num)
        for place in range(num):
            if place % 10 == 0:
                case.log(f"the pipeline on exchanged labels, {place} of {num}")
            drawn[place] = subject.score(labellings[place], place + 1)
        chance = case.metric.chance(rows.labels)
        mean, error = float(drawn.mean()), float(drawn.std(ddof=1) / math.sqrt(num)) if num > 1 else math.nan
        half = float(stats.t.ppf(0.975, num - 1)) * error
        # Nobody knows on which rows the score rests: it is taken to spread as scores of exchanged labels do.
        lead, spread = observed - chance, half * math.sqrt(num)
        smaller = "" if num == wanted else f"The pipeline was run on {num} instead of {wanted} exchanged labellings"
        figures: dict[str, Any] = {
            "score": interval_figure(Interval(observed, math.nan, math.nan, len(rows))),
            "chance": chance,
            "lead": interval_figure(Interval(lead, lead - spread, lead + spread, num)),
            **_exchange_figures(exchange, drawn, observed),
            "num_left_out": 0,
            "on_exchanged_labels": interval_figure(Interval(mean, mean - half, mean + half, num)),
            "smaller": smaller,
        }
        statement, p_values = f"{smaller}, for want of time." if smaller else "", {"signal": figures["p"]}
        if rows.times is None:  # else what neighbours in time have in common is left, which the pipeline may foretell
            above = float(stats.t.sf((mean - chance) / error, num - 1)) if error > 0 else float(mean <= chance)
            p_values["pipeline"] = above
        return StageResult("done", statement, figures, p_values)

    def findings(self, case: Case, result: StageResult, found: Mapping[str, bool]) -> list[Finding]:
        if result.status == "no conclusion":
            return [Finding(self._claim(case), "no conclusion", result.statement)]
        figures = result.figures
        findings = [Finding(self._claim(case), *_verdict(case, figures, found["signal"]))]
        if "on_exchanged_labels" in figures:
            findings.append(_pipeline_finding(case, figures, found.get("pipeline")))
        if "retrained" in result.p_values:
            findings.append(_retrained_finding(case, figures, found["retrained"]))
        return findings

    def _claim(self, case: Case) -> str:
        return f"{case.subject.name} beats chance"

    def alarms(self, case: Case, result: StageResult, found: Mapping[str, bool]) -> Mapping[str, float]:
        if result.status == "no conclusion":
            return {"no-signal": 1.0}
        outcome, _ = _verdict(case, result.figures, found["signal"])
        alarms = {"no-signal": float(outcome != "supported")}
        return alarms | ({"leaking-pipeline": float(found["pipeline"])} if "pipeline" in found else {})

    def sections(self, case: Case, result: StageResult) -> list[Section]:
        if result.status == "no conclusion":
            return []
        figures, metric = result.figures, case.metric
        word = case.material.label_word
        lead = (
            f"The {metric.title} under {figures['num_exchanges']:,} labellings in which {word}s have changed places "
            f"{figures['exchange']}, and that of the true {word}s, as a line."
        )
        return [Section("signal", "Chance and the score", lead, figures=[_figure(case, figures)])]


def _tried(case: Case, pipeline: WholePipeline, budget_s: float) -> tuple[float, float, int, int]:
    """The score of a pipeline on its own labels, the seconds that takes, on how many exchanged labellings there is time
    for it, and on how many it is wanted."""
    started = time.perf_counter()
    observed = pipeline.score(pipeline.rows.labels, 0)
    seconds = time.perf_counter() - started
    wanted = int(case.options.get("retrain", 0)) or PIPELINE_EXCHANGES
    num = wanted if math.isinf(budget_s) else max(min(wanted, int(budget_s / max(seconds, 1e-6)) - 1), 19)
    return observed, seconds, num, wanted


def _exchange_figures(exchange: Exchange, drawn: Float64[np.ndarray, " B"], observed: float) -> dict[str, Any]:
    """Of the values under exchanged labels, beside that of the true ones."""
    return {
        "p": share_as_large(drawn, observed),
        "num_exchanges": len(drawn),
        "exchange": exchange.words,
        "num_units": exchange.num_units,
        "least_p": max(1 / (len(drawn) + 1), exchange.least_p),
        "exchanged": _histogram(drawn),
    }


def _seconds_of_value(case: Case) -> float:
    return 2e-9 * len(case.material.test) * case.seeds + 1e-6 if case.metric.values_are_fast else 3e-3 * case.seeds


def _smaller(case: Case, num: int) -> str:
    fewer = "" if num == EXCHANGES else f"Labels were exchanged {num:,} instead of {EXCHANGES:,} times"
    return ". ".join(filter(None, (case.fitted_on_fewer(), fewer)))


def _num_exchanges(case: Case, seconds: float) -> int:
    if math.isinf(seconds):
        return EXCHANGES
    return int(min(max(seconds / _seconds_of_value(case), _FEWEST), EXCHANGES))


def _mean_value(metric: Metric, labels: Real[np.ndarray, " N"], predictions: Sequence[Prediction]) -> float:
    return float(np.mean([metric.value(labels, each) for each in predictions]))


def _mean_values(
    metric: Metric, labels: Real[np.ndarray, "B N"], predictions: Sequence[Prediction]
) -> Float64[np.ndarray, " B"]:
    return np.mean([metric.values(labels, each) for each in predictions], axis=0)


def _scores(metric: Metric, predictions: Sequence[Prediction]) -> Float64[np.ndarray, "N M"]:
    """What several fits say on average: one quantity, or of each class its score, or how many name it."""
    if metric.of_quantities:
        return np.mean([each.labels for each in predictions], axis=0)[:, None]
    named = np.eye(metric.num_classes)
    return np.mean(
        [named[each.labels] if each.probabilities is None else each.probabilities for each in predictions], axis=0
    )


def _histogram(values: Float64[np.ndarray, " B"]) -> list[dict[str, float | int]]:
    known = values[~np.isnan(values)]
    if not len(known):
        return []
    if size := float(np.abs(known).max()):
        known = np.round(known / size, _DIGITS) * size  # what differs by rounding alone has no bins of its own
    counts, edges = np.histogram(known, min(_BINS, max(len(np.unique(known)), 1)))
    return [
        {"from": float(edges[place]), "to": float(edges[place + 1]), "count": int(count)}
        for place, count in enumerate(counts)
    ]


def _verdict(case: Case, figures: Mapping[str, Any], is_significant: bool) -> tuple[Outcome, str]:
    metric, chance = case.metric, figures["chance"]
    score, lead = (figure_interval(figures[name]) for name in ("score", "lead"))
    left_out, word = figures["num_left_out"], case.material.label_word
    words = (
        f"Its {metric.title} is {metric.in_words(score.mean)}"
        + ("" if math.isnan(score.low) else f" ({metric.range_in_words(score.low, score.high)})")
        + f" on {rows_in_words(score.n, case.material.test)}"
        + (f", {left_out:,} known from training being left out" if left_out else "")
        + f"; the best constant has {metric.in_words(chance)}, so that its lead is "
        + f"{metric.difference_in_words(lead.mean, lead.low, lead.high)}. "
        f"With {word}s exchanged {figures['exchange']}, "
        f"as much comes out with p = {p_in_words(figures['p'])} ({figures['num_exchanges']:,} exchanges)."
    )
    if "p_beyond_trend" in figures:
        words += (
            " Any two series with a trend go together: without the trends, "
            f"p = {p_in_words(figures['p_beyond_trend'])}, and the larger one counts."
        )
    if assumption := case.material.test.assumption:
        words += f" {assumption}"
    if is_significant and lead.low > 0:
        if case.material.test.times is not None and "p_beyond_trend" not in figures:
            return "no conclusion", f"{words} Any two series with a trend go together: predictions by row would tell."
        return "supported", words
    is_enough = metric.is_share or lead.n >= _LEAST_ROWS
    if is_enough and lead.high <= _margin(metric, chance):
        known = f" It knows something of the {word}s, but a constant scores as well." if is_significant else ""
        return "not supported", f"{words}{known}"
    if is_significant:
        known = f"It knows something of the {word}s; whether a constant scores as well, more test rows would tell."
        return "no conclusion", f"{words} {known}"
    if figures["num_units"] < 5:
        return "no conclusion", f"{words} {figures['num_units']} units that can change places cannot tell: more would."
    return "no conclusion", f"{words} More test rows would tell."


def _margin(metric: Metric, chance: float) -> float:
    """What is still called no better than chance: less where a constant leaves less than half to be gained, as all of
    it would be little where one class is frequent. Of scores that are no shares nobody knows how much is little."""
    return LITTLE * min(1.0, 2 * (1 - chance)) if metric.is_share else 0.0


def _pipeline_finding(case: Case, figures: Mapping[str, Any], is_significant: bool | None) -> Finding:
    """Not known where labels keep their order in time."""
    found, metric = figure_interval(figures["on_exchanged_labels"]), case.metric
    words = (
        f"On {found.n} labellings that say nothing, it scores {metric.in_words(found.mean)} on average "
        f"({metric.range_in_words(found.low, found.high)}), where guessing gives {metric.in_words(figures['chance'])}."
    )
    claim = "On labels that say nothing, the pipeline only guesses"
    if is_significant is None:
        word = case.material.label_word
        return Finding(
            claim,
            "no conclusion",
            f"{words} But {word}s that are moved along time keep what neighbours have in common, which a sound "
            "pipeline may foretell: without `--time`, they are exchanged row by row, which would tell.",
        )
    if is_significant:
        return Finding(
            claim,
            "not supported",
            f"{words} It sees the labels that it is tested on: look for what is selected, scaled or tuned on all rows "
            "before they are split, and for copies among them.",
        )
    if found.high < figures["chance"] + _margin(metric, figures["chance"]):
        return Finding(claim, "supported", words)
    return Finding(claim, "no conclusion", f"{words} More labellings (`--retrain`) would tell.")


def _retrained_finding(case: Case, figures: Mapping[str, Any], is_significant: bool) -> Finding:
    found, claim = figures["retrained"], "It beats what fits on exchanged labels reach"
    if not found["num_exchanges"]:
        return Finding(claim, "no conclusion", "Predictions that were given cannot be made anew.")
    mean = case.metric.in_words(found["mean"])
    words = f"{found['num_exchanges']} fits on exchanged labels score {mean} on average; p = {p_in_words(found['p'])}."
    return Finding(claim, "supported" if is_significant else "no conclusion", words)


def _figure(case: Case, figures: Mapping[str, Any]) -> Figure:
    data = pd.DataFrame(figures["exchanged"]).rename(columns={"from": "low", "to": "high"})
    data = rounded(data.assign(score=figures["score"]["mean"], chance=figures["chance"]))
    base = alt.Chart()
    x = alt.X("low:Q", title=case.metric.title, scale=alt.Scale(zero=False))
    bars = base.mark_rect().encode(x=x, x2="high:Q", y=alt.Y("count:Q", title="labellings"), y2=alt.datum(0))
    line = base.mark_rule(strokeWidth=2).encode(x=alt.X("score:Q"))
    guess = base.mark_rule(strokeDash=[4, 3]).encode(x=alt.X("chance:Q"))
    word = case.material.label_word
    caption = (
        f"Bars: {figures['num_exchanges']:,} exchanged labellings. Line: the true {word}s. Dashes: the best constant. "
        f"p = {p_in_words(figures['p'])}."
    )
    return Figure(
        "signal",
        "Chance and the score",
        case.material.title,
        caption,
        data,
        layered(bars, line, guess, data=data, height=240),
    )
