"""What the runs of Table 2 show of one model: random labels, regularisers, and what stopping early could gain."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import pandas as pd

from byrote.evidence.chance import chance_of, tests_at_chance, verdict_in_words
from byrote.evidence.early_stopping import leaked_in_words, stopping_gain
from byrote.evidence.finding import Finding
from byrote.evidence.fitting_by_luck import by_luck, luck_in_words
from byrote.evidence.intervals import interval_in_words
from byrote.evidence.learning import beside_guessing, far_above_guessing, lead_in_words, lead_is_kept, yardsticks
from byrote.evidence.obstacles import obstacle, remedy
from byrote.evidence.tested import Tested
from byrote.evidence.verdicts import (
    LEAST_EVALUATIONS,
    MORE_EXAMPLES,
    NO_HELP,
    OFTENER,
    SIGNIFICANCE,
)
from byrote.evidence.words import percent, seeds_of
from byrote.studies.table2.rows import TOP, Table2Row, most_regularized, paper_accuracy

HALF = 0.5
"""Random labels are fitted far above chance, and a network generalises without regularisers, from half of the way
between guessing and all, or the most regularised row, on. The paper's go 87% and 77% of it."""


@dataclass(frozen=True)
class ShareOfRandomLabels:
    """What a finding is about: how much of its random labels the model fits without regularisers."""

    model: str
    train_accuracy: float
    chance: float
    """What guessing gets of them."""
    steps: int
    """That were taken."""

    is_far_above_chance: bool
    """By at least HALF of the way from guessing to all, with each seed."""


def findings(
    model: str, rows: Sequence[Table2Row], table: pd.DataFrame, num_seeds: int, *, on_imagenet: bool
) -> list[Finding]:
    """The claims that these rows bear on, decided by the runs of `model` in `table`.

    Args:
        on_imagenet: whether the paper's accuracies are about this data.
    """
    random = [row for row in rows if row.random_labels]
    regularized = [row for row in random if row != _RANDOM]
    stoppable = [row for row in rows if not (row.random_labels or row.augmentation)]
    found = []
    if _RANDOM in random:
        found.append(_fits_random_labels(model, runs_of(table, model, _RANDOM), num_seeds))
    if regularized:
        claim = f"Explicit regularisers do not keep {model} from fitting random labels"
        found.append(_fits_in_spite(claim, [runs_of(table, model, row) for row in regularized], num_seeds))
    if Table2Row() in rows:
        most = most_regularized(rows)
        rivals = None if most is None else runs_of(table, model, most)
        found.append(_needs_none(model, runs_of(table, model, Table2Row()), rivals, num_seeds))
    for row in stoppable:
        runs = runs_of(table, model, row)
        paper = paper_accuracy(row, "best_on_test") - paper_accuracy(row, "test_accuracy") if on_imagenet else math.nan
        found.append(_could_stop_early(model, row, runs, num_seeds, len(stoppable), paper))
    return found


_RANDOM = Table2Row(random_labels=True)


def runs_of(table: pd.DataFrame, model: str, row: Table2Row) -> pd.DataFrame:
    """The rows of `table` of this model and row, in the order of their seeds."""
    if table.empty:
        return table
    return table[(table["model"] == model) & (table["row"] == row.label)].sort_values("seed")


def _fits_random_labels(model: str, runs: pd.DataFrame, num_seeds: int) -> Finding:
    claim = f"{model} fits random labels far above chance, and tests at chance"
    reason = obstacle(runs, num_seeds)
    if reason:
        return Finding(claim, "no conclusion", reason)
    chance, train = chance_of(runs), runs["train_accuracy"].mean()
    is_far = bool(_share(runs["train_accuracy"].min(), chance) >= HALF)
    reading = ShareOfRandomLabels(model, float(train), chance, int(runs["steps_run"].iloc[0]), is_far)
    statement = (
        f"After {runs['steps_run'].iloc[0]:,} steps {'all' if runs['fitted'].all() else 'not all'} random labels of "
        f"{runs['n_train'].iloc[0]:,} examples are fitted: train accuracy {_percent(train)} top-1, "
        f"{_percent(runs['train_top5_accuracy'].mean())} top-{_top(runs)}, where guessing gives {_percent(chance)} and "
        f"{_percent(_top(runs) * chance)}"
    )
    if not is_far:
        return Finding(
            claim,
            "no conclusion",
            f"{statement} ({seeds_of(runs)}). More steps may fit more: {remedy(runs)}.",
            reading,
        )
    luck = luck_in_words(by_luck(runs))
    return Finding(
        claim,
        "no conclusion" if luck else tests_at_chance(runs),
        f"{statement}. Test accuracy is {_percent(runs['test_accuracy'].mean())}, {verdict_in_words(runs)}.{luck}",
        reading,
    )


