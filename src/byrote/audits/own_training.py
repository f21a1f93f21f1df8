"""The user's own training function as a subject: `train_fn(model, train_dataset) -> predict`."""

from __future__ import annotations

import copy
import hashlib
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pandas as pd
import torch
from scipy.special import softmax
from torch.utils.data import Dataset, TensorDataset

from byrote.audits.material import Material, Rows
from byrote.audits.metric import Prediction
from byrote.audits.subject import Predictor, Subject, SubjectFailed, classes_said, finite
from byrote.errors import UserError
from byrote.input_parts import PackedShape, as_networks_get_it
from byrote.isolation import undisturbed
from byrote.models.catalog import build_model
from byrote.models.unpacking import unpacked
from byrote.randomness import stream_seed
from byrote.references import is_reference, load_object, name_of, short_name, source_digest

_BATCH = 1024


class TrainingFunctionSubject(Subject):
    """Calls `train_fn(model, train_dataset)` for each fit; `predict(inputs)`, which it gives, is asked about batches.

    `train_dataset` is a torch data set of pairs (input, label): images as float32 `[C, H, W]` between 0 and 1, vectors
    as float32, token ids as int64; several inputs as a dict of these, each in the shape that it came in; classes as
    int64, quantities as float32. `predict` is given a tensor of such inputs `[B, ...]`, or a dict of tensors, and gives
    scores or probabilities `[B, K]`, or classes `[B]`; of quantities, `[B]` or `[B, 1]` numbers. All global random
    streams are opened with the seed.
    """

    def __init__(self, train_fn: Any, model: Any, material: Material) -> None:
        reference = name_of(train_fn)
        self._train_fn: Callable[..., Any] = load_object(train_fn) if isinstance(train_fn, str) else train_fn
        self._model = model
        self._material = material
        self.name = short_name(name_of(model)) if model is not None else short_name(reference)
        named = [each for each in (reference, None if model is None else name_of(model)) if each]
        sources = [source_digest(each) if is_reference(each) else each for each in named]
        self.identity = hashlib.sha256("\n".join([*named, *sources]).encode()).hexdigest()
        self.in_words = f"It is trained by {short_name(reference)}, a function of the user's."
        self._made(0)  # what cannot be made is refused before anything is fitted

    def fit(self, train: Rows, seed: int) -> Predictor:
        own = stream_seed(seed, "audit", "training function")
        labels = self._targets(train)
        several = bool(self._material.parts)
        given = _Named(self._tensors(train), labels) if several else TensorDataset(self._tensor(train), labels)
        with undisturbed(own):
            try:
                model = self._made(seed)
                predict = self._train_fn(model, given)
            except UserError:
                raise
            except Exception as error:
                raise SubjectFailed.of(self.name, error) from error
        if not callable(predict):
            raise UserError(
                f"got {type(predict).__name__} from the training function of {self.name}, expected a function "
                f"predict(inputs) -> {self._answers}: return one"
            )
        return lambda rows: self._predicted(predict, rows)

    def _made(self, seed: int) -> Any:
        model, material = self._model, self._material
        if isinstance(model, str) or (isinstance(model, type) and issubclass(model, torch.nn.Module)):
            if material.parts:
                shape: tuple[int, ...] = PackedShape(material.parts)
            else:
                shape = tuple(self._tensor(material.train.take(np.arange(1))).shape[1:])
            classes = material.num_classes or 1  # one output of quantities
            return build_model(name_of(model), input_shape=shape, num_classes=classes, seed=seed)
        return copy.deepcopy(model)

    @property
    def _answers(self) -> str:
        return "numbers [B]" if self._material.of_quantities else "scores [B, K] or classes [B]"

    def _targets(self, rows: Rows) -> torch.Tensor:
        labels = torch.from_numpy(rows.labels)
        return labels.float() if self._material.of_quantities else labels

    def _tensor(self, rows: Rows) -> torch.Tensor:
        inputs = self._material.network_inputs(rows)
        if self._material.kind == "tokens":
            return torch.from_numpy(np.array(inputs))
        scale = self._material.pixel_max if self._material.kind == "images" else 1.0
        return torch.from_numpy(np.array(inputs, dtype=np.float32)) / scale

    def _tensors(self, rows: Rows) -> dict[str, torch.Tensor]:
        """Several inputs by name."""
        parts = self._material.parts
        packed = as_networks_get_it(np.asarray(self._material.network_inputs(rows)), parts)
        return unpacked(torch.from_numpy(np.array(packed)), parts)

    def _batches(self, rows: Rows) -> Iterator[Any]:
        if not self._material.parts:
            yield from self._tensor(rows).split(_BATCH)
            return
        tensors = self._tensors(rows)
        for start in range(0, len(rows), _BATCH):
            yield {name: tensor[start : start + _BATCH] for name, tensor in tensors.items()}

    def _predicted(self, predict: Callable[[Any], Any], rows: Rows) -> Prediction:
        num_classes = self._material.num_classes
        try:
            with torch.no_grad():
                parts = [_array(predict(part)) for part in self._batches(rows)]
        except Exception as error:
            raise SubjectFailed.of(self.name, error) from error
        found = np.concatenate(parts) if parts else np.zeros((0, num_classes))
        if self._material.of_quantities:
            if found.size != len(rows) or found.shape[0] != len(rows):
                raise UserError(
                    f"got an array of shape {found.shape} from predict of {self.name}, expected ({len(rows)},) numbers"
                )
            return finite(self.name, Prediction(found.reshape(-1).astype(np.float64)))
        if found.shape == (len(rows),):
            return Prediction(classes_said(self.name, found, num_classes))
        if found.shape != (len(rows), num_classes):
            raise UserError(
                f"got an array of shape {found.shape} from predict of {self.name}, expected ({len(rows)}, "
                f"{num_classes}) scores or ({len(rows)},) classes"
            )
        is_law = bool((found >= 0).all() and np.allclose(found.sum(axis=1), 1, atol=1e-3))
        scores = found.astype(np.float64)
        chances = scores if is_law else softmax(scores, axis=1)
        return finite(self.name, Prediction(scores.argmax(axis=1), chances))


class _Named(Dataset[tuple[dict[str, torch.Tensor], torch.Tensor]]):
    """Examples with several inputs: ({name: input}, label)."""

    def __init__(self, inputs: dict[str, torch.Tensor], labels: torch.Tensor) -> None:
        self.inputs, self.labels = inputs, labels

    def __len__(self) -> int:
        return len(self.labels)

    def __getitem__(self, row: int) -> tuple[dict[str, torch.Tensor], torch.Tensor]:
        return {name: values[row] for name, values in self.inputs.items()}, self.labels[row]


def _array(found: Any) -> np.ndarray:
    if isinstance(found, torch.Tensor):
        return found.detach().cpu().numpy()
    return found.to_numpy() if isinstance(found, pd.DataFrame) else np.asarray(found)
