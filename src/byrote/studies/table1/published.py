"""The numbers of Table 1 beside ours."""

from __future__ import annotations

import pandas as pd

from byrote.data.dataset import Dataset
from byrote.evidence.intervals import Interval
from byrote.evidence.published import Ours, PublishedFigure, ours_of_runs
from byrote.studies.paper_numbers import CIFAR10_TRAIN, as_printed, is_cifar10
from byrote.studies.table1.findings import runs_of
from byrote.studies.table1.rows import Table1Row


def published_figures(data: Dataset, table: pd.DataFrame) -> list[PublishedFigure]:
    """Parameters of each model, then the accuracies of each of its rows.

    Args:
        data: what ours were trained on.
        table: of the study; empty where nothing was run.
    """
    found: dict[str, list[PublishedFigure]] = {}
    for model, parameters, crop, decay, labels, train, test in as_printed("table1").itertuples(index=False):
        row = Table1Row(crop == "yes", decay == "yes", labels == "random")
        runs = runs_of(table, (model, row))
        others = () if is_cifar10(data) else ("data",)
        if model not in found:
            own = None if table.empty else _parameters(table[table["model"] == model], others)
            figure = PublishedFigure("Table 1", model, "", "parameters", parameters, CIFAR10_TRAIN, own, False)
            found[model] = [figure]
        if len(runs) and (runs["parameters"] != int(parameters)).any():
            others = (*others, "model")
        for column, printed in (("train_accuracy", train), ("test_accuracy", test)):
            found[model].append(
                PublishedFigure(
                    place="Table 1",
                    block=model,
                    setting=f"{row.regularizers}, {labels} labels",
                    quantity=f"{'training' if column[:2] == 'tr' else 'test'} accuracy",
                    printed=printed,
                    n_train=CIFAR10_TRAIN,
                    ours=ours_of_runs(runs, column, others),
                )
            )
    return [figure for own in found.values() for figure in own]


def _parameters(runs: pd.DataFrame, others: tuple[str, ...]) -> Ours | None:
    if runs.empty:
        return None
    count = float(runs["parameters"].iloc[0])
    # A network has as many parameters whatever it is trained on.
    return Ours(Interval(count, count, count, len(runs)), CIFAR10_TRAIN, runs["seed"].nunique(), others)
