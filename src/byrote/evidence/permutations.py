"""P-values by exchanging what a null hypothesis makes exchangeable: the parts of pairs, the labels of networks.

All are one-sided, for a larger value than exchanges give, and exact: of all exchanges where they are few, else of
random ones with the data themselves among them, (b + 1) / (B + 1), so that none is 0. Ties count against.

Source     Fisher, The Design of Experiments (1935); Phipson & Smyth, Permutation p-values should never be zero (2010);
           Westfall & Young, Resampling-based multiple testing (1993).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from itertools import permutations

import numpy as np
from jaxtyping import Bool, Float

from byrote.randomness import stream

EACH_SIDE = 0.05
"""A claim is called right where it is wrong, and wrong where it is right, with at most this chance each."""
MOST_EXCHANGES = 5000
"""Exchanges that are tried one by one; beyond, so many are drawn."""
_ROUNDING = 1e-12


def stand_out(
    sources: Sequence[Float[np.ndarray, "_ M"]], least: Sequence[float] | None = None
) -> Bool[np.ndarray, " M"]:
    """Which of M statistics, t values, are larger than exchanges give, all of them together: the chance that any is
    found where there is nothing is EACH_SIDE.

    Each is held against the largest of all under every exchange; those that stand out are taken away, and the others
    tried again (Westfall & Young's step-down maxT).

    Args:
        sources: for each source of luck, the statistics under its exchanges, of which the first row is the data
            themselves. What t must exceed because of each adds in squares, as half-widths of intervals do (`joined`).
        least: for each source, the t below which a measure surely goes the other way, and is left out: in the exchange
            that turns all round it would be as large as what is found.
    """
    num = sources[0].shape[1]
    tried = np.ones(num, dtype=bool)
    for source, end in zip(sources, least or [-math.inf] * len(sources), strict=True):
        tried &= source[0] >= end
    found = np.zeros(num, dtype=bool)
    while tried.any():
        shares = np.zeros(num)
        for source in sources:
            critical, own = _critical(source[:, tried].max(axis=1)), source[0]
            with np.errstate(divide="ignore", invalid="ignore"):
                share = max(critical, 0.0) / own
            shares = np.hypot(shares, np.where((own > 0) & np.isfinite(share), share, np.inf))
        new = tried & (shares < 1 - _ROUNDING)
        if not new.any():
            break
        found, tried = found | new, tried & ~new
    return found


def _critical(largest: Float[np.ndarray, " B"]) -> float:
    """What a statistic has to exceed, so that at most EACH_SIDE of exchanges, the data among them, come to as much."""
    allowed = math.floor(EACH_SIDE * len(largest) + _ROUNDING)
    return float(np.sort(largest)[-1 - allowed])


def pair_exchanges(
    x: Float[np.ndarray, " M"],
    y: Float[np.ndarray, " M"],
    statistic: Callable[[Float[np.ndarray, " M"], Float[np.ndarray, " M"]], float],
) -> float:
    """A statistic of pairs of which either part was as likely to go with any other: 1 / M! where one order is best."""
    observed = statistic(x, y)
    if math.factorial(min(len(y), 20)) <= MOST_EXCHANGES:
        return _share(np.array([statistic(x, y[list(order)]) for order in permutations(range(len(y)))]), observed)
    draw = stream(0, "pair exchanges")
    return _share(np.array([statistic(x, draw.permutation(y)) for _ in range(MOST_EXCHANGES)] + [observed]), observed)


def _share(exchanged: Float[np.ndarray, " B"], observed: float) -> float:
    """Of exchanges, the data themselves among them, how many come to at least what was observed."""
    return float((exchanged >= observed - _ROUNDING * max(abs(observed), 1.0)).mean())
