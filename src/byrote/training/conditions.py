"""The data of a group on its device: each replica's labels, and each distinct version of the inputs once."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Int64, Shaped, UInt64
from torch import Tensor

from byrote.data.check import Check
from byrote.data.corruptions.application import apply_corruptions
from byrote.data.dataset import Dataset, Kind
from byrote.data.distinct_inputs import input_hashes, num_attainable
from byrote.data.memory import total_memory
from byrote.data.preprocessing import Inputs, blocks, concatenate, preprocess
from byrote.data.subsets import half_rows, held_out_rows, subset
from byrote.errors import UserError
from byrote.training.checks import data_checks, digest, held_out, unseen
from byrote.training.near_copies import with_ids_of_near_rows
from byrote.training.picked import EpochAugmentation, Picked
from byrote.training.planner import SHARE_OF_MEMORY
from byrote.training.spec import TrainSpec

_WANTS_WHOLE_NUMBERS = re.compile(r"(expected|must be).*\blong\b", re.IGNORECASE | re.DOTALL)
"""What torch says where quantities are looked up in an embedding."""


@dataclass(frozen=True, eq=False)
class SplitTensors:
    """One split of every replica: inputs of U distinct versions after one another, labels `[R, N]`."""

    inputs: Inputs
    rows: Int64[Tensor, "R N"]
    """Where the replica's examples are within `inputs`, on their home; a view of `[1, N]` where all have the same."""
    labels: Int64[Tensor, "R N"]
    true_labels: Int64[Tensor, "R N"]

    def picked(
        self, examples: Int64[Tensor, "R B"], dtype: torch.dtype, augmentation: EpochAugmentation | None = None
    ) -> Picked:
        """Each replica's own `examples`, which are on the home of the inputs."""
        rows = self.rows.gather(1, examples)
        return Picked(self.inputs, rows, dtype, augmentation, None if augmentation is None else examples)

    def gather(self, examples: Int64[Tensor, "R B"], dtype: torch.dtype) -> Shaped[Tensor, "R B ..."]:
        """The network inputs of each replica's own `examples`, which are on the home of the inputs."""
        return self.picked(examples, dtype).network_inputs()

    @property
    def num_examples(self) -> int:
        """N, of each replica."""
        return self.labels.shape[1]

    def keep(self, kept: Sequence[int]) -> SplitTensors:
        """That of the replicas at these positions."""
        if list(kept) == list(range(len(self.labels))):
            return self
        on_home, on_device = (torch.tensor(kept, device=tensor.device) for tensor in (self.rows, self.labels))
        rows = self.rows[: len(kept)] if self.rows.stride(0) == 0 else self.rows[on_home]
        return SplitTensors(self.inputs, rows, self.labels[on_device], self.true_labels[on_device])

    def at(self, examples: Int64[Tensor, "R M"]) -> SplitTensors:
        """Of each replica, M of its examples; `examples` are on the home of the inputs."""
        labels, true = (part.gather(1, examples.to(part.device)) for part in (self.labels, self.true_labels))
        return SplitTensors(self.inputs, self.rows.gather(1, examples), labels, true)


@dataclass(frozen=True, eq=False)
class Conditions:
    """What a group is trained and tested on."""

    train: SplitTensors
    validation: SplitTensors | None
    """Of the training split, what is held out: corrupted inputs, true labels, as of the test split."""
    left_out: SplitTensors | None
    """Of the training split, what is not in a run's half: as it would have been trained on."""
    test: SplitTensors
    most_correct: tuple[int, ...]
    """[R] how many training labels any function of the inputs can get right: all, but for identical inputs."""
    test_leaked: tuple[Int64[np.ndarray, " _"], ...]
    """[R] of the test split, the rows whose input, as the network sees it, is one that is trained on; of vectors, but
    for rounding."""
    checks: tuple[tuple[Check, ...], ...]


