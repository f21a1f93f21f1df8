"""Whether labels were redrawn by the law that they should follow.

The arrays alone are looked at, so that mistakes of the code that made them are caught too. Sound labels fail about once
in 10^6.
"""

from __future__ import annotations

import math

import numpy as np
from jaxtyping import Float64, Int64
from scipy import special

from byrote.data.check import SIGNIFICANCE, Check


def changed_by(
    before: Int64[np.ndarray, " N"], after: Int64[np.ndarray, " N"], law: Float64[np.ndarray, "K K"], rate: float
) -> list[Check]:
    """Whether labels were changed by `law`: of each class (a row) the chances of what became of it.

    How many labels changed, how often each true class got each label, how often each class lost its own, and how often
    each was given to others, against the binomial laws of these counts: exact for any n and K, with Bonferroni's bound
    over all. Counts over classes of unequal chances spread less than the binomial law of the mean chance has them
    (Hoeffding, 1956).
    """
    k, n = len(law), len(before)
    table = np.bincount(before * k + after, minlength=k * k).reshape(k, k)
    sizes, kept = table.sum(axis=1), np.diag(table)
    stays = np.diag(law)
    num_changed = n - int(kept.sum())
    low, high = likely_counts(n, float((sizes * (1 - stays)).sum() / n))
    counts = np.concatenate([table.ravel(), sizes - kept, table.sum(axis=0) - kept])
    others = n - sizes
    given = (sizes @ law - sizes * stays) / np.maximum(others, 1)
    trials = np.concatenate([np.repeat(sizes, k), sizes, others])
    chance = np.concatenate([law.ravel(), 1 - stays, given]).clip(0, 1)
    tails = np.minimum(special.bdtr(counts, trials, chance), special.bdtrc(counts - 1, trials, chance))
    worst = int(tails.argmin())
    p_value = min(1.0, 2 * len(tails) * float(tails[worst]))
    return [
        Check(
            "share of changed labels",
            low <= num_changed <= high,
            f"{num_changed} of {n} training labels differ from the true ones; expected {low} to {high} "
            f"at rate {rate:g} with {k} classes",
        ),
        Check(
            "changed labels independent",
            p_value >= SIGNIFICANCE,
            f"of {len(tails)} counts of true and given classes the least likely is {counts[worst]} of {trials[worst]} "
            f"at chance {chance[worst]:.3g}, p = {p_value:.2g}; expected at least {SIGNIFICANCE:g}",
        ),
    ]


def at_most(before: Int64[np.ndarray, " N"], after: Int64[np.ndarray, " N"], rate: float) -> list[Check]:
    """Whether no more labels changed than were redrawn, where it is not known what they become."""
    num_changed, n = int((before != after).sum()), len(before)
    high = likely_counts(n, rate)[1]
    return [
        Check(
            "share of changed labels",
            num_changed <= high,
            f"{num_changed} of {n} training labels differ from the true ones; expected {high} at most at rate {rate:g}",
        )
    ]


def likely_counts(n: int, chance: float) -> tuple[int, int]:
    """The fewest and the most of n draws with this chance; others come up once in a million times."""
    if chance in (0, 1):
        return (n, n) if chance else (0, 0)
    return _quantile(SIGNIFICANCE / 2, n, chance), _quantile(1 - SIGNIFICANCE / 2, n, chance)


def _quantile(level: float, n: int, chance: float) -> int:
    """Of the binomial law. scipy.stats has it too, and takes as long to import as half of torch."""
    about = math.ceil(special.bdtrik(level, n, chance))  # the inverse of a continuous function between the counts
    return about - 1 if about > 0 and special.bdtr(about - 1, n, chance) >= level else about
