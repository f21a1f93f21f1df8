"""What the grid of regularisers shows of one model: what is necessary, what is sufficient, and what matters."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import product
from typing import Any

import numpy as np
import pandas as pd

from byrote.evidence.attribution import (
    Attribution,
    attribute,
    examples_noise,
    noise_in_words,
    sentences,
    shapley_intervals,
)
from byrote.evidence.comparisons import compare_accuracies
from byrote.evidence.finding import Finding, Outcome
from byrote.evidence.fitting_by_luck import by_luck, luck_in_words
from byrote.evidence.intervals import interval_in_words
from byrote.evidence.learning import (
    beside_guessing,
    far_above_guessing,
    lead_in_words,
    lead_is_kept,
    on_unseen,
    yardsticks,
)
from byrote.evidence.obstacles import obstacle
from byrote.evidence.tested import Tested
from byrote.evidence.verdicts import MORE_EXAMPLES, MOST_OF_THE_LEAD, THREE_SEEDS, exceeds
from byrote.evidence.words import listed, mean_of_seeds, percent

Levels = Mapping[str, Sequence[Any]]
"""Of each factor its two levels, (off, on)."""


def findings(model: str, factors: Levels, runs: pd.DataFrame, num_seeds: int) -> list[Finding]:
    """The claims about one architecture, decided by its rows of the study's table."""
    true = runs[runs["corruption"] == "true-labels"] if len(runs) else runs
    random = runs[runs["corruption"] == "random-labels"] if len(runs) else runs
    return [
        _necessary(model, factors, true, num_seeds),
        _sufficient(model, factors, random, num_seeds),
        *_what_matters(model, factors, true, num_seeds),
    ]


def attribution_of(factors: Levels, true: pd.DataFrame, num_seeds: int, response: str) -> Attribution | str:
    """What each factor does to `response` on true labels and unseen test examples; or why runs do not tell."""
    reason = obstacle(true, num_seeds * 2 ** len(factors))
    if reason:
        return reason
    baseline = {name: levels[0] for name, levels in factors.items()}
    if "batch_norm" in factors:
        # The levels are two models, which the table tells apart by its grid.
        true = true.assign(batch_norm=true["batch_norm_on"].map({True: "on", False: "off"}))
        baseline["batch_norm"] = "off"
    return attribute(on_unseen(true), list(factors), response, baseline=baseline)


def label(names: Sequence[str]) -> str:
    """Regularisers in words: "augmentation and dropout"; "no regulariser"."""
    return listed([name.replace("_", " ") for name in names]) if names else "no regulariser"


def _necessary(model: str, factors: Levels, true: pd.DataFrame, num_seeds: int) -> Finding:
    claim = f"{model} generalises without any regulariser: none is necessary"
    none = _with(true, 0)
    reason = obstacle(none, num_seeds, fitted=True)
    if reason:
        return Finding(claim, "no conclusion", reason)
    own = yardsticks(none)
    cells = [(on, cell) for on, cell in _cells(factors, true) if obstacle(cell, num_seeds) is None]
    on, best = max(cells, key=lambda pair: on_unseen(pair[1])["test_accuracy"].mean())
    # Picked among all: its interval holds for each of them at once.
    sure = 1 - 0.05 / len(cells)
    highest = yardsticks(best, confidence=sure)
    outcome = lead_is_kept(own, highest, MOST_OF_THE_LEAD) if on else far_above_guessing(own, 0.0)
    return Finding(
        claim,
        outcome,
        f"Without any, {model} fits {int(none['n_train'].iloc[0]):,} true labels (train accuracy "
        f"{percent(none['train_accuracy'].mean())}) and {beside_guessing(own)} "
        f"({interval_in_words(num_seeds, Tested.on_unseen(none).in_words)}). The best of {len(cells)} combinations, "
        f"{label(on)}, {beside_guessing(highest)}: {lead_in_words(own, highest)} "
        f"({MOST_OF_THE_LEAD:.0%} count as most of it).{MORE_EXAMPLES if outcome == 'no conclusion' else ''}",
    )


def _sufficient(model: str, factors: Levels, runs: pd.DataFrame, num_seeds: int) -> Finding:
    """A cell that has not fitted supports nothing, so this is never refuted: longer training might fit it."""
    claim = f"{model} fits random labels under all its regularisers at once: none is sufficient to prevent memorising"
    told = _which_fit(factors, runs, num_seeds)
    every = _with(runs, len(factors))
    reason = obstacle(every, num_seeds, fitted=True)
    if reason:
        return Finding(claim, "no conclusion", f"{reason}{told}")
    luck = luck_in_words(by_luck(every))
    return Finding(
        claim,
        "no conclusion" if luck else "supported",
        f"With {label(list(factors))} it reaches a train accuracy of {percent(every['train_accuracy'].mean())} on "
        f"random labels of {int(every['n_train'].iloc[0]):,} examples (test accuracy "
        f"{percent(every['test_accuracy'].mean())}, {mean_of_seeds(num_seeds)}).{luck}{told}",
    )


