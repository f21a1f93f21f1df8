"""Judging a measure of complexity by the networks of a zoo: a table of values and gaps -> what the measure explains.

Does it rank networks as their gaps do, overall and where a single factor changes? Does it do so better than what costs
nothing: the number of parameters, the time to fit? Intervals are of each measure by itself. (Whether it tells true
labels from random ones is the first question, which telling.py answers for all measures at once.)

Source     Jiang et al., Fantastic generalization measures and where to find them (ICLR 2020), section 3, for the
           granulated Kendall coefficient; Dziugaite, Drouin, Neal,
           Rajkumar, Caballero, Wang, Mitliagkas, Roy, In search of robust measures of generalization (NeurIPS 2020),
           for the worst environment's sign error.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from jaxtyping import Float, Int64
from scipy import stats

from byrote.evidence.intervals import Interval
from byrote.evidence.telling import OWN

RESAMPLES = 1000
FACTORS = ("model", "corruption", "learning_rate", "batch_size", "weight_decay", "dropout", "augmentation")
"""What may differ between networks of a zoo, beside the seed."""
LEAST_PAIRS = 10
"""A factor of fewer is left out, whose mean would count as much as that of hundreds; and so is an environment: of many
small ones, some are wrong throughout by chance."""


@dataclass(frozen=True)
class Ranking:
    """How a measure ranks networks, against their generalization gaps."""

    overall: Interval
    """Kendall's tau-b over all networks that have fitted; interval by resampling configurations."""
    within: dict[str, float]
    """Per factor, the mean sign of agreement over pairs of networks that differ in it alone; factors with fewer than
    LEAST_PAIRS such pairs are left out."""
    granulated: Interval
    """The mean of `within`: Jiang et al.'s coefficient, with the interval of `_granulated`."""
    worst_environment: str
    """The change of one factor in which its sign is wrong most often: "batch_size 32 to 128"."""
    worst_sign_error: float
    """How often it is wrong there; 0.5 is a coin's. NaN where every change has fewer than LEAST_PAIRS pairs."""


@dataclass(frozen=True)
class Judgement:
    """What a zoo says of one measure."""

    measure: str
    num_networks: int
    """Those that have fitted, and for which the measure has a value."""
    ranking: Ranking
    over_baselines: dict[str, Interval]
    """Per baseline, its own overall tau subtracted from the measure's, on the networks that have both; interval by
    resampling."""


def judge_values(
    table: pd.DataFrame, measure: str, baselines: Sequence[str] = (), *, seed: int = 0, resamples: int = RESAMPLES
) -> Judgement:
    """Judges the column `measure` of `table`, which has a row a network with the columns of results.csv.

    Rows that have not fitted, failed a check or have no value are left out. `baselines` are columns too; `seed` is that
    of the resampling, whose error tests look at.
    """
    sound = table[table["failed_checks"] == ""]
    usable = sound[sound["fitted"].astype(bool) & np.isfinite(sound[measure].astype(float))]
    configurations = usable.groupby(["model", *_varied(usable, OWN), "corruption", "corruption_rate"], sort=False)
    clusters = configurations.ngroup().to_numpy() if len(usable) else np.empty(0, dtype=int)
    generator = np.random.default_rng(seed)
    weights = _resampled(clusters, resamples, generator)
    gaps, values = usable["generalization_gap"].to_numpy(float), usable[measure].to_numpy(float)
    overall, taus = kendall(values, gaps), kendall(values, gaps, weights)
    against = {}
    for baseline in baselines:
        other = usable[baseline].to_numpy(float)
        both = np.isfinite(other)
        own, theirs = ((values[both], gaps[both]), (other[both], gaps[both]))
        difference = kendall(*own) - kendall(*theirs)
        resampled = kendall(*own, weights[:, both]) - kendall(*theirs, weights[:, both])
        against[baseline] = _percentiles(difference[0], resampled, int(both.sum()))
    return Judgement(
        measure,
        len(usable),
        _ranking(usable, clusters, measure, _percentiles(overall[0], taus, len(usable))),
        against,
    )


def _varied(table: pd.DataFrame, columns: Sequence[str]) -> list[str]:
    return [name for name in columns if name in table and table[name].nunique() > 1]


def _ranking(usable: pd.DataFrame, clusters: Int64[np.ndarray, " M"], measure: str, overall: Interval) -> Ranking:
    found = {factor: _agreements(usable, measure, factor) for factor in FACTORS if factor in usable}
    counted = {factor: own for factor, own in found.items() if len(own.signs) >= LEAST_PAIRS}
    signs = pd.concat([pd.Series(own.signs, own.environments) for own in found.values()])
    environments = signs.groupby(level=0, sort=False)
    rates = ((1 - environments.mean()) / 2)[environments.size() >= LEAST_PAIRS]
    return Ranking(
        overall=overall,
        within={factor: float(own.signs.mean()) for factor, own in counted.items()},
        granulated=_granulated(list(counted.values()), clusters),
        worst_environment=str(rates.idxmax()) if len(rates) else "",
        worst_sign_error=float(rates.max()),
    )


@dataclass(frozen=True)
class _Agreements:
    """Pairs of networks that differ in one factor alone."""

    environments: list[str]
    """The change of each."""
    signs: Float[np.ndarray, " P"]
    """Whether measure and gap change alike (1), against each other (-1), or the measure not at all (0)."""
    networks: Int64[np.ndarray, "2 P"]


