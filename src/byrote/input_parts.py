"""Several inputs of an example, by name: how they lie side by side in one row, and how they are taken out again.

All that happens to examples (subsets, corruptions, stacks of networks, memory shared between processes, keys of runs)
happens to rows of one array. A network that takes several inputs is given them by `byrote.models.unpacking`.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias

import numpy as np
from jaxtyping import Shaped

PartKind: TypeAlias = Literal["images", "vectors", "tokens"]
"""What one input is: pixels, quantities, or whole numbers that stand for something."""

EXACT_IN_FLOAT32 = 2**24
"""Whole numbers up to here are all float32 numbers."""


@dataclass(frozen=True)
class Part:
    """One of several inputs."""

    name: str
    kind: PartKind
    shape: tuple[int, ...]
    """Of one example, as it came, and as the network gets it; () of a single number."""
    start: int
    """Of its columns among those of a row."""
    dtype: Literal["float32", "int64", "bool"]
    """As the network gets it."""
    channels: Literal["first", "last"] | None = None
    """Which axis of an image's `shape` they are; None where it has no such axis."""
    pixel_max: float = 1.0
    """Of images, the value of a full pixel."""
    is_scaled: bool = False
    """Whether the network gets its values divided by `pixel_max`: 8-bit pixels."""

    @property
    def columns(self) -> slice:
        """Its columns in a packed row."""
        return slice(self.start, self.start + self.size)

    @property
    def size(self) -> int:
        """How many values an example has of it."""
        return math.prod(self.shape)

    @property
    def num_places(self) -> int:
        """Pixels of an image, or values: what can change places."""
        if self.kind != "images" or self.channels is None:
            return self.size
        return self.size // self.shape[0 if self.channels == "first" else -1]

    def alone(self, rows: Shaped[np.ndarray, "N W"]) -> Shaped[np.ndarray, "N ..."]:
        """This input of packed rows, in the form that it has where there is no other: images `[N, C, H, W]`, vectors
        `[N, D]`, token ids `[N, T]` in int64."""
        found = rows[:, self.columns]
        if self.kind == "tokens":
            return found.astype(np.int64)
        if self.kind == "vectors":
            return found
        images = found.reshape(len(rows), *self.shape)
        if self.channels is None:
            return images[:, None]
        return np.moveaxis(images, -1, 1) if self.channels == "last" else images

    def packed(self, alone: Shaped[np.ndarray, "N ..."]) -> Shaped[np.ndarray, "N S"]:
        """The columns of such an input: what `alone` undoes."""
        if self.channels == "last":
            alone = np.moveaxis(alone, 1, -1)
        return alone.reshape(len(alone), self.size)


class PackedShape(tuple[int, ...]):
    """(W,), the shape of a packed row, which knows its parts: what a network of several inputs is built for.

    Equal to that of equal parts alone.
    """

    parts: tuple[Part, ...]

    def __new__(cls, parts: Sequence[Part]) -> PackedShape:
        shape = super().__new__(cls, (sum(part.size for part in parts),))
        shape.parts = tuple(parts)
        return shape

    def __eq__(self, other: object) -> bool:
        return isinstance(other, PackedShape) and self.parts == other.parts

    def __ne__(self, other: object) -> bool:
        return not self == other

    def __hash__(self) -> int:
        return hash(self.parts)

    def __repr__(self) -> str:
        return "{" + ", ".join(f"{part.name!r}: {part.shape}" for part in self.parts) + "}"

    def __reduce__(self) -> tuple[Any, ...]:
        return PackedShape, (self.parts,)


def as_networks_get_it(rows: Shaped[np.ndarray, "N ..."], parts: Sequence[Part]) -> Shaped[np.ndarray, "N ..."]:
    """Packed rows `[N, W]` with 8-bit pixels in [0, 1] and all else as it is; the same array where there are no such
    pixels, or no parts."""
    if not any(part.is_scaled for part in parts):
        return rows
    found = rows.copy()
    for part in parts:
        if part.is_scaled:
            found[:, part.columns] *= np.float32(1 / part.pixel_max)
    return found


def side_by_side(parts: Sequence[Part], rows: Shaped[np.ndarray, "N W"]) -> Shaped[np.ndarray, "N D"]:
    """Those parts of packed rows that are no images, column by column."""
    found = [part.alone(rows) for part in parts]
    return np.concatenate(found, axis=1) if found else np.zeros((len(rows), 0), np.float32)


def names_of_columns(parts: Sequence[Part]) -> list[str]:
    """What messages call them: "age", "meta[0]"."""
    return [f"{part.name}[{place}]" if part.shape else part.name for part in parts for place in range(part.size)]


def first_images(parts: Sequence[Part]) -> Part | None:
    """The first of several inputs that is an image: the one that pages show."""
    return next((part for part in parts if part.kind == "images"), None)


def names_in_words(parts: Sequence[Part]) -> str:
    """ "image, age and tokens"."""
    names = [part.name for part in parts]
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"
