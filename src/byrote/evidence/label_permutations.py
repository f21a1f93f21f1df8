"""Labels exchanged in the ways that a null hypothesis leaves equally likely, given how the rows belong together.

Rows alone are exchanged freely. Where each group has one label, as all images of a patient have his diagnosis, labels
of whole groups are: rows of one group are no independent witnesses. Where labels differ within groups, they are
exchanged there. Rows in the order of time are exchanged in blocks of it, which keeps what neighbours have in common.

Source     Ojala & Garriga, Permutation tests for studying classifier performance, JMLR 11 (2010); Winkler et al.,
           Multi-level block permutation, NeuroImage 123 (2015); Phipson & Smyth, Permutation p-values should never be
           zero (2010).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Float64, Int64

from byrote.randomness import permutations

_BLOCK_VALUES = 2**21
_ROUNDING = 1e-9


@dataclass(frozen=True, eq=False)
class Exchange:
    """A way to exchange the labels of N rows."""

    words: str
    """ "between 40 groups"."""
    num_units: int
    """How many labels, groups or blocks change places."""
    draw: Callable[[np.random.Generator, int], Int64[np.ndarray, "B N"]]
    """So many exchanged labellings."""


def exchange_of(
    labels: Int64[np.ndarray, " N"],
    groups: Int64[np.ndarray, " N"] | None = None,
    times: Float64[np.ndarray, " N"] | None = None,
) -> Exchange:
    """How the labels of these rows may be exchanged."""
    if groups is not None and len(np.unique(groups)) < len(groups):
        return _of_groups(labels, groups)
    if times is not None:
        return _of_blocks(labels, times)
    return Exchange(
        f"among {len(labels):,} rows",
        len(labels),
        lambda draw, num: labels[permutations(draw, num, len(labels))],
    )


def _of_groups(labels: Int64[np.ndarray, " N"], groups: Int64[np.ndarray, " N"]) -> Exchange:
    names, first, codes = np.unique(groups, return_index=True, return_inverse=True)
    own = labels[first]
    if (own[codes] == labels).all():
        return Exchange(
            f"between {len(names):,} groups, each of which has one label",
            len(names),
            lambda draw, num: own[permutations(draw, num, len(names))][:, codes],
        )
    low, high = np.full(len(names), np.iinfo(np.int64).max), np.full(len(names), -1)
    np.minimum.at(low, codes, labels)
    np.maximum.at(high, codes, labels)
    order = np.argsort(codes, kind="stable")

    def within(draw: np.random.Generator, num: int) -> Int64[np.ndarray, "B N"]:
        found = np.empty((num, len(labels)), np.int64)
        for row in range(num):
            mixed = np.lexsort((draw.random(len(labels)), codes))
            found[row, order] = labels[mixed]
        return found

    num_mixed = int((low != high).sum())
    return Exchange(f"within {len(names):,} groups, of which {num_mixed:,} have several labels", num_mixed, within)


def _of_blocks(labels: Int64[np.ndarray, " N"], times: Float64[np.ndarray, " N"]) -> Exchange:
    order = np.argsort(times, kind="stable")
    length = max(1, round(math.sqrt(len(labels))))
    blocks = np.array_split(order, max(1, len(order) // length))

    def draw_blocks(draw: np.random.Generator, num: int) -> Int64[np.ndarray, "B N"]:
        found = np.empty((num, len(labels)), np.int64)
        for row, mixed in enumerate(permutations(draw, num, len(blocks))):
            found[row, order] = labels[np.concatenate([blocks[place] for place in mixed])]
        return found

    return Exchange(f"in {len(blocks):,} blocks of time", len(blocks), draw_blocks)


def exchanged_values(
    exchange: Exchange,
    value: Callable[[Int64[np.ndarray, "B N"]], Float[np.ndarray, " B"]],
    num: int,
    num_rows: int,
    draw: np.random.Generator,
) -> Float64[np.ndarray, " num"]:
    """The statistic under `num` exchanges, computed some at a time."""
    return np.concatenate([value(exchange.draw(draw, size)) for size in _sizes(num, num_rows)])


def _sizes(num: int, num_rows: int) -> Iterator[int]:
    most = max(1, _BLOCK_VALUES // max(num_rows, 1))
    yield from (min(most, num - start) for start in range(0, num, most))


def share_as_large(exchanged: Float[np.ndarray, " B"], observed: float) -> float:
    """p = (b + 1) / (B + 1), where b of B exchanges give as much; ties count against, NaN too."""
    as_large = ~(exchanged < observed - _ROUNDING * max(abs(observed), 1.0))
    return float((as_large.sum() + 1) / (len(exchanged) + 1))
