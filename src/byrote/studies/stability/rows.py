"""The table of stability: a row for each calculation, of trained networks and of what theory knows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import pandas as pd

from byrote.studies.stability.calculations import LOSSES, POINTS, Loss, Point
from byrote.studies.study import Finished, tabulate_calculations
from byrote.training.spec import Recipe

_LOSSES: Mapping[Loss, str] = {"probability": "1 minus the probability of the label", "zero_one": "the 0-1 loss"}
_POINTS: Mapping[Point, str] = {
    "test": "test points, the mean size over all",
    "kept": "training points that stay, the mean size over all",
    "left": "the example that is replaced",
    "came": "the one that takes its place",
}
_OF_LOSSES = {
    f"{loss}_{name}": f"Of {words}, where nothing is replaced: {what}."
    for loss, words in _LOSSES.items()
    for name, what in {
        "train": "the mean over training examples",
        "unseen": "the mean over new examples with labels of the same kind",
        "gap": "the mean over new examples less that over training examples",
    }.items()
}
_OF_CHANGES = {
    f"{loss}_at_{point}{end}": f"The change of {_LOSSES[loss]} at {_POINTS[point]}: {what}."
    for loss in LOSSES
    for point in POINTS
    for end, what in {
        "": "the mean over replacements",
        "_low": "the lower end of its 95% interval, by resampling replacements",
        "_high": "the upper end of it",
        "_largest": "the largest size that any replacement makes at one point",
    }.items()
}
COLUMNS: Mapping[str, str] = {
    "study": "stability.",
    "calculation": "ReplacementStability of networks, or RidgeStability or SgdStability, where theory is exact.",
    "model": "Of the networks.",
    "parameters": "Of the network.",
    "corruption": "Of the labels: true-labels or random-labels.",
    "seed": "Draws labels, initial weights, batches and which examples are replaced.",
    "data_seed": "Draws the examples.",
    "n_train": "Examples; where theory is exact, half of them are trained on.",
    "num_held_out": "Further examples, which take the places of others.",
    "replacements": "Networks, or fits by SGD, with one example replaced.",
    "stack_size": "So many of them are trained side by side, with two in which nothing is replaced.",
    "num_runs": "Networks, those in which nothing is replaced among them.",
    "num_fitted": "Of them, those that fitted.",
    "num_diverged": "Of them, those whose loss was no longer finite.",
    "failed_checks": "Names of those that failed in any run.",
    "replicas": "Networks that were trained side by side.",
    "num_steps": "Steps that each network took.",
    "num_classes": "Of the labels.",
    "train_accuracy": "Where nothing is replaced, on the labels trained on.",
    "test_accuracy": "Where nothing is replaced.",
    "rounding": "The largest change of a probability between networks in none of which anything is replaced.",
    **_OF_LOSSES,
    **_OF_CHANGES,
    "num_trained": "Examples that are trained on where theory is exact.",
    "strength": "Of ridge regression, times the squared norm.",
    "step_size": "Of SGD.",
    "draws": "Sequences of places that SGD was averaged over.",
    "in_range": "Whether all predictions of ridge regression are within the range of the targets.",
    "removal": "The largest change of the loss by one example left out.",
    "removal_bound": "What theory says that it is at most.",
    "replacement": "The largest change of the loss by one example replaced.",
    "replacement_bound": "What theory says that it is at most.",
    "distance": "The largest distance between the weights of SGD, in the mean over draws.",
    "tight_removal": "The change by one example left out, in a case built to be tight.",
    "tight_replacement": "The change by one example replaced, in a case built to be tight.",
    "tight_bound": "What theory says of the case built to be tight.",
    "data": "What figures call the data.",
    "seconds": "Of the calculation, without the runs that it reads.",
    "key": "Under which the store has it.",
    **{name: field.description or "" for name, field in Recipe.model_fields.items()},
}
"""Of the table, each with what it is. What is of networks alone, or of what theory knows, is missing in other rows."""


def rows(study: str, results: Sequence[Finished]) -> pd.DataFrame:
    """COLUMNS, a row for each calculation."""
    table = tabulate_calculations(study, results)
    if "recipe" in table:
        recipes = [recipe if isinstance(recipe, dict) else {} for recipe in table["recipe"]]
        table = table.join(pd.DataFrame(recipes, index=table.index))
    return table.reindex(columns=list(COLUMNS))
