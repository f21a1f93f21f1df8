"""What measured capacities show: where fitting ends and why, where memorised bits saturate, and what parameters add."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from byrote.evidence.finding import Finding
from byrote.evidence.intervals import Interval, mean_interval
from byrote.evidence.obstacles import check_failed, unfinished
from byrote.evidence.verdicts import MORE_SEEDS, THREE_SEEDS, exceeds

SATURATED = 1.1
"""Bits that a doubling of n makes grow by less than this factor have stopped growing."""
_RISING = 0.005
"""Accuracy that rose by so much over the last fifth of the runs was still rising."""


@dataclass(frozen=True)
class End:
    """What a finding is about: where a model's fitting of random labels ends."""

    model: str
    why_not: str
    """Why it decides nothing; "" where it does."""
    n_train: int
    """All examples that there are."""
    largest: Interval | None
    """The largest n that is fitted, over seeds; None where some seed fitted not even the smallest that was tried."""
    is_found: bool
    """Whether a larger one was found too large; where not, all examples are fitted."""


def findings(models: Sequence[str], table: pd.DataFrame, num_seeds: int) -> list[Finding]:
    """For each model where fitting ends and whether bits saturate; over all of them, whether parameters add any."""
    runs = {model: table[table["model"] == model] if len(table) else table for model in models}
    found, ends = [], [_end(model, own, num_seeds) for model, own in runs.items()]
    for end in ends:
        found += [_ends(end, runs[end.model]), _saturates(end, runs[end.model], num_seeds)]
    if len(models) > 1:
        found.append(_grows(ends, runs))
    return found


def in_words(interval: Interval, digits: str = ",.0f") -> str:
    """ "120", or with several seeds "120 ± 14"."""
    if math.isnan(interval.low):
        return format(interval.mean, digits)
    return f"{format(interval.mean, digits)} ± {format(interval.high - interval.mean, digits)}"


def _obstacle(own: pd.DataFrame, num_seeds: int) -> str | None:
    if len(own) < num_seeds:
        return unfinished(num_seeds - len(own), num_seeds, "calculations")
    failed = "; ".join(sorted(set(own["failed_checks"].fillna("")) - {""}))
    return check_failed(failed) if failed else None


def _end(model: str, own: pd.DataFrame, num_seeds: int) -> End:
    why_not = _obstacle(own, num_seeds) or ""
    if own.empty:
        return End(model, why_not, 0, None, is_found=False)
    is_fitted, is_found = (bool(own[name].notna().all()) for name in ("largest_n", "next_n"))
    largest = mean_interval(own["largest_n"].to_numpy(np.float64)) if is_fitted else None
    return End(model, why_not, int(own["n_train"].iloc[0]), largest, is_found)


def _ends(end: End, own: pd.DataFrame) -> Finding:
    claim = f"{end.model} fits random labels up to some n and not beyond"
    if end.why_not:
        return Finding(claim, "no conclusion", end.why_not, end)
    if end.largest is None:
        beyond = own[own["largest_n"].isna()]
        return Finding(
            claim,
            "no conclusion",
            f"Not even the smallest n tried is fitted. {_beyond(beyond)} More epochs (`--epochs`) or "
            "a larger model may fit it.",
            end,
        )
    if not end.is_found:
        return Finding(
            claim,
            "no conclusion",
            f"The random labels of all {end.n_train:,} examples are fitted: its capacity is larger, and these data do "
            "not show where it ends: more examples, or a smaller model (`--models`), would.",
            end,
        )
    ends = f"The largest n is {in_words(end.largest)} (grid steps of a fifth)."
    if (own["next_gain"] > _RISING).any():
        return Finding(
            claim,
            "no conclusion",
            f"{ends} {_beyond(own)} Accuracy was still rising then: with more epochs it may fit more (`--epochs`). "
            "This is the capacity of the network and its recipe.",
            end,
        )
    return Finding(claim, "supported", f"{ends} {_beyond(own)} Accuracy no longer rose.", end)


def _beyond(own: pd.DataFrame) -> str:
    ns = ", ".join(f"{int(n):,}" for n in sorted(set(own["next_n"])))
    stops = set(", ".join(own["next_stop"]).split(", "))
    ended = "ended by their limit of epochs" if "epochs" in stops else "ended by their number of steps"
    if stops == {"non-finite loss"}:
        ended = "stopped because the loss was no longer finite"
    return f"At n = {ns} runs did not fit: they were {ended}, at a mean accuracy of {own['next_accuracy'].mean():.3f}."


def _saturates(end: End, own: pd.DataFrame, num_seeds: int) -> Finding:
    claim = f"The bits that {end.model} memorises stop growing with n"
    if end.why_not:
        return Finding(claim, "no conclusion", end.why_not)
    if end.largest is None:
        return Finding(claim, "no conclusion", "Not even the smallest n tried is fitted: try more epochs (`--epochs`).")
    bits, each = (mean_interval(own[name].to_numpy(np.float64)) for name in ("bits", "bits_per_parameter"))
    held = f"It holds {in_words(bits)} bits of random labels at most, {in_words(each, '.2g')} per parameter"
    growth = own["bits_growth"].to_numpy(np.float64)
    if np.isnan(growth).any():
        return Finding(
            claim,
            "no conclusion",
            f"{held}; there are too few examples to see what comes beyond: more, or a smaller model, would show it.",
        )
    factor = f"{held}; the last doubling of n beyond its capacity multiplied them by {growth.mean():.2f}."
    slower = mean_interval(-growth)
    outcome = exceeds(slower, -SATURATED)
    factor += f" Less than {SATURATED:g} counts as none"
    factor += "." if math.isnan(slower.low) else f" (95% interval over seeds: {-slower.high:.2f} to {-slower.low:.2f})."
    if outcome == "no conclusion":
        factor += THREE_SEEDS if num_seeds < 3 else MORE_SEEDS
    return Finding(claim, outcome, factor)


def _grows(ends: Sequence[End], runs: Mapping[str, pd.DataFrame]) -> Finding:
    claim = "Memorised bits grow with the number of parameters"
    obstacles = [end.why_not for end in ends if end.why_not]
    if obstacles:
        return Finding(claim, "no conclusion", obstacles[0])
    narrow, wide = (runs[ends[index].model] for index in (0, -1))
    few, many = (own["bits"].to_numpy(np.float64) for own in (narrow, wide))
    difference = mean_interval(many - few)
    words = (
        f"From {in_words(mean_interval(few))} bits in {int(narrow['parameters'].iloc[0]):,} parameters to "
        f"{in_words(mean_interval(many))} in {int(wide['parameters'].iloc[0]):,}"
    )
    if math.isnan(difference.low):
        return Finding(claim, "no conclusion", f"{words}; one seed has no interval.{THREE_SEEDS}")
    words += f", a difference of {in_words(difference)} (95% interval over seeds)."
    outcome = exceeds(difference, 0.0)
    return Finding(claim, outcome, words + (MORE_SEEDS if outcome == "no conclusion" else ""))
