"""Fitting random labels from inside a calculation: a run for each draw of labels, side by side in stacks."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from jaxtyping import Shaped

from byrote.data.corruptions.record import Corruption
from byrote.data.dataset import Dataset, Split
from byrote.data.subsets import subset
from byrote.theory.calculation import OnStage
from byrote.theory.trained_calculation import TrainedCalculation
from byrote.training.checks import UNSEEN
from byrote.training.engine import train
from byrote.training.epochs import batch_bounds
from byrote.training.outcome import Progress, TrainOutcome
from byrote.training.planner import plan_groups
from byrote.training.spec import Count, Recipe, TrainSpec

RANDOM_LABELS = (Corruption(name="random-labels"),)


class RandomLabels(TrainedCalculation):
    """A calculation that trains one model with one recipe on draws of random labels. Abstract."""

    n_train: Count
    """Of so many examples at most, a stratified subset of the training split."""


def fit_random_labels(
    model: str, recipe: Recipe, data: Dataset, seeds: Sequence[int], *, device: str, on_stage: OnStage, stage: str
) -> list[TrainOutcome]:
    """One run on all of `data` for each seed, which draws its labels, initial weights and batches; in their order.

    Gradients are not recorded: nobody would look at them.
    """
    fields = recipe.model_dump() | {"model": model, "corruptions": RANDOM_LABELS, "dense_steps": 0}
    specs = [TrainSpec.model_validate(fields | {"seed": seed}) for seed in seeds]
    groups = plan_groups(specs, data, device=device)
    outcomes: dict[int, TrainOutcome] = {}
    for number, group in enumerate(groups):

        def report(progress: Progress, number: int = number) -> None:
            limit, done = (recipe.steps, progress.step) if recipe.steps else (recipe.epochs, progress.epoch)
            on_stage(stage, (number + min(done / limit, 1.0)) / len(groups))

        for outcome in train(group.specs, data, device=device, on_progress=report):
            outcomes[outcome.spec.seed] = outcome
    return [outcomes[seed] for seed in seeds]


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


def without_test(data: Dataset) -> Dataset:
    """With the first training example for its test set: nothing asks how random labels do on unseen ones."""
    return replace(data, test=data.train.take(np.arange(1)))


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
    """The names of the checks that failed in any run, as in the column of results.csv; but for that of the test set,
    of which these runs have none (`without_test`)."""
    return "; ".join(sorted({check.name for outcome in outcomes for check in outcome.failed_checks} - {UNSEEN}))


def num_interrupted(outcomes: Sequence[TrainOutcome]) -> int:
    """The runs that their limit of epochs or steps ended before all labels were right."""
    return sum(not outcome.interpolated and outcome.stop_reason in ("epochs", "steps") for outcome in outcomes)
