"""What architectures of equal size show: each by itself, all by rank, and which switch of a switchboard matters."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
from scipy import stats

from byrote.evidence.attribution import (
    Attribution,
    attribute,
    examples_noise,
    noise_in_words,
    sentences,
    shapley_intervals,
)
from byrote.evidence.finding import Finding, Outcome
from byrote.evidence.fitting_by_luck import chance_of_accuracies, luck_in_words
from byrote.evidence.intervals import Interval
from byrote.evidence.learning import beside_guessing, far_above_guessing, on_unseen
from byrote.evidence.obstacles import obstacle
from byrote.evidence.permutations import EACH_SIDE, pair_exchanges
from byrote.evidence.rank_correlation import FEWEST, rank_correlation
from byrote.evidence.verdicts import FAR_ABOVE_CHANCE, MORE_SEEDS, THREE_SEEDS, exceeds
from byrote.evidence.words import count_of_seeds, listed, percent
from byrote.studies.architectures.record import ArchitectureRecord, Ladder, Unrecorded, record
from byrote.studies.families import family_label
from byrote.training.course import FIT

Switches = Mapping[str, Mapping[str, bool]]
"""Families of switchboards, and which switches are on in each."""

RESPONSES = {
    "test_accuracy": "the test accuracy of a switchboard on true labels",
    "log2_steps_to_fit": "the time a switchboard takes to fit random labels",
}
_WORDS = {"augmentation": "random crop", "dropout": "dropout", "weight_decay": "weight decay"}


def findings(
    planned: Sequence[Ladder], switches: Switches, table: pd.DataFrame, num_seeds: int, num_steps: int
) -> list[Finding]:
    """The claims that these architectures and the combinations of `switches` bear on, within `num_steps` steps."""
    records = [record(each, table, num_seeds) for each in planned]
    found = [_architecture(each, one, num_seeds, num_steps) for each, one in zip(planned, records, strict=True)]
    known = [one for one in records if isinstance(one, ArchitectureRecord)]
    found += [_less_capacity(known, len(planned)), _more_time(known, len(planned))]
    if switches:
        found += [_switch_matters(switches, table, num_seeds, response) for response in RESPONSES]
    return found


def headline(findings: Sequence[Finding]) -> str:
    """All of them in one line."""
    known = [finding.reading for finding in findings if isinstance(finding.reading, ArchitectureRecord)]
    if not known:
        return "No conclusion about architectures."
    highest = max(one.test_accuracy.mean for one in known)
    best = [family_label(one.planned.family) for one in known if one.test_accuracy.mean == highest]
    num_rote = sum(one.largest_fitted >= one.planned.num_examples for one in known)
    return (
        f"{num_rote} of {len(known)} architectures can learn by rote; {listed(best)} {'have' if best[1:] else 'has'} "
        f"the highest test accuracy, {percent(highest)}."
    )


def regularizer_label(field: str) -> str:
    """A field of the recipe in words."""
    return _WORDS[field]


def attribution_of(switches: Switches, table: pd.DataFrame, num_seeds: int, response: str) -> Attribution | str:
    """What each switch does to the response, one of RESPONSES; the reason where runs do not tell."""
    runs = table[table["family"].isin(switches)] if len(table) else table
    if len(runs):
        labels = "true-labels" if response == "test_accuracy" else "random-labels"
        runs = runs[(runs["corruption"] == labels) & (runs["ladder"] == 1) & (runs["regularizer"] == "")]
    reason = obstacle(runs, num_seeds * len(switches), fitted=response != "test_accuracy")
    if reason:
        return reason
    names = list(next(iter(switches.values())))
    levels = {name: runs[f"switch_{name}"].map({True: "on", False: "off"}) for name in names}
    return attribute(on_unseen(runs).assign(**levels), names, response, baseline=dict.fromkeys(names, "off"))


def _architecture(planned: Ladder, found: ArchitectureRecord | str, num_seeds: int, num_steps: int) -> Finding:
    claim = f"{family_label(planned.family)} generalises, and can learn by rote as well"
    if isinstance(found, str):
        return Finding(claim, "no conclusion", found, Unrecorded(planned, found))
    memorises = found.largest_fitted >= planned.num_examples
    luck = luck_in_words(chance_of_accuracies([FIT], planned.num_examples, found.num_classes))
    outcome: Outcome = "no conclusion"
    if far_above_guessing(found.standing, 0.0) == "supported":
        outcome = "supported" if memorises and not luck else "no conclusion"
    elif far_above_guessing(found.standing, FAR_ABOVE_CHANCE) == "not supported":
        outcome = "not supported"
    over = count_of_seeds(num_seeds, f"{found.tested}, one seed")
    accuracy = found.test_accuracy
    statement = (
        f"{planned.model} ({found.parameters:,} parameters) tests at {percent(accuracy.mean)} after {num_steps:,} "
        f"steps on {planned.num_examples:,} true labels (95% interval over {over}: {percent(accuracy.low)} to "
        f"{percent(accuracy.high)}). It {beside_guessing(found.standing)}. {_capacity(found, num_steps)}"
    )
    if not math.isnan(found.relative_time_to_fit.mean):
        statement += (
            f" Random labels of the same {planned.num_examples:,} examples take {found.steps_random:,.0f} steps to "
            f"fit, {found.relative_time_to_fit.mean:.1f} times as many as true ones."
        )
    told = [f"{_WORDS[name]} by {_points(gain)}" for name, gain in found.gains.items() if not math.isnan(gain.mean)]
    if told:
        statement += f" Each alone, regularisers change test accuracy: {listed(told)}."
    return Finding(claim, outcome, statement + luck, found)


def _capacity(found: ArchitectureRecord, num_steps: int) -> str:
    numbers = found.planned.numbers
    if found.largest_fitted == 0:
        return f"Within {num_steps:,} steps it does not fit random labels of even {numbers[0]:,} examples."
    if found.smallest_unfitted is None:
        return f"It fits random labels of {found.largest_fitted:,} examples, the most that were tried."
    return (
        f"Within {num_steps:,} steps it fits random labels of {found.largest_fitted:,} examples, and not of "
        f"{found.smallest_unfitted:,}."
    )


def _less_capacity(records: Sequence[ArchitectureRecord], num_planned: int) -> Finding:
    claim = "Architectures that generalise better can memorise less"
    numbers = {one.largest_fitted for one in records}
    if len(records) >= FEWEST and len(numbers) == 1:
        return Finding(claim, "no conclusion", f"All {len(records)} fit random labels of {max(numbers):,} examples.")
    found = [(one, float(one.largest_fitted)) for one in records]
    return _correlated(claim, "the largest number of random labels fitted", found, num_planned, sign=-1)


def _more_time(records: Sequence[ArchitectureRecord], num_planned: int) -> Finding:
    claim = "Architectures that generalise better are slower to memorise"
    times = [(one, one.relative_time_to_fit.mean) for one in records]
    found = [(one, time) for one, time in times if not math.isnan(time)]
    what = "the time to fit random labels relative to true ones"
    return _correlated(claim, what, found, num_planned, sign=1)


def _correlated(
    claim: str, what: str, found: Sequence[tuple[ArchitectureRecord, float]], num_planned: int, sign: int
) -> Finding:
    left_out = f" {num_planned - len(found)} of {num_planned} have no such figure." if len(found) < num_planned else ""
    if len(found) < FEWEST:
        few = f"{len(found)} architectures are too few for a rank correlation: an interval takes {FEWEST}."
        return Finding(claim, "no conclusion", f"{few}{left_out}")
    accuracies = np.array([one.test_accuracy.mean for one, _ in found])
    ranks = rank_correlation(accuracies, np.array([value for _, value in found]))
    if math.isnan(ranks.mean):
        return Finding(claim, "no conclusion", f"All {len(found)} architectures are alike in one of the two.{left_out}")
    values = np.array([value for _, value in found])
    orders = (stats.rankdata(way * sign * values) for way in (1, -1))
    for_, against = (pair_exchanges(stats.rankdata(accuracies), order, lambda x, y: float(x @ y)) for order in orders)
    outcome: Outcome = "no conclusion"
    if min(for_, against) <= EACH_SIDE / 2:
        outcome = "supported" if for_ < against else "not supported"
    open_ = f": exchanged at random, one in {1 / min(for_, against):,.0f} goes as far"
    open_ += ", so the order may be chance; more architectures would tell" if outcome == "no conclusion" else ""
    return Finding(
        claim,
        outcome,
        f"Test accuracy and {what} have a rank correlation of {ranks.mean:+.2f} (95% interval {ranks.low:+.2f} to "
        f"{ranks.high:+.2f}; Spearman). These are only {len(found)} points{open_}.{left_out}",
    )


def _switch_matters(switches: Switches, table: pd.DataFrame, num_seeds: int, response: str) -> Finding:
    """Never refuted: an interval that holds 0 leaves open how much a switch changes, and with few seeds it is wide."""
    names = list(next(iter(switches.values())))
    claim = f"{listed(names, 'or')} changes {RESPONSES[response]}"
    found = attribution_of(switches, table, num_seeds, response)
    if isinstance(found, str):
        return Finding(claim, "no conclusion", found)
    noise, words = 0.0, ""
    if response == "test_accuracy":
        runs = table[table["corruption"] == "true-labels"]
        noise = examples_noise(runs, len(names))
        words = f" {noise_in_words(runs, noise)}"
    matters = any(exceeds(effect, 0.0) != "no conclusion" for effect in shapley_intervals(found, noise))
    more = "" if matters else THREE_SEEDS if num_seeds < 3 else MORE_SEEDS
    return Finding(claim, "supported" if matters else "no conclusion", f"{' '.join(sentences(found))}{words}{more}")


def _points(gain: Interval) -> str:
    between = "" if math.isnan(gain.low) else f" ({100 * gain.low:+.1f} to {100 * gain.high:+.1f})"
    return f"{100 * gain.mean:+.1f} points{between}"
