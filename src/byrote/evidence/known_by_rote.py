"""Whether any label is known by rote: by networks with an example and networks without it, of many examples at once."""

from __future__ import annotations

import numpy as np
from jaxtyping import Float, Real

from byrote.evidence.intervals import exact_ends
from byrote.evidence.verdicts import SIGNIFICANCE

ROTE = 0.5
"""Feldman & Zhang (section 3) call what is above 0.25 memorised; above one half, the larger part of what is known is
known from the example alone."""
_TRIED = 20
"""Examples with the largest differences whose limits are looked at: others would give larger p-values."""
_LEVELS = np.geomspace(1e-12, 1, 241)


def ends_at_once(
    hits: Real[np.ndarray, " N"],
    sizes: Real[np.ndarray, " N"],
    other_hits: Real[np.ndarray, " N"],
    other_sizes: Real[np.ndarray, " N"],
    significance: float = SIGNIFICANCE,
) -> tuple[Float[np.ndarray, " N"], Float[np.ndarray, " N"]]:
    """The ends of intervals of N differences of shares, `hits` of `sizes` minus the other, that hold all at once:
    Clopper and Pearson's of both shares, each with its part of the error (Bonferroni). No size is 0."""
    confidence = 1 - significance / (2 * max(len(hits), 1))
    low, high = exact_ends(hits, sizes, confidence)
    other_low, other_high = exact_ends(other_hits, other_sizes, confidence)
    return low - other_high, high - other_low


def chance_of_no_rote(
    hits: Real[np.ndarray, " N"],
    sizes: Real[np.ndarray, " N"],
    other_hits: Real[np.ndarray, " N"],
    other_sizes: Real[np.ndarray, " N"],
) -> float:
    """A p-value of that no difference exceeds ROTE: the least significance at which `ends_at_once` finds one."""
    if not len(hits):
        return 1.0
    most = np.argsort(other_hits / other_sizes - hits / sizes, kind="stable")[:_TRIED]
    counts = [part[most].astype(np.float64) for part in (hits, sizes, other_hits, other_sizes)]
    for level in _LEVELS[::-1]:
        # As many intervals as there are examples, of which only these are looked at.
        low, _ = ends_at_once(*counts, significance=level * len(most) / len(hits))
        if not (low > ROTE).any():
            larger = _LEVELS[level < _LEVELS]  # at which one was found
            return float(larger[0]) if len(larger) else 1.0
    return float(_LEVELS[0])
