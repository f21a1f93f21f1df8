"""The data of a group on its device: each replica's labels, and each distinct version of the inputs once."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float, Int64
from torch import Tensor

from byrote.data.corruptions import apply_corruptions
from byrote.data.dataset import Dataset
from byrote.data.preprocessing import Inputs, concatenate, preprocess
from byrote.data.subsets import subset
from byrote.training.checks import data_checks, digest
from byrote.training.outcome import Check
from byrote.training.spec import INPUT_CORRUPTIONS, TrainSpec

_BLOCK = 4096


@dataclass(frozen=True, eq=False)
class SplitTensors:
    """One split of every replica: inputs of U distinct versions after one another, labels `[R, N]`."""

    inputs: Inputs
    first_row: Int64[Tensor, " R"]
    """Where the replica's version starts within `inputs`."""
    labels: Int64[Tensor, "R N"]
    true_labels: Int64[Tensor, "R N"]

    def gather(self, examples: Int64[Tensor, "R B"], dtype: torch.dtype) -> Float[Tensor, "R B ..."]:
        if examples.stride(0) == 0 and len(self.inputs) == self.num_examples:
            # The same examples of the same inputs for all replicas: gathered once.
            batch = self.inputs.gather(examples[0], dtype)
            return batch.expand(len(examples), *batch.shape)
        rows = (examples + self.first_row[:, None]).flatten()
        return self.inputs.gather(rows, dtype).unflatten(0, examples.shape)

    @property
    def num_examples(self) -> int:
        return self.labels.shape[1]

    def keep(self, kept: Sequence[int]) -> SplitTensors:
        rows = torch.tensor(kept, device=self.labels.device)
        return SplitTensors(self.inputs, self.first_row[rows], self.labels[rows], self.true_labels[rows])


@dataclass(frozen=True, eq=False)
class Conditions:
    """What a group is trained and tested on."""

    train: SplitTensors
    test: SplitTensors
    most_correct: tuple[int, ...]
    """[R] how many training labels any function of the inputs can get right: all, but for identical inputs."""
    checks: tuple[tuple[Check, ...], ...]


def make_conditions(specs: Sequence[TrainSpec], data: Dataset, *, device: str, channels_last: bool) -> Conditions:
    """Subsets, corrupts and preprocesses `data` for every spec of a group, and verifies the result."""
    versions: dict[tuple[object, ...], int] = {}
    inputs: list[tuple[Inputs, Inputs]] = []
    input_ids: list[np.ndarray] = []
    labels: dict[str, list[np.ndarray]] = {"train": [], "train_true": [], "test": []}
    version_of, most_correct, checks = [], [], []
    for spec in specs:
        clean = subset(data, spec.n_train, spec.data_seed)
        corrupted = apply_corruptions(clean, spec.corruptions, spec.seed)
        of_inputs = tuple(c for c in spec.corruptions if c.name in INPUT_CORRUPTIONS)
        version = (spec.data_seed, of_inputs, spec.seed if of_inputs else None)
        if version not in versions:
            versions[version] = len(inputs)
            pair = preprocess(corrupted, spec.preprocessing, spec.crop)
            inputs.append(pair)
            input_ids.append(_identities(pair[0]))
        version_of.append(versions[version])
        labels["train"].append(corrupted.train.labels)
        labels["train_true"].append(corrupted.train.true_labels)
        labels["test"].append(corrupted.test.labels)
        most_correct.append(_most_correct(input_ids[version_of[-1]], corrupted.train.labels, data.num_classes))
        checks.append(tuple(data_checks(spec, clean, corrupted)))

    def tensor(arrays: list[np.ndarray]) -> Tensor:
        return torch.from_numpy(np.stack(arrays)).to(device)

    def split(index: int, own: str, true: str) -> SplitTensors:
        whole = concatenate([pair[index] for pair in inputs])
        first = torch.tensor(version_of, device=device) * len(inputs[0][index])
        return SplitTensors(
            whole.to(device, channels_last=channels_last), first, tensor(labels[own]), tensor(labels[true])
        )

    return Conditions(split(0, "train", "train_true"), split(1, "test", "test"), tuple(most_correct), tuple(checks))


def labels_digest(split: SplitTensors, replica: int) -> str:
    return digest(split.labels[replica].cpu().numpy())


def _identities(inputs: Inputs) -> np.ndarray:
    """[N] a number for each example, equal for inputs that a network cannot tell apart."""
    hashes = []
    for start in range(0, len(inputs), _BLOCK):
        rows = torch.arange(start, min(start + _BLOCK, len(inputs)))
        # + 0.0 makes -0.0 and 0.0 the same bytes.
        block = (inputs.gather(rows, torch.float32) + 0.0).flatten(1).numpy()
        hashes += [hashlib.blake2b(row, digest_size=8).digest() for row in block]
    return np.unique(np.frombuffer(b"".join(hashes), dtype=np.uint64), return_inverse=True)[1]


def _most_correct(identities: np.ndarray, labels: np.ndarray, num_classes: int) -> int:
    pairs, counts = np.unique(identities * num_classes + labels, return_counts=True)
    best = np.zeros(identities.max() + 1, dtype=np.int64)
    np.maximum.at(best, pairs // num_classes, counts)
    return int(best.sum())
