"""What the stage of labels found, in claims: how many are wrong, and whether what was stated held for hidden errors."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from byrote.audits.stage import Case, StageResult, rows_in_words
from byrote.evidence.finding import Finding, Outcome
from byrote.evidence.verdicts import SIGNIFICANCE

FEW = 0.01
"""What is still called few: a test score tells no smaller difference between models on 10,000 rows."""
LEAST_AGREEMENT = 0.5
"""Cohen's kappa of the voter with the labels. Below, rows show their labels so badly that calling all rows wrong which
look otherwise, and all others right, agrees with itself, whatever is true."""
_FEWEST_HIDDEN = 10
_KINDS = {"confused": "between classes that look alike", "uniform": "uniform"}


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
    claim = "Fewer than 1% of the labels are wrong"
    if result.status == "no conclusion":
        return [Finding(claim, "no conclusion", result.statement)]
    figures = result.figures
    return [_count_finding(case, result, claim), _check_finding(figures)]


def _count_finding(case: Case, result: StageResult, claim: str) -> Finding:
    figures, share = result.figures, result.figures["share_wrong"]
    num, rows = figures["num_wrong"], rows_in_words(figures["num_rows"], case.material.train)
    if not number_is_known(figures):
        return Finding(claim, "no conclusion", f"{_why_unknown(figures)} `wrong_labels.csv` lists the likeliest.")
    words = (
        f"About {num['mean']:,.0f} of {rows} ({num['low']:,.0f} to {num['high']:,.0f}), {100 * share['mean']:.1f}%, "
        "have a wrong label"
    )
    if figures["num_listed"]:
        false = figures["listed_false_share"]
        words += (
            f". {figures['num_listed']:,} are more likely wrong than right; of these, "
            f"{_percent(false['mean'])} ({_percent(false['low'])} to {_percent(false['high'])}) are labelled rightly "
            "after all. `wrong_labels.csv` lists them."
        )
    else:
        words += "; none is more likely wrong than right."
    outcome: Outcome = "no conclusion"
    if share["high"] < FEW:
        outcome = "supported"
    elif share["low"] > FEW:
        outcome = "not supported"
    return Finding(claim, outcome, words)


def _why_unknown(figures: Mapping[str, Any]) -> str:
    share, recall, agreement = figures["share_wrong"]["mean"], figures["read_off_at_recall"], figures["agreement"]
    if agreement < LEAST_AGREEMENT:
        return (
            f"Rows hardly show their labels: the best voter agrees with them {_percent(max(agreement, 0.0))} of the "
            "way from chance to always (Cohen's kappa), where half is needed."
        )
    if not figures["is_pure"]:
        return (
            f"At most some {100 * share:.1f}% of the labels are wrong, but rightly labelled rows of other classes look "
            f"the same: they mix from the top of the list on, with {100 * recall:.0f}% of planted errors."
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
    words = (
        f"{figures['num_hidden']} errors were hidden before anything was learnt. On the list are, {'; '.join(parts)}. "
        f"The estimated number of errors rises by {figures['rise_with_hidden']:.0f} with them."
    )
    return Finding(claim, _check(figures), words)


def _percent(share: float) -> str:
    return f"{100 * share:.0f}%" if share >= 0.1 or share == 0 else f"{100 * share:.1f}%"