def _fits_in_spite(claim: str, rows: Sequence[pd.DataFrame], num_seeds: int) -> Finding:
    reason = obstacle(pd.concat(rows), num_seeds * len(rows))
    if reason:
        return Finding(claim, "no conclusion", reason)
    each = ", ".join(f"{_percent(runs['train_accuracy'].mean())} with {_regularizers(runs)}" for runs in rows)
    least = min(_share(runs["train_accuracy"].min(), chance_of(runs)) for runs in rows)
    statement = f"Train accuracy on random labels is {each}, where guessing gives {_percent(chance_of(rows[0]))}"
    if least < HALF:
        steps = rows[0]["steps_run"].iloc[0]
        return Finding(
            claim,
            "no conclusion",
            f"{statement}, after {steps:,} steps ({seeds_of(rows[0])}). More may fit more: {remedy(rows[0])}.",
        )
    luck = luck_in_words(max(by_luck(runs) for runs in rows))
    return Finding(claim, "no conclusion" if luck else "supported", f"{statement} ({seeds_of(rows[0])}).{luck}")


def _needs_none(model: str, none: pd.DataFrame, most: pd.DataFrame | None, num_seeds: int) -> Finding:
    claim = f"{model} generalises without explicit regularisers: they are not necessary"
    reason = obstacle(none, num_seeds, fitted=True) or (most is not None and obstacle(most, num_seeds)) or None
    if reason:
        return Finding(claim, "no conclusion", reason)
    top, sticks = _top(none), yardsticks(none)
    statement = (
        f"Without them {model} fits its {none['n_train'].iloc[0]:,} true labels and {beside_guessing(sticks)} "
        f"({interval_in_words(num_seeds, Tested.on_unseen(none).in_words)}); its top-{top} accuracy is "
        f"{_percent(none['test_top5_accuracy'].mean())}, where guessing has "
        f"{_percent(float(none['top5_guessing'].iloc[0]))}"
    )
    if most is None:
        return Finding(claim, far_above_guessing(sticks, 0.0), f"{statement} ({seeds_of(none)}).")
    best = yardsticks(most)
    if not any(stick.interval.mean > stick.guessing for stick in best):
        unsure = f"{statement}; with {_regularizers(most)} it has learned nothing to compare that with"
        return Finding(claim, "no conclusion", f"{unsure} ({seeds_of(none)}).")
    outcome = lead_is_kept(sticks, best, HALF)
    return Finding(
        claim,
        outcome,
        f"{statement}. With {_regularizers(most)}, the most regularised row, it {beside_guessing(best)}: "
        f"{lead_in_words(sticks, best)} ({HALF:.0%} are enough; {seeds_of(none)})."
        f"{MORE_EXAMPLES if outcome == 'no conclusion' else ''}",
    )


def _could_stop_early(
    model: str, row: Table2Row, runs: pd.DataFrame, num_seeds: int, num_rows: int, paper: float
) -> Finding:
    with_ = "without regularisers" if row == Table2Row() else f"with {row.regularizers}"
    claim = f"Stopping early could raise the test accuracy of {model} {with_}"
    reason = obstacle(runs, num_seeds)
    if reason:
        return Finding(claim, "no conclusion", reason)
    most, fewest = int(runs["num_evaluations"].max()), int(runs["num_evaluations"].min())
    if fewest < LEAST_EVALUATIONS:
        return Finding(claim, "no conclusion", f"Test accuracy was evaluated only {fewest} times along a run{OFTENER}")
    best, last = runs["best_on_test"].mean(), runs["test_accuracy"].mean()
    tested, comparison = Tested.on_unseen(runs), stopping_gain(runs, "best_on_test")
    gap = comparison.difference
    # The best was picked among so many, in each of the rows.
    p_value = min(comparison.p_value * most * num_rows, 1.0)
    steps = f"after {runs['steps_to_best_on_test'].mean():,.0f} of {runs['steps_run'].iloc[0]:,} steps"
    statement = (
        f"{model} tests at {_percent(best)} at its best along training ({steps}) and at {_percent(last)} at the end: "
        f"{100 * gap.mean:+.1f} points ({interval_in_words(num_seeds, tested.in_words, 0.95)}: {100 * gap.low:+.1f} to "
        f"{100 * gap.high:+.1f}; p = {p_value:.2g} by Bonferroni over {most} evaluations in {num_rows} rows; "
        f"{seeds_of(runs)}). This is an upper bound, since the best is chosen by the test set itself; "
        f"`byrote reproduce figure2` chooses by validation examples.{leaked_in_words(runs)}"
    )
    if not math.isnan(paper):
        statement += f" The paper: {100 * paper:+.2f} points."
    if p_value < SIGNIFICANCE:
        return Finding(claim, "supported", statement)
    return Finding(claim, "not supported" if gap.high < NO_HELP else "no conclusion", statement)


def _share(accuracy: float, chance: float) -> float:
    """How far an accuracy is on the way from guessing to all."""
    return (accuracy - chance) / (1 - chance)


def _top(runs: pd.DataFrame) -> int:
    return min(TOP, int(runs["num_classes"].iloc[0]))


def _regularizers(runs: pd.DataFrame) -> str:
    first = runs.iloc[0]
    return Table2Row.of(first["augmentation"], first["dropout"], first["weight_decay"]).regularizers


def _percent(fraction: float) -> str:
    """One digit; two below a percent, where chance on a thousand classes lies."""
    return percent(fraction, 1 if fraction >= 0.01 else 2)
