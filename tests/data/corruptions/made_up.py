"""Data for corruptions, and what their checks say of it."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from byrote.data.corruptions.application import apply_corruptions
from byrote.data.corruptions.record import Corruption
from byrote.data.dataset import Dataset, Split


def counted(n: int, shape: tuple[int, ...], k: int = 10) -> Dataset:
    """Values by position, so that every permutation shows; labels in turn."""
    values = np.arange(n * int(np.prod(shape)), dtype=np.float32).reshape(n, *shape)
    split = Split.clean(values, np.arange(n) % k)
    return Dataset("counted", split, split, tuple(map(str, range(k))))


def labelled(labels: np.ndarray, k: int) -> Dataset:
    split = Split.clean(np.zeros((len(labels), 1), np.float32), np.asarray(labels, np.int64))
    return Dataset("labelled", split, split, tuple(map(str, range(k))))


def with_labels(data: Dataset, labels: np.ndarray) -> Dataset:
    return replace(data, train=replace(data.train, labels=labels))


def failed(data: Dataset, corrupted: Dataset, name: Any, rate: float = 1.0, strength: float = 1.0) -> list[str]:
    """The names of the corruption's own checks that fail."""
    method = Corruption(name=name).method
    level = rate if method.changes == "labels" else strength
    return [check.name for check in method.check(data, corrupted, level) if not check.passed]


def sound(data: Dataset, name: Any, rate: float, seeds: int = 6) -> bool:
    """Whether what is drawn passes its own checks, for every seed."""
    corruption = Corruption(name=name, rate=rate)
    return not any(failed(data, apply_corruptions(data, (corruption,), seed), name, rate) for seed in range(seeds))
