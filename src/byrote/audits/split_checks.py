"""What is amiss with two splits, as counts: groups and times on both sides, classes, order, labels that disagree.

Of quantities: their law on both sides, whether neighbours in the file are alike, and how far the targets of identical
inputs are apart."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Bool, Float64, Int64, Real
from scipy.stats import rankdata

from byrote.audits.material import Material, Rows
from byrote.evidence.label_permutations import exchange_of, exchanged_values, share_as_large
from byrote.randomness import stream

_SHUFFLES = 199
_NEARER_TO_SORTED = 0.5


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
    """Whether rows of one class follow one another."""

    followed_by_own_class: float
    """The share of rows that are followed by one of their class."""
    expected: float
    """That share in a random order; where groups or times bind rows together, of labels that change places as these
    let them."""
    p_value: float
    """That a random order gives as much; 1 where the share is nearer to what is expected than to 1."""


def order_by_class(rows: Rows) -> Order:
    """Whether rows of one class follow one another; of files, which are read by folders, that says nothing."""
    labels = rows.labels
    if len(labels) < 2:
        return Order(0.0, 1.0, 1.0)
    counts = np.bincount(labels)
    expected = float((counts * (counts - 1.0)).sum() / (len(labels) * (len(labels) - 1.0)))
    followed = float((labels[1:] == labels[:-1]).mean())
    if rows.sources.dtype.kind not in "iu" or expected == 1.0 or followed < (1 + expected) / 2:
        return Order(followed, expected, 1.0)

    def shares(labellings: Int64[np.ndarray, "B N"]) -> Float64[np.ndarray, " B"]:
        return (labellings[:, 1:] == labellings[:, :-1]).mean(axis=1)

    exchange = exchange_of(labels, rows.groups, rows.times)
    drawn = exchanged_values(exchange, shares, _SHUFFLES, len(labels), stream(0, "order of the rows"))
    if rows.groups is not None or rows.times is not None:
        expected = float(drawn.mean())
        if followed < (1 + expected) / 2:
            return Order(followed, expected, 1.0)
    return Order(followed, expected, share_as_large(drawn, followed))


def target_counts(material: Material) -> list[dict[str, Any]]:
    """Of both splits, the law of their targets."""
    return [
        {
            "split": split,
            "num": len(rows),
            "mean": float(rows.labels.mean()),
            "deviation": float(rows.labels.std()),
            **{
                name: float(value)
                for name, value in zip(
                    ("lowest", "quarter", "median", "three_quarters", "highest"),
                    np.quantile(rows.labels, [0, 0.25, 0.5, 0.75, 1]),
                    strict=True,
                )
            },
        }
        for split, rows in (("train", material.train), ("test", material.test))
    ]


@dataclass(frozen=True)
class TargetOrder:
    """Whether rows of like targets follow one another."""

    correlation: float
    """Of the ranks of targets of rows that follow one another: about 0 in a random order, 1 of sorted rows."""
    p_value: float
    """That an order which is random, but for groups and times, gives as much; 1 where it is nearer to 0 than to 1, as
    `Order` has it."""


def order_by_target(rows: Rows) -> TargetOrder:
    """Whether rows of similar targets follow one another: the rank version of von Neumann's ratio (Bartels, JASA
    1982), by exchanged targets."""
    if len(rows) < 3:
        return TargetOrder(0.0, 1.0)

    def correlations(labellings: Real[np.ndarray, "B N"]) -> Float64[np.ndarray, " B"]:
        ranks = rankdata(labellings, axis=1)
        centred = ranks - ranks.mean(axis=1, keepdims=True)
        spread = (centred**2).mean(axis=1)
        return (centred[:, 1:] * centred[:, :-1]).mean(axis=1) / np.where(spread > 0, spread, np.inf)

    found = float(correlations(rows.labels[None])[0])
    if found < _NEARER_TO_SORTED:
        return TargetOrder(found, 1.0)
    exchange = exchange_of(rows.labels, rows.groups, rows.times, of_quantities=True)
    drawn = exchanged_values(exchange, correlations, _SHUFFLES, len(rows), stream(0, "order of the rows"))
    return TargetOrder(found, share_as_large(drawn, found))


@dataclass(frozen=True)
class Conflicts:
    """Of targets that differ between identical inputs."""

    num_rows: int
    deviation: float
    """The standard deviation within sets of identical inputs that have several targets (pooled): what no model can
    foretell."""
    of_all: float
    """That of all targets."""
    largest: float
    """The largest difference."""


def conflicts(ids: Int64[np.ndarray, " N"], targets: Float64[np.ndarray, " N"]) -> Conflicts:
    """How far the targets of identical inputs are apart."""
    differ = disagreeing(ids, targets)
    if not differ.any():
        return Conflicts(0, 0.0, float(targets.std()), 0.0)
    _, codes, sizes = np.unique(ids[differ], return_inverse=True, return_counts=True)
    own = targets[differ]
    means = np.bincount(codes, own) / sizes
    pooled = float(((own - means[codes]) ** 2).sum() / (sizes - 1).sum())
    low, high = _ends(codes, own)
    return Conflicts(int(differ.sum()), pooled**0.5, float(targets.std()), float((high - low).max()))


def disagreeing(ids: Int64[np.ndarray, " N"], labels: Real[np.ndarray, " N"]) -> Bool[np.ndarray, " N"]:
    """Which rows have another label than an identical one."""
    _, codes = np.unique(ids, return_inverse=True)
    low, high = _ends(codes, labels)
    return (low != high)[codes]


def _ends(
    codes: Int64[np.ndarray, " N"], labels: Real[np.ndarray, " N"]
) -> tuple[Real[np.ndarray, " C"], Real[np.ndarray, " C"]]:
    """The least and the largest label of each code 0..C-1."""
    low = np.full(codes.max(initial=-1) + 1, labels.max(initial=-1))
    high = np.full(len(low), labels.min(initial=0))
    np.minimum.at(low, codes, labels)
    np.maximum.at(high, codes, labels)
    return low, high
