"""Whether the pixels of images changed places by one permutation, or by one of each image's own.

The arrays alone are looked at, so that mistakes of the code that made them are caught too.
"""

from __future__ import annotations

import math
from collections import Counter
from typing import Any

import numpy as np
from jaxtyping import Shaped
from scipy import special

from byrote.data.check import SIGNIFICANCE, Check, newly_changed
from byrote.data.dataset import Dataset, Split

# So many images of a split, spread over it, show what there is to see.
_IMAGES = 512


def permuted_places(clean: Dataset, data: Dataset, *, is_one: bool) -> Check:
    """One permutation for all images of both splits maps pixel positions to positions: over several images together,
    the same columns of values turn up. Own permutations keep each image's values and, within a split, no column."""
    pairs = [_changed_pixels(before, after) for before, after in ((clean.train, data.train), (clean.test, data.test))]
    if is_one:
        before, after = (np.concatenate(part) for part in zip(*pairs, strict=True))
        pairs = [(before, after)]
    values_kept = all(np.array_equal(np.sort(before, axis=1), np.sort(after, axis=1)) for before, after in pairs)
    are_one = [_columns(before) == _columns(after) for before, after in pairs]
    if is_one:
        unmoved = np.array_equal(before, after) and _log_arrangements(_columns(before)) > -math.log(SIGNIFICANCE)
        passed = values_kept and are_one[0] and not unmoved
    else:
        passed = values_kept and not any(
            one and _log_chance_of_one(before) < math.log(SIGNIFICANCE)
            for one, (before, _) in zip(are_one, pairs, strict=True)
        )
    return Check(
        "one permutation" if is_one else "many permutations",
        passed,
        f"over {sum(len(before) for before, _ in pairs)} corrupted images: each image's pixels are "
        f"{'' if values_kept else 'not '}its own, and {'one' if any(are_one) else 'no'} permutation maps all "
        f"of {'both splits' if is_one else 'a split'}",
    )


def _changed_pixels(before: Split, after: Split) -> tuple[np.ndarray, np.ndarray]:
    """[M, P] of M corrupted images, before and after; the channels of a pixel are one value."""
    rows = np.flatnonzero(newly_changed(before, after))
    rows = rows[:: max(1, len(rows) // _IMAGES)]
    return _pixel_codes(before.inputs[rows]), _pixel_codes(after.inputs[rows])


def _pixel_codes(inputs: Shaped[np.ndarray, "M ..."]) -> Shaped[np.ndarray, "M P"]:
    channels = inputs.shape[1] if inputs.ndim == 4 else 1
    bits = np.ascontiguousarray(inputs).reshape(len(inputs), channels, math.prod(inputs.shape[1:]) // channels)
    bits = bits.view(f"u{inputs.dtype.itemsize}")
    codes = np.zeros((len(bits), bits.shape[2]), dtype=np.uint64)
    for channel in range(channels):
        codes = codes * np.uint64(0x9E3779B97F4A7C15) + bits[:, channel]
    return codes


def _columns(codes: np.ndarray) -> Counter[bytes]:
    return Counter(column.tobytes() for column in np.ascontiguousarray(codes.T))


def _log_chance_of_one(codes: np.ndarray) -> float:
    """An upper bound (of the logarithm) on the chance that own permutations of M images look like one: the sum over
    all that one permutation could make of them, of the chance that each image takes its part in it."""
    return _log_arrangements(_columns(codes)) - sum(_log_arrangements(Counter(row.tolist())) for row in codes)


def _log_arrangements(values: Counter[Any]) -> float:
    """Of the number of distinct orders of P values, P! / (product of m! over the values that occur m times)."""
    counts = np.array(list(values.values()))
    return float(special.gammaln(counts.sum() + 1) - special.gammaln(counts + 1).sum())
