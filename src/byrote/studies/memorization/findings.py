"""What scores of examples show: whether any label is known by rote, who can tell what was trained on, and what makes
networks memorise more.

A label is known by rote if networks with the example give it more often than networks without, by more than half of
all networks: most of what is known of it is known from that example alone. That one surely is, is claimed by limits
that hold for all examples at once.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from byrote.evidence.finding import Finding
from byrote.evidence.intervals import Interval
from byrote.evidence.known_by_rote import ROTE, TOLD, Counts, ends_at_once
from byrote.evidence.obstacles import check_failed, unfinished
from byrote.evidence.verdicts import exceeds
from byrote.evidence.words import percent


@dataclass(frozen=True)
class Scores:
    """Of one model and one share of redrawn labels: the rows of the table."""

    model: str
    label_rate: float
    why_not: str
    """Why it decides nothing; "" where it does."""
    whole: pd.Series | None
    """The row of all examples."""
    examples: pd.DataFrame
    num_by_rote: int = 0
    """Examples whose score exceeds ROTE."""
    num_surely: int = 0
    """Those of them of which that holds at 95% for all at once."""

    @property
    def memorization(self) -> Interval:
        """The share of labels known by rote, with its interval."""
        return interval_of(self.whole, "memorization", "low", "high")

    @property
    def auc(self) -> Interval:
        """The area under LiRA's curve, with its interval."""
        return interval_of(self.whole, "lira_auc", "lira_auc_low", "lira_auc_high")


