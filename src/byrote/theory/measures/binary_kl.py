"""The divergence between two coins, and its inverse: the tightest form of Chernoff's bound."""

from __future__ import annotations

import math

from scipy.optimize import brentq
from scipy.special import rel_entr


def binary_kl(q: float, p: float) -> float:
    """kl(q || p) between coins that fall heads with chances q and p, in nats; infinite if p excludes what q allows."""
    return float(rel_entr(q, p) + rel_entr(1 - q, 1 - p))


def largest_chance(q: float, nats: float) -> float:
    """The largest p with kl(q || p) <= `nats`: what a chance may be of which a share q has been seen.

    Never below the root, by which bounds stay bounds: at most 1e-12 above.
    """
    if q >= 1 or not math.isfinite(nats):
        return 1.0
    # kl(q || p) >= (1 - q) log((1 - q) / (1 - p)) + q log q brings the root down to where 1 - p is representable.
    top = 1 - 2.0**-53
    if binary_kl(q, top) <= nats:
        return 1.0
    root = brentq(lambda p: binary_kl(q, p) - nats, q, top, xtol=1e-13)
    return min(float(root) + 1e-12, 1.0)
