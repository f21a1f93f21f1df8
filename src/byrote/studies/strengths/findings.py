"""What stronger and stronger regularisers show of one model: what they cost, what they shrink, what they are worth.

Strengths are compared on test data, so the one that tests best is shown and never chosen: its accuracy flatters it.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd

from byrote.evidence.comparisons import Comparison, holm
from byrote.evidence.data_worth import Worth, sentence
from byrote.evidence.finding import Finding, Outcome
from byrote.evidence.fitting_by_luck import by_luck, luck_in_words
from byrote.evidence.learning import unseen_accuracies
from byrote.evidence.seed_tests import LEAST_SEEDS
from byrote.evidence.verdicts import LITTLE, SIGNIFICANCE, exceeds
from byrote.evidence.words import percent
from byrote.studies.strengths.readings import (
    Capacity,
    Ladders,
    read_capacity,
    read_gain,
    read_shrinkage,
    read_worth,
    runs_of,
)

BEFORE_IT_COSTS = "before it costs test accuracy"
"""How the claims of `shrinks` end."""


def findings(ladders: Ladders, runs: pd.DataFrame) -> list[Finding]:
    """The claims about one model, decided by its rows of the study's table."""
    return [
        *(shrinks(ladders, runs, name) for name in ladders.strengths),
        _fits_at_its_best(ladders, runs),
        *(_worth(ladders, runs, name) for name in ladders.strengths),
    ]


def shrinks(ladders: Ladders, runs: pd.DataFrame, name: str) -> Finding:
    """A capacity that shrinks is one within so many steps: a network that stopped may fit more if it goes on."""
    claim = (
        f"Within {ladders.steps:,} steps, stronger {_words(name)} shrinks what {ladders.model} memorises "
        f"{BEFORE_IT_COSTS}"
    )
    strengths = range(1, len(ladders.strengths[name]))
    none = read_capacity(ladders, runs, "", 0)
    capacities = [read_capacity(ladders, runs, name, strength) for strength in strengths]
    gains = [read_gain(ladders, runs, name, strength, ladders.sizes[-1]) for strength in strengths]
    reasons = [reading for reading in (none, *capacities, *gains) if isinstance(reading, str)]
    if reasons or isinstance(none, str):
        return Finding(claim, "no conclusion", reasons[0])
    read = [capacity for capacity in capacities if isinstance(capacity, Capacity)]
    compared = [gain for gain in gains if isinstance(gain, Comparison)]
    shrinkages = [read_shrinkage(ladders, runs, name, strength) for strength in strengths]
    # Rungs are whole numbers: of two seeds, both are one lower by chance too often.
    smaller = [shrinkage.high < 0 and ladders.num_seeds >= LEAST_SEEDS for shrinkage in shrinkages]
    # One strength that falls short by a little is noise if a stronger one does not.
    first = next((s for s in strengths if all(smaller[s - 1 :])), None)
    costs = next((s for s, sign in zip(strengths, _signs(compared), strict=True) if sign < 0), None)

    outcome: Outcome = "not supported"
    if none.fitted is None:
        outcome, why = "no conclusion", "Without it not even the smallest n of the ladder is fitted"
    elif first is None and none.unfitted is None:
        whole = all(capacity.unfitted is None for capacity in read)
        where = "At every strength" if whole else "Without it"
        outcome, why = "no conclusion", f"{where} the whole ladder is fitted, which is too short to tell"
    elif first is None:
        why = "From no strength on is the largest n fitted a smaller one, to the ladder's factor of 2"
    elif costs is None or first < costs:
        difference = compared[first - 1].difference
        outcome, why = exceeds(difference, -LITTLE), f"It shrinks from {ladders.label(name, first)} on"
        if outcome != "supported":
            why += f", where noise leaves a cost of up to {-100 * difference.low:.1f} points open"
        why += ", and no strength costs test accuracy beyond noise" if costs is None else ""
    else:
        why = f"It shrinks from {ladders.label(name, first)} on"
    # That nothing is seen to shrink, or not before it costs, refutes it only where less than a rung is left open.
    unsettled = shrinkages[-1:] if costs is None else shrinkages[: costs - 1]
    hidden = any(not (shrinkage.low > -1 or shrinkage.high < 0) for shrinkage in unsettled)
    if outcome == "not supported" and (hidden or ladders.num_seeds < LEAST_SEEDS):
        outcome = "no conclusion"
        why += (
            ", which noise may hide: " + ("three" if ladders.num_seeds < LEAST_SEEDS else "more") + " seeds would tell"
        )
    if costs is not None:
        why += f"; test accuracy first falls beyond noise at {ladders.label(name, costs)}"
    each = "; ".join(
        f"with {ladders.label(name, strength)}, {own}, test accuracy {_gain(gain)}"
        for strength, own, gain in zip(strengths, read, compared, strict=True)
    )
    return Finding(
        claim,
        outcome,
        f"{why}. Largest n whose random labels are fitted: without it, {none}; {each} "
        f"({_over(compared[0])}; tested on true labels of n = {ladders.sizes[-1]:,}).",
    )


