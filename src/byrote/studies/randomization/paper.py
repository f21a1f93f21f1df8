"""The paper's numbers beside ours, wherever a setting matches."""

from __future__ import annotations

import pandas as pd

from byrote.data.dataset import Dataset
from byrote.studies.paper_numbers import is_cifar10, published


def beside(table: pd.DataFrame, data: Dataset) -> pd.DataFrame:
    """Table 1 of the paper next to ours, wherever a setting of `table` (a study's summary) matches one of its rows.

    It matches when data, architecture (name and number of parameters), labels, augmentation and weight decay do, and
    we used no dropout. Ours is the mean over seeds; its n may be smaller than the paper's 50,000, and stands there.

    Returns:
        A row a match: model, labels, regularised, paper_train, paper_test, train_accuracy, test_accuracy (all four in
        fractions), n_train, seeds, fitted (of all seeds). Empty when nothing matches.
    """
    columns = ["model", "labels", "weight_decay", "paper_train", "paper_test"]
    measured = ["train_accuracy", "test_accuracy", "n_train", "seeds", "fitted"]
    if table.empty or not is_cifar10(data):
        return pd.DataFrame(columns=[*columns, *measured])
    theirs = published("table1").query("random_crop == 'no'").rename(columns={"labels": "labels_"})
    theirs = theirs.assign(
        labels=theirs["labels_"] + " labels",
        weight_decay=theirs["weight_decay"] == "yes",
        paper_train=theirs["train_accuracy"] / 100,
        paper_test=theirs["test_accuracy"] / 100,
    )[["parameters", *columns]]
    ours = table[table["corruption"].isin(["true-labels", "random-labels"])]
    ours = ours[(ours["dropout"] == 0) & (ours["augmentation"] == "none")]
    ours = (
        ours.assign(labels=ours["corruption"].str.replace("-", " "), weight_decay=ours["weight_decay"] > 0)
        .groupby(["model", "parameters", "labels", "weight_decay", "n_train"], sort=False, as_index=False)
        .agg(
            train_accuracy=("train_accuracy", "mean"),
            test_accuracy=("test_accuracy", "mean"),
            seeds=("seed", "nunique"),
            fitted=("fitted", "all"),
        )
    )
    matches = ours.merge(theirs, on=["model", "parameters", "labels", "weight_decay"])
    return matches[[*columns, *measured]]
