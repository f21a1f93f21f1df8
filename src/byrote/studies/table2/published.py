"""The numbers of Table 2 beside ours."""

from __future__ import annotations

import re

import pandas as pd

from byrote.data.dataset import Dataset
from byrote.evidence.published import PublishedFigure, ours_of_runs
from byrote.studies.paper_numbers import IMAGENET_TRAIN, as_printed, is_imagenet
from byrote.studies.table2.findings import runs_of
from byrote.studies.table2.rows import MEASURES, Table2Row

_QUANTITIES = {
    "top1_train": "training accuracy, top-1",
    "top5_train": "training accuracy, top-5",
    "top1_test": "test accuracy, top-1",
    "top5_test": "test accuracy, top-5",
    "best_top1_test": "best test accuracy along training, top-1",
    "best_top5_test": "best test accuracy along training, top-5",
}
_OURS = {theirs: ours for ours, theirs in MEASURES.items()}


def published_figures(data: Dataset, table: pd.DataFrame) -> list[PublishedFigure]:
    """The accuracies of each row; ours are those of Inception V3, or else of the first model of the study.

    Args:
        data: what ours were trained on.
        table: of the study; empty where nothing was run.
    """
    models = [] if table.empty else list(dict.fromkeys(table["model"]))
    same = [model for model in models if re.search(r"inception[-_ ]?v3", model, re.IGNORECASE)]
    others = (*(() if is_imagenet(data) else ("data",)), *(() if same else ("model",)))
    found = []
    for printed in as_printed("table2").to_dict("records"):
        yes = {name: printed[name] == "yes" for name in ("augmentation", "dropout", "weight_decay")}
        row = Table2Row(**yes, random_labels=printed["labels"] == "random")
        runs = runs_of(table, [*same, *models][0], row) if models else table
        found += [
            PublishedFigure(
                place="Table 2",
                block="Inception V3 on ImageNet",
                setting=f"{_in_words(row)}, {printed['labels']} labels",
                quantity=quantity,
                printed=printed[name],
                n_train=IMAGENET_TRAIN,
                ours=ours_of_runs(runs, _OURS.get(name, ""), others),
            )
            for name, quantity in _QUANTITIES.items()
            if printed[name]
        ]
    return found


def _in_words(row: Table2Row) -> str:
    return {"none": "no regulariser", "all three": "all three regularisers"}.get(row.regularizers, row.regularizers)
