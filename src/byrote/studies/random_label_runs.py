"""Runs on random labels: coin flips, as many steps for few examples as for many, and what is read from them."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from jaxtyping import Shaped

from byrote.data.corruptions.record import Corruption
from byrote.data.dataset import Dataset, Split
from byrote.data.subsets import subset
from byrote.training.checks import UNSEEN
from byrote.training.epochs import batch_bounds
from byrote.training.outcome import TrainOutcome
from byrote.training.recipe import Recipe

RANDOM_LABELS = (Corruption(name="random-labels"),)


def coin_flips(data: Dataset, n_train: int, data_seed: int) -> Dataset:
    """The inputs of `n_train` training examples under two classes, -1 and +1: its random labels are fair signs.

    A network with two outputs and cross-entropy on them is one with a single output, f_1 - f_0, and the logistic loss,
    and predicts its sign: every loss and every prediction depends on the difference alone. So the one training loop
    serves, and the class is that of the model with a one-output head (a linear head's two rows count as their
    difference).
    """
    inputs = subset(data, n_train, data_seed).train.inputs
    unseen = data.test.inputs[[_first_unseen(data.test.inputs, inputs)]]
    train, test = (Split.clean(own, np.zeros(len(own), dtype=np.int64)) for own in (inputs, unseen))
    return replace(data, train=train, test=test, class_names=("-1", "+1"))


def _first_unseen(test: Shaped[np.ndarray, "T ..."], train: Shaped[np.ndarray, "N ..."]) -> int:
    """The row of the first test input that is not trained on, which is all that the test set of coin flips has: nothing
    is asked of it. 0 if there is none."""
    for row in range(len(test)):
        if not (train == test[row]).reshape(len(train), -1).all(axis=1).any():
            return row
    return 0


def with_steps_of(recipe: Recipe, n_train: int, largest: int) -> Recipe:
    """The recipe whose limit of epochs gives as many steps on `n_train` examples as it does on `largest`.

    An epoch of few examples is a single step: under one limit of epochs they would seem the harder ones to fit.
    """
    if recipe.stop == "at_steps":
        return recipe
    few, many = (len(batch_bounds(n, recipe.batch_size)) for n in (n_train, largest))
    return recipe.model_copy(update={"epochs": math.ceil(recipe.epochs * many / few)})


def best_accuracy(outcome: TrainOutcome) -> float:
    """The best of all exact training accuracies along the run: each is that of a function the network can be."""
    return float(np.nanmax(outcome.curve["train_accuracy"]))


def failed_checks(outcomes: Sequence[TrainOutcome]) -> str:
    """The names of the checks that failed in any run, as in the column of results.csv; but for that of the test set, of
    which nobody asks how random labels do there."""
    return "; ".join(sorted({check.name for outcome in outcomes for check in outcome.failed_checks} - {UNSEEN}))


def num_interrupted(outcomes: Sequence[TrainOutcome]) -> int:
    """The runs that their limit of epochs or steps ended before all labels were right."""
    return sum(not outcome.interpolated and outcome.stop_reason in ("epochs", "steps") for outcome in outcomes)
