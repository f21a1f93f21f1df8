"""Stage 6: which labels does it know by rote, and can anyone tell what it was trained on? By fits on random halves."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any, ClassVar

import numpy as np
import pandas as pd
from jaxtyping import Bool, Float16, Int64
from scipy import stats

from byrote.audits.material import Rows
from byrote.audits.metric import Prediction
from byrote.audits.networks import NetworkSubject
from byrote.audits.noisy_fits import longer
from byrote.audits.rote_sections import sections_of_rote
from byrote.audits.stage import Case, Estimate, Stage, StageResult, interval_figure
from byrote.audits.subject import Fit
from byrote.charts.sections import Section
from byrote.data.subsets import half_rows, stratified_rows
from byrote.evidence.finding import Finding
from byrote.evidence.intervals import Interval, newcombe, wilson
from byrote.evidence.known_by_rote import ROTE, TOLD, Counts, chance_of_no_rote, ends_at_once
from byrote.evidence.words import percent
from byrote.randomness import stream
from byrote.studies.memorization.halves import STACK, Answers, answers_of
from byrote.studies.memorization.readings import ROC_RATES, read
from byrote.studies.memorization.study import MemorizationStudy

MOST_ROWS = 5000
"""More training rows would tell the same of each, and cost more."""
MOST_FITS = 96
_FEWEST_ROWS, _FEWEST_FITS = 300, STACK
SCORES = "rote.csv"
_SURE = 1e-6
"""Probabilities are kept between that and 1 minus that: many classifiers say 0 and 1, whose log-odds are none."""
_SHARE_OF_BUDGET = 0.9


class RoteStage(Stage):
    """Needs a subject that can be fitted on other rows, and that says what single rows are."""

    name: ClassVar[str] = "rote"
    title: ClassVar[str] = "Which labels does it know by rote?"
    alarm_names: ClassVar[tuple[str, ...]] = ("members-told",)
    needs_classes: ClassVar[str] = (
        "What is known by rote is told by how often fits with and without a row name its class; "
        "targets here are quantities."
    )
    version: ClassVar[int] = 2

    def estimate(self, case: Case, budget_s: float = math.inf) -> Estimate:
        if why := _why_not(case):
            return Estimate(0.0, smaller=f"It is left out: {why}")
        return _version(case, budget_s)[2]

    def run(self, case: Case, budget_s: float = math.inf) -> StageResult:
        if why := _why_not(case):
            return StageResult("skipped", f"{why}.")
        num_rows, num_fits, plan = _version(case, budget_s)
        if plan.seconds > budget_s:
            return StageResult("skipped", f"Its smallest version takes {plan.seconds:,.0f} s, more than is left.")
        chosen = _chosen(case, num_rows)
        rows = case.material.train.take(chosen)
        answers, unfitted = _answers(case, rows, num_fits)
        if len(answers.inside) < _FEWEST_FITS:
            return StageResult("no conclusion", "The loss of too many networks was no longer finite.")
        values, arrays = read(answers, rows.labels, np.zeros(len(rows), dtype=bool), case.material.num_classes)
        table = _table(case, chosen, arrays)
        num_fits = len(answers.inside)
        counts = Counts(*(arrays[name] for name in ("hits_in", "num_in", "hits_out", "num_out")))
        low, high = ends_at_once(counts)
        figures: dict[str, Any] = {
            "num_rows": len(rows),
            "num_train": len(case.material.train),
            "num_fits": num_fits,
            "num_unfitted": unfitted,
            "memorization": _figure(values, "memorization", num_fits // 2),
            "num_by_rote": int((table["memorization"] > ROTE).sum()),
            "num_surely": int((low > ROTE).sum()),
            "none_possible": bool((high < ROTE).all()),
            "smaller": plan.smaller,
            "roc_rates": ROC_RATES.tolist(),
        }
        for attack in ("lira", "rmia"):
            names = {"auc": "auc", "tpr_0001": "told_at_0.1%", "tpr_001": "told_at_1%"}
            figures[attack] = {
                shown: _figure(values, f"{attack}_{name}", num_fits // 2) for name, shown in names.items()
            } | {"roc": arrays[f"roc_{attack}"].tolist()}
        p_values = {"by-rote": chance_of_no_rote(counts), "members-told": _chance_of_little(values, num_fits // 2)}
        statement = f"{plan.smaller}, for want of time." if plan.smaller else ""
        return StageResult("done", statement, figures, p_values, {SCORES: table})

    def findings(self, case: Case, result: StageResult, found: Mapping[str, bool]) -> list[Finding]:
        return [_by_rote(case, result.figures, found["by-rote"]), _told(case, result.figures, found["members-told"])]

    def alarms(self, case: Case, result: StageResult, found: Mapping[str, bool]) -> Mapping[str, float]:  # noqa: ARG002
        if found["members-told"]:
            return {"members-told": float(result.figures["lira"]["told_at_1%"]["mean"])}
        return {"members-told": 0.0} if result.figures["lira"]["auc"]["high"] < TOLD else {}

    def sections(self, case: Case, result: StageResult) -> list[Section]:
        return sections_of_rote(case, result.figures, result.tables[SCORES])


def _why_not(case: Case) -> str:
    if not case.subject.can_fit:
        return f"{case.subject.name} cannot be fitted on halves of the rows"
    if not case.subject.can_predict:
        return f"{case.subject.name} does not say what single rows are"
    return "" if len(case.material.train) >= 4 else "there are fewer than 4 training rows"


def _version(case: Case, budget_s: float) -> tuple[int, int, Estimate]:
    """How many rows and fits the budget allows; the fewest, where it allows none."""
    most = min(len(case.material.train), MOST_ROWS)
    left = _SHARE_OF_BUDGET * budget_s
    a_row = case.pace * _seconds_of_fit(case, case.material.train.take(_chosen(case, most))) / most
    num_rows, num_fits = most, MOST_FITS
    while a_row * num_rows * num_fits > left and (num_fits > _FEWEST_FITS or num_rows > min(_FEWEST_ROWS, most)):
        if num_fits > _FEWEST_FITS:
            num_fits = max(num_fits // 2 // STACK * STACK, _FEWEST_FITS)
        else:
            num_rows = max(num_rows // 2, min(_FEWEST_ROWS, most))
    smaller = []
    if num_rows < most:
        smaller.append(f"It was fitted on halves of {num_rows:,} instead of {most:,} training rows")
    if num_fits < MOST_FITS:
        smaller.append(f"{num_fits} instead of {MOST_FITS} fits were made")
    seconds = a_row * num_rows * num_fits
    return num_rows, num_fits, Estimate(seconds, 2.0**27, 2.0**12 * num_fits, ", and ".join(smaller))


def _seconds_of_fit(case: Case, rows: Rows) -> float:
    """On half of these rows; of networks, which are trained in stacks, as their study is foreseen."""
    if not isinstance(case.subject, NetworkSubject):
        return case.subject.seconds_of_fit(rows) / 2
    return case.subject.seconds_of(_study(case.subject, rows, 2 * STACK)) / (2 * STACK)


def _study(subject: NetworkSubject, rows: Rows, num_fits: int) -> MemorizationStudy:
    data = subject.dataset(rows)
    return MemorizationStudy(
        data, subject.model, longer(subject.recipe_for(len(rows))), n_train=len(rows), networks=num_fits
    )


def _chosen(case: Case, num: int) -> Int64[np.ndarray, " M"]:
    """The training rows that are asked about."""
    labels = case.material.train.labels
    return np.arange(len(labels)) if num >= len(labels) else stratified_rows(labels, num, stream(0, "rows of halves"))


def _answers(case: Case, rows: Rows, num_fits: int) -> tuple[Answers, int]:
    """And how many networks have not fitted their half."""
    subject = case.subject
    case.log(f"{num_fits} fits on halves of {len(rows):,} rows")
    if isinstance(subject, NetworkSubject):
        study = _study(subject, rows, num_fits)
        outcomes = subject.run(study).outcomes
        return answers_of(outcomes, study.datasets[0.0]), sum(not outcome.fitted for outcome in outcomes)
    shape, test = (num_fits, len(rows)), case.material.test
    inside, right = np.zeros(shape, dtype=bool), np.zeros(shape, dtype=bool)
    margins = np.zeros(shape, dtype=np.float16)
    tested = np.zeros((num_fits, len(test)), dtype=bool)
    test_margins = np.zeros((num_fits, len(test)), dtype=np.float16)
    for number in range(num_fits):
        trained, _ = half_rows(rows.labels, number, 0)
        (predict,) = subject.fit_all([Fit(rows.take(trained), number)])
        inside[number, trained] = True
        right[number], margins[number] = _said(predict(rows), rows.labels)
        tested[number], test_margins[number] = _said(predict(test), test.labels)
    return Answers(inside, right, margins, tested, test_margins), 0


def _said(
    prediction: Prediction, labels: Int64[np.ndarray, " N"]
) -> tuple[Bool[np.ndarray, " N"], Float16[np.ndarray, " N"]]:
    """Which labels are right, and the log-odds of each; 1 or -1 where no probabilities are given."""
    right = prediction.labels == labels
    if prediction.probabilities is None:
        return right, np.where(right, 1, -1).astype(np.float16)
    own = np.clip(prediction.probabilities[np.arange(len(labels)), labels].astype(np.float64), _SURE, 1 - _SURE)
    return right, np.log(own / (1 - own)).astype(np.float16)


def _table(case: Case, chosen: Int64[np.ndarray, " M"], arrays: Mapping[str, np.ndarray]) -> pd.DataFrame:
    """A row for each training row that was asked about, those most known by rote first."""
    names, train = case.material.class_names, case.material.train
    inside, outside = np.maximum(arrays["num_in"], 1), np.maximum(arrays["num_out"], 1)
    share_in, share_out = arrays["hits_in"] / inside, arrays["hits_out"] / outside
    low, high = newcombe(arrays["hits_in"], inside, arrays["hits_out"], outside)
    told_low, told_high = wilson(arrays["lira_told_001"], inside)
    table = pd.DataFrame(
        {
            "row": chosen,
            "place": [train.place(int(row)) for row in chosen],
            "label": [names[label] for label in train.labels[chosen]],
            "right_with_it": share_in,
            "right_without": share_out,
            "memorization": share_in - share_out,
            "low": low,
            "high": high,
            "told_at_1%": arrays["lira_told_001"] / inside,
            "told_low": told_low,
            "told_high": told_high,
        }
    )
    return table.sort_values("memorization", ascending=False, kind="stable", ignore_index=True)


def _figure(values: Mapping[str, float], name: str, n: int) -> dict[str, float | int | None]:
    return interval_figure(Interval(values[name], values[f"{name}_low"], values[f"{name}_high"], n))


def _chance_of_little(values: Mapping[str, float], num_pairs: int) -> float:
    """That the AUC of LiRA is TOLD or less, by the interval over pairs."""
    half = values["lira_auc_high"] - values["lira_auc"]
    if not half > 0:
        return 1.0
    error = half / float(stats.t.ppf(0.975, num_pairs - 1))
    return float(stats.t.sf((values["lira_auc"] - TOLD) / error, num_pairs - 1))


def _by_rote(case: Case, figures: Mapping[str, Any], is_found: bool) -> Finding:
    claim = f"{case.subject.name} knows some labels by rote alone"
    mean = figures["memorization"]
    words = (
        f"By {figures['num_fits']} fits on halves of {figures['num_rows']:,} rows, {percent(mean['mean'])} of labels "
        f"are known by rote in the mean ({percent(mean['low'])} to {percent(mean['high'])}); "
        f"{figures['num_by_rote']:,} by more than half, {figures['num_surely']:,} of them surely."
    )
    if figures["num_unfitted"]:
        words += f" {figures['num_unfitted']} networks did not fit their half."
    if is_found:
        return Finding(claim, "supported", words)
    if figures["none_possible"]:
        return Finding(claim, "not supported", words)
    return Finding(claim, "no conclusion", f"{words} {_more(case, figures)}")


def _chance(figure: Mapping[str, Any]) -> str:
    """ "0.853 (0.841 to 0.865)"."""
    if figure["low"] is None:
        return f"{figure['mean']:.3f}"
    return f"{figure['mean']:.3f} ({figure['low']:.3f} to {figure['high']:.3f})"


def _share(figure: Mapping[str, Any]) -> str:
    """ "7.1% (6.0% to 8.2%)"."""
    if figure["low"] is None:
        return percent(figure["mean"])
    return f"{percent(figure['mean'])} ({percent(figure['low'])} to {percent(figure['high'])})"


def _more(case: Case, figures: Mapping[str, Any]) -> str:
    """What would tell where nothing is decided."""
    if figures["smaller"]:
        return "More fits and rows would tell: give it more time (`--budget`)."
    if isinstance(case.subject, NetworkSubject):
        return "More fits would tell: `byrote measure memorization`."
    return f"More fits would tell than the {MOST_FITS} that an audit makes at most."


def _told(case: Case, figures: Mapping[str, Any], is_found: bool) -> Finding:
    claim = f"Whoever sees the answers of {case.subject.name} can tell what it was fitted on"
    lira, rmia = figures["lira"], figures["rmia"]
    words = (
        f"LiRA puts a row that it was fitted on before another with a chance of {_chance(lira['auc'])}, and tells "
        f"{_share(lira['told_at_1%'])} of them at a false-positive rate of 1%; RMIA: {_chance(rmia['auc'])}, "
        f"{_share(rmia['told_at_1%'])}."
    )
    if is_found:
        return Finding(claim, "supported", words)
    high = lira["auc"]["high"]
    if high is not None and high < TOLD:
        return Finding(claim, "not supported", words)
    return Finding(claim, "no conclusion", f"{words} {_more(case, figures)}")
