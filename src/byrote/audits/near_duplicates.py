"""Pairs that are more alike than unrelated examples of this data are, at a stated error rate.

Each example has a few nearest others. How much more alike the nearest is than those behind it, its *lead*, says whether
it is a copy: unrelated neighbours crowd together, however alike all of some smooth images are. Leads of unrelated
examples have a tail that falls at least as fast as an exponential one (the ratio of neighbour distances in D
dimensions, to the power D, is uniform), and its rate is read off this data: from the median of all leads to their upper
fiftieth, in three parts of which the one with the heaviest tail decides, after those are set aside that no such tail
explains. Hence a p-value for each example; the pairs that are listed
are cut where one of a hundred would be chance (Benjamini and Hochberg, 1995), and that there are any at all is one
p-value, that of Simes (1986), which agrees with it.

Copies of examples of this data, planted in the way copies arise, say how many are found at that cut: the recall.

Source     Benjamini & Hochberg, JRSS B 57 (1995); Simes, Biometrika 73 (1986); for known near-duplicates of CIFAR-10,
Barz & Denzler, Do we train on test data? Purging CIFAR of near-duplicates, J. Imaging 6 (2020)."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from jaxtyping import Float, Int64, Shaped
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from byrote.audits import image_likeness, row_likeness
from byrote.audits.identical_rows import Identical
from byrote.audits.material import MaterialKind
from byrote.audits.neighbours import nearest
from byrote.audits.planted_copies import copied_images, copied_rows
from byrote.evidence.intervals import Interval, binomial_interval
from byrote.randomness import stream

NEIGHBOURS = 6
_BEHIND = 3
"""The last of them, whose mean the nearest leads."""
FALSE_SHARE = 0.01
"""Of the listed pairs."""
_PLANTED = 200
_DIFFERENT = 0.5
"""Where fewer of the nearest distances differ, they are steps, and leads have no tail."""
_FEWEST = 50
"""Examples below which a tail is anybody's guess."""


@dataclass(frozen=True, eq=False)
class NearDuplicates:
    """Pairs of rows that are too alike for unrelated ones."""

    first: Int64[np.ndarray, " P"]
    second: Int64[np.ndarray, " P"]
    """Rows of all examples, training ones first; first < second."""
    lead: Float[np.ndarray, " P"]
    likeness: Float[np.ndarray, " P"]
    cut: float
    """The least lead that is listed; infinite where none is."""
    p_value: float
    """That all leads are those of unrelated examples."""
    recall: dict[str, Interval]
    """Of planted copies by how they were made: the share that is found."""


