"""What the grid of regularisers shows of one model: what is necessary, what is sufficient, and what matters."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Literal

import pandas as pd

from byrote.studies.attribution import Attribution, attribute, sentences
from byrote.studies.evidence import obstacle
from byrote.studies.randomization_findings import DECISIVE
from byrote.studies.statistics import Interval, binomial_interval, mean_interval
from byrote.studies.study import Finding

FAR = 0.5
"""A network without regularisers is far above chance if it has half of the lead over guessing that the best combination
has. The paper's keep 77% (Inception V3 on ImageNet) and more."""

Outcome = Literal["supported", "not supported", "no conclusion"]
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
    """What each factor does to `response` on true labels; the reason where runs do not tell."""
    reason = obstacle(true, num_seeds * 2 ** len(factors))
    if reason:
        return reason
    baseline = {name: levels[0] for name, levels in factors.items()}
    if "batch_norm" in factors:
        # The levels are two models, which the table tells apart by its grid.
        true = true.assign(batch_norm=true["batch_norm_on"].map({True: "on", False: "off"}))
        baseline["batch_norm"] = "off"
    return attribute(true, list(factors), response, baseline=baseline)


def label(names: Sequence[str]) -> str:
    """Regularisers in words: "augmentation and dropout"; "no regulariser"."""
    words = [name.replace("_", " ") for name in names]
    return " and ".join(filter(None, [", ".join(words[:-1]), words[-1]])) if words else "no regulariser"


def _necessary(model: str, factors: Levels, true: pd.DataFrame, num_seeds: int) -> Finding:
    claim = f"{model} generalises without any regulariser: none is necessary"
    none = _with(true, 0)
    reason = obstacle(none, num_seeds, fitted=True)
    if reason:
        return Finding(claim, "no conclusion", reason)
    n_test, chance = int(none["n_test"].iloc[0]), 1 / int(none["num_classes"].iloc[0])
    interval = binomial_interval(float(none["test_accuracy"].mean()), n_test, DECISIVE)
    cells = [(on, cell) for on, cell in _cells(factors, true) if obstacle(cell, num_seeds) is None]
    on, best = max(cells, key=lambda pair: pair[1]["test_accuracy"].mean())
    highest = float(best["test_accuracy"].mean())
    kept = max(interval.low - chance, 0.0) / (highest - chance) if highest > chance else 0.0
    return Finding(
        claim,
        "supported" if kept >= FAR else "not supported",
        f"Without any, {model} fits {int(none['n_train'].iloc[0]):,} true labels (train accuracy "
        f"{_percent(none['train_accuracy'].mean())}) and tests at {_percent(interval.mean)}, where chance is "
        f"{_percent(chance)} ({_seeds(num_seeds)}; {DECISIVE:.1%} interval over {n_test:,} test examples: "
        f"{_percent(interval.low)} to {_percent(interval.high)}). The best of {len(cells)} combinations, {label(on)}, "
        f"tests at {_percent(highest)}: at least {kept:.0%} of its lead over guessing is there without any "
        f"({FAR:.0%} count as far above chance).",
    )


def _sufficient(model: str, factors: Levels, runs: pd.DataFrame, num_seeds: int) -> Finding:
    """A cell that has not fitted supports nothing, so this is never refuted: longer training might fit it."""
    claim = f"{model} fits random labels under all its regularisers at once: none is sufficient to prevent memorising"
    told = _which_fit(factors, runs, num_seeds)
    every = _with(runs, len(factors))
    reason = obstacle(every, num_seeds, fitted=True)
    if reason:
        return Finding(claim, "no conclusion", f"{reason}{told}")
    return Finding(
        claim,
        "supported",
        f"With {label(list(factors))} it reaches a train accuracy of {_percent(every['train_accuracy'].mean())} on "
        f"random labels of {int(every['n_train'].iloc[0]):,} examples (test accuracy "
        f"{_percent(every['test_accuracy'].mean())}, {_seeds(num_seeds)}).{told}",
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
    return f"{told}; the lowest train accuracy, {_percent(worst['train_accuracy'].mean())}, is with {label(on)}."


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
    low, high = (sign * found.shapley[end] for end in (("low", "high") if sign > 0 else ("high", "low")))
    outcome: Outcome = "no conclusion"
    if (low > 0).any():
        outcome = "supported"
    elif (high < 0).all():
        outcome = "not supported"
    unfitted = int((~runs["fitted"].astype(bool)).sum())
    note = f" {unfitted} of {len(runs)} runs had not fitted the true labels by then." if unfitted else ""
    return Finding(claim, outcome, f"{' '.join(sentences(found))}{note}")


def _augmentation_or_weight_decay(model: str, runs: pd.DataFrame, num_seeds: int, num_cells: int) -> Finding:
    claim = f"Augmentation raises {model}'s test accuracy more than weight decay does"
    reason = obstacle(runs, num_seeds * num_cells)
    if reason:
        return Finding(claim, "no conclusion", reason)
    augmentation, weight_decay = (_main_effect(runs, name) for name in ("augmentation", "weight_decay"))
    lead = mean_interval((augmentation - weight_decay).to_numpy())
    outcome: Outcome = "no conclusion"
    if lead.low > 0 or lead.high < 0:
        outcome = "supported" if lead.low > 0 else "not supported"
    return Finding(
        claim,
        outcome,
        f"Averaged over the other regularisers, augmentation changes it by {_points(augmentation.mean())} points, "
        f"weight decay by {_points(weight_decay.mean())}: {_lead(lead)}.",
    )


def _main_effect(runs: pd.DataFrame, name: str) -> pd.Series:
    """By seed: mean test accuracy where the factor is on, minus where it is off."""
    on = runs[f"{name}_on"].astype(bool)
    means = [runs[chosen].groupby("seed")["test_accuracy"].mean() for chosen in (on, ~on)]
    return means[0] - means[1]


def _lead(lead: Interval) -> str:
    if lead.n == 1:
        return f"a lead of {_points(lead.mean)} points (one seed: no interval, so this may be chance)"
    return (
        f"a lead of {_points(lead.mean)} points (95% interval over {lead.n} seeds: {_points(lead.low)} to "
        f"{_points(lead.high)})"
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


def _percent(fraction: float) -> str:
    return f"{100 * fraction:.1f}%"


def _seeds(num_seeds: int) -> str:
    return f"mean of {num_seeds} seeds" if num_seeds > 1 else "one seed"
