"""What the runs of Table 1 show: each ordering of test accuracies, random labels, and nets without regularisers."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import get_args

import pandas as pd

from byrote.evidence.chance import tests_at_chance, verdict_in_words
from byrote.evidence.comparisons import Comparison, compared, holm
from byrote.evidence.finding import Finding, FitsRandomLabels, Outcome, Unregularized
from byrote.evidence.fitting_by_luck import by_luck, luck_in_words
from byrote.evidence.intervals import interval_in_words
from byrote.evidence.learning import beside_guessing, far_above_guessing, unseen_accuracies, yardsticks
from byrote.evidence.obstacles import obstacle
from byrote.evidence.tested import Tested
from byrote.evidence.verdicts import FAR_ABOVE_CHANCE, SIGNIFICANCE, sum_up
from byrote.evidence.words import count_of_seeds, percent
from byrote.studies.table1.rows import Condition, Ordering, Table1Row, orderings, published_rows


def findings(
    rows: Mapping[str, Sequence[Table1Row]], table: pd.DataFrame, num_seeds: int, *, on_cifar10: bool
) -> list[Finding]:
    """The claims that these rows of these models bear on, decided by the runs in `table`.

    Args:
        on_cifar10: whether the paper's accuracies, and its order of them, are about this data.
    """
    return [
        *_orderings(orderings(rows, as_published=on_cifar10), table, num_seeds, on_cifar10),
        *(_fits_random_labels(model, table, num_seeds) for model, own in rows.items() if _RANDOM in own),
        *(_needs_no_regularizer(model, table, num_seeds) for model, own in rows.items() if Table1Row() in own),
    ]


_RANDOM = Table1Row(random_labels=True)


def runs_of(table: pd.DataFrame, condition: Condition) -> pd.DataFrame:
    """The rows of `table` under this condition, in the order of their seeds."""
    if table.empty:
        return table
    model, row = condition
    return table[(table["model"] == model) & (table["row"] == row.label)].sort_values("seed")


def _orderings(tried: Sequence[Ordering], table: pd.DataFrame, num_seeds: int, on_cifar10: bool) -> list[Finding]:
    """A finding for each, decided together, and one that counts those of the paper, or those that are not."""
    if not tried:
        return []
    compared = {ordering: _compare(ordering, table, num_seeds) for ordering in tried}
    made = {ordering: result for ordering, result in compared.items() if isinstance(result, Comparison)}
    adjusted = dict(zip(made, holm([comparison.p_value for comparison in made.values()]), strict=True))
    found = []
    for ordering, result in compared.items():
        if isinstance(result, str):
            found.append(Finding(ordering.claim, "no conclusion", result))
            continue
        ahead = result.difference.mean < 0 if ordering.reversed else result.difference.mean > 0
        decided = adjusted[ordering] < SIGNIFICANCE
        outcome = "no conclusion" if not decided else "supported" if ahead else "not supported"
        statement = _statement(ordering, result, float(adjusted[ordering]), len(made), table)
        found.append(Finding(ordering.claim, outcome, statement))  # type: ignore[arg-type]
    papers = published_rows() if on_cifar10 else {}
    is_papers = [{ordering.first, ordering.second} <= papers.keys() for ordering in compared]
    own, others = (
        [each for each, is_own in zip(found, is_papers, strict=True) if is_own == of] for of in (True, False)
    )
    return [*found, *_count(own, ""), *_count(others, "of other networks" if on_cifar10 else "on other data")]


def _compare(ordering: Ordering, table: pd.DataFrame, num_seeds: int) -> Comparison | str:
    first, second = runs_of(table, ordering.first), runs_of(table, ordering.second)
    # A regulariser may keep a network from fitting and still help; one that has not fitted without is not at its end.
    reason = obstacle(pd.concat([first, second]), 2 * num_seeds) or obstacle(second, num_seeds, fitted=True)
    if reason:
        return reason
    n_first, n_second = (int(runs["n_train"].iloc[0]) for runs in (first, second))
    if n_first != n_second:
        return (
            f"{ordering.first[0]} was trained on {n_first:,} examples and {ordering.second[0]} on {n_second:,}: "
            "their test accuracies do not compare."
        )
    return compared(first, ordering.rival)


def _statement(ordering: Ordering, result: Comparison, p_value: float, num_tried: int, table: pd.DataFrame) -> str:
    first, second = runs_of(table, ordering.first), runs_of(table, ordering.second)
    gap = result.difference
    over = count_of_seeds(result.num_seeds, f"{Tested.on_unseen(first).in_words}, one seed")
    noise = "" if p_value < SIGNIFICANCE else ", which is within noise"
    statement = (
        f"{_name(ordering.first)} reaches a test accuracy of {percent(unseen_accuracies(first).mean())}, "
        f"{_name(ordering.second)} {percent(unseen_accuracies(second).mean())}: "
        f"{100 * gap.mean:+.1f} points (95% interval over {over}: {100 * gap.low:+.1f} to {100 * gap.high:+.1f}; "
        f"p = {p_value:.2g} by Holm over {num_tried} orderings){noise}. "
        f"Train accuracy {percent(first['train_accuracy'].mean())} and {percent(second['train_accuracy'].mean())}, "
        f"n = {int(first['n_train'].iloc[0]):,}."
    )
    ours, theirs = (100 * float(runs["paper_test_accuracy"].iloc[0]) for runs in (first, second))
    if not math.isnan(ours + theirs):
        statement += f" The paper has, at n = 50,000, {ours:.2f}% and {theirs:.2f}%, {ours - theirs:+.2f} points."
    return statement


def _count(found: Sequence[Finding], elsewhere: str) -> list[Finding]:
    """A finding on these orderings together, if there are any."""
    if not found:
        return []
    outcomes = [finding.outcome for finding in found]
    tried = f"{len(found)} orderings expected from the paper" if elsewhere else f"the paper's {len(found)} orderings"
    held, against, undecided = (outcomes.count(outcome) for outcome in get_args(Outcome))
    return [
        Finding(
            f"Test accuracies are in the paper's order{elsewhere and f', though {elsewhere}'}",
            sum_up(outcomes),
            f"Of {tried} that these rows can try, {held} hold here, {against} are contradicted and {undecided} "
            "undecided.",
        )
    ]


def _fits_random_labels(model: str, table: pd.DataFrame, num_seeds: int) -> Finding:
    """Whether it does, and then tests at chance; nothing follows from runs that have not fitted."""
    claim = f"{model} fits random labels without regularisers, and tests at chance"
    runs = runs_of(table, (model, _RANDOM))
    reason = obstacle(runs, num_seeds, fitted=True)
    if reason:
        return Finding(claim, "no conclusion", reason, FitsRandomLabels(fitted=False))
    luck = luck_in_words(by_luck(runs))
    return Finding(
        claim,
        "no conclusion" if luck else tests_at_chance(runs),
        f"Train accuracy {percent(runs['train_accuracy'].mean())} on random labels of "
        f"{int(runs['n_train'].iloc[0]):,} examples; test accuracy {percent(runs['test_accuracy'].mean())}, "
        f"{verdict_in_words(runs)}.{luck}",
        FitsRandomLabels(fitted=not luck),
    )


def _needs_no_regularizer(model: str, table: pd.DataFrame, num_seeds: int) -> Finding:
    """Whether the unregularised network, once it fits true labels, tests far above chance."""
    claim = f"{model} generalises without explicit regularisers: they are not necessary"
    runs = runs_of(table, (model, Table1Row()))
    reason = obstacle(runs, num_seeds, fitted=True)
    if reason:
        return Finding(claim, "no conclusion", reason, Unregularized())
    sticks = yardsticks(runs)
    over = interval_in_words(runs["seed"].nunique(), Tested.on_unseen(runs).in_words)
    return Finding(
        claim,
        far_above_guessing(sticks, FAR_ABOVE_CHANCE),
        f"Without them {model} fits {int(runs['n_train'].iloc[0]):,} true labels (train accuracy "
        f"{percent(runs['train_accuracy'].mean())}) and {beside_guessing(sticks)} "
        f"({over}; {FAR_ABOVE_CHANCE:.0%} count as far above guessing).",
        Unregularized(),
    )


def _name(condition: Condition) -> str:
    model, row = condition
    return f"{model} with {row.regularizers}"
