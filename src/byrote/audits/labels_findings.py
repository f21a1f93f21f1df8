"""What the stage of labels found, in claims: how many are wrong, and whether what was stated held for hidden errors."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from byrote.audits.stage import Case, StageResult, interval_figure, rows_in_words
from byrote.evidence.finding import Finding, Outcome
from byrote.evidence.intervals import Interval
from byrote.evidence.planted_errors import ErrorRates
from byrote.evidence.verdicts import SIGNIFICANCE
from byrote.evidence.words import percent_range

LISTED = 0.1
"""Rows that are less likely wrong than this are not listed."""
FEW = 0.01
"""What is still called few: a test score tells no smaller difference between models on 10,000 rows."""
LEAST_AGREEMENT = 0.5
"""Cohen's kappa of the voter with the labels. Below, rows show their labels so badly that calling all rows wrong which
look otherwise, and all others right, agrees with itself, whatever is true."""
_CLAIM = "Fewer than 1% of the labels are wrong"
_FEWEST_HIDDEN = 10
_ALL = 0.995
"""A share that is shown as 100%."""
_KINDS = {"confused": "between classes that look alike", "uniform": "uniform"}


OF_NUMBER = ("num_wrong", "share_wrong", "listed_false_share")
"""Figures that are not given where the number of errors is not known: of 2,000 confusable errors among 10,000 images of
MNIST it came out at 900 to 2,000 there."""


def figures_of_rates(rates: ErrorRates) -> dict[str, Any]:
    """How many labels are wrong, and how many of the list of those that are more likely wrong than right are not."""
    errors, listed, num_rows = rates.num_errors, rates.num_likely, len(rates.order)
    false = Interval(math.nan, math.nan, math.nan, 0)
    if listed:
        cut = rates.cut_at(listed)
        false = Interval(rates.false_share[cut], rates.false_low[cut], rates.false_high[cut], listed)
    share = Interval(errors.mean / num_rows, errors.low / num_rows, errors.high / num_rows, num_rows)
    return {
        "num_rows": num_rows,
        "num_wrong": interval_figure(replace(errors, n=num_rows)),
        "share_wrong": interval_figure(share),
        "read_off_at_recall": rates.least_at,
        "is_pure": rates.is_pure,
        "num_listed": listed,
        "listed_false_share": interval_figure(false),
    }


def without_number(figures: Mapping[str, Any]) -> dict[str, Any]:
    """The figures of labels, those of their number unknown."""
    unknown = interval_figure(Interval(math.nan, math.nan, math.nan, figures["num_rows"]))
    return {**figures, **dict.fromkeys(OF_NUMBER, unknown)}


def number_is_known(figures: Mapping[str, Any]) -> bool:
    """Whether the number of wrong labels is known, rather than bounded or unknown."""
    if not figures["is_pure"] or figures["agreement"] < LEAST_AGREEMENT:
        return False
    return _check(figures) != "not supported"


def _check(figures: Mapping[str, Any]) -> Outcome:
    """Whether hidden errors were found at the rates that were stated (Bonferroni over their kinds)."""
    hidden = figures["hidden"]
    if not hidden or min(each["n"] for each in hidden.values()) < _FEWEST_HIDDEN:
        return "no conclusion"
    least = min(each["p"] for each in hidden.values())
    return "not supported" if least * len(hidden) < SIGNIFICANCE else "supported"


def findings_of_labels(case: Case, result: StageResult) -> list[Finding]:
    """How many labels are wrong, and whether planted errors bear that out."""
    if result.status == "no conclusion":
        return [Finding(_CLAIM, "no conclusion", result.statement)]
    figures = result.figures
    rows = rows_in_words(figures["num_rows"], case.material.train)
    why_unknown = "" if number_is_known(figures) else _why_unknown(figures)
    return [count_finding(figures, rows, why_unknown), _check_finding(figures)]


def count_finding(figures: Mapping[str, Any], rows: str, why_unknown: str) -> Finding:
    """How many of these rows, in words, have a wrong label; "" for `why_unknown` where that is known."""
    if why_unknown:
        return Finding(_CLAIM, "no conclusion", f"{why_unknown} `wrong_labels.csv` lists the likeliest.")
    num, share = figures["num_wrong"], figures["share_wrong"]
    words = (
        f"Of {rows}, {num['low']:,.0f} to {num['high']:,.0f} have a wrong label (95% interval; "
        f"{percent_range(share['low'], share['high'])})"
    )
    if figures["num_listed"]:
        false = figures["listed_false_share"]
        most = f"at most {_percent(false['high'])} are labelled rightly after all"
        if false["high"] > _ALL:
            most = "all may be labelled rightly after all"
        words += (
            f". {figures['num_listed']:,} {'is' if figures['num_listed'] == 1 else 'are'} more likely wrong than "
            f"right; of these, {most} "
            f"(95% interval {_percent(false['low'])} to {_percent(false['high'])}). `wrong_labels.csv` lists them."
        )
    else:
        words += "; none is more likely wrong than right."
    return Finding(_CLAIM, _are_few(share), words)


def _are_few(share: Mapping[str, Any]) -> Outcome:
    """Whether this share of wrong labels, with its interval, is below FEW."""
    if share["high"] < FEW:
        return "supported"
    return "not supported" if share["low"] > FEW else "no conclusion"


def _why_unknown(figures: Mapping[str, Any]) -> str:
    recall, agreement = figures["read_off_at_recall"], figures["agreement"]
    if agreement < LEAST_AGREEMENT:
        return (
            f"Rows hardly show their labels: the best voter agrees with them {_percent(max(agreement, 0.0))} of the "
            "way from chance to always (Cohen's kappa), where half is needed."
        )
    if not figures["is_pure"]:
        return (
            "Rightly labelled rows look like errors: they mix from the top of the list on, with "
            f"{100 * recall:.0f}% of planted errors, so that nothing tells how many are wrong."
        )
    return "Errors that were hidden among the labels did not come out at the rate that planted ones foretold."


def _check_finding(figures: Mapping[str, Any]) -> Finding:
    claim = "Hidden errors come out at the stated rate"
    if not figures["hidden"]:
        return Finding(claim, "no conclusion", "No list of rows that are more likely wrong than right could be made.")
    parts = [
        f"of {each['n']} that are {_KINDS[kind]}, {_percent(each['mean'])} ({_percent(each['low'])} to "
        f"{_percent(each['high'])}), where {_percent(each['stated'])} were foretold"
        for kind, each in figures["hidden"].items()
    ]
    rise = round(figures["rise_with_hidden"])
    words = (
        f"{figures['num_hidden']} errors were hidden before anything was learnt. On the list are, {'; '.join(parts)}. "
        f"The estimated number of errors {'falls' if rise < 0 else 'rises'} by {abs(rise)} with them."
    )
    return Finding(claim, _check(figures), words)


def _percent(share: float) -> str:
    return f"{100 * share:.0f}%" if share >= 0.1 or share == 0 else f"{100 * share:.1f}%"
