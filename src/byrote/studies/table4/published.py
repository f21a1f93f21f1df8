"""The numbers of Table 4 beside ours."""

from __future__ import annotations

from dataclasses import replace

import pandas as pd

from byrote.data.dataset import Dataset
from byrote.evidence.published import PublishedFigure, ours_of_runs
from byrote.studies.paper_numbers import CIFAR10_TRAIN, as_printed, is_cifar10
from byrote.studies.table4.findings import ending_of
from byrote.studies.table4.rows import published_rows, runs_of, words


def published_figures(data: Dataset, table: pd.DataFrame) -> list[PublishedFigure]:
    """The training accuracy on random labels under each regulariser, or that training failed to converge.

    Args:
        data: what ours were trained on.
        table: of the study; empty where nothing was run.
    """
    found = []
    others = () if is_cifar10(data) else ("data",)
    for (model, condition), printed in zip(published_rows(), as_printed("table4")["train_accuracy"], strict=True):
        runs = runs_of(table, model, condition)
        ours = ours_of_runs(runs, "train_accuracy", others)
        if ours and ending_of(runs) == "does not converge":
            ours = replace(ours, words="failed to converge")
        found.append(
            PublishedFigure(
                place="Table 4",
                block="Random labels",
                setting=f"{model}, {words(condition)}",
                quantity="training accuracy",
                printed=printed,
                n_train=CIFAR10_TRAIN,
                ours=ours,
            )
        )
    return found
