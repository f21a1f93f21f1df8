"""What a construction memorises: distinct training inputs, with random labels."""

from __future__ import annotations

import hashlib

import numpy as np
from jaxtyping import Bool, Shaped

from byrote.data.corruptions import corrupt
from byrote.data.dataset import Dataset, Split
from byrote.data.subsets import subset


def randomly_labelled(data: Dataset, n_train: int, *, seed: int, data_seed: int) -> Split:
    """A stratified training subset of `n_train` with random labels, without inputs that repeat one before.

    A repeated input with another label is what no function represents; such inputs are few, and fewer points remain.
    """
    labelled = corrupt(subset(data, n_train, data_seed), "random-labels", seed=seed).train
    return labelled.take(np.flatnonzero(is_first(labelled.inputs)))


def is_first(inputs: Shaped[np.ndarray, "N ..."]) -> Bool[np.ndarray, " N"]:
    """Whether each input is equal to none before it."""
    rows = (np.ascontiguousarray(row).view(np.uint8) for row in inputs.reshape(len(inputs), -1))
    digests = b"".join(hashlib.blake2b(row.data, digest_size=16).digest() for row in rows)
    first = np.zeros(len(inputs), dtype=bool)
    first[np.unique(np.frombuffer(digests, dtype="V16"), return_index=True)[1]] = True
    return first
