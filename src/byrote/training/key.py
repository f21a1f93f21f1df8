"""The key of a run: equal for runs that must give the same result, different for all others."""

from __future__ import annotations

import hashlib
from functools import lru_cache

from byrote.data.augmentations import find_augmentation
from byrote.data.corruptions.application import refuse_impossible
from byrote.data.dataset import Dataset
from byrote.data.subsets import num_held_out
from byrote.errors import UserError
from byrote.models.catalog import build_model
from byrote.references import is_reference, source_digest
from byrote.training.epochs import most_steps
from byrote.training.learning_rate_schedule import verify_schedule
from byrote.training.optimizers import FIELDS_OF_OPTIMIZERS, verify_optimizer
from byrote.training.spec import TrainSpec

SEMANTICS = 4
"""Raised whenever a change of ours changes the numbers of a run: older results are then not taken for new ones."""


def run_key(spec: TrainSpec, data: Dataset) -> str:
    """SHA-256 over the spec, the data's arrays, the model's parameters, the user's source, and SEMANTICS.

    Raises:
        UserError: a model, optimiser, schedule, crop, corruption, augmentation or validation share that is not there or
            does not go with the data.
    """
    spec = spec.resolved(data)
    shape = network_input_shape(spec, data)
    refuse_impossible(spec.corruptions, data)
    if data.kind == "tokens" and not is_reference(spec.model):
        raise UserError(
            f"got model {spec.model!r} for {data.name}, whose inputs are token ids: models in the box take quantities; "
            "give one of your own that begins with nn.Embedding, or load the data with kind='vectors'"
        )
    find_augmentation(spec.augmentation, data.input_shape)
    verify_schedule(spec, most_steps(spec, num_trained(spec, data)))
    shapes = _parameter_shapes(spec.model, shape, data.num_classes, spec.dropout, _source_of(spec.model))
    fields = {name: getattr(spec, name) for name in FIELDS_OF_OPTIMIZERS}
    _verify_optimizer(TrainSpec(model="", **fields), frozenset(len(s) for _, s in shapes), _source_of(spec.optimizer))
    parts = [
        str(SEMANTICS),
        spec.canonical_json(),
        data.fingerprint,
        ";".join(f"{name}{size}" for name, size in shapes),
        *(source_digest(name) for name in spec.references if is_reference(name)),
    ]
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()


def num_trained(spec: TrainSpec, data: Dataset) -> int:
    """How many examples a run is trained on: without those held out for validation."""
    num_examples = len(data.train) if spec.n_train is None else spec.n_train
    return num_examples - num_held_out(num_examples, spec.validation)


def network_input_shape(spec: TrainSpec, data: Dataset) -> tuple[int, ...]:
    """(C, H, W) after the crop, or (D,)."""
    if spec.crop is None:
        return data.input_shape
    if not data.is_images or min(data.input_shape[1:]) < spec.crop:
        raise UserError(
            f"got a centre crop of {spec.crop} for inputs of shape {data.input_shape}, "
            "expected images at least that large; leave the crop out"
        )
    return (data.input_shape[0], spec.crop, spec.crop)


def _source_of(name: str) -> str:
    """What a name leads to may change while a process lasts."""
    return source_digest(name) if is_reference(name) else ""


@lru_cache(maxsize=256)
def _verify_optimizer(spec: TrainSpec, axes: frozenset[int], _source: str) -> None:
    verify_optimizer(spec, axes)


@lru_cache(maxsize=256)
def _parameter_shapes(
    model: str, input_shape: tuple[int, ...], num_classes: int, dropout: float, _source: str
) -> tuple[tuple[str, tuple[int, ...]], ...]:
    network = build_model(model, input_shape=input_shape, num_classes=num_classes, dropout=dropout)
    return tuple((name, tuple(parameter.shape)) for name, parameter in network.named_parameters())
