"""Whether any label is known by rote: by networks with an example and networks without it, of many examples at once."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from jaxtyping import Float, Real

from byrote.evidence.intervals import exact_ends
from byrote.evidence.verdicts import LITTLE, SIGNIFICANCE

ROTE = 0.5
"""Feldman & Zhang (section 3) call what is above 0.25 memorised; above one half, the larger part of what is known is
known from the example alone."""
TOLD = 0.5 + LITTLE
"""Members are told from others where they are put before them with a larger chance: up to there it is little."""
_TRIED = 20
"""Examples with the largest differences whose limits are looked at: others would give larger p-values."""
_LEVELS = np.geomspace(1e-12, 1, 241)


class Counts(NamedTuple):
    """Of each of N examples, networks that are right and all of them, with the example and without. None is without."""

    hits_in: Real[np.ndarray, " N"]
    num_in: Real[np.ndarray, " N"]
    hits_out: Real[np.ndarray, " N"]
    num_out: Real[np.ndarray, " N"]


def ends_at_once(
    counts: Counts, significance: float = SIGNIFICANCE
) -> tuple[Float[np.ndarray, " N"], Float[np.ndarray, " N"]]:
    """The ends of intervals of N differences of shares, in minus out, that hold all at once: Clopper and Pearson's of
    both shares, each with its part of the error (Bonferroni)."""
    confidence = 1 - significance / (2 * max(len(counts.hits_in), 1))
    low, high = exact_ends(counts.hits_in, counts.num_in, confidence)
    other_low, other_high = exact_ends(counts.hits_out, counts.num_out, confidence)
    return low - other_high, high - other_low


def chance_of_no_rote(counts: Counts) -> float:
    """A p-value of that no difference exceeds ROTE: the least significance at which `ends_at_once` finds one."""
    num = len(counts.hits_in)
    if not num:
        return 1.0
    most = np.argsort(counts.hits_out / counts.num_out - counts.hits_in / counts.num_in, kind="stable")[:_TRIED]
    looked_at = Counts(*(part[most] for part in counts))
    for level in _LEVELS[::-1]:
        # As many intervals as there are examples, of which only these are looked at.
        low, _ = ends_at_once(looked_at, level * len(most) / num)
        if not (low > ROTE).any():
            larger = _LEVELS[level < _LEVELS]  # at which one was found
            return float(larger[0]) if len(larger) else 1.0
    return float(_LEVELS[0])
