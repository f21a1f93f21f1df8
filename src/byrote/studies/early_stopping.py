"""Early stopping: what a run would have tested at, had it stopped sooner, and who may choose when.

Three figures of one run: test accuracy where it was *best on the test set* (the paper's accumulated best: chosen by
what it is judged by, so optimistic), where the run was *best on validation examples* (what stopping early really
gives), and at the *last* step.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import pandas as pd
from scipy import stats

from byrote.studies.comparisons import Comparison, compare_accuracies
from byrote.studies.statistics import Interval, binomial_interval
from byrote.training.outcome import TrainOutcome

MOMENTS = ("best_on_test", "best_on_validation", "last")


def evaluations(outcome: TrainOutcome) -> pd.DataFrame:
    """The evaluations of the test set along a run, a row each.

    Columns: epoch, step, test_accuracy, best_so_far (the highest test accuracy until then), validation_accuracy (NaN
    without validation examples), and which of the rows are the MOMENTS; of equal accuracies the first is the best.
    """
    names = ["epoch", "step", "test_accuracy", "validation_accuracy"]
    rows = pd.DataFrame({name: outcome.curve[name] for name in names})
    rows = rows.dropna(subset="test_accuracy").reset_index(drop=True)
    rows["best_so_far"] = rows["test_accuracy"].cummax()
    for moment, accuracy in zip(MOMENTS, (rows["test_accuracy"], rows["validation_accuracy"]), strict=False):
        rows[moment] = rows.index == (accuracy.idxmax() if accuracy.notna().any() else None)
    rows["last"] = rows.index == len(rows) - 1
    return rows


def early_stopping_columns(outcomes: Sequence[TrainOutcome]) -> dict[str, list[float]]:
    """Per run, in the order of `outcomes`; accuracies and their differences are fractions, NaN where not measured:

    num_evaluations: after how many epochs the test set was evaluated.
    best_on_test, best_on_validation: test accuracy at these MOMENTS.
    steps_to_best_on_test, steps_to_best_on_validation: the optimiser steps until then.
    early_stopping_gain: best_on_validation minus test_accuracy, which is that of the last step.
    optimism: best_on_test minus best_on_validation: what choosing by the test set adds to the gain.
    """
    found = [_figures(outcome) for outcome in outcomes]
    return {name: [figures[name] for figures in found] for name in (found[0] if found else ())}


def compare_with_last(earlier: Sequence[float], last: Sequence[float], n_test: int) -> Comparison:
    """By how much test accuracy at an earlier moment of each run exceeds that of its last step; a number for each seed.

    Several seeds: `compare_accuracies`. One seed: as if the two had been tested on n_test examples each of
    their own (Newcombe's interval, 1998, method 10; Fisher's exact test). Since weights of one run get mostly the same
    examples right, this errs on the safe side; which examples, a run does not keep but for the last.
    """
    if len(earlier) > 1:
        return compare_accuracies(earlier, last, n_test)
    before, after = (binomial_interval(float(accuracies[0]), n_test) for accuracies in (earlier, last))
    difference = before.mean - after.mean
    low = difference - math.hypot(before.mean - before.low, after.high - after.mean)
    high = difference + math.hypot(before.high - before.mean, after.mean - after.low)
    right = np.rint(np.array([earlier[0], last[0]]) * n_test).astype(int)
    p_value = float(stats.fisher_exact(np.stack([right, n_test - right])).pvalue)
    return Comparison(Interval(difference, low, high, n_test), p_value, 1)


def _figures(outcome: TrainOutcome) -> dict[str, float]:
    rows = evaluations(outcome)
    figures: dict[str, float] = {"num_evaluations": float(len(rows))}
    for moment in MOMENTS[:2]:
        at = rows[rows[moment]]
        figures[moment] = float(at["test_accuracy"].iloc[0]) if len(at) else np.nan
        figures[f"steps_to_{moment}"] = float(at["step"].iloc[0]) if len(at) else np.nan
    figures["early_stopping_gain"] = figures["best_on_validation"] - outcome.test_accuracy
    figures["optimism"] = figures["best_on_test"] - figures["best_on_validation"]
    return figures
