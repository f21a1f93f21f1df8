"""The table of stability: a row for each calculation, of trained networks and of what theory knows."""

from __future__ import annotations

from collections.abc import Mapping

from byrote.evidence.columns import Column, nullable
from byrote.studies.columns import CALCULATION_KEY, DATA, EXAMPLES_SEED, FAILED_CHECKS, OF_RECIPE, STUDY
from byrote.studies.stability.calculations import LOSSES, POINTS, Loss, Point

_LOSSES: Mapping[Loss, str] = {"probability": "1 minus the probability of the label", "zero_one": "the 0-1 loss"}
_POINTS: Mapping[Point, str] = {
    "test": "test points, the mean size over all",
    "kept": "training points that stay, the mean size over all",
    "left": "the example that is replaced",
    "came": "the one that takes its place",
}
_OF_LOSSES = {
    f"{loss}_{name}": f"The mean of {words} over {what}, where nothing is replaced."
    for loss, words in _LOSSES.items()
    for name, what in {
        "train": "training examples",
        "unseen": "new examples with labels of the same kind",
        "gap": "new examples less that over training examples",
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
COLUMNS: tuple[Column, ...] = (
    STUDY,
    Column(
        "calculation",
        "str",
        "What was computed: ReplacementStability; RidgeStability or SgdStability, where theory is exact.",
    ),
    Column("model", "str", "The model of the networks."),
    Column("parameters", "float64", "The number of its parameters."),
    Column("corruption", "str", "Whether the labels are true or random: true-labels or random-labels."),
    Column("seed", "float64", "What draws labels, initial weights, batches and which examples are replaced."),
    EXAMPLES_SEED,
    Column("n_train", "int64", "The examples; where theory is exact, half of them are trained on."),
    Column("num_held_out", "float64", "The further examples, which take the places of others."),
    Column("replacements", "float64", "The networks, or fits by SGD, with one example replaced."),
    Column(
        "stack_size",
        "float64",
        "The number of them in a stack, beside two in which nothing is replaced.",
    ),
    Column("num_runs", "float64", "The networks, those in which nothing is replaced among them."),
    Column("num_fitted", "float64", "The networks that fitted."),
    Column("num_diverged", "float64", "The networks whose loss was no longer finite."),
    FAILED_CHECKS,
    Column("replicas", "float64", "The networks that were trained side by side."),
    Column("num_steps", "float64", "The steps that each network took."),
    Column("num_classes", "float64", "The number of classes."),
    Column("train_accuracy", "float64", "The accuracy on the labels trained on, where nothing is replaced."),
    Column("test_accuracy", "float64", "The test accuracy where nothing is replaced."),
    Column(
        "rounding",
        "float64",
        "The largest change of a probability between networks in which nothing is replaced.",
    ),
    *(Column(name, "float64", told) for name, told in _OF_LOSSES.items()),
    *(Column(name, "float64", told) for name, told in _OF_CHANGES.items()),
    Column("num_trained", "float64", "The examples that are trained on where theory is exact."),
    Column("strength", "float64", "What ridge regression multiplies the squared norm by."),
    Column("step_size", "float64", "The step size of SGD."),
    Column("draws", "float64", "The sequences of places that SGD was averaged over."),
    Column("in_range", "boolean", "Whether all predictions of ridge regression are within the range of the targets."),
    Column("removal", "float64", "The largest change of the loss by one example left out."),
    Column("removal_bound", "float64", "What theory says that it is at most."),
    Column("replacement", "float64", "The largest change of the loss by one example replaced."),
    Column("replacement_bound", "float64", "What theory says that it is at most."),
    Column("distance", "float64", "The largest distance between the weights of SGD, in the mean over draws."),
    Column("tight_removal", "float64", "The change by one example left out, in a case built to be tight."),
    Column("tight_replacement", "float64", "The change by one example replaced, in a case built to be tight."),
    Column("tight_bound", "float64", "What theory says of the case built to be tight."),
    DATA,
    Column("seconds", "float64", "The seconds that the calculation took, without the runs that it reads."),
    CALCULATION_KEY,
    *nullable(OF_RECIPE.values()),
)
"""What is of networks alone, or of what theory knows, is missing in other rows."""
