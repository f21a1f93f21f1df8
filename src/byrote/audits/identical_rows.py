"""Rows that are the same but for rounding, and whether as many were to be expected: of a few columns with a few values
each, some always are.

Where rows agree by chance, still more of them agree in all columns but one. With n_j pairs that differ in column j
alone, and the chance c_j that two rows agree in it, some n_j c_j / (1 - c_j) pairs agree in that column too. Of columns
of quantities, c_j is 0 and every identical pair is a copy.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import pandas as pd
from jaxtyping import Int64, Shaped
from scipy import stats

from byrote.audits.material import MaterialKind
from byrote.data.distinct_inputs import DistinctInputs

_SIGNIFICANT_DIGITS = 6
_MOST_COLUMNS = 256
"""Columns that are left out in turn."""


@dataclass(frozen=True, eq=False)
class Identical:
    """Which rows are equal, and whether chance alone makes them so."""

    ids: Int64[np.ndarray, " N"]
    """Equal for identical rows."""
    num_pairs: int
    expected_pairs: float
    """By chance, at most, where columns have few values; 0 for images."""
    p_value: float
    """That so many identical pairs are chance."""


def identical_rows(inputs: Shaped[np.ndarray, "N ..."] | pd.DataFrame, kind: MaterialKind) -> Identical:
    """Which of all rows are identical. Numbers of vectors and tables are compared by six significant digits."""
    if kind == "images":
        ids = _ids(np.asarray(inputs))
        pairs = num_pairs(ids)
        return Identical(ids, pairs, 0.0, 1.0 if pairs == 0 else 0.0)
    codes = column_codes(inputs)
    ids = _ids(codes)
    pairs = num_pairs(ids)
    if pairs == 0:
        return Identical(ids, 0, 0.0, 1.0)
    expected = _expected_pairs(codes, pairs)
    p_value = float(stats.poisson.sf(pairs - 1, expected)) if expected > 0 else 0.0
    return Identical(ids, pairs, expected, p_value)


def num_pairs(ids: Int64[np.ndarray, " N"]) -> int:
    """How many pairs of rows have equal ids."""
    counts = np.unique(ids, return_counts=True)[1]
    return int((counts * (counts - 1) // 2).sum())


def column_codes(inputs: Shaped[np.ndarray, "N ..."] | pd.DataFrame) -> Int64[np.ndarray, "N D"]:
    """Equal numbers in a column for equal values."""
    if isinstance(inputs, pd.DataFrame):
        columns = [inputs[name] for name in inputs]
    else:
        flat = inputs.reshape(len(inputs), -1)
        columns = [pd.Series(flat[:, place]) for place in range(flat.shape[1])]
    return np.stack([_codes(column) for column in columns], axis=1)


def _codes(column: pd.Series) -> Int64[np.ndarray, " N"]:
    if column.dtype.kind == "f":
        values = column.to_numpy(np.float64)
        with np.errstate(divide="ignore", invalid="ignore"):
            magnitude = np.floor(np.log10(np.abs(values)))
            unit = 10.0 ** (magnitude - _SIGNIFICANT_DIGITS + 1)
            rounded = np.where(np.isfinite(magnitude), np.rint(values / unit) * unit, values)
        # Two roundings of one number may differ in the last bits of the product.
        column = pd.Series(rounded.astype(np.float32))
    codes, _ = pd.factorize(column)
    return codes.astype(np.int64)


def _ids(values: Shaped[np.ndarray, "N ..."]) -> Int64[np.ndarray, " N"]:
    """Of each row, the first that is equal to it."""
    distinct = DistinctInputs.of(values)
    return distinct.rows[distinct.places]


def _expected_pairs(codes: Int64[np.ndarray, "N D"], pairs: int) -> float:
    """The most that any column says."""
    draw = np.random.default_rng(0)
    weights = np.asarray(draw.integers(1, 2**62, codes.shape[1], dtype=np.int64)) | 1  # odd
    with np.errstate(over="ignore"):
        whole = (_mixed(codes) * weights).sum(axis=1)
        places = np.arange(codes.shape[1])
        if len(places) > _MOST_COLUMNS:
            places = np.sort(draw.choice(len(places), _MOST_COLUMNS, replace=False))
        expected = 0.0
        for place in places:
            counts = np.bincount(codes[:, place] - codes[:, place].min())
            n = len(codes)
            agree = float((counts * (counts - 1.0)).sum() / (n * (n - 1.0)))
            if agree >= 1:
                continue
            others: Int64[np.ndarray, " N"] = whole - _mixed(codes[:, place]) * weights[place]
            near = num_pairs(others) - pairs
            # At a few standard deviations, so that a handful of pairs does not decide.
            expected = max(expected, (near + 1 + 3 * math.sqrt(near + 1)) * agree / (1 - agree))
    return expected


def _mixed(codes: Int64[np.ndarray, " *S"]) -> Int64[np.ndarray, " *S"]:
    """Bits of each code spread, so that sums of few of them do not collide."""
    mixed = (codes + 1) * np.int64(0x9E3779B97F4A7C1 * 2 + 1)
    return mixed ^ (mixed >> np.int64(29))
