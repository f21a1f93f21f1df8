"""The user's own models and corruptions in a plan, tried before anything is trained: models on two examples."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from functools import lru_cache, partial

import numpy as np
import torch
from torch import Tensor

from byrote.data.corruptions.application import apply_corruptions
from byrote.data.corruptions.contract import InputCorruption
from byrote.data.dataset import Dataset
from byrote.data.subsets import subset
from byrote.errors import UserError
from byrote.input_parts import as_networks_get_it
from byrote.isolation import undisturbed
from byrote.models.catalog import build_model
from byrote.models.number_types import input_type
from byrote.models.probe import probe
from byrote.references import digest_in, is_reference, short_name, source_digest
from byrote.training.conditions import token_hint
from byrote.training.key import network_input_shape
from byrote.training.precision import make_numerics, weights_dtype
from byrote.training.spec import TrainSpec
from byrote.training.trial import verify

_SOME = 256


def probe_models(specs: Iterable[TrainSpec], data: Dataset, device: str) -> list[str]:
    """Sentences on the models of `specs`; of those in the box there is nothing to say.

    Raises:
        UserError: a model that cannot be trained on `data`: see `byrote.models.probe`.
    """
    examples = _Examples(data)
    notes = [
        f"{short_name(model) if digest_in(model) else model} {note}"
        for model, shape, dropout, precision in dict.fromkeys(
            (spec.model, network_input_shape(spec, data), spec.dropout, spec.precision)
            for spec in specs
            if is_reference(spec.model)
        )
        for note in _probed(model, source_digest(model), shape, dropout, precision, examples, data.num_classes, device)
    ]
    return list(dict.fromkeys(notes))


def probe_corruptions(specs: Iterable[TrainSpec], data: Dataset) -> None:
    """Draws every corruption of the user's own once, as for a run that has it: if it fails in the run, all that are
    trained beside that run fail. Labels are drawn of all examples that are trained on, inputs of some.

    Raises:
        UserError: what is amiss.
    """
    own = {
        (corruption, spec.n_train): spec
        for spec in specs
        for corruption in spec.corruptions
        if is_reference(corruption.name)
    }
    for (corruption, n_train), spec in own.items():
        some, num = data, n_train
        if isinstance(corruption.method, InputCorruption):
            num = min(_SOME, n_train or len(data.train))
            some = replace(data, test=data.test.take(np.arange(min(_SOME, len(data.test)))))
        apply_corruptions(subset(some, num, spec.data_seed), (corruption,), spec.seed)


def refuse_without_batch_norm(specs: Iterable[TrainSpec], data: Dataset) -> None:
    """Raises UserError where constants of batch norm are asked for and no model that is to be trained with them has it:
    they would be heeded nowhere."""
    for field in ("batch_norm_momentum", "batch_norm_epsilon"):
        asked = {spec.model: spec for spec in specs if getattr(spec, field) is not None}
        if asked and not any(_has_batch_norm(spec, data) for spec in asked.values()):
            value = getattr(next(iter(asked.values())), field)
            raise UserError(f"got {field}={value:g}, but no batch norm in {', '.join(asked)}: leave it out")


def _has_batch_norm(spec: TrainSpec, data: Dataset) -> bool:
    shape = network_input_shape(spec, data)
    network = build_model(spec.model, input_shape=shape, num_classes=data.num_classes, dropout=spec.dropout)
    return any(isinstance(module, torch.nn.modules.batchnorm._BatchNorm) for module in network.modules())


def refuse_batches_of_one(specs: Iterable[TrainSpec], data: Dataset, device: str) -> None:
    """Raises UserError for a model that cannot be trained on one example at a time, as batch norm cannot, where the
    batch size or the number of training examples asks for that."""
    tried = {
        (spec.model, network_input_shape(spec, data), spec.dropout, spec.batch_size == 1): spec
        for spec in specs
        if spec.batch_size == 1 or spec.num_trained(data) == 1
    }
    for (model, shape, dropout, _), spec in tried.items():
        network = build_model(model, input_shape=shape, num_classes=data.num_classes, dropout=dropout).to(device)
        inputs = _Examples(data).inputs(shape)[:1].to(device)
        if inputs.is_floating_point():
            inputs = inputs.to(input_type(network, weights_dtype(spec.precision)))
        with undisturbed(0), torch.enable_grad():
            verify(network, inputs, spec=spec, data=data, smallest_batch=1)


class _Examples:
    """Two examples, equal where they are of equal data: what has been tried is not tried again."""

    def __init__(self, data: Dataset) -> None:
        self.data = data

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Examples) and self.data.fingerprint == other.data.fingerprint

    def __hash__(self) -> int:
        return hash(self.data.fingerprint)

    def inputs(self, shape: tuple[int, ...]) -> Tensor:
        found = as_networks_get_it(np.asarray(self.data.train.inputs[:2]), self.data.parts)
        if len(shape) == 3:
            return torch.from_numpy(found[:, :, : shape[1], : shape[2]].astype(np.float32) / self.data.pixel_max)
        return torch.from_numpy(found.astype(np.float32 if found.dtype.kind == "f" else np.int64))


@lru_cache(maxsize=256)
def _probed(
    model: str,
    _source: str,
    shape: tuple[int, ...],
    dropout: float,
    precision: str,
    examples: _Examples,
    num_classes: int,
    device: str,
) -> list[str]:
    inputs = examples.inputs(shape).to(device)
    trial = partial(probe, model, inputs, input_shape=shape, num_classes=num_classes, dropout=dropout)
    try:
        notes = trial()
    except UserError as error:
        if hint := token_hint(examples.data, error):
            raise UserError(f"{error}{hint}") from error.__cause__
        raise
    if precision == "bfloat16":
        try:
            with make_numerics(precision, device)():
                trial()
        except UserError as error:
            raise UserError(
                f"{error}; that is in bfloat16, the default precision on hardware that multiplies it: train in "
                "float32, in which the model computes (`--precision float32`)"
            ) from error.__cause__
    return notes
