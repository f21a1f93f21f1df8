"""Every model of the user's in a plan, tried on two examples before anything is trained."""

from __future__ import annotations

from collections.abc import Iterable
from functools import lru_cache

import numpy as np
import torch
from torch import Tensor

from byrote.data.dataset import Dataset
from byrote.models.probe import probe
from byrote.references import is_reference, source_digest
from byrote.training.key import network_input_shape
from byrote.training.spec import TrainSpec


def probe_models(specs: Iterable[TrainSpec], data: Dataset, device: str, num_classes: int | None = None) -> list[str]:
    """Sentences on the models of `specs`; of those in the box there is nothing to say.

    Args:
        num_classes: of the labels that are trained on, where they are not those of the data.

    Raises:
        UserError: a model that cannot be trained on `data`: see `byrote.models.probe`.
    """
    num_classes = num_classes or data.num_classes
    notes = [
        f"{model} {note}"
        for model, shape, dropout in dict.fromkeys(
            (spec.model, network_input_shape(spec, data), spec.dropout) for spec in specs if is_reference(spec.model)
        )
        for note in _probed(model, source_digest(model), shape, dropout, _Examples(data), num_classes, device)
    ]
    return list(dict.fromkeys(notes))


class _Examples:
    """Two examples, equal where they are of equal data: what has been tried is not tried again."""

    def __init__(self, data: Dataset) -> None:
        self._data = data

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Examples) and self._data.fingerprint == other._data.fingerprint

    def __hash__(self) -> int:
        return hash(self._data.fingerprint)

    def inputs(self, shape: tuple[int, ...]) -> Tensor:
        found = np.asarray(self._data.train.inputs[:2])
        if len(shape) == 3:
            return torch.from_numpy(found[:, :, : shape[1], : shape[2]].astype(np.float32) / self._data.pixel_max)
        return torch.from_numpy(found.astype(np.float32 if found.dtype.kind == "f" else np.int64))


@lru_cache(maxsize=256)
def _probed(
    model: str, _source: str, shape: tuple[int, ...], dropout: float, examples: _Examples, num_classes: int, device: str
) -> list[str]:
    inputs = examples.inputs(shape).to(device)
    return probe(model, inputs, num_classes=num_classes, dropout=dropout)