def _granulated(factors: Sequence[_Agreements], clusters: Int64[np.ndarray, " M"]) -> Interval:
    """The mean over factors of the mean agreement of pairs, with a 95% interval that knows which pairs hang together.

    Two pairs are independent only if they have no configuration in common. The variance sums the products of deviations
    over all pairs of pairs that do: the sum over configurations of the squared sum of the deviations of its pairs, in
    which those of two configurations occur twice (Aronow, Samii & Assenova, Cluster-robust variance estimation for
    dyadic data, Political Analysis 2015); Student's t has as many degrees of freedom as configurations but one.
    """
    num = len(factors)
    if not num:
        return Interval(math.nan, math.nan, math.nan, 0)
    mean = float(np.mean([own.signs.mean() for own in factors]))
    ends = np.concatenate([clusters[own.networks] for own in factors], axis=1)
    deviations = np.concatenate([(own.signs - own.signs.mean()) / len(own.signs) / num for own in factors])
    _, ends = np.unique(ends, return_inverse=True)
    ends = ends.reshape(2, -1)
    num_clusters = int(ends.max()) + 1
    of_cluster = np.sum([np.bincount(side, deviations, num_clusters) for side in ends], axis=0)
    _, dyads = np.unique(np.sort(ends, axis=0), axis=1, return_inverse=True)
    twice = np.bincount(dyads.ravel(), deviations)
    # Not below that of pairs which all are independent.
    variance = max(float((of_cluster**2).sum() - (twice**2).sum()), float((deviations**2).sum()))
    if not variance:  # pairs that all agree do not show how others would differ
        return Interval(mean, math.nan, math.nan, num_clusters)
    half = float(stats.t.ppf(0.975, num_clusters - 1)) * math.sqrt(variance)
    return Interval(mean, max(mean - half, -1.0), min(mean + half, 1.0), num_clusters)


def _agreements(usable: pd.DataFrame, measure: str, factor: str) -> _Agreements:
    """Gaps that differ by less than the draw of the test examples explains, two standard errors, are no change and left
    out."""
    others = [name for name in (*FACTORS, "n_train", "seed", "corruption_rate") if name in usable and name != factor]
    if factor == "corruption":
        others.remove("corruption_rate")
    groups = usable.groupby(others, sort=False, dropna=False).indices.values()
    pairs = [rows[np.stack(np.triu_indices(len(rows), 1))] for rows in groups]
    one, other = np.concatenate([np.empty((2, 0), dtype=int), *pairs], axis=1)
    accuracies, gaps, values = (
        usable[name].to_numpy(float) for name in ("test_accuracy", "generalization_gap", measure)
    )
    # A table of before these columns says only how many there are.
    tested = usable["n_test_effective" if "n_test_effective" in usable else "n_test"].to_numpy(float)
    if "num_test_leaked" in usable:
        tested = tested * (1 - usable["num_test_leaked"] / usable["n_test"]).to_numpy(float)
    variances = accuracies * (1 - accuracies) / tested
    change = gaps[other] - gaps[one]
    real = np.abs(change) > 2 * np.sqrt(variances[one] + variances[other])
    one, other, change = one[real], other[real], change[real]
    numbers, levels = pd.factorize(usable[factor])
    ends = np.sort([numbers[one], numbers[other]], axis=0)
    environments = [f"{factor} {levels[first]} to {levels[second]}" for first, second in ends.T]
    return _Agreements(environments, np.sign(change) * np.sign(values[other] - values[one]), np.stack([one, other]))


def kendall(
    x: Float[np.ndarray, " M"], y: Float[np.ndarray, " M"], weights: Float[np.ndarray, "B M"] | None = None
) -> Float[np.ndarray, " B"]:
    """Tau-b of each of B samples, in which the i-th pair is `weights[b, i]` times (all once, if left out); NaN where
    all x or all y are equal.

    It is a ratio of quadratic forms in the weights: concordant minus discordant pairs over the root of those that x
    and y order. So all samples are a matrix product, and no pair is looked at twice.
    """
    weights = np.ones((1, len(x))) if weights is None else weights
    by_x, by_y = (np.sign(values[:, None] - values) for values in (x, y))
    agreeing, ordered_x, ordered_y = (
        ((weights @ matrix) * weights).sum(1) for matrix in (by_x * by_y, np.abs(by_x), np.abs(by_y))
    )
    size = np.sqrt(ordered_x * ordered_y)
    return np.divide(agreeing, size, out=np.full(len(weights), np.nan), where=size > 0)


def _resampled(clusters: np.ndarray, resamples: int, generator: np.random.Generator) -> Float[np.ndarray, "B M"]:
    """How often each row is drawn: configurations with replacement, all seeds of each."""
    num = int(clusters.max(initial=-1)) + 1
    if not num:
        return np.empty((0, 0))
    return generator.multinomial(num, np.full(num, 1 / num), resamples)[:, clusters].astype(float)


def _percentiles(estimate: float, draws: np.ndarray, n: int) -> Interval:
    finite = draws[np.isfinite(draws)]
    if not len(finite) or not math.isfinite(estimate):
        return Interval(estimate, math.nan, math.nan, n)
    low, high = np.percentile(finite, [2.5, 97.5])
    if low == high:  # resamples that all agree do not show how others would differ
        return Interval(estimate, math.nan, math.nan, n)
    return Interval(estimate, float(low), float(high), n)
