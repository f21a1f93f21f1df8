"""Membership inference: whether a network was trained on an example, told by the confidence that it gives its label.

The networks that are attacked are those that the attack is calibrated by, each by all others: networks 2k and 2k + 1,
on the two parts of one draw, are left out together, so that as many references hold each example as do not, and a
network that tells nothing is told nothing of.

LiRA compares the log-odds of the label with two normal laws, those of networks with the example and of networks without
it. RMIA compares the ratio of its probability to the mean over references with the same ratio of examples that are in
no network.

Source     Carlini et al., Membership inference attacks from first principles (S&P 2022), Algorithm 1 and section VI;
           Zarifzadeh, Liu & Shokri, Low-cost high-power membership inference attacks (ICML 2024), equations 2 to 4.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float32, Float64, Shaped
from scipy.special import expit
from scipy.stats import rankdata

_FEWEST_FOR_OWN_DEVIATION = 64
"""Networks of a kind, from which on an example has deviations of its own (Carlini et al., section VI-A)."""
_COLUMNS = 2048
_LEAST_DEVIATION = 1e-6
"""Networks that all say the same have no deviation: what differs from them by rounding is not told apart."""
DOMINANCE = 1.0
"""By which factor the ratio of an example must exceed another's to count (gamma of RMIA). Its authors take 2, and find
no difference between 1 and 2; where networks are sure, most ratios lie below 2."""


def lira(margins: Shaped[np.ndarray, "M N"], inside: Bool[np.ndarray, "M N"]) -> Float32[np.ndarray, "M N"]:
    """The log-likelihood ratio of LiRA, online: larger where the network is more likely trained on the example.

    Args:
        margins: the log-odds of the label.
        inside: whether the network is trained on the example. M is even; pairs are at 2k and 2k + 1.
    """
    scores = np.empty(margins.shape, dtype=np.float32)
    deviations = None if len(inside) // 2 >= _FEWEST_FOR_OWN_DEVIATION else _common_deviations(margins, inside)
    for part in _parts(margins.shape[1]):
        phi = margins[:, part].astype(np.float64)
        phi -= phi.mean(axis=0)
        own = []
        for position, mask in enumerate((inside[:, part], ~inside[:, part])):
            mean, variance = _others(phi, mask)
            if deviations is not None:
                variance = np.full_like(variance, deviations[position] ** 2)
            variance = np.maximum(variance, _LEAST_DEVIATION**2)
            own.append(-0.5 * np.log(variance) - (phi - mean) ** 2 / (2 * variance))
        scores[:, part] = np.nan_to_num(own[0] - own[1], nan=0.0)
    return scores


def rmia(
    margins: Shaped[np.ndarray, "M N"],
    inside: Bool[np.ndarray, "M N"],
    population: Shaped[np.ndarray, "M T"],
) -> Float32[np.ndarray, "M N"]:
    """The share of the population that an example dominates under the network.

    Args:
        population: the log-odds of examples that no network is trained on.
    """
    scores = np.empty(margins.shape, dtype=np.float32)
    known = _ratio(population, np.zeros(population.shape, dtype=bool))
    known.sort(axis=1)
    for part in _parts(margins.shape[1]):
        ratio = _ratio(margins[:, part], inside[:, part])
        for network, row in enumerate(ratio):
            scores[network, part] = np.searchsorted(known[network], row / DOMINANCE, side="right") / known.shape[1]
    return scores


@dataclass(frozen=True, eq=False)
class Roc:
    """Of an attack on M networks with N examples."""

    auc: Float64[np.ndarray, " M"]
    """Of each network, over its examples: the chance that a member's score is larger than that of another; ties count
    one half."""
    true_positive_rates: Float64[np.ndarray, " Q"]
    """The share of members that are told at each false-positive rate, over all networks and examples."""


def roc(scores: Float32[np.ndarray, "M N"], inside: Bool[np.ndarray, "M N"], rates: Float64[np.ndarray, " Q"]) -> Roc:
    """At the false-positive `rates`, with one threshold for all networks and examples."""
    members = np.sort(scores[inside])
    thresholds = [threshold(scores, inside, float(rate)) for rate in rates]
    found = 1 - np.searchsorted(members, np.array(thresholds, dtype=np.float32), side="right") / max(len(members), 1)
    return Roc(np.array([_auc(*each) for each in zip(scores, inside, strict=True)]), found)


@dataclass(frozen=True, eq=False)
class Told:
    """What an attack tells of M networks and N examples with one threshold for all, at one false-positive rate."""

    members: Bool[np.ndarray, "M N"]
    """Those that it tells of those that the network is trained on."""
    share: float
    """Of all members."""
    by_network: Float64[np.ndarray, " M"]
    """The share of each network, less what it owes to the threshold: by as much as its own false positives exceed the
    rate, times what a false positive more brings. Their mean is `share`; how they differ tells how sure it is, NaN
    where too few others lie above the threshold."""


_FEWEST_FALSE = 10
"""Others above a threshold: with fewer it is anybody's guess where it lies, and so is what it tells (simulated)."""


