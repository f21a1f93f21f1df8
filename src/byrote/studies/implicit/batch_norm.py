"""Batch norm as an implicit regulariser: the same network with and without it, and how fast each learns."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd
from jaxtyping import Int64

from byrote.evidence.columns import Column
from byrote.evidence.comparisons import columns_against, discordant_columns, right_where_unseen
from byrote.references import place_of, short_name
from byrote.training.outcome import TrainOutcome

LEVELS = (0.5, 0.9, 0.99)
"""Training accuracies that learning is timed to."""
WITHOUT = ("-no-batchnorm", "_no_batchnorm")
"""What the name of a model without batch norm ends with: that of a catalogue, or of a function."""


def batch_norm_pairs(models: Sequence[str]) -> list[tuple[str, str]]:
    """Each model with its twin without batch norm, where `models` has both: ("resnet", "resnet-no-batchnorm")."""
    # The places of functions that a notebook or a script defines hold a digest of each.
    places = {(place_of(model), short_name(model)): model for model in models}
    return [
        (model, places[place, name + ending])
        for (place, name), model in places.items()
        for ending in WITHOUT
        if (place, name + ending) in places
    ]


def steps_column(level: float) -> str:
    """ "steps_to_train_90"."""
    return f"steps_to_train_{round(100 * level)}"


OF_LEARNING = (
    *(
        Column(
            steps_column(level),
            "float64",
            f"The optimiser steps until accuracy over the batches of an epoch, in train mode, was {level:.0%}; missing "
            "if it never was.",
        )
        for level in LEVELS
    ),
    Column(
        "evaluation_lag",
        "float64",
        "How far accuracy in train mode was ahead of that in evaluation mode after the same epoch, at the most.",
    ),
)
AGAINST_TWIN = columns_against("twin", "its twin without batch norm under the same corruption, with the same seed")


def learning_columns(outcomes: Sequence[TrainOutcome]) -> dict[str, list[float]]:
    """The entries of OF_LEARNING for each run, in the order of `outcomes`.

    Steps are exact to one epoch; in evaluation mode batch norm's running averages would delay them.
    """
    columns = {steps_column(level): [_steps_to(outcome, level) for outcome in outcomes] for level in LEVELS}
    return columns | {"evaluation_lag": [_evaluation_lag(outcome) for outcome in outcomes]}


def twin_columns(
    outcomes: Sequence[TrainOutcome], test_labels: Int64[np.ndarray, " T"], pairs: Sequence[tuple[str, str]]
) -> dict[str, list[float]]:
    """The entries of AGAINST_TWIN for each run, in the order of `outcomes`."""
    right = {_identity(outcome): right_where_unseen(outcome, test_labels) for outcome in outcomes}
    twins = dict(pairs)
    return discordant_columns(
        "twin",
        list(right.values()),
        [right.get((twins.get(model, ""), corruptions, seed)) for model, corruptions, seed in right],
        [identity[:2] for identity in right],
    )


def _identity(outcome: TrainOutcome) -> tuple[str, object, int]:
    return outcome.spec.model, outcome.spec.corruptions, outcome.spec.seed


def _steps_to(outcome: TrainOutcome, level: float) -> float:
    reached = np.flatnonzero(outcome.curve["running_accuracy"] >= level)
    return float(outcome.curve["step"][reached[0]]) if reached.size else np.nan


def _evaluation_lag(outcome: TrainOutcome) -> float:
    return float(pd.Series(outcome.curve["running_accuracy"] - outcome.curve["train_accuracy"]).max())
