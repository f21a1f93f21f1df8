"""The regularisers of a model that a study switches on and off, and the models that it does so to."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, TypeAlias

from byrote.data.dataset import Dataset
from byrote.models.catalog import takes_dropout, without_batch_norm
from byrote.studies.paper_settings import QUICK_MODELS, WEIGHT_DECAY, Scale

Factors: TypeAlias = Mapping[str, Sequence[Any]]
"""Of each its two levels, (off, on); those of batch_norm are two models."""
MODELS_OF_SCALE: Mapping[Scale, Sequence[str]] = {
    "paper": ("mlp-3x512", "alexnet", "inception"),
    "laptop": ("mlp-1x512", "conv-small"),
    "quick": QUICK_MODELS,
}


def default_factors(model: str, data: Dataset) -> Factors:
    """Random cropping (of images), dropout 0.5 (where the model takes a rate), the paper's weight decay, and batch norm
    for models of the catalogue that come with a twin without it."""
    factors: dict[str, tuple[Any, Any]] = {}
    if data.is_images:
        factors["augmentation"] = ("none", "random-crop")
    if takes_dropout(model):
        factors["dropout"] = (0.0, 0.5)
    factors["weight_decay"] = (0.0, WEIGHT_DECAY)
    if twin := without_batch_norm(model):
        factors["batch_norm"] = (twin, model)
    return factors
