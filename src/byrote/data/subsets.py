"""Stratified samples: a training subset, a validation set, and the split of data that come in one piece."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from jaxtyping import Int64

from byrote.data.dataset import Dataset
from byrote.errors import UserError
from byrote.randomness import stream


def subset(data: Dataset, n_train: int | None, seed: int) -> Dataset:
    """`n_train` training examples, each class in its share, in their original order; None keeps all. Where it is all of
    them nothing is copied.

    For one seed, subsets of different sizes are nested up to the rounding of a class's share to whole examples.

    Raises:
        UserError: n_train below 1, or above what the data have.
    """
    if n_train is None:
        return data
    available = len(data.train)
    if not 1 <= n_train <= available:
        raise UserError(
            f"got n_train={n_train} for {data.name}, which has {available} training examples; "
            f"choose between 1 and {available}, or leave n_train out to take all"
        )
    if n_train == available:
        return data
    rows = stratified_rows(data.train.true_labels, n_train, stream(seed, "subset"))
    return replace(data, train=data.train.take(rows))


def split_rows(labels: Int64[np.ndarray, " N"], seed: int) -> tuple[Int64[np.ndarray, " M"], Int64[np.ndarray, " T"]]:
    """The rows of a stratified training split (four fifths, rounded down) and of the test split, both ascending."""
    return _parted(labels, len(labels) * 4 // 5, stream(seed, "split"))


def held_out_rows(
    labels: Int64[np.ndarray, " N"], share: float, seed: int
) -> tuple[Int64[np.ndarray, " M"], Int64[np.ndarray, " V"]]:
    """The rows to train on and those held out for validation, stratified, both ascending; none are held out at 0.

    Raises:
        UserError: nothing would be held out, or nothing left to train on.
    """
    return _parted(labels, len(labels) - num_held_out(len(labels), share), stream(seed, "validation"))


def half_rows(
    labels: Int64[np.ndarray, " N"], number: int, seed: int
) -> tuple[Int64[np.ndarray, " M"], Int64[np.ndarray, " V"]]:
    """The rows of half `number`, and all others, both ascending.

    Halves 2k and 2k + 1 are the two parts of draw k, in which numbers of a class differ by two at most: else a half's
    most frequent class would tell who is in it. One example is in neither part where their number is odd.

    Raises:
        UserError: fewer than two examples.
    """
    size, part = half_size(len(labels)), number % 2
    draw = stream(seed, "half", number // 2)
    # Any two neighbours in an order by classes, the classes in a random order and each shuffled, are parted by a coin.
    places = draw.random(int(labels.max()) + 1)
    order = np.lexsort((draw.random(len(labels)), places[labels]))
    couples = order[: 2 * size].reshape(size, 2)
    sides = (draw.random(size) < 0.5).astype(np.int64) ^ part
    is_left = np.ones(len(labels), dtype=bool)
    is_left[couples[np.arange(size), sides]] = False
    return np.flatnonzero(~is_left), np.flatnonzero(is_left)


def half_size(num_examples: int) -> int:
    """How many of `num_examples` are in each half.

    Raises:
        UserError: fewer than two examples.
    """
    if num_examples < 2:
        raise UserError(f"got {num_examples} training examples to train on a half of: expected at least 2")
    return num_examples // 2


def num_held_out(num_examples: int, share: float) -> int:
    """How many of `num_examples` are held out for validation; 0 at 0.

    Raises:
        UserError: nothing would be held out, or nothing left to train on.
    """
    held_out = round(share * num_examples)
    if share and not 0 < held_out < num_examples:
        raise UserError(
            f"got validation={share:g} for {num_examples} training examples, which holds out {held_out} of them; "
            "choose a share that leaves examples on both sides"
        )
    return held_out


def stratified_rows(
    labels: Int64[np.ndarray, " N"], size: int, generator: np.random.Generator
) -> Int64[np.ndarray, " M"]:
    """`size` row numbers, ascending, drawn without replacement so that each class gets its `shares`."""
    class_sizes = np.bincount(labels)
    order = np.lexsort((generator.random(len(labels)), labels))
    classes = labels[order]
    first_of_class = np.cumsum(class_sizes) - class_sizes
    rank = np.arange(len(labels)) - first_of_class[classes]
    return np.sort(order[rank < shares(class_sizes, size)[classes]])


def _parted(
    labels: Int64[np.ndarray, " N"], size: int, generator: np.random.Generator
) -> tuple[Int64[np.ndarray, " M"], Int64[np.ndarray, " T"]]:
    """A stratified sample, and the rows that are not in it."""
    sample = stratified_rows(labels, size, generator)
    is_left = np.ones(len(labels), dtype=bool)
    is_left[sample] = False
    return sample, np.flatnonzero(is_left)


def shares(class_sizes: Int64[np.ndarray, " K"], size: int) -> Int64[np.ndarray, " K"]:
    """How many of each class make a sample of `size`, in proportion, by largest remainders.

    Where `size` allows, every class that has examples keeps one. Whole-number arithmetic: the same on every machine.
    """
    total = class_sizes.sum()
    present = class_sizes > 0
    least = (present & (present.sum() <= size)).astype(np.int64)
    counts = np.maximum(class_sizes * size // total, least)
    while (missing := size - counts.sum()) != 0:
        step = np.sign(missing)
        short = step * (class_sizes * size - counts * total)
        open_ = counts < class_sizes if step > 0 else counts > least
        counts[np.where(open_, short, np.iinfo(np.int64).min).argmax()] += step
    return counts
