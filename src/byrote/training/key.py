"""The key of a run: equal for runs that must give the same result, different for all others."""

from __future__ import annotations

import hashlib
from functools import lru_cache

from byrote.data.augmentations import find_augmentation
from byrote.data.dataset import Dataset
from byrote.errors import UserError
from byrote.models.catalog import build_model
from byrote.references import is_reference, source_digest
from byrote.training.epochs import most_steps
from byrote.training.learning_rate_schedule import verify_schedule
from byrote.training.optimizers import FIELDS_OF_OPTIMIZERS, verify_optimizer
from byrote.training.recipe import Recipe

SEMANTICS = 4
"""Raised whenever a change of ours changes the numbers of a run: older results are then not taken for new ones."""


def verified_digest(recipe: Recipe, data: Dataset, *, model: str, num_trained: int) -> str:
    """SHA-256 over all fields of the recipe or spec, the data's arrays, the model's parameters, the user's source, and
    SEMANTICS.

    Args:
        recipe: resolved.
        num_trained: the examples that it is trained on.

    Raises:
        UserError: a model, optimiser, schedule, crop or augmentation that is not there or does not go with the data.
    """
    shape = network_input_shape(recipe, data)
    if data.kind == "tokens" and not is_reference(model):
        raise UserError(
            f"got model {model!r} for {data.name}, whose inputs are token ids: models in the box take quantities; "
            "give one of your own that begins with nn.Embedding, or load the data with kind='vectors'"
        )
    find_augmentation(recipe.augmentation, data.input_shape)
    verify_schedule(recipe, most_steps(recipe, num_trained))
    shapes = _parameter_shapes(model, shape, data.num_classes, recipe.dropout, _source_of(model))
    fields = {name: getattr(recipe, name) for name in FIELDS_OF_OPTIMIZERS}
    _verify_optimizer(Recipe(**fields), frozenset(len(s) for _, s in shapes), _source_of(recipe.optimizer))
    parts = [
        str(SEMANTICS),
        recipe.canonical_json(),
        data.fingerprint,
        ";".join(f"{name}{size}" for name, size in shapes),
        *(source_digest(name) for name in recipe.references if is_reference(name)),
    ]
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()


def network_input_shape(recipe: Recipe, data: Dataset) -> tuple[int, ...]:
    """(C, H, W) after the crop, or (D,)."""
    if recipe.crop is None:
        return data.input_shape
    if not data.is_images or min(data.input_shape[1:]) < recipe.crop:
        raise UserError(
            f"got a centre crop of {recipe.crop} for inputs of shape {data.input_shape}, "
            "expected images at least that large; leave the crop out"
        )
    return (data.input_shape[0], recipe.crop, recipe.crop)


def _source_of(name: str) -> str:
    """What a name leads to may change while a process lasts."""
    return source_digest(name) if is_reference(name) else ""


@lru_cache(maxsize=256)
def _verify_optimizer(recipe: Recipe, axes: frozenset[int], _source: str) -> None:
    verify_optimizer(recipe, axes)


@lru_cache(maxsize=256)
def _parameter_shapes(
    model: str, input_shape: tuple[int, ...], num_classes: int, dropout: float, _source: str
) -> tuple[tuple[str, tuple[int, ...]], ...]:
    network = build_model(model, input_shape=input_shape, num_classes=num_classes, dropout=dropout)
    return tuple((name, tuple(parameter.shape)) for name, parameter in network.named_parameters())