def _fits_at_its_best(ladders: Ladders, runs: pd.DataFrame) -> Finding:
    claim = f"Regularised as it tests best, {ladders.model} still fits random labels"
    largest = ladders.sizes[-1]
    tested = {}
    for condition in ladders.conditions[1:]:
        gain = read_gain(ladders, runs, *condition, largest)
        if isinstance(gain, str):
            return Finding(claim, "no conclusion", gain)
        tested[condition] = float(unseen_accuracies(runs_of(runs, *condition, "true-labels", largest)).mean())
    bare = float(unseen_accuracies(runs_of(runs, "", 0, "true-labels", largest)).mean())
    best = max(tested, key=lambda condition: tested[condition])
    capacity, without = (read_capacity(ladders, runs, *condition) for condition in (best, ("", 0)))
    for reading in (capacity, without):
        if isinstance(reading, str):
            return Finding(claim, "no conclusion", reading)
    fits = isinstance(capacity, Capacity) and capacity.fitted is not None
    luck = ""
    if isinstance(capacity, Capacity) and capacity.fitted is not None:
        luck = luck_in_words(by_luck(runs_of(runs, *best, "random-labels", capacity.fitted)))
    label, number = ladders.label(*best), len(tested)
    among = f"Of {number} strengths none tests better than {label}" if number > 1 else f"There is one strength, {label}"
    return Finding(
        claim,
        "supported" if fits and not luck else "no conclusion",
        f"{among}: it has a test accuracy of {percent(tested[best])} on true labels of n = {largest:,}, and the "
        f"network without regularisers of {percent(bare)}. The largest n whose random labels are fitted within "
        f"{ladders.steps:,} steps is {capacity} with it, and {without} without any. It was found on test data, which "
        f"flatter it: strengths are shown here, not chosen.{luck}",
    )


def _worth(ladders: Ladders, runs: pd.DataFrame, name: str) -> Finding:
    claim = f"{_words(name).capitalize()} is worth more training data to {ladders.model}"
    strengths = range(1, len(ladders.strengths[name]))
    readings = [read_worth(ladders, runs, name, strength) for strength in strengths]
    gains = [read_gain(ladders, runs, name, strength, ladders.worth_size) for strength in strengths]
    reasons = [reading for reading in (*readings, *gains) if isinstance(reading, str)]
    if reasons:
        return Finding(claim, "no conclusion", reasons[0])
    worths = {s: found for s, found in zip(strengths, readings, strict=True) if isinstance(found, Worth)}
    compared = [gain for gain in gains if isinstance(gain, Comparison)]
    adjusted, signs = _adjusted(compared), _signs(compared)
    outcome: Outcome = "supported" if 1 in signs else "not supported" if set(signs) == {-1} else "no conclusion"
    among = "It is the only strength" if len(worths) == 1 else f"Of {len(worths)} strengths none tests better there"
    most = max(worths, key=lambda strength: worths[strength].accuracy)
    return Finding(
        claim,
        outcome,
        f"{sentence(worths[most], ladders.label(name, most))} {among}: {_gain(compared[most - 1])} over the network "
        f"without (p = {adjusted[most - 1]:.2g} by Holm over the strengths, {_over(compared[0])}).",
    )


def _adjusted(compared: Sequence[Comparison]) -> list[float]:
    return [float(p_value) for p_value in holm([gain.p_value for gain in compared])]


def _signs(compared: Sequence[Comparison]) -> list[int]:
    """For each strength 1 if it tests better than none, -1 if worse, 0 within noise."""
    decided = [p_value < SIGNIFICANCE for p_value in _adjusted(compared)]
    return [int(np.sign(gain.difference.mean)) if told else 0 for gain, told in zip(compared, decided, strict=True)]


def _gain(gain: Comparison) -> str:
    difference = gain.difference
    return f"{100 * difference.mean:+.1f} points ({100 * difference.low:+.1f} to {100 * difference.high:+.1f})"


def _over(gain: Comparison) -> str:
    if gain.num_seeds > 1:
        return f"95% intervals over {gain.num_seeds} seeds"
    return f"one seed, 95% intervals over {gain.difference.n:,} test examples"


def _words(name: str) -> str:
    return name.replace("_", " ")
