"""The table of memorization: a row for all examples of a model and a share of redrawn labels, one for each class, and
one for each example, with where it came from."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from byrote.data.dataset import Dataset
from byrote.evidence.columns import Column, as_declared, nullable
from byrote.evidence.intervals import newcombe, wilson
from byrote.studies.columns import CALCULATION_KEY, DATA, FAILED_CHECKS, OF_RECIPE, STUDY, recipe_values
from byrote.studies.memorization.calculations import ExampleScores
from byrote.studies.memorization.readings import ATTACKS, RATES
from byrote.studies.study import Finished
from byrote.theory.calculation import Computed

_ATTACKS = {"lira": "LiRA", "rmia": "RMIA"}
_OF_ATTACKS = {
    f"{attack}_{name}{end}": f"{what.format(_ATTACKS[attack])}{ends}"
    for attack in ATTACKS
    for name, what in {
        "auc": "The chance that {} gives an example that a network is trained on a higher score than another",
        **{
            f"tpr_{end}": f"The share of networks trained on it that {{}} tells, at a false-positive rate of {rate:.1%}"
            for end, rate in RATES.items()
        },
    }.items()
    for end, ends in {
        "": ".",
        "_low": ": the lower end of its 95% interval.",
        "_high": ": the upper end of it.",
    }.items()
}
COLUMNS: tuple[Column, ...] = (
    STUDY,
    Column(
        "level",
        "str",
        "What the row is about: all, a class, the labels that are right or wrong, or an example.",
    ),
    Column("model", "str", "The model of the networks."),
    Column("parameters", "int64", "The number of its parameters."),
    Column("label_rate", "float64", "The chance with which each label was redrawn before anything was trained."),
    Column("row", "Int64", "The number of the example in the training set, from 0; missing in other rows."),
    Column("place", "str", "Where the example came from: its row in what was read, or its file; else missing."),
    Column("label", "str", "The class of the example or row, as it is trained on; missing where there are several."),
    Column("true_label", "str", "The class that the data say; of an example alone."),
    Column("changed", "boolean", "Whether the label was changed; of an example, and of all that are or are not."),
    Column("num_examples", "int64", "The examples that the row is about."),
    Column("networks", "int64", "The networks, each on a random half of the training set."),
    Column("num_in", "Int64", "The networks that are trained on the example."),
    Column("num_out", "Int64", "The networks that are not."),
    Column("accuracy_in", "float64", "How often networks that are trained on the example give its label."),
    Column("accuracy_out", "float64", "How often others do."),
    Column("memorization", "float64", "The first minus the second; in other rows the mean over examples."),
    Column(
        "low",
        "float64",
        "The lower end of its 95% interval: Newcombe's of an example, over pairs of networks of a mean.",
    ),
    Column("high", "float64", "The upper end of it."),
    *(Column(name, "float64", told) for name, told in _OF_ATTACKS.items()),
    Column("test_accuracy", "float64", "The mean accuracy of the networks on the test set; in rows of all."),
    Column("num_fitted", "Int64", "The networks that fitted their half; in rows of all."),
    Column("num_diverged", "Int64", "The networks that were left out, since a loss was no longer finite."),
    FAILED_CHECKS,
    DATA,
    CALCULATION_KEY,
    *nullable(OF_RECIPE.values()),
)


def rows(study: str, results: Sequence[Finished], datasets: Mapping[float, Dataset]) -> pd.DataFrame:
    """COLUMNS.

    Args:
        datasets: what was trained on, by the share of redrawn labels.
    """
    found: list[pd.DataFrame] = []
    for result in results:
        if isinstance(result, Computed) and isinstance(result.calculation, ExampleScores):
            found += _tables(result, result.calculation, datasets[result.calculation.label_rate])
    if not found:
        return as_declared(pd.DataFrame(), COLUMNS)
    return as_declared(pd.concat(found, ignore_index=True).assign(study=study), COLUMNS)


def _tables(result: Computed, calculation: ExampleScores, data: Dataset) -> list[pd.DataFrame]:
    values, train = result.values, data.train
    names = np.array(data.class_names)
    common: dict[str, Any] = {
        "model": calculation.model,
        "parameters": values["parameters"],
        "label_rate": calculation.label_rate,
        "networks": values["num_runs"],
        "failed_checks": values["failed_checks"],
        "data": result.data,
        "key": result.key,
        **recipe_values(calculation.recipe),
    }
    of_all = {name: values[name] for name in ("test_accuracy", "num_fitted", "num_diverged", *_OF_ATTACKS)}
    summaries = [{"level": "all", "num_examples": len(train), **of_all, **_mean(values, "memorization")}]
    for name, is_wrong in (("right", False), ("wrong", True)):
        if train.changed_labels.any():
            num = int((train.changed_labels == is_wrong).sum())
            own = {"level": "labels", "changed": is_wrong, "num_examples": num}
            summaries.append(own | _mean(values, f"memorization_{name}"))
    for number, (mean, low, high) in enumerate(result.arrays["classes"].tolist()):
        own = {"level": "class", "label": names[number], "num_examples": int((train.labels == number).sum())}
        summaries.append(own | {"memorization": mean, "low": low, "high": high})
    table = pd.DataFrame(summaries).astype({"num_fitted": "Int64", "num_diverged": "Int64"})
    return [part.assign(**common) for part in (table, _of_examples(result, data, names))]


def _mean(values: Mapping[str, Any], name: str) -> dict[str, Any]:
    return {"memorization": values[name], "low": values[f"{name}_low"], "high": values[f"{name}_high"]}


def _of_examples(result: Computed, data: Dataset, names: np.ndarray) -> pd.DataFrame:
    arrays, train = result.arrays, data.train
    inside, outside = np.maximum(arrays["num_in"], 1), np.maximum(arrays["num_out"], 1)
    share_in, share_out = arrays["hits_in"] / inside, arrays["hits_out"] / outside
    low, high = newcombe(arrays["hits_in"], inside, arrays["hits_out"], outside)
    told: dict[str, np.ndarray] = {}
    for attack in ATTACKS:
        for end in RATES:
            hits = arrays[f"{attack}_told_{end}"]
            name = f"{attack}_tpr_{end}"
            told[name] = hits / inside
            told[f"{name}_low"], told[f"{name}_high"] = wilson(hits, inside)
    return pd.DataFrame(
        {
            "level": "example",
            "row": np.arange(len(train)),
            "place": [train.place(row) for row in range(len(train))],
            "label": names[train.labels],
            "true_label": names[train.true_labels],
            "changed": train.changed_labels,
            "num_examples": 1,
            "num_in": arrays["num_in"],
            "num_out": arrays["num_out"],
            "accuracy_in": share_in,
            "accuracy_out": share_out,
            "memorization": share_in - share_out,
            "low": low,
            "high": high,
            **told,
        }
    )