def near_duplicates(
    inputs: Shaped[np.ndarray, "N ..."] | pd.DataFrame,
    kind: MaterialKind,
    pixel_max: float,
    identical: Identical,
) -> NearDuplicates | None:
    """Pairs of all rows that are near-duplicates, but for identical ones; None where the data are too few or have no
    distances (token ids, columns of few values)."""
    rows = np.unique(identical.ids, return_index=True)[1].astype(np.int64)
    if kind == "tokens" or len(rows) < _FEWEST:
        return None
    draw = stream(0, "planted copies")
    planted = np.sort(draw.choice(len(rows), min(_PLANTED, len(rows) // 5), replace=False))
    if kind == "images":
        space: _Images | _Rows = _Images(image_likeness.small(np.asarray(inputs)[rows], pixel_max), planted, draw)
    else:
        table = inputs.iloc[rows] if isinstance(inputs, pd.DataFrame) else inputs[rows]
        space = _Rows(row_likeness.row_vectors(table), planted, draw)
    own, copies = space.leads()
    if len(np.unique(np.round(own.likeness, 6))) < _DIFFERENT * len(rows):
        return None
    rate = _tail(own.lead, _UPPER)
    cut = _cut(own.lead, rate.p_values(own.lead))
    ordered = np.sort(_tail(own.lead, _FAR, space.caution).p_values(own.lead))
    known = min(1.0, float((ordered * len(rows) / np.arange(1, len(rows) + 1)).min()))
    listed = np.flatnonzero(own.lead >= cut)
    pairs = np.sort(np.stack([rows[listed], rows[own.nearest[listed]]], axis=1), axis=1)
    unique, places = np.unique(pairs, axis=0, return_index=True)
    least = cut if math.isfinite(cut) else rate.lead_at(FALSE_SHARE / len(rows))
    recall = {}
    for way in dict.fromkeys(space.ways):
        chosen = np.array([each == way for each in space.ways])
        found = (copies.lead >= least) & (copies.nearest == planted)
        recall[way] = binomial_interval(float(found[chosen].mean()), int(chosen.sum()))
    return NearDuplicates(
        unique[:, 0], unique[:, 1], own.lead[listed][places], own.likeness[listed][places], cut, known, recall
    )


@dataclass(frozen=True, eq=False)
class _Leads:
    nearest: Int64[np.ndarray, " N"]
    lead: Float[np.ndarray, " N"]
    likeness: Float[np.ndarray, " N"]
    """Of the nearest."""


@dataclass(frozen=True)
class _Tail:
    """Of leads of unrelated examples: P(lead > x) = share * exp(-(x - start) / scale) beyond start, by the parts of
    them that it was fitted to; the part that allows most decides."""

    start: tuple[float, ...]
    share: tuple[float, ...]
    scale: tuple[float, ...]

    def p_values(self, leads: Float[np.ndarray, " N"]) -> Float[np.ndarray, " N"]:
        found = [
            share * np.exp(-np.maximum(leads - start, 0.0) / scale)
            for start, share, scale in zip(self.start, self.share, self.scale, strict=True)
        ]
        return np.minimum(np.max(found, axis=0), 1.0)

    def lead_at(self, p_value: float) -> float:
        return max(
            start + scale * math.log(share / p_value)
            for start, share, scale in zip(self.start, self.share, self.scale, strict=True)
        )


_MIDDLE = ((0.25, 0.75),)
_UPPER = ((0.5, 0.9), (0.75, 0.95))
_FAR = (*_UPPER, (0.9, 0.98))
"""Whether there are any copies is asked of the heaviest tail; where there are, many of them lie in its last part, and
the cut of the list goes by what is below."""
_SUSPECT = 1e-4
_LEAST_SCALE = 1e-3


def _tail(leads: Float[np.ndarray, " N"], parts: Sequence[tuple[float, float]], caution: float = 1.0) -> _Tail:
    """Twice: first by the middle half of all leads, of which a quarter may be copies; then by what is left."""
    suspects = _fitted(leads, _MIDDLE).p_values(leads) < _SUSPECT
    return _fitted(leads[~suspects] if suspects.mean() < 0.5 else leads, parts, caution)


def _fitted(leads: Float[np.ndarray, " N"], parts: Sequence[tuple[float, float]], caution: float = 1.0) -> _Tail:
    low, high = np.array(parts).T
    start, end = np.quantile(leads, low), np.quantile(leads, high)
    scale = np.maximum(end - start, _LEAST_SCALE) / np.log((1 - low) / (1 - high))
    return _Tail(tuple(start.tolist()), tuple((1 - low).tolist()), tuple((caution * scale).tolist()))


def _cut(leads: Float[np.ndarray, " N"], p_values: Float[np.ndarray, " N"]) -> float:
    ordered = np.sort(p_values)
    passed = np.flatnonzero(ordered <= FALSE_SHARE * np.arange(1, len(ordered) + 1) / len(ordered))
    return float(leads[p_values <= ordered[passed[-1]]].min()) if len(passed) else math.inf


def _leads(found: Int64[np.ndarray, "N k"], likeness: Float[np.ndarray, "N k"]) -> _Leads:
    order = np.argsort(-likeness, axis=1, kind="stable")
    ordered = np.take_along_axis(likeness, order, axis=1)
    behind = ordered[:, -_BEHIND:].mean(axis=1)
    return _Leads(np.take_along_axis(found, order, axis=1)[:, 0], ordered[:, 0] - behind, ordered[:, 0])


class _Images:
    caution = 1.0

    def __init__(self, images: np.ndarray, planted: Int64[np.ndarray, " M"], draw: np.random.Generator) -> None:
        copies, self.ways = copied_images(images[planted], draw)
        self._whole = np.concatenate([images, copies])
        self._num = len(images)

    def leads(self) -> tuple[_Leads, _Leads]:
        num = self._num
        even, odd = image_likeness.descriptors(self._whole)
        found = nearest(even[:num], odd[:num], NEIGHBOURS)
        own = _leads(found, _likeness_once(self._whole, found, np.arange(num)))
        return own, self._copies(even, odd, num)

    def _copies(self, even: np.ndarray, odd: np.ndarray, num: int) -> _Leads:
        """Each copy among all examples but the other copies."""
        similar = even[num:] @ even[:num].T + np.abs(odd[num:] @ odd[:num].T)
        found = np.argpartition(-similar, NEIGHBOURS, axis=1)[:, :NEIGHBOURS].astype(np.int64)
        first = np.repeat(np.arange(num, len(even)), NEIGHBOURS)
        likeness = image_likeness.likeness(self._whole, first, found.ravel()).reshape(found.shape)
        return _leads(found, likeness)


def _likeness_once(
    images: np.ndarray, found: Int64[np.ndarray, "N k"], rows: Int64[np.ndarray, " N"]
) -> Float[np.ndarray, "N k"]:
    """Of each row and its neighbours; of two that are neighbours of each other, once."""
    pairs = np.stack([np.repeat(rows, found.shape[1]), found.ravel()], axis=1)
    codes = pairs.min(axis=1) * len(images) + pairs.max(axis=1)
    unique, back = np.unique(codes, return_inverse=True)
    return image_likeness.likeness(images, unique // len(images), unique % len(images))[back].reshape(found.shape)


class _Rows:
    caution = 1.5
    """Rows may have any law: where most are spread in many dimensions and some in few, the tail is heavier than its
    parts show (Student's t with two degrees of freedom in ten columns; scales that differ by powers of ten)."""

    def __init__(self, vectors: np.ndarray, planted: Int64[np.ndarray, " M"], draw: np.random.Generator) -> None:
        copies, self.ways = copied_rows(vectors[planted], draw)
        self._whole = np.concatenate([vectors, copies])
        self._num = len(vectors)

    def leads(self) -> tuple[_Leads, _Leads]:
        num = self._num
        known, asked = row_likeness.descriptors(self._whole)
        found = nearest(known[:num], None, NEIGHBOURS, asked=asked[:num])
        own = _leads(found, self._likeness(np.arange(num), found))
        similar = asked[num:] @ known[:num].T
        near = np.argpartition(-similar, NEIGHBOURS, axis=1)[:, :NEIGHBOURS].astype(np.int64)
        return own, _leads(near, self._likeness(np.arange(num, len(known)), near))

    def _likeness(self, rows: Int64[np.ndarray, " N"], found: Int64[np.ndarray, "N k"]) -> Float[np.ndarray, "N k"]:
        first = np.repeat(rows, found.shape[1])
        return row_likeness.likeness(self._whole, first, found.ravel()).reshape(found.shape)


def linked(
    num_rows: int, first: Int64[np.ndarray, " P"], second: Int64[np.ndarray, " P"]
) -> Int64[np.ndarray, " num_rows"]:
    """The number of the cluster that each row is in, where pairs link rows."""
    graph = coo_array((np.ones(len(first)), (first, second)), shape=(num_rows, num_rows))
    return connected_components(graph, directed=False)[1].astype(np.int64)
