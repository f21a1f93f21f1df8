"""How each example fared over a training run: learnt when, forgotten how often, how surely and by which margin.

aum           area under the margin: the mean over epochs of the logit of the label minus the largest other one
confidence    mean over epochs of the probability of the label
variability   standard deviation over epochs of that probability
correctness   share of epochs in which the prediction was right
forgotten     how often a right prediction was followed by a wrong one in the next epoch that had the example
learnt        the first epoch, from 1, with a right prediction; 0 of those never learnt
rival         the class that most often had the largest other logit: of several, the lowest

Sources    Pleiss et al., Identifying mislabeled data using the area under the margin ranking (NeurIPS 2020);
           Swayamdipta et al., Dataset cartography (EMNLP 2020); Toneva et al., An empirical study of example forgetting
           during deep neural network learning (ICLR 2019). There an example's figures are taken in the step that trains
           on it, as here.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float64, Int64, UInt

from byrote.recording.recording import Recording

_BLOCK = 1 << 16
"""Examples at a time: a block of all epochs is in memory, not the record."""


@dataclass(frozen=True, eq=False)
class Courses:
    """Of N examples; NaN (and 0) of those that no epoch has seen."""

    aum: Float64[np.ndarray, " N"]
    confidence: Float64[np.ndarray, " N"]
    variability: Float64[np.ndarray, " N"]
    correctness: Float64[np.ndarray, " N"]
    forgotten: Int64[np.ndarray, " N"]
    learnt: Int64[np.ndarray, " N"]
    rival: Int64[np.ndarray, " N"]
    num_seen: Int64[np.ndarray, " N"]
    """Epochs that had the example, with a loss that was finite."""


def courses(recording: Recording) -> Courses:
    """Of all examples of a record."""
    num = recording.num_examples
    parts = [_block(recording, slice(start, min(start + _BLOCK, num))) for start in range(0, num, _BLOCK)]
    return Courses(*(np.concatenate(columns) for columns in zip(*parts, strict=True)))


def mean_margin(recording: Recording, first: int, last: int) -> Float64[np.ndarray, " N"]:
    """The area under the margin over epochs `first` to `last` - 1, counted from 0."""
    margin = recording.margin[first:last]
    total, seen = np.zeros(recording.num_examples), np.zeros(recording.num_examples)
    for epoch in margin:
        known = ~np.isnan(epoch)
        total += np.where(known, epoch, 0).astype(np.float64)
        seen += known
    return _over(total, seen)


def _block(recording: Recording, part: slice) -> tuple[np.ndarray, ...]:
    loss, margin = (np.asarray(array[:, part], np.float64) for array in (recording.loss, recording.margin))
    seen = ~np.isnan(margin)
    counts = seen.sum(axis=0)
    chance = np.where(seen, np.exp(-loss), 0)
    right = seen & (np.nan_to_num(margin) > 0)
    confidence = _over(chance.sum(axis=0), counts)
    spread = _over(np.where(seen, (chance - confidence) ** 2, 0).sum(axis=0), counts)
    forgotten, before = np.zeros(margin.shape[1], np.int64), np.zeros(margin.shape[1], bool)
    for now, there in zip(right, seen, strict=True):
        forgotten += before & there & ~now
        before = np.where(there, now, before)
    learnt = np.where(right.any(axis=0), right.argmax(axis=0) + 1, 0)
    return (
        _over(np.where(seen, margin, 0).sum(axis=0), counts),
        confidence,
        np.sqrt(spread),
        _over(right.sum(axis=0), counts),
        forgotten,
        learnt.astype(np.int64),
        _commonest(recording.rival[:, part], seen),
        counts.astype(np.int64),
    )


def _commonest(rival: UInt[np.ndarray, "E N"], seen: np.ndarray) -> Int64[np.ndarray, " N"]:
    values = np.where(seen, rival.astype(np.int64), -1)
    values.sort(axis=0)
    best, most = np.zeros(values.shape[1], np.int64), np.zeros(values.shape[1], np.int64)
    run = np.zeros(values.shape[1], np.int64)
    for epoch, row in enumerate(values):
        run = np.where((values[epoch - 1] == row) & (epoch > 0), run + 1, 1)
        longer = (run > most) & (row >= 0)
        best, most = np.where(longer, row, best), np.where(longer, run, most)
    return best


def _over(total: np.ndarray, count: np.ndarray) -> Float64[np.ndarray, " N"]:
    return np.divide(total, count, out=np.full(len(total), np.nan), where=count > 0)
