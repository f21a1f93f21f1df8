"""How alike two rows of a table or two vectors are: by the logarithm of the distance of their standardised columns."""

from __future__ import annotations

import numpy as np
import pandas as pd
from jaxtyping import Float32, Float64, Int64, Shaped

from byrote.audits.columns import numbers_in
from byrote.randomness import stream

_TEXT_PLACES = 4
"""Numbers by which a text is told from others."""
_LEAST = 1e-6
"""Of the deviation of a column: what is nearer is the same."""


def row_vectors(inputs: Shaped[np.ndarray, "N ..."] | pd.DataFrame) -> Float64[np.ndarray, "N D"]:
    """Columns standardised; what is missing is the mean; each text is a point of its own."""
    if not isinstance(inputs, pd.DataFrame):
        return _standardized(inputs.reshape(len(inputs), -1).astype(np.float64))
    parts = []
    for name in inputs:
        column = inputs[name]
        if (numbers := numbers_in(column)) is not None:
            parts.append(numbers[:, None])
            continue
        codes, names = pd.factorize(column.astype(str))
        points = stream(0, "texts", str(name)).standard_normal((len(names), _TEXT_PLACES))
        parts.append(points[codes] / np.sqrt(_TEXT_PLACES))
    return _standardized(np.concatenate(parts, axis=1)) if parts else np.zeros((len(inputs), 0))


def _standardized(values: Float64[np.ndarray, "N D"]) -> Float64[np.ndarray, "N D"]:
    mean = np.nanmean(values, axis=0)
    deviation = np.nanstd(values, axis=0)
    scaled = np.divide(values - mean, deviation, out=np.zeros_like(values), where=deviation > 0)
    return np.nan_to_num(scaled, nan=0.0)


def descriptors(
    vectors: Float64[np.ndarray, "N D"],
) -> tuple[Float32[np.ndarray, "N E"], Float32[np.ndarray, "N E"]]:
    """What is found and what asks: their product x . y - |y|²/2 orders the rows y as their distances from x do."""
    found = np.column_stack([vectors, -(vectors**2).sum(axis=1) / 2]).astype(np.float32)
    asked = np.column_stack([vectors, np.ones(len(vectors))]).astype(np.float32)
    return found, asked


def likeness(
    vectors: Float64[np.ndarray, "N D"], first: Int64[np.ndarray, " P"], second: Int64[np.ndarray, " P"]
) -> Float64[np.ndarray, " P"]:
    """-log of the distance in standard deviations of a column, root mean square: 13.8 of equal rows."""
    squared = np.concatenate(
        [
            ((vectors[first[start : start + 4096]] - vectors[second[start : start + 4096]]) ** 2).mean(axis=1)
            for start in range(0, len(first), 4096)
        ]
        or [np.zeros(0)]
    )
    return -np.log(np.maximum(np.sqrt(squared), _LEAST))
