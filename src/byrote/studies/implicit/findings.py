"""What runs of implicit regularisers show: whether stopping early helps, and what batch norm does."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal, TypeAlias

import numpy as np
import pandas as pd

from byrote.evidence.comparisons import Comparison, compared, holm
from byrote.evidence.early_stopping import leaked_in_words, stopping_gain
from byrote.evidence.finding import Finding, Outcome
from byrote.evidence.intervals import Interval, joined, mean_interval
from byrote.evidence.learning import unseen_accuracies
from byrote.evidence.obstacles import obstacle, remedy
from byrote.evidence.verdicts import LEAST_EVALUATIONS, MORE_SEEDS, NO_HELP, OFTENER, SIGNIFICANCE, THREE_SEEDS, exceeds
from byrote.evidence.words import count_of_seeds, percent, steps_in_words
from byrote.studies.implicit.batch_norm import LEVELS, steps_column
from byrote.studies.paper_numbers import published

SPEED_LEVEL = 0.9
"""The training accuracy that decides which of two networks learns faster."""
NOTEWORTHY_LAG = 0.02


Regularizer: TypeAlias = Literal["batch norm", "early stopping"]


@dataclass(frozen=True)
class Gain:
    """What a finding is about: the test accuracy that an implicit regulariser gives."""

    regularizer: Regularizer
    label_rate: float
    mean: float | None = None
    """Over seeds; None where runs have not fitted, or say nothing."""


@dataclass(frozen=True)
class _Tried:
    """A claim that one accuracy is above another."""

    claim: str
    reading: Gain
    comparison: Comparison | None
    """None where the runs decide nothing."""
    statement: str
    """Why not; or what was found, before the difference itself."""
    context: str = ""
    """After it."""


def findings(
    conditions: Sequence[tuple[str, float]],
    pairs: Sequence[tuple[str, str]],
    table: pd.DataFrame,
    num_seeds: int,
    *,
    on_cifar10: bool,
) -> list[Finding]:
    """The claims about these models and label rates, and these pairs of models with and without batch norm.

    Args:
        conditions: models with label rates.
        on_cifar10: whether what the paper reports is about this data.
    """
    shared = [
        (first, second, rate)
        for first, second in pairs
        for model, rate in conditions
        if model == first and (second, rate) in conditions
    ]
    tried = [_stop_early(table, *condition, num_seeds) for condition in conditions]
    tried += [_batch_norm(table, *pair, num_seeds, on_cifar10=on_cifar10) for pair in shared]
    made = [trial.comparison for trial in tried if trial.comparison is not None]
    adjusted = iter(holm([comparison.p_value for comparison in made]).tolist() if made else ())
    found = [_decide(trial, next(adjusted) if trial.comparison else 1.0, len(made)) for trial in tried]
    return found + [_speed(table, *pair, num_seeds) for pair in shared]


def runs_of(table: pd.DataFrame, model: str, rate: float) -> pd.DataFrame:
    """The rows of `table` of this model and label rate, in the order of their seeds."""
    if table.empty:
        return table
    return table[(table["model"] == model) & (table["label_rate"] == rate)].sort_values("seed")


def paper_pair(model: str, twin: str) -> tuple[float, float] | None:
    """The test accuracies in the paper's Table 1, without explicit regularisers, of two models that it has."""
    rows = published("table1").query("random_crop == 'no' and weight_decay == 'no' and labels == 'true'")
    theirs = rows.set_index("model")["test_accuracy"] / 100
    return (theirs[model], theirs[twin]) if {model, twin} <= set(theirs.index) else None


def _decide(trial: _Tried, p_value: float, num_tried: int) -> Finding:
    if trial.comparison is None:
        return Finding(trial.claim, "no conclusion", trial.statement, trial.reading)
    gap = trial.comparison.difference
    over = count_of_seeds(trial.comparison.num_seeds, f"{gap.n:,} test examples, one seed")
    statement = (
        f"{trial.statement}: {100 * gap.mean:+.1f} points (95% interval over {over}: {100 * gap.low:+.1f} to "
        f"{100 * gap.high:+.1f}; p = {p_value:.2g} by Holm over {num_tried} differences)"
    )
    if p_value < SIGNIFICANCE:
        holds, word = gap.mean > 0, "it helps" if gap.mean > 0 else "it costs"
    elif gap.high < NO_HELP:
        holds, word = False, f"no help here, less than {100 * NO_HELP:g} point at most"
    else:
        unsure = f"{statement}: within noise, while a gain of up to {100 * gap.high:.1f} points is not ruled out; more "
        return Finding(
            trial.claim,
            "no conclusion",
            f"{unsure}test examples{' and seeds' * (trial.comparison.num_seeds > 1)} would tell.{trial.context}",
            trial.reading,
        )
    outcome: Outcome = "supported" if holds else "not supported"
    return Finding(trial.claim, outcome, f"{statement}: {word}.{trial.context}", trial.reading)


