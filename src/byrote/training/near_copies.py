"""Rows of a table that are in both splits but for rounding, as 0.1 + 0.2 is 0.3: no hash calls them equal."""

from __future__ import annotations

import numpy as np
import torch
from jaxtyping import Float64, Int64

from byrote.data.dataset import moments
from byrote.data.preprocessing import Inputs, blocks

ROUNDING = 1e-6
"""Of each feature's deviation in the training set. Values written with six digits differ by less; what a network makes
of two rows this near is the same."""
_MOST_TRIED = 100
"""Training rows compared with each test row: where more lie as near in projection, one of the first will do."""


def with_ids_of_near_rows(
    train: Inputs, test: Inputs, train_ids: Int64[np.ndarray, " N"], test_ids: Int64[np.ndarray, " T"]
) -> Int64[np.ndarray, " T"]:
    """`test_ids`, where a test vector that is within ROUNDING of a training vector in every feature has its number.

    Near rows are near in any projection: only those are compared, so that N log N steps do.
    """
    ids, first = np.unique(train_ids, return_index=True)
    open_rows = np.flatnonzero(~np.isin(test_ids, ids))
    if not len(open_rows):
        return test_ids
    deviation = _deviation(train)
    used = deviation > 0
    weights = np.divide(
        np.random.default_rng(0).uniform(-1, 1, len(deviation)), deviation, out=np.zeros_like(deviation), where=used
    )
    margin = ROUNDING * float(np.abs(weights[used] * deviation[used]).sum())
    known = _projected(train, first, weights)
    order = np.argsort(known)
    wanted = _projected(test, open_rows, weights)
    start = np.searchsorted(known[order], wanted - margin, "left")
    stop = np.searchsorted(known[order], wanted + margin, "right")
    found = test_ids.copy()
    for step in range(min(_MOST_TRIED, int((stop - start).max(initial=0)))):
        tried = np.flatnonzero(start + step < stop)
        rows = order[start[tried] + step]
        apart = np.abs(_values(test, open_rows[tried]) - _values(train, first[rows]))
        near = (apart <= ROUNDING * deviation).all(axis=1)
        found[open_rows[tried[near]]] = ids[rows[near]]
        stop[tried[near]] = start[tried[near]]
    return found


def _values(inputs: Inputs, rows: Int64[np.ndarray, " M"]) -> Float64[np.ndarray, "M D"]:
    return inputs.gather(torch.from_numpy(rows), torch.float32).double().numpy()


def _projected(
    inputs: Inputs, rows: Int64[np.ndarray, " M"], weights: Float64[np.ndarray, " D"]
) -> Float64[np.ndarray, " M"]:
    found = np.empty(len(rows))  # beforehand: small arrays between blocks would keep their memory from the next ones
    for part in blocks(np.broadcast_to(0.0, (len(rows), len(weights)))):
        found[part] = _values(inputs, rows[part]) @ weights
    return found


def _deviation(inputs: Inputs) -> Float64[np.ndarray, " D"]:
    return moments(inputs.gather(torch.arange(len(inputs)), torch.float32).numpy())[1]
