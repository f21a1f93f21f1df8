"""What is amiss with two splits, as counts: groups and times on both sides, classes, order, labels that disagree."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Bool, Float64, Int64

from byrote.audits.material import Material, Rows
from byrote.evidence.label_permutations import exchange_of, exchanged_values, share_as_large
from byrote.randomness import stream

_SHUFFLES = 199


def shared_groups(material: Material) -> Bool[np.ndarray, " T"] | None:
    """Which test rows have a group that is in training too; None without groups."""
    own, others = material.test.groups, material.train.groups
    return None if own is None or others is None else np.isin(own, others)


def times_in_order(material: Material) -> dict[str, int] | None:
    """How many training rows are as late as the earliest test row, or later, and how many test rows have such a one;
    None without times."""
    train, test = material.train.times, material.test.times
    if train is None or test is None:
        return None
    known = test[~np.isnan(test)]
    if not len(known):
        return {"num_train_after_first_test": 0, "num_test_before_last_train": 0}
    latest = np.nanmax(train) if not np.isnan(train).all() else -np.inf
    return {
        "num_train_after_first_test": int((train > known.min()).sum()),
        "num_test_before_last_train": int((known < latest).sum()),
    }


def class_counts(material: Material) -> list[dict[str, Any]]:
    """Of each class, its rows in both splits."""
    counts = [np.bincount(rows.labels, minlength=material.num_classes) for rows in (material.train, material.test)]
    return [
        {"class": name, "num_train": int(train), "num_test": int(test)}
        for name, train, test in zip(material.class_names, *counts, strict=True)
    ]


@dataclass(frozen=True)
class Order:
    followed_by_own_class: float
    """The share of rows that are followed by one of their class."""
    expected: float
    """That share in a random order."""
    p_value: float
    """That a random order gives as much; 1 where the share is nearer to what is expected than to 1."""


def order_by_class(rows: Rows) -> Order:
    """Whether rows of one class follow one another."""
    labels = rows.labels
    if len(labels) < 2:
        return Order(0.0, 1.0, 1.0)
    counts = np.bincount(labels)
    expected = float((counts * (counts - 1.0)).sum() / (len(labels) * (len(labels) - 1.0)))
    followed = float((labels[1:] == labels[:-1]).mean())
    if expected == 1.0 or followed < (1 + expected) / 2:
        return Order(followed, expected, 1.0)

    def shares(labellings: Int64[np.ndarray, "B N"]) -> Float64[np.ndarray, " B"]:
        return (labellings[:, 1:] == labellings[:, :-1]).mean(axis=1)

    drawn = exchanged_values(exchange_of(labels), shares, _SHUFFLES, len(labels), stream(0, "order of the rows"))
    return Order(followed, expected, share_as_large(drawn, followed))


def disagreeing(ids: Int64[np.ndarray, " N"], labels: Int64[np.ndarray, " N"]) -> Bool[np.ndarray, " N"]:
    """Which rows have another label than an identical one."""
    _, codes = np.unique(ids, return_inverse=True)
    low = np.full(codes.max(initial=-1) + 1, np.iinfo(np.int64).max)
    high = np.full(len(low), -1)
    np.minimum.at(low, codes, labels)
    np.maximum.at(high, codes, labels)
    return (low != high)[codes]
