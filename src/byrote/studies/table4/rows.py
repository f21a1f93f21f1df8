"""The conditions of Table 4, and what the paper reports of six of them."""

from __future__ import annotations

import math
from functools import cache
from typing import TypeAlias

import pandas as pd

from byrote.evidence.words import regularizers
from byrote.studies.paper_numbers import published
from byrote.studies.paper_settings import WEIGHT_DECAY

Condition: TypeAlias = tuple[str, float]
"""An augmentation and a weight decay."""

UNREGULARIZED: Condition = ("none", 0.0)

_PUBLISHED: dict[str, Condition] = {
    "weight decay": ("none", WEIGHT_DECAY),
    "random cropping": ("random-crop", 0.0),
    "augmentation (crop, flip, brightness, contrast...)": ("crop-flip-color", 0.0),
}


@cache
def published_rows() -> dict[tuple[str, Condition], float]:
    """The paper's train accuracy on random labels in percent, by model and condition; NaN: "failed to converge"."""
    return {
        (model, _PUBLISHED[regularizer]): math.nan if accuracy == "failed to converge" else float(accuracy)
        for model, regularizer, accuracy in published("table4").itertuples(index=False)
    }


def words(condition: Condition) -> str:
    """ "random crop", "weight decay 0.0005", "no regulariser"."""
    augmentation, weight_decay = condition
    return regularizers(augmentation, 0.0, weight_decay) or "no regulariser"


def runs_of(table: pd.DataFrame, model: str, condition: Condition) -> pd.DataFrame:
    """The rows of `table` of this model under this condition."""
    if table.empty:
        return table
    return table[(table["model"] == model) & (table["regularizer"] == words(condition))]
