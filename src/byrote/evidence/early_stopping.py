"""Early stopping: what a run would have tested at, had it stopped sooner, and who may choose when.

Three figures of one run: test accuracy where it was *best on the test set* (the paper's accumulated best: chosen by
what it is judged by, so optimistic), where the run was *best on validation examples* (what stopping early really
gives), and at the *last* step.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd

from byrote.evidence.columns import Column
from byrote.evidence.comparisons import Comparison, compare_accuracies
from byrote.evidence.intervals import Interval
from byrote.evidence.learning import unseen_accuracies
from byrote.evidence.tested import Tested
from byrote.training.outcome import TrainOutcome

MOMENTS = ("best_on_test", "best_on_validation", "last")


EARLY_STOPPING = (
    Column("num_evaluations", "float64", "The number of epochs after which the test set was evaluated."),
    Column("best_on_test", "float64", "The test accuracy at the moment when it was best, which nobody may choose by."),
    Column("steps_to_best_on_test", "float64", "The optimiser steps until then."),
    Column("best_on_validation", "float64", "The test accuracy when that on validation examples was best."),
    Column("steps_to_best_on_validation", "float64", "The optimiser steps until then."),
    Column("early_stopping_gain", "float64", "The test accuracy when best on validation examples minus the last one."),
    Column("optimism", "float64", "The test accuracy when best on test minus that when best on validation examples."),
)
"""What is chosen by validation examples is missing where none were held out."""


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
    """The entries of EARLY_STOPPING for each run, in the order of `outcomes`."""
    found = [_figures(outcome) for outcome in outcomes]
    return {column.name: [figures[column.name] for figures in found] for column in EARLY_STOPPING}


def stopping_gain(runs: pd.DataFrame, moment: str) -> Comparison:
    """By how much one condition tests better at `moment`, one of MOMENTS, than at the end, on unseen test examples.

    Along a run only the accuracy on all test examples is recorded. Of those that are in training, none or all may have
    been right at the moment, and the difference is compared in both cases: its interval spans both, its p-value is the
    larger one, and its mean lies between.

    Args:
        runs: one a seed, with the columns of EARLY_STOPPING; `test_accuracy_unleaked` where any example is leaked.
    """
    then, n_test, leaked = (runs[name].to_numpy(float) for name in (moment, "n_test", "num_test_leaked"))
    others = n_test - leaked
    known = np.where(others > 0, others, np.nan)
    lowest, highest = ((then * n_test - right) / known for right in (np.minimum(leaked, then * n_test), 0 * leaked))
    last, tested = unseen_accuracies(runs).tolist(), Tested.on_unseen(runs)
    cases = [compare_accuracies(np.minimum(case, 1.0).tolist(), last, tested) for case in (lowest, highest)]
    low, high = (case.difference for case in cases)
    between = Interval((low.mean + high.mean) / 2, low.low, high.high, low.n)
    opposite = low.mean * high.mean < 0
    return Comparison(between, 1.0 if opposite else max(case.p_value for case in cases), cases[0].num_seeds)


def leaked_in_words(runs: pd.DataFrame) -> str:
    """ " Accuracies at that moment count 8 test examples that are in training: ..."; "" where there are none."""
    leaked = int(runs["num_test_leaked"].max())
    if not leaked:
        return ""
    many = f"{leaked:,} test examples that are in training" if leaked > 1 else "1 test example that is in training"
    return f" Accuracies along a run count {many}, and the interval allows for all or none of them being right then."


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