def make_conditions(specs: Sequence[TrainSpec], data: Dataset, *, device: str, channels_last: bool) -> Conditions:
    """Subsets, corrupts and preprocesses `data` for every spec of a group, and verifies the result.

    A validation share is taken from the corrupted training subset, so that the labels and inputs which remain are those
    of a run without one. Inputs on disk are neither copied nor read into memory at once, unless a subset or a
    corruption of inputs is asked for.
    """
    subsets: dict[int | None, Dataset] = {}
    versions: dict[tuple[object, ...], int] = {}
    pairs: list[tuple[Inputs, Inputs]] = []
    input_ids: list[tuple[np.ndarray, np.ndarray]] = []
    columns: dict[str, list[np.ndarray]] = {
        name: []
        for name in (
            "version",
            "train_rows",
            "train",
            "train_true",
            "held_out_rows",
            "held_out",
            "held_out_true",
            "test",
        )
    }
    most_correct, test_leaked, checks = [], [], []
    for spec in specs:
        subset_seed = None if spec.n_train is None else spec.data_seed
        if subset_seed not in subsets:
            subsets[subset_seed] = subset(data, spec.n_train, spec.data_seed)
        clean = subsets[subset_seed]
        corrupted = apply_corruptions(clean, spec.corruptions, spec.seed)
        of_inputs = tuple(c for c in spec.corruptions if c.method.changes == "inputs")
        version = (subset_seed, of_inputs, spec.seed if of_inputs else None)
        if version not in versions:
            versions[version] = len(pairs)
            pairs.append(preprocess(corrupted, spec.preprocessing, spec.crop))
            input_ids.append(_identities(*pairs[-1], corrupted.kind))
        labels, true = corrupted.train.labels, corrupted.train.true_labels
        trained, kept_out = _parted(spec, labels, true)
        train_ids, test_ids = input_ids[versions[version]]
        most_correct.append(num_attainable(train_ids[trained], labels[trained], data.num_classes))
        test_leaked.append(np.flatnonzero(np.isin(test_ids, train_ids[trained])))
        found = [
            *data_checks(spec, clean, corrupted),
            unseen(corrupted.test, test_leaked[-1], len(np.unique(test_ids))),
        ]
        if len(kept_out):
            num_equal = int(np.isin(train_ids[kept_out], train_ids[trained]).sum())
            found.append(held_out(trained, kept_out, len(labels), num_equal, spec.half))
        checks.append(tuple(found))
        for name, column in {
            "version": np.array(versions[version]),
            "train_rows": trained,
            "train": labels[trained],
            "train_true": true[trained],
            "held_out_rows": kept_out,
            "held_out": labels[kept_out] if spec.half is not None else true[kept_out],
            "held_out_true": true[kept_out],
            "test": corrupted.test.labels,
        }.items():
            columns[name].append(column)

    def on_device(index: int, *, whole: bool) -> Inputs:
        inputs = concatenate([pair[index] for pair in pairs])
        most_bytes = int(SHARE_OF_MEMORY * total_memory(device))
        return inputs.to(device, channels_last=channels_last, whole=whole, most_bytes=most_bytes)

    def split(inputs: Inputs, num_each: int, rows: Sequence[np.ndarray], labels: str, true: str) -> SplitTensors:
        first = np.stack(columns["version"]) * num_each
        own = [torch.from_numpy(np.stack(columns[name])).to(device) for name in (labels, true)]
        return SplitTensors(inputs, _stacked_rows(first, rows).to(inputs.home), *own)

    train_inputs = on_device(0, whole=specs[0].augmentation != "none")
    test_inputs = on_device(1, whole=False)
    num_train, num_test = (len(inputs) // len(pairs) for inputs in (train_inputs, test_inputs))
    every_test = [np.arange(num_test)] * len(specs)
    kept_out_rows = columns["held_out_rows"]
    others = (
        split(train_inputs, num_train, kept_out_rows, "held_out", "held_out_true") if kept_out_rows[0].size else None
    )
    is_half = specs[0].half is not None
    return Conditions(
        split(train_inputs, num_train, columns["train_rows"], "train", "train_true"),
        None if is_half else others,
        others if is_half else None,
        split(test_inputs, num_test, every_test, "test", "test"),
        tuple(most_correct),
        tuple(test_leaked),
        tuple(checks),
    )


def _parted(
    spec: TrainSpec, labels: Int64[np.ndarray, " N"], true: Int64[np.ndarray, " N"]
) -> tuple[Int64[np.ndarray, " M"], Int64[np.ndarray, " V"]]:
    """The rows that are trained on, and those that are not."""
    if spec.half is not None:
        return half_rows(labels, spec.half, spec.data_seed)
    return _replaced(spec, *held_out_rows(true, spec.validation, spec.data_seed))


def _replaced(
    spec: TrainSpec, trained: Int64[np.ndarray, " N"], kept_out: Int64[np.ndarray, " V"]
) -> tuple[Int64[np.ndarray, " N"], Int64[np.ndarray, " V"]]:
    """The rows after number `spec.replaced` has changed places with the held-out one of that number, counted round."""
    if spec.replaced is None:
        return trained, kept_out
    if spec.replaced >= len(trained):
        raise UserError(f"got replaced={spec.replaced} for {len(trained)} training examples: the first is 0")
    trained, kept_out, other = trained.copy(), kept_out.copy(), spec.replaced % len(kept_out)
    trained[spec.replaced], kept_out[other] = kept_out[other], trained[spec.replaced]
    return trained, kept_out


def token_hint(data: Dataset, error: Exception) -> str:
    """What to do, where a model that takes whole numbers was given quantities."""
    if data.kind not in ("vectors", "dict") or not _WANTS_WHOLE_NUMBERS.search(str(error)):
        return ""
    if data.kind == "dict":
        return "; an input of token ids has to come as whole numbers of more than 8 bits, or by kind={NAME: 'tokens'}"
    return (
        "; if the inputs are token ids, load them with kind='tokens' (`--kind tokens`), which keeps them whole numbers"
    )


def labels_digest(split: SplitTensors, replica: int) -> str:
    """Of the labels that this replica is trained on: equal as long as nothing changes them."""
    return digest(split.labels[replica].cpu().numpy())


def _stacked_rows(first: Int64[np.ndarray, " R"], rows: Sequence[Int64[np.ndarray, " N"]]) -> Int64[Tensor, "R N"]:
    """`first` + `rows` of each replica; stored once where they are the same for all."""
    if (first == first[0]).all() and all(np.array_equal(own, rows[0]) for own in rows):
        return torch.from_numpy(first[0] + rows[0]).expand(len(rows), -1)
    return torch.from_numpy(first[:, None] + np.stack(rows))


def _identities(train: Inputs, test: Inputs, kind: Kind) -> tuple[Int64[np.ndarray, " N"], Int64[np.ndarray, " T"]]:
    """A number for each example, equal for inputs that a network cannot tell apart, within and between the splits; of
    vectors also for those of the two splits that differ by rounding alone."""
    numbers = np.unique(np.concatenate([_hashes(train), _hashes(test)]), return_inverse=True)[1]
    of_train, of_test = numbers[: len(train)], numbers[len(train) :]
    if kind == "vectors":
        of_test = with_ids_of_near_rows(train, test, of_train, of_test)
    return of_train, of_test


def _hashes(inputs: Inputs) -> UInt64[np.ndarray, " N"]:
    hashes = np.empty(len(inputs), dtype=np.uint64)
    for part in blocks(inputs.pixels):
        hashes[part] = input_hashes(inputs.gather(torch.arange(part.start, part.stop), torch.float32).numpy())
    return hashes