def told(scores: Float32[np.ndarray, "M N"], inside: Bool[np.ndarray, "M N"], rate: float) -> Told:
    """At the false-positive `rate`."""
    least = threshold(scores, inside, rate)
    above = scores > np.float32(least)
    members = above & inside
    found = members.sum(axis=1) / np.maximum(inside.sum(axis=1), 1)
    false = (above & ~inside).sum(axis=1) / np.maximum((~inside).sum(axis=1), 1)
    share = float(found.mean())
    if (above & ~inside).sum() < _FEWEST_FALSE:
        return Told(members, share, np.full(len(scores), np.nan))
    nearby = [scores > np.float32(threshold(scores, inside, factor * rate)) for factor in (0.5, 2.0)]
    (few, few_false), (many, many_false) = ((np.mean(each[inside]), np.mean(each[~inside])) for each in nearby)
    slope = (many - few) / (many_false - few_false) if many_false > few_false else 0.0
    return Told(members, share, found - slope * (false - false.mean()))


def threshold(scores: Float32[np.ndarray, "M N"], inside: Bool[np.ndarray, "M N"], rate: float) -> float:
    """The least score above which at most the share `rate` of examples lies that the networks are not trained on."""
    others = scores[~inside]
    if not len(others):
        return float("inf")
    allowed = min(int(rate * len(others)), len(others) - 1)
    return float(np.partition(others, len(others) - 1 - allowed)[len(others) - 1 - allowed])


def _auc(scores: Float32[np.ndarray, " N"], inside: Bool[np.ndarray, " N"]) -> float:
    num_inside = int(inside.sum())
    num_outside = len(inside) - num_inside
    if not num_inside or not num_outside:
        return float("nan")
    ranks = float(rankdata(scores)[inside].sum())
    return (ranks - num_inside * (num_inside + 1) / 2) / (num_inside * num_outside)


def _ratio(margins: Shaped[np.ndarray, "M N"], inside: Bool[np.ndarray, "M N"]) -> Float64[np.ndarray, "M N"]:
    """The probability of the label over its mean under references: those with the example and those without it count
    alike, as far as there are any."""
    probability = expit(margins.astype(np.float64))
    without, _ = _others(probability, ~inside)
    within, _ = _others(probability, inside)
    mean = np.nanmean(np.stack([within, without]), axis=0) if inside.any() else without
    return probability / np.maximum(mean, np.finfo(np.float64).tiny)


def _others(
    values: Float64[np.ndarray, "M N"], mask: Bool[np.ndarray, "M N"]
) -> tuple[Float64[np.ndarray, "M N"], Float64[np.ndarray, "M N"]]:
    """Mean and variance of each example over the networks in `mask` of other pairs."""
    kept = np.where(mask, values, 0.0)
    count, total, squares = (
        np.repeat(_without_each_pair(part), 2, axis=0) for part in (mask.astype(np.float64), kept, kept**2)
    )
    with np.errstate(invalid="ignore", divide="ignore"):
        mean = total / count
        return mean, np.maximum(squares / count - mean**2, 0.0) * count / np.maximum(count - 1, 1)


def _without_each_pair(values: Float64[np.ndarray, "M N"]) -> Float64[np.ndarray, "P N"]:
    pairs = values[0::2] + values[1::2]
    return pairs.sum(axis=0) - pairs


def _common_deviations(margins: Shaped[np.ndarray, "M N"], inside: Bool[np.ndarray, "M N"]) -> tuple[float, float]:
    """Within examples, over the networks that are trained on them and over the others: one for all examples."""
    found = []
    for mask_of_all in (inside, ~inside):
        squares, freedom = 0.0, 0.0
        for part in _parts(margins.shape[1]):
            phi, mask = margins[:, part].astype(np.float64), mask_of_all[:, part]
            count = np.maximum(mask.sum(axis=0), 1)
            mean = np.where(mask, phi, 0.0).sum(axis=0) / count
            squares += float(np.where(mask, (phi - mean) ** 2, 0.0).sum())
            freedom += float((count - 1).sum())
        found.append((squares / max(freedom, 1.0)) ** 0.5)
    return found[0], found[1]


def _parts(num_columns: int) -> Iterator[slice]:
    for first in range(0, num_columns, _COLUMNS):
        yield slice(first, first + _COLUMNS)