def _stop_early(table: pd.DataFrame, model: str, rate: float, num_seeds: int) -> _Tried:
    claim = f"Stopping early, when validation examples say so, raises the test accuracy of {model}{_under(rate)}"
    runs, gain = runs_of(table, model, rate), Gain("early stopping", rate)
    reason = obstacle(runs, num_seeds, fitted=True)
    if reason:
        return _Tried(claim, gain, None, reason)
    if not (runs["num_validation"] > 0).all():
        reason = "No examples were held out for validation, and a moment chosen on the test set shows nothing."
        return _Tried(claim, gain, None, reason)
    fewest = int(runs["num_evaluations"].min())
    if fewest < LEAST_EVALUATIONS:
        seldom = f"Test accuracy was evaluated only {fewest} times along a run of {model}{OFTENER}"
        return _Tried(claim, gain, None, seldom)
    comparison = stopping_gain(runs, "best_on_validation")
    means, first = runs.select_dtypes("number").mean(), runs.iloc[0]
    optimism = f" Choosing by the test set itself would have added {100 * means['optimism']:.1f} points of optimism."
    return _Tried(
        claim,
        replace(gain, mean=comparison.difference.mean),
        comparison,
        f"{model} tests at {percent(means['best_on_validation'])} when best on {first['num_validation']:,} validation "
        f"examples (after {means['steps_to_best_on_validation']:,.0f} of {first['steps_run']:,} steps; evaluated after "
        f"{fewest:,} of {first['epochs_run']:,} epochs), and at {percent(means['test_accuracy'])} at the end",
        f"{leaked_in_words(runs)}{optimism}",
    )


def _batch_norm(table: pd.DataFrame, model: str, twin: str, rate: float, num_seeds: int, *, on_cifar10: bool) -> _Tried:
    claim = f"Batch norm raises the test accuracy of {model}{_under(rate)}"
    own, other = runs_of(table, model, rate), runs_of(table, twin, rate)
    both, gain = pd.concat([own, other]), Gain("batch norm", rate)
    reason = obstacle(both, 2 * num_seeds) or _unequal(own, other)
    if reason:
        return _Tried(claim, gain, None, reason)
    accuracies = (
        f"{model} tests at {percent(unseen_accuracies(own).mean())} and {twin} at "
        f"{percent(unseen_accuracies(other).mean())} after {int(own['steps_run'].iloc[0]):,} steps "
        f"(n = {int(own['n_train'].iloc[0]):,})"
    )
    unfitted = obstacle(both, 2 * num_seeds, fitted=True)
    if unfitted:
        return _Tried(claim, gain, None, f"{unfitted} {accuracies}, which may be a difference of speed alone.")
    paper, context = paper_pair(model, twin), ""
    if on_cifar10 and rate == 0 and paper is not None:
        with_it, without = (100 * accuracy for accuracy in paper)
        context = f" The paper has, at n = 50,000, {with_it:.2f}% and {without:.2f}%, {with_it - without:+.2f} points."
    return _Tried(
        claim,
        replace(gain, mean=float(unseen_accuracies(own).mean() - unseen_accuracies(other).mean())),
        compared(own, "twin"),
        accuracies,
        context,
    )


def _speed(table: pd.DataFrame, model: str, twin: str, rate: float, num_seeds: int) -> Finding:
    claim = f"Batch norm speeds up the training of {model}{_under(rate)}"
    own, other = runs_of(table, model, rate), runs_of(table, twin, rate)
    reason = obstacle(pd.concat([own, other]), 2 * num_seeds, finite=False) or _unequal(own, other)
    if reason:
        return Finding(claim, "no conclusion", reason)
    column = steps_column(SPEED_LEVEL)
    fast, slow = (runs[column].fillna(np.inf).to_numpy(dtype=float) for runs in (own, other))
    if np.isinf(fast).any() and np.isinf(slow).any():
        return Finding(
            claim,
            "no conclusion",
            f"Neither {model} nor {twin} always reached {SPEED_LEVEL:.0%} training accuracy: {remedy(own)}.",
        )
    levels = "; ".join(
        f"{level:.0%}: {steps_in_words(own[steps_column(level)])} with it, "
        f"{steps_in_words(other[steps_column(level)])} without"
        for level in LEVELS
    )
    epoch = round(float((own["steps_run"] / own["epochs_run"]).iloc[0]))
    statement = f"Steps until training accuracy in train mode has reached {levels} (exact to one epoch, {epoch} steps; "
    statement += f"{count_of_seeds(num_seeds, 'one seed, so no interval over seeds')})."
    # What never got there took longer than its run: counted as that, a difference is understated.
    times = [np.minimum(runs, own["steps_run"].iloc[0]) for runs in (fast, slow)]
    logs = mean_interval(np.log(times[1] / times[0]))
    rounding = epoch / float(min(each.mean() for each in times))
    faster = joined(logs, Interval(logs.mean, logs.mean - rounding, logs.mean + rounding, num_seeds))
    if np.isfinite(fast).all() and np.isfinite(slow).all():
        low, high = np.exp(-faster.high), np.exp(-faster.low)
        interval = "" if np.isnan(low) else f", 95% interval {low:.2f} to {high:.2f}, rounding included"
        statement += f" To {SPEED_LEVEL:.0%} it takes {np.exp(-faster.mean):.2f} times the steps{interval}."
    lag = float(own["evaluation_lag"].max())
    if lag >= NOTEWORTHY_LAG:
        statement += (
            f" In evaluation mode training accuracy stays behind by up to {100 * lag:.0f} points: "
            "the running averages lag behind the weights."
        )
    outcome = exceeds(faster, 0.0)
    if outcome == "no conclusion":
        statement += THREE_SEEDS if num_seeds < 3 else MORE_SEEDS
    return Finding(claim, outcome, statement)


def _unequal(own: pd.DataFrame, other: pd.DataFrame) -> str | None:
    """Why the runs of two models do not compare, if so."""
    for column, words in (("n_train", "examples"), ("steps_run", "steps")):
        first, second = own[column].iloc[0], other[column].iloc[0]
        if first != second:
            return (
                f"{own['model'].iloc[0]} was trained on {first:,} {words} and {other['model'].iloc[0]} on {second:,}: "
                "they do not compare."
            )
    return None


def _under(rate: float) -> str:
    return "" if rate == 0 else f" when {rate:.0%} of the labels are redrawn"