def interval_of(row: pd.Series | None, *names: str) -> Interval:
    """Of a row's columns: mean, low and high."""
    mean, low, high = (math.nan,) * 3 if row is None else (float(row[name]) for name in names)
    return Interval(mean, low, high, 0 if row is None else int(row["networks"]) // 2)


def all_scores(models: Sequence[str], rates: Sequence[float], table: pd.DataFrame, networks: int) -> list[Scores]:
    """Of each model and rate, of the table of a MemorizationStudy."""
    return [_scores(model, rate, table, networks) for model in models for rate in rates]


def findings(models: Sequence[str], rates: Sequence[float], table: pd.DataFrame, networks: int) -> list[Finding]:
    """What is known by rote, who can tell, and what more noise does."""
    found = all_scores(models, rates, table, networks)
    verdict = [each for scores in found for each in (_by_rote(scores), _told_apart(scores))]
    verdict += [_wrong_labels(scores, table) for scores in found if 0 < scores.label_rate < 1]
    by_place = {(scores.model, scores.label_rate): scores for scores in found}
    if len(rates) > 1:
        verdict += [_more_with_noise(by_place[model, rates[0]], by_place[model, rates[-1]]) for model in models]
    if len(models) > 1:
        verdict += [_more_with_size([by_place[model, rate] for model in models]) for rate in rates]
    return verdict


def _scores(model: str, rate: float, table: pd.DataFrame, networks: int) -> Scores:
    own = table[(table["model"] == model) & (table["label_rate"] == rate)] if len(table) else table
    if own.empty:
        return Scores(model, rate, unfinished(1, 1, f"sets of {networks} networks"), None, own)
    whole = own[own["level"] == "all"].iloc[0]
    examples = own[own["level"] == "example"]
    why_not = ""
    if whole["failed_checks"]:
        why_not = check_failed(str(whole["failed_checks"]))
    elif whole["num_fitted"] < whole["networks"]:
        missing = int(whole["networks"] - whole["num_fitted"])
        why_not = (
            f"{missing} of {whole['networks']} networks did not fit their half of the examples: it may take more "
            "epochs (`--epochs`), or another learning rate."
        )
    surely = _surely(examples)
    by_rote = int((examples["memorization"] > ROTE).sum())
    return Scores(model, rate, why_not, whole, examples, by_rote, int((surely[0] > ROTE).sum()))


def _surely(examples: pd.DataFrame) -> tuple[np.ndarray, np.ndarray]:
    """The ends of intervals of all scores, which hold at once with a chance of 95%."""
    known = examples[(examples["num_in"] > 0) & (examples["num_out"] > 0)]
    found = []
    for name in ("in", "out"):
        sizes = known[f"num_{name}"].to_numpy(np.float64)
        found += [np.round(known[f"accuracy_{name}"].to_numpy(np.float64) * sizes), sizes]
    return ends_at_once(Counts(*found))


def _by_rote(scores: Scores) -> Finding:
    claim = f"{scores.model} knows some labels by rote alone{noise_in_words(scores.label_rate)}"
    if scores.why_not or scores.whole is None:
        return Finding(claim, "no conclusion", scores.why_not, scores)
    num, found = len(scores.examples), scores.memorization
    figures = (
        f"By {scores.whole['networks']} networks on halves of {num:,} examples, {percent(found.mean)} of labels are "
        f"known by rote in the mean ({in_words(found)}). {scores.num_by_rote:,} of them are by more than half, and "
        f"{scores.num_surely:,} surely (95% for all examples at once)."
    )
    if scores.num_surely:
        return Finding(claim, "supported", figures, scores)
    if len(scores.examples) and (_surely(scores.examples)[1] < ROTE).all():
        return Finding(claim, "not supported", figures, scores)
    more = 2 * int(scores.whole["networks"])
    return Finding(claim, "no conclusion", f"{figures} More networks would tell (`--networks {more}`).", scores)


def _told_apart(scores: Scores) -> Finding:
    claim = (
        f"Whoever sees the confidence of {scores.model} can tell what it was trained on"
        f"{noise_in_words(scores.label_rate)}"
    )
    if scores.why_not or scores.whole is None:
        return Finding(claim, "no conclusion", scores.why_not)
    row, auc = scores.whole, scores.auc
    figures = (
        f"LiRA orders an example that was trained on before another with a chance of {auc.mean:.3f} "
        f"({in_words(auc, 3)}), and tells {percent(row['lira_tpr_0001'])} of them at a false-positive rate of 0.1%, "
        f"{percent(row['lira_tpr_001'])} at 1%. RMIA: {row['rmia_auc']:.3f}, {percent(row['rmia_tpr_0001'])} and "
        f"{percent(row['rmia_tpr_001'])}."
    )
    if exceeds(auc, TOLD) == "supported":
        return Finding(claim, "supported", figures)
    if auc.high < TOLD:
        return Finding(claim, "not supported", figures)
    more = 2 * int(row["networks"])
    return Finding(claim, "no conclusion", f"{figures} More networks would tell (`--networks {more}`).")


def _wrong_labels(scores: Scores, table: pd.DataFrame) -> Finding:
    claim = f"{scores.model} memorises wrong labels more than right ones{noise_in_words(scores.label_rate)}"
    if scores.why_not or scores.whole is None:
        return Finding(claim, "no conclusion", scores.why_not)
    own = table[
        (table["model"] == scores.model) & (table["label_rate"] == scores.label_rate) & (table["level"] == "labels")
    ]
    if len(own) < 2:
        return Finding(claim, "no conclusion", "No label was changed: a larger share (`--noise`) would tell.")
    right, wrong = (
        interval_of(own[own["changed"] == value].iloc[0], "memorization", "low", "high") for value in (False, True)
    )
    words = f"{percent(wrong.mean)} ({in_words(wrong)}) of wrong labels, and {percent(right.mean)} ({in_words(right)})"
    return _difference(claim, f"By rote are known {words} of right ones.", wrong, right)


def _more_with_noise(least: Scores, most: Scores) -> Finding:
    claim = f"{least.model} memorises more where labels are noisier"
    if why_not := least.why_not or most.why_not:
        return Finding(claim, "no conclusion", why_not)
    words = (
        f"With {most.label_rate:.0%} of labels redrawn, {percent(most.memorization.mean)} of them are known by rote "
        f"({in_words(most.memorization)}); with {least.label_rate:.0%}, {percent(least.memorization.mean)} "
        f"({in_words(least.memorization)})."
    )
    return _difference(claim, words, most.memorization, least.memorization)


def _more_with_size(by_size: Sequence[Scores]) -> Finding:
    """Of those that fitted: what others would memorise if they were trained for longer, nobody knows."""
    claim = f"Larger networks memorise more{noise_in_words(by_size[0].label_rate)}"
    fitted = [scores for scores in by_size if not scores.why_not]
    if len(fitted) < 2:
        return Finding(claim, "no conclusion", next(scores.why_not for scores in by_size if scores.why_not))
    smallest, largest = fitted[0], fitted[-1]
    words = "; ".join(
        f"{each.model}, {each.whole['parameters']:,} parameters: {percent(each.memorization.mean)} "
        f"({in_words(each.memorization)})"
        for each in (smallest, largest)
        if each.whole is not None
    )
    return _difference(claim, f"Labels known by rote, of {words}.", largest.memorization, smallest.memorization)


def _difference(claim: str, words: str, larger: Interval, smaller: Interval) -> Finding:
    """Both are over the same halves, which makes them go together: taken as independent, this errs on the safe side."""
    mean = larger.mean - smaller.mean
    half = math.hypot(larger.high - larger.mean, smaller.high - smaller.mean)
    outcome = exceeds(Interval(mean, mean - half, mean + half, larger.n), 0.0)
    more = " More networks would tell." if outcome == "no conclusion" else ""
    return Finding(claim, outcome, f"{words}{more}")


def noise_in_words(rate: float) -> str:
    """ " with 10% of labels redrawn", "" where none are."""
    return f" with {rate:.0%} of labels redrawn" if rate else ""


def in_words(interval: Interval, digits: int = 0) -> str:
    """ "95% interval 3.9% to 4.3%", with `digits` as numbers."""
    if math.isnan(interval.low):
        return "no interval"
    ends = [f"{end:.{digits}f}" if digits else percent(end) for end in (interval.low, interval.high)]
    return f"95% interval {ends[0]} to {ends[1]}"
