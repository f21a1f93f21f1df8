"""Wrong labels in an exact number, with as many examples of each class as before."""

from __future__ import annotations

import numpy as np
from jaxtyping import Float64, Int64

from byrote.data.check import Check
from byrote.data.corruptions.contract import CorruptionContext, LabelCorruption
from byrote.data.dataset import Dataset
from byrote.randomness import permutation, stream


class SwappedLabels(LabelCorruption):
    """Labels that change places in pairs of different classes."""

    name = "swapped-labels"
    description = (
        "exactly RATE of the training labels, in random pairs of different classes, change places (fewer where one "
        "class has more than half of the examples)"
    )

    def corrupt(
        self, labels: Int64[np.ndarray, " N"], rate: float, context: CorruptionContext
    ) -> Int64[np.ndarray, " N"]:
        pairs = random_pairs(labels, context.stream("swapped"))[: num_pairs(rate, np.bincount(labels))]
        return swapped(labels, pairs)

    def law(self, rate: float, sizes: Int64[np.ndarray, " K"]) -> Float64[np.ndarray, "K K"]:
        """Of one draw: what is left of a class depends on the sizes of all others."""
        labels = np.repeat(np.arange(len(sizes)), sizes)
        after = swapped(labels, random_pairs(labels, stream(0, "law"))[: num_pairs(rate, sizes)])
        counts = np.bincount(labels * len(sizes) + after, minlength=len(sizes) ** 2).reshape(len(sizes), -1)
        return np.where(sizes[:, None] > 0, counts / np.maximum(sizes, 1)[:, None], np.eye(len(sizes)))

    def check(self, clean: Dataset, corrupted: Dataset, rate: float) -> list[Check]:
        before, after = (np.bincount(data.train.labels, minlength=data.num_classes) for data in (clean, corrupted))
        found, expected = int((clean.train.labels != corrupted.train.labels).sum()), 2 * num_pairs(rate, before)
        return [
            Check(
                "number of swapped labels",
                found == expected and np.array_equal(before, after),
                f"{found} of {len(clean.train)} training labels differ from the true ones, and the classes have "
                f"{'as many' if np.array_equal(before, after) else 'not as many'} examples as before; expected "
                f"{expected}, and as many",
            )
        ]


def swapped(labels: Int64[np.ndarray, " N"], pairs: Int64[np.ndarray, "M 2"]) -> Int64[np.ndarray, " N"]:
    """The labels, each pair of rows having exchanged theirs."""
    after = labels.copy()
    after[pairs] = labels[pairs[:, ::-1]]
    return after


def num_pairs(rate: float, sizes: Int64[np.ndarray, " K"]) -> int:
    """How many pairs of different classes change places; there are no more than the smaller classes have examples."""
    n = int(sizes.sum())
    return min(round(rate * n / 2), n // 2, n - int(sizes.max()))


def random_pairs(labels: Int64[np.ndarray, " N"], generator: np.random.Generator) -> Int64[np.ndarray, "M 2"]:
    """As many pairs of rows with different labels as there can be, no row twice, in random order."""
    pairs: list[tuple[int, int]] = []
    waiting: list[int] = []  # all of one class
    for row in permutation(generator, len(labels)).tolist():
        if waiting and labels[waiting[-1]] != labels[row]:
            pairs.append((waiting.pop(), row))
        else:
            waiting.append(row)
    for one, other in zip(waiting[::2], waiting[1::2], strict=False):
        for place, (first, second) in enumerate(pairs):
            if labels[one] not in (labels[first], labels[second]):
                pairs[place] = (one, first)
                pairs.append((other, second))
                break
    return np.array(pairs, dtype=np.int64).reshape(-1, 2)
