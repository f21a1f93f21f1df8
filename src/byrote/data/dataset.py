"""The one form in which data travels: two splits of arrays, and what was done to them."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
from jaxtyping import Bool, Float64, Int64, Shaped


@dataclass(frozen=True, eq=False)
class Split:
    """N examples.

    `inputs` are images `[N, C, H, W]` (uint8, or float32 on the same scale) or vectors `[N, D]` (float32).
    `labels` are what a network is trained on; `true_labels` what the data said. On a test split they agree.
    """

    inputs: Shaped[np.ndarray, "N ..."]
    labels: Int64[np.ndarray, " N"]
    true_labels: Int64[np.ndarray, " N"]
    changed_inputs: Bool[np.ndarray, " N"]

    @classmethod
    def clean(cls, inputs: Shaped[np.ndarray, "N ..."], labels: Int64[np.ndarray, " N"]) -> Split:
        return cls(inputs, labels, labels, np.zeros(len(labels), dtype=bool))

    @property
    def changed_labels(self) -> Bool[np.ndarray, " N"]:
        return self.labels != self.true_labels

    @property
    def changed(self) -> Bool[np.ndarray, " N"]:
        """Which examples differ from the clean data, in their label or in their input."""
        return self.changed_labels | self.changed_inputs

    def take(self, rows: Int64[np.ndarray, " M"]) -> Split:
        return Split(self.inputs[rows], self.labels[rows], self.true_labels[rows], self.changed_inputs[rows])

    def __len__(self) -> int:
        return len(self.labels)


@dataclass(frozen=True, eq=False)
class Dataset:
    """A training and a test split over the same K classes."""

    name: str
    """How to load it again ("digits", "mnist:DIR"), or what the user called their arrays."""
    train: Split
    test: Split
    class_names: tuple[str, ...]
    pixel_max: float = 255.0
    """The value that preprocessing divides by: 255 for 8-bit images, 1 for anything already scaled."""
    title: str = ""
    """What figures call the data, where that says more than `name`: "CIFAR-10 (JPEG copy)"."""
    corruptions: tuple[str, ...] = field(default=())
    """What was done to it, in order, each as "name(rate=…, seed=…)"."""

    @property
    def num_classes(self) -> int:
        return len(self.class_names)

    @property
    def input_shape(self) -> tuple[int, ...]:
        """(C, H, W) for images, (D,) for vectors."""
        return self.train.inputs.shape[1:]

    @property
    def is_images(self) -> bool:
        return len(self.input_shape) == 3

    @property
    def label(self) -> str:
        return self.title or self.name

    @cached_property
    def fingerprint(self) -> str:
        """SHA-256 over dtype, shape and content of all arrays: part of the key of every run on this data."""
        digest = hashlib.sha256(f"{self.class_names}{self.pixel_max}".encode())
        for split in (self.train, self.test):
            for array in (split.inputs, split.labels, split.true_labels, split.changed_inputs):
                digest.update(f"{array.dtype.str}{array.shape}".encode())
                for start in range(0, len(array), 256):  # a memory map is not contiguous: its channels are innermost
                    digest.update(np.ascontiguousarray(array[start : start + 256]).data)
        return digest.hexdigest()


def moments(inputs: Shaped[np.ndarray, "N ..."]) -> tuple[Float64[np.ndarray, "*M"], Float64[np.ndarray, "*M"]]:
    """Mean and standard deviation per channel of images (`[C, 1, 1]`), per feature of vectors (`[D]`).

    In two passes over blocks: without a float64 copy of all inputs, and without cancellation.
    """
    axes = (0, 2, 3) if inputs.ndim == 4 else (0,)
    blocks = [inputs[start : start + 1024] for start in range(0, len(inputs), 1024)]
    count = inputs.size // inputs.shape[1]
    mean = sum(block.sum(axis=axes, dtype=np.float64, keepdims=True)[0] for block in blocks) / count
    variance = sum(((block - mean) ** 2).sum(axis=axes, keepdims=True)[0] for block in blocks) / count
    return mean, np.sqrt(variance)
