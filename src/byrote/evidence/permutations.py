"""P-values by exchanging what a null hypothesis makes exchangeable: signs of differences, labels of groups, pairs.

All are one-sided, for a larger value than exchanges give, and exact: of all exchanges where they are few, else of
random ones with the data themselves among them, (b + 1) / (B + 1), so that none is 0. Ties count against.

Source     Fisher, The Design of Experiments (1935); Phipson & Smyth, Permutation p-values should never be zero (2010).
"""

from __future__ import annotations

import math
from collections.abc import Callable
from itertools import combinations, permutations, product

import numpy as np
from jaxtyping import Float

from byrote.randomness import stream

EACH_SIDE = 0.05
"""A claim is called right where it is wrong, and wrong where it is right, with at most this chance each."""
_MOST = 5000
"""Exchanges that are tried one by one; beyond, so many are drawn."""
_ROUNDING = 1e-12


def sign_flips(differences: Float[np.ndarray, " M"]) -> float:
    """The mean of differences that are as likely to have either sign: 2^-M for M that are all positive."""
    num = len(differences)
    if not num:
        return 1.0
    if 2**num <= _MOST:
        signs = np.array(list(product((1, -1), repeat=num)), dtype=float)
        return _share(signs @ differences, float(differences.sum()))
    signs = stream(0, "sign flips").choice((-1.0, 1.0), (_MOST, num))
    return _share(np.append(signs @ differences, differences.sum()), float(differences.sum()))


def group_exchanges(first: Float[np.ndarray, " M"], second: Float[np.ndarray, " N"]) -> float:
    """The sum of the first group's ranks among all: 1 over (M + N over M) for groups that do not overlap.

    By ranks, since few values of a long-tailed measure say little by their sizes.
    """
    values = np.concatenate([first, second])
    order = np.argsort(np.argsort(values)) + 1.0
    ranks = np.array([order[values == value].mean() for value in values])
    num, total = len(first), len(values)
    if not num or num == total:
        return 1.0
    observed = float(ranks[:num].sum())
    if math.comb(total, num) <= _MOST:
        return _share(np.array([ranks[list(chosen)].sum() for chosen in combinations(range(total), num)]), observed)
    draw = stream(0, "group exchanges")
    return _share(np.array([draw.permutation(ranks)[:num].sum() for _ in range(_MOST)] + [observed]), observed)


def pair_exchanges(
    x: Float[np.ndarray, " M"],
    y: Float[np.ndarray, " M"],
    statistic: Callable[[Float[np.ndarray, " M"], Float[np.ndarray, " M"]], float],
) -> float:
    """A statistic of pairs of which either part was as likely to go with any other: 1 / M! where one order is best."""
    observed = statistic(x, y)
    if math.factorial(min(len(y), 20)) <= _MOST:
        return _share(np.array([statistic(x, y[list(order)]) for order in permutations(range(len(y)))]), observed)
    draw = stream(0, "pair exchanges")
    return _share(np.array([statistic(x, draw.permutation(y)) for _ in range(_MOST)] + [observed]), observed)


def _share(exchanged: Float[np.ndarray, " B"], observed: float) -> float:
    """Of exchanges, the data themselves among them, how many come to at least what was observed."""
    return float((exchanged >= observed - _ROUNDING * max(abs(observed), 1.0)).mean())