def _which_fit(factors: Levels, runs: pd.DataFrame, num_seeds: int) -> str:
    """ " Of 8 combinations, 5 fit random labels; the lowest train accuracy, 43.0%, is with dropout." """
    cells = [(on, cell) for on, cell in _cells(factors, runs) if obstacle(cell, num_seeds, finite=False) is None]
    if not cells:
        return ""
    num_fit = sum(bool(cell["fitted"].all()) for _, cell in cells)
    told = f" Of {len(cells)} combinations, {num_fit} fit random labels{' with every seed' if num_seeds > 1 else ''}"
    if num_fit == len(cells):
        return f"{told}."
    on, worst = min(cells, key=lambda pair: pair[1]["train_accuracy"].mean())
    return f"{told}; the lowest train accuracy, {percent(worst['train_accuracy'].mean())}, is with {label(on)}."


def _what_matters(model: str, factors: Levels, true: pd.DataFrame, num_seeds: int) -> list[Finding]:
    accuracy = attribution_of(factors, true, num_seeds, "test_accuracy")
    gap = attribution_of(factors, true, num_seeds, "generalization_gap")
    found = [
        _moves(f"Regularisers raise {model}'s test accuracy", accuracy, true, sign=1),
        _moves(f"Regularisers narrow {model}'s generalization gap", gap, true, sign=-1),
    ]
    if {"augmentation", "weight_decay"} <= set(factors):
        found.append(_augmentation_or_weight_decay(model, true, num_seeds, 2 ** len(factors)))
    return found


def _moves(claim: str, found: Attribution | str, runs: pd.DataFrame, *, sign: int) -> Finding:
    """Supported once the interval of one factor's Shapley value lies on the claimed side of 0."""
    if isinstance(found, str):
        return Finding(claim, "no conclusion", found)
    noise = examples_noise(runs, len(found.shapley))
    outcome: Outcome = "no conclusion"
    told = [exceeds(effect, 0.0) for effect in shapley_intervals(found, noise, sign)]
    if "supported" in told:
        outcome = "supported"
    elif set(told) == {"not supported"}:
        outcome = "not supported"
    unfitted = int((~runs["fitted"].astype(bool)).sum())
    note = f" {unfitted} of {len(runs)} runs had not fitted the true labels by then." if unfitted else ""
    statement = f"{' '.join(sentences(found))} {noise_in_words(runs, noise)}{note}{_more(found, outcome)}"
    return Finding(claim, outcome, statement)


def _more(found: Attribution, outcome: Outcome) -> str:
    if outcome != "no conclusion":
        return ""
    return THREE_SEEDS if found.num_seeds < 3 else " More seeds and test examples would tell."


def _augmentation_or_weight_decay(model: str, runs: pd.DataFrame, num_seeds: int, num_cells: int) -> Finding:
    claim = f"Augmentation raises {model}'s test accuracy more than weight decay does"
    reason = obstacle(runs, num_seeds * num_cells)
    if reason:
        return Finding(claim, "no conclusion", reason)
    means = on_unseen(runs).groupby(["augmentation_on", "weight_decay_on", "seed"])["test_accuracy"].mean()
    neither, weight_decay, augmentation, both = (means[on].to_numpy() for on in product((False, True), repeat=2))
    pair = augmentation, weight_decay
    effects = [float(np.mean(both - neither + own - other)) / 2 for own, other in (pair, pair[::-1])]
    statement = (
        f"Averaged over the other regularisers, augmentation changes it by {_points(effects[0])} points, "
        f"weight decay by {_points(effects[1])}: a lead of {_points(effects[0] - effects[1])} points"
    )
    if num_seeds == 1:
        unsure = f"{statement} (one seed: no interval, so this may be chance).{THREE_SEEDS}"
        return Finding(claim, "no conclusion", unsure)
    # What they do together cancels out of the lead: each alone remains.
    tested = Tested.on_unseen(runs)
    lead = compare_accuracies(augmentation.tolist(), weight_decay.tolist(), tested).difference
    return Finding(
        claim,
        exceeds(lead, 0.0),
        f"{statement} ({interval_in_words(num_seeds, tested.in_words)}: {_points(lead.low)} to {_points(lead.high)}).",
    )


def _cells(factors: Levels, runs: pd.DataFrame) -> list[tuple[list[str], pd.DataFrame]]:
    """What is on, and its runs, for each combination that has any."""
    groups = runs.groupby([f"{name}_on" for name in factors]) if len(runs) else ()
    return [([name for name, is_on in zip(factors, cell, strict=True) if is_on], own) for cell, own in groups]


def _with(runs: pd.DataFrame, num_on: int) -> pd.DataFrame:
    """Those at which so many regularisers are on."""
    return runs[runs["num_on"] == num_on] if len(runs) else runs


def _points(fraction: float) -> str:
    return f"{100 * fraction:+.1f}"
