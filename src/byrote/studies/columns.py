"""The columns of results.csv, with which the table of every study of trained networks begins; and those of a recipe."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from operator import attrgetter
from typing import Any, TypeAlias

import numpy as np

from byrote.evidence.columns import Column, nullable
from byrote.evidence.tested import EFFECTIVE
from byrote.training.outcome import TrainOutcome
from byrote.training.recipe import Recipe

# Those that tables of several studies have, with the same meaning.
STUDY = Column("study", "str", "The name of the study.")
CALCULATION = Column("calculation", "str", "What was computed.")
MODEL = Column("model", "str", "The name of the model.")
N_TRAIN = Column("n_train", "int64", "The number of training examples.")
N_TEST = Column("n_test", "int64", "The number of test examples.")
NUM_LEAKED = Column("num_test_leaked", "int64", "The number of test examples whose input is in the training set.")
"""Where what is tested knows the whole training set; runs count those whose input they trained on."""
NUM_CLASSES = Column("num_classes", "int64", "The number of classes.")
DATA = Column("data", "str", "What figures call the data.")
FAILED_CHECKS = Column("failed_checks", "str", "The names of the self-checks that failed in any run.")
CALCULATION_KEY = Column("key", "str", "What the store has the calculation under.")
PARAMETERS = Column("parameters", "int64", "The number of parameters.")
ROW = Column("row", "str", "The row of the table, in words.")
EXAMPLES_SEED = Column("data_seed", "int64", "What draws the examples.")

_DTYPES = {"integer": "int64", "number": "float64", "string": "str", "array": "str"}
_SCHEMA = Recipe.model_json_schema()["properties"]


def _field(name: str) -> Column:
    told = " ".join((Recipe.model_fields[name].description or "").split())
    kinds = [option["type"] for option in _SCHEMA[name].get("anyOf", [_SCHEMA[name]])]
    column = Column(name, _DTYPES[kinds[0]], told)
    return nullable([column])[0] if "null" in kinds else column


OF_RECIPE: Mapping[str, Column] = {name: _field(name) for name in Recipe.model_fields}
"""By the fields of a recipe; the options of the optimiser are in words: "eps=1e-08; amsgrad=True"."""


def recipe_value(recipe: Recipe, name: str) -> Any:
    """The entry of one of OF_RECIPE."""
    value = getattr(recipe, name)
    return "; ".join(f"{key}={own}" for key, own in value) if name == "optimizer_options" else value


def recipe_values(recipe: Recipe) -> dict[str, Any]:
    """The entries of OF_RECIPE."""
    return {name: recipe_value(recipe, name) for name in OF_RECIPE}


_Value: TypeAlias = Callable[[TrainOutcome], Any]


def _asked(name: str) -> tuple[Column, _Value]:
    return OF_RECIPE[name], lambda outcome: recipe_value(outcome.spec, name)


def _of_spec(name: str, dtype: str, told: str) -> tuple[Column, _Value]:
    return Column(name, dtype, told), attrgetter(f"spec.{name}")


def _measured(name: str, dtype: str, told: str) -> tuple[Column, _Value]:
    return Column(name, dtype, told), attrgetter(name)


def _until(name: str, told: str) -> tuple[Column, _Value]:
    def value(outcome: TrainOutcome) -> float:
        count = getattr(outcome, name)
        return np.nan if count is None else float(count)

    return Column(name, "float64", f"{told}; missing if it never did."), value


_FIRST: tuple[tuple[Column, _Value], ...] = (
    (MODEL, attrgetter("spec.model")),
    _measured("parameters", "int64", "The number of its trained parameters."),
    _of_spec("corruption", "str", "What was done to the data: true-labels, or the names of corruptions joined by +."),
    _of_spec("corruption_rate", "float64", "The rate of the first corruption; 0 on true labels."),
    _asked("augmentation"),
    _asked("dropout"),
    _asked("weight_decay"),
    _measured("batch_norm", "bool", "Whether the model has batch norm."),
    _of_spec("seed", "int64", "What corruption, initial weights, batch order, augmentation and dropout follow from."),
    _measured("n_train", "int64", "The number of examples trained on, without those held out for validation."),
    _measured("train_accuracy", "float64", "The accuracy on the labels trained on, in evaluation mode."),
    _measured("train_accuracy_true_labels", "float64", "The accuracy on the true labels of the training examples."),
    _measured("test_accuracy", "float64", "The accuracy on the test set, whose labels are true."),
    _measured("generalization_gap", "float64", "The accuracy on the labels trained on minus the test accuracy."),
    _measured("fitted", "bool", "Whether training accuracy ever was 0.99 of the ceiling."),
    _measured("interpolated", "bool", "Whether training accuracy ever was all of the ceiling."),
    _until("epochs_to_fit", "The epochs until the run had fitted"),
    _until("steps_to_fit", "The optimiser steps until the run had fitted"),
    _measured("epochs_run", "int64", "The epochs that training took."),
    _asked("stop"),
    _measured("stop_reason", "str", "Why training ended: interpolated, steps, epochs or non-finite loss."),
    _measured("replicas", "int64", "The number of networks that were trained side by side."),
    _measured("seconds", "float64", "The seconds from the start of its group until this network left it."),
    _until("epochs_to_interpolate", "The epochs until the run had interpolated"),
    _until("steps_to_interpolate", "The optimiser steps until the run had interpolated"),
    _measured("steps_run", "int64", "The optimiser steps that training took."),
    _until("diverged_at_step", "The optimiser step whose loss was the first that is no finite number"),
    _of_spec("label_rate", "float64", "The rate of the corruption of labels; 0 where labels are true."),
    _measured("train_loss", "float64", "The loss on the labels trained on, in evaluation mode."),
    _measured("test_loss", "float64", "The loss on the test set."),
    _measured("ceiling", "float64", "The training accuracy that identical inputs with different labels leave."),
    (N_TEST, attrgetter("n_test")),
    (NUM_CLASSES, attrgetter("num_classes")),
    (DATA, attrgetter("data")),
    _of_spec("data_seed", "int64", "What draws the training subset, and the examples held out for validation."),
    _asked("learning_rate"),
    _asked("precision"),
    (
        Column("failed_checks", "str", "The names of the self-checks that failed, joined by semicolons."),
        lambda outcome: "; ".join(check.name for check in outcome.failed_checks),
    ),
    _measured("key", "str", "What the store has the run under."),
    _asked("validation"),
    _measured("train_top5_accuracy", "float64", "How often the label trained on is among the five largest scores."),
    _measured("test_top5_accuracy", "float64", "How often the test label is among the five largest scores."),
    _asked("batch_size"),
    _asked("momentum"),
    _asked("optimizer"),
    _asked("preprocessing"),
    (
        Column("num_test_leaked", "int64", "The number of test examples whose input was trained on."),
        lambda outcome: len(outcome.test_leaked),
    ),
    _measured("test_accuracy_unleaked", "float64", "The test accuracy on the others; missing where there are none."),
)
_RUNS: Mapping[Column, _Value] = dict(
    [*_FIRST, *(_asked(name) for name, column in OF_RECIPE.items() if column not in dict(_FIRST))]
)
OF_RUNS: tuple[Column, ...] = (STUDY, *_RUNS, EFFECTIVE)
"""A row is a run. Accuracies are fractions."""


def run_columns(study: str, outcomes: Sequence[TrainOutcome]) -> dict[str, list[Any]]:
    """OF_RUNS, but for n_test_effective, which `tabulate` knows by the data."""
    return {STUDY.name: [study] * len(outcomes)} | {
        column.name: list(map(value, outcomes)) for column, value in _RUNS.items()
    }
