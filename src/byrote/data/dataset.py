"""The one form in which data travels: two splits of arrays, and what was done to them."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Literal, TypeAlias

import numpy as np
from jaxtyping import Bool, Float64, Int64, Shaped, UInt64

from byrote.data.distinct_inputs import input_hashes
from byrote.errors import UserError
from byrote.input_parts import PackedShape, Part, PartKind, first_images

Kind: TypeAlias = PartKind | Literal["dict"]
"""What an input is: pixels, numeric features, a sequence of whole numbers that stand for something, or several inputs
by their names."""


@dataclass(frozen=True, eq=False)
class Split:
    """N examples.

    `inputs` are images `[N, C, H, W]` (uint8, or float32 on the same scale), vectors `[N, D]` (float32), token ids
    `[N, T]` (int64), or several of them packed into rows `[N, W]` (float32, or int64 where all are token ids). `labels`
    are what a network is trained on; `true_labels` what the data said. On a test split they agree.

    >>> import byrote
    >>> train = byrote.load("digits").train
    >>> train.inputs.shape, train.labels[:4].tolist(), int(train.changed.sum())
    ((1437, 1, 8, 8), [0, 1, 2, 4], 0)
    """

    inputs: Shaped[np.ndarray, "N ..."]
    labels: Int64[np.ndarray, " N"]
    true_labels: Int64[np.ndarray, " N"]
    changed_inputs: Bool[np.ndarray, " N"]
    sources: Shaped[np.ndarray, " N"] = None  # type: ignore[assignment]  # by default 0 to N - 1
    """Where each example came from: its row in what was read (int64), or the path of its file (str). They stay with the
    examples in every selection, and are no part of the fingerprint."""
    origin: str = "row {}"
    """A source in words, with {} where it stands: "row {} of x_train", "{}" for paths. Rows count from 0 unless the
    words say otherwise."""

    def __post_init__(self) -> None:
        if self.sources is None:
            object.__setattr__(self, "sources", np.arange(len(self.labels)))

    @classmethod
    def clean(
        cls,
        inputs: Shaped[np.ndarray, "N ..."],
        labels: Int64[np.ndarray, " N"],
        sources: Shaped[np.ndarray, " N"] | None = None,
        origin: str = "row {}",
    ) -> Split:
        """A split of which nothing has been changed."""
        sources = np.arange(len(labels)) if sources is None else sources
        return cls(inputs, labels, labels, np.zeros(len(labels), dtype=bool), sources, origin)

    @property
    def changed_labels(self) -> Bool[np.ndarray, " N"]:
        """Which labels are not the true ones."""
        return self.labels != self.true_labels

    @property
    def changed(self) -> Bool[np.ndarray, " N"]:
        """Which examples differ from the clean data, in their label or in their input."""
        return self.changed_labels | self.changed_inputs

    @cached_property
    def input_hashes(self) -> UInt64[np.ndarray, " N"]:
        """Equal where inputs are."""
        parts = [input_hashes(self.inputs[start : start + 256]) for start in range(0, len(self), 256)]
        return np.concatenate(parts) if parts else np.empty(0, dtype=np.uint64)

    def take(self, rows: Int64[np.ndarray, " M"]) -> Split:
        """The examples of these rows."""
        return Split(
            self.inputs[rows],
            self.labels[rows],
            self.true_labels[rows],
            self.changed_inputs[rows],
            self.sources[rows],
            self.origin,
        )

    def place(self, row: int) -> str:
        """Where the example in `row` came from, in words: "row 17 of x_train", "train/cat/3.png"."""
        return self.origin.replace("{}", str(self.sources[row]), 1)

    def __len__(self) -> int:
        return len(self.labels)

    def __repr__(self) -> str:
        changed = f", {int(self.changed.sum()):,} changed" if self.changed.any() else ""
        return f"<Split: {len(self):,} inputs of shape {self.inputs.shape[1:]}, {self.inputs.dtype}{changed}>"


@dataclass(frozen=True, eq=False)
class Dataset:
    """A training and a test split over the same K classes.

    >>> import byrote
    >>> data = byrote.load("digits")
    >>> len(data.train), len(data.test), data.input_shape, data.num_classes
    (1437, 360, (1, 8, 8), 10)
    """

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
    parts: tuple[Part, ...] = ()
    """Of several inputs, how they lie in rows: the network gets them by their names."""

    def __repr__(self) -> str:
        done = f", {', '.join(self.corruptions)}" if self.corruptions else ""
        return (
            f"<Dataset {self.label}: {len(self.train):,} training and {len(self.test):,} test examples of shape "
            f"{self.input_shape}, classes: {self.num_classes}{done}>"
        )

    @property
    def num_classes(self) -> int:
        """How many classes there are."""
        return len(self.class_names)

    @property
    def input_shape(self) -> tuple[int, ...]:
        """(C, H, W) for images, (D,) for vectors, (T,) for tokens; of several inputs a `PackedShape`."""
        return PackedShape(self.parts) if self.parts else self.train.inputs.shape[1:]

    @property
    def kind(self) -> Kind:
        """Follows from the arrays: vectors are floats, tokens whole numbers."""
        if self.parts:
            return "dict"
        if len(self.input_shape) == 3:
            return "images"
        return "tokens" if self.train.inputs.dtype.kind in "iu" else "vectors"

    @property
    def is_images(self) -> bool:
        """Whether inputs are images."""
        return self.kind == "images"

    @property
    def has_images(self) -> bool:
        """Whether there are images to show: of several inputs, one at least."""
        return self.is_images or first_images(self.parts) is not None

    @property
    def label(self) -> str:
        """What figures and tables call it."""
        return self.title or self.name

    def alone(self, part: Part) -> Dataset:
        """The same examples with this one of several inputs alone."""
        train, test = (replace(split, inputs=part.alone(split.inputs)) for split in (self.train, self.test))
        return replace(self, train=train, test=test, pixel_max=part.pixel_max, parts=())

    @cached_property
    def unseen(self) -> Bool[np.ndarray, " T"]:
        """Which test examples have an input that is not in the training set."""
        return ~np.isin(self.test.input_hashes, self.train.input_hashes)

    @cached_property
    def fingerprint(self) -> str:
        """SHA-256 over dtype, shape and content of all arrays: part of the key of every run on this data."""
        parts = str(self.parts) if self.parts else ""
        digest = hashlib.sha256(f"{self.class_names}{self.pixel_max}{parts}".encode())
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


def require_dataset(data: object) -> None:
    """Raises UserError for anything else that is given as data."""
    if not isinstance(data, Dataset):
        raise UserError(
            f"got data of type {type(data).__name__}, expected a byrote.Dataset; byrote.from_arrays(x, y) makes one of "
            "arrays, tables and data sets, byrote.load(NAME) reads one"
        )
