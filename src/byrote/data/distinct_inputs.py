"""Identical inputs as one: what no function can tell apart, and a kernel matrix must not hold twice.

Of m equal inputs with targets y_1, ..., y_m the squared loss sees their mean alone: it is m (f - mean)^2 and a
constant. So the least-squares solution of minimum norm on all inputs is the interpolant of the means on the distinct
ones, whose kernel matrix is regular where the kernel is strictly positive definite.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float32, Int64, Shaped, UInt64


@dataclass(frozen=True, eq=False)
class DistinctInputs:
    """P distinct ones among N."""

    rows: Int64[np.ndarray, " P"]
    """Where each occurs first, ascending."""
    places: Int64[np.ndarray, " N"]
    """Of every input, which of the P it is."""
    counts: Int64[np.ndarray, " P"]

    @classmethod
    def of(cls, inputs: Shaped[np.ndarray, "N ..."]) -> DistinctInputs:
        """Inputs are equal where all their values are; 0.0 and -0.0 too."""
        _, first, inverse, counts = np.unique(
            input_hashes(inputs), return_index=True, return_inverse=True, return_counts=True
        )
        order = np.argsort(first)
        place = np.empty_like(order)
        place[order] = np.arange(len(order))
        return cls(first[order], place[inverse], counts[order])

    def mean_targets(self, labels: Int64[np.ndarray, " N"], num_classes: int) -> Float32[np.ndarray, "P K"]:
        """The means of the one-hot targets of each distinct input."""
        votes = np.bincount(self.places * num_classes + labels, minlength=len(self.rows) * num_classes)
        return (votes.reshape(-1, num_classes) / self.counts[:, None]).astype(np.float32)


def input_hashes(inputs: Shaped[np.ndarray, "N ..."]) -> UInt64[np.ndarray, " N"]:
    """The same for equal inputs; of two that differ, once in 2^64."""
    vectors = inputs.reshape(len(inputs), -1)
    if vectors.dtype.kind == "f":
        vectors = vectors + 0.0  # -0.0 and 0.0 are equal, and not the same bytes
    rows = np.ascontiguousarray(vectors)
    digests = b"".join(hashlib.blake2b(row, digest_size=8).digest() for row in rows)
    return np.frombuffer(digests, dtype=np.uint64)


def num_attainable(places: Int64[np.ndarray, " N"], labels: Int64[np.ndarray, " N"], num_classes: int) -> int:
    """How many of the labels a function of the inputs can get right; those with equal `places` are identical."""
    pairs, counts = np.unique(places * num_classes + labels, return_counts=True)
    best = np.zeros(places.max() + 1, dtype=np.int64)
    np.maximum.at(best, pairs // num_classes, counts)
    return int(best.sum())
