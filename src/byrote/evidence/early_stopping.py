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
