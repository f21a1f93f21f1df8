"""Judging a measure of complexity by the networks of a zoo: a table of values and gaps -> what the measure explains.

Three questions. Does it tell true labels from random ones, on the same architecture, recipe and inputs? A measure that
does not cannot explain the generalization gap. Does it rank networks as their gaps do, overall and where a single
factor changes? Does it do so better than what costs nothing: the number of parameters, the time to fit?

Source     Zhang et al. (ICLR 2017), section 2.2, for the first; Jiang et al., Fantastic generalization measures and
           where to find them (ICLR 2020), section 3, for the granulated Kendall coefficient; Dziugaite, Drouin, Neal,
           Rajkumar, Caballero, Wang, Mitliagkas, Roy, In search of robust measures of generalization (NeurIPS 2020),
           for the worst environment's sign error.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from jaxtyping import Float

from byrote.studies.statistics import Interval, mean_interval

RESAMPLES = 1000
FACTORS = ("model", "corruption", "learning_rate", "batch_size", "weight_decay", "dropout", "augmentation")
"""What may differ between networks of a zoo, beside the seed."""
LEAST_PAIRS = 10
"""A factor of fewer is left out, whose mean would count as much as that of hundreds; and so is an environment: of many
small ones, some are wrong throughout by chance."""


@dataclass(frozen=True)
class Telling:
    """Whether a measure is larger on random labels than on true ones."""

    difference: Interval
    """Mean over configurations, one value per seed, of (random - true) / (|random| + |true|): from -1 to 1."""
    share_larger: float
    """Of the pairs, how often it is larger on random labels."""
    num_pairs: int
    num_unfitted: int
    """Pairs of which one network had not fitted: they decide nothing."""

    @property
    def tells(self) -> bool | None:
        """None: there are too few pairs or seeds to say."""
        if not self.num_pairs or math.isnan(self.difference.low):
            return None
        return self.difference.low > 0


@dataclass(frozen=True)
class Ranking:
    """How a measure ranks networks, against their generalization gaps."""

    overall: Interval
    """Kendall's tau-b over all networks that have fitted; interval by resampling configurations."""
    within: dict[str, float]
    """Per factor, the mean sign of agreement over pairs of networks that differ in it alone; factors with fewer than
    LEAST_PAIRS such pairs are left out."""
    granulated: Interval
    """The mean of `within`: Jiang et al.'s coefficient."""
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
    telling: Telling
    ranking: Ranking
    over_baselines: dict[str, Interval]
    """Per baseline, its own overall tau subtracted from the measure's, on the same networks; interval by resampling."""


def judge_values(
    table: pd.DataFrame, measure: str, baselines: Sequence[str] = (), *, resamples: int = RESAMPLES, seed: int = 0
) -> Judgement:
    """Judges the column `measure` of `table`, which has a row a network with the columns of results.csv.

    Rows that have not fitted, failed a check or have no value are left out. `baselines` are columns too.
    """
    sound = table[table["failed_checks"] == ""]
    usable = sound[sound["fitted"].astype(bool) & np.isfinite(sound[measure].astype(float))]
    configurations = usable.groupby(["model", *_varied(usable, _OWN), "corruption", "corruption_rate"], sort=False)
    clusters = configurations.ngroup().to_numpy() if len(usable) else np.empty(0, dtype=int)
    generator = np.random.default_rng(seed)
    weights = _resampled(clusters, resamples, generator)
    gaps, values = usable["generalization_gap"].to_numpy(float), usable[measure].to_numpy(float)
    overall, taus = kendall(values, gaps), kendall(values, gaps, weights)
    against = {}
    for baseline in baselines:
        other = usable[baseline].to_numpy(float)
        difference = overall - kendall(other, gaps)
        against[baseline] = _percentiles(difference[0], taus - kendall(other, gaps, weights), len(usable))
    return Judgement(
        measure,
        len(usable),
        telling(sound, measure),
        _ranking(usable, measure, _percentiles(overall[0], taus, len(usable)), generator, resamples),
        against,
    )


_OWN = ("learning_rate", "batch_size", "weight_decay", "dropout", "augmentation", "n_train")


def _varied(table: pd.DataFrame, columns: Sequence[str]) -> list[str]:
    return [name for name in columns if name in table and table[name].nunique() > 1]


def telling(table: pd.DataFrame, measure: str) -> Telling:
    """Of the column `measure` of `table`, which has a row a network, turned so that larger should mean a larger gap."""
    own = ["model", *_varied(table, _OWN), "seed"]
    columns = [*own, measure, "fitted"]
    labels = [table.loc[table["corruption"] == name, columns] for name in ("random-labels", "true-labels")]
    pairs = labels[0].merge(labels[1], on=own, suffixes=("_random", "_true"))
    fitted = pairs["fitted_random"].astype(bool) & pairs["fitted_true"].astype(bool)
    both = pairs[fitted]
    random, true = (both[f"{measure}_{name}"].to_numpy(float) for name in ("random", "true"))
    valued = np.isfinite(random) & np.isfinite(true)
    random, true, seeds = random[valued], true[valued], both["seed"].to_numpy()[valued]
    size = np.abs(random) + np.abs(true)
    relative = np.divide(random - true, size, out=np.zeros_like(size), where=size > 0)
    per_seed = [float(relative[seeds == seed].mean()) for seed in np.unique(seeds)]
    return Telling(
        difference=mean_interval(per_seed),
        share_larger=float((random > true).mean()) if len(random) else math.nan,
        num_pairs=len(random),
        num_unfitted=int((~fitted).sum()),
    )


def _ranking(
    usable: pd.DataFrame, measure: str, overall: Interval, generator: np.random.Generator, resamples: int
) -> Ranking:
    found = {factor: _agreements(usable, measure, factor) for factor in FACTORS if factor in usable}
    agreement = {factor: signs for factor, (_, signs) in found.items() if len(signs) >= LEAST_PAIRS}
    within = {factor: float(signs.mean()) for factor, signs in agreement.items()}
    means = [
        np.mean([generator.choice(signs, len(signs)).mean() for signs in agreement.values()])
        for _ in range(resamples if agreement else 0)
    ]
    signs = pd.concat([pd.Series(signs, environments) for environments, signs in found.values()])
    environments = signs.groupby(level=0, sort=False)
    rates = ((1 - environments.mean()) / 2)[environments.size() >= LEAST_PAIRS]
    mean = float(np.mean(list(within.values()))) if within else math.nan
    worst = str(rates.idxmax()) if len(rates) else ""
    return Ranking(
        overall=overall,
        within=within,
        granulated=_percentiles(mean, np.array(means), len(within)),
        worst_environment=worst,
        worst_sign_error=float(rates.max()),
    )


def _agreements(usable: pd.DataFrame, measure: str, factor: str) -> tuple[list[str], Float[np.ndarray, " M"]]:
    """For each pair of networks that differ in `factor` alone: the change, and whether measure and gap change alike
    (1), against each other (-1), or the measure not at all (0). Gaps that differ by less than the draw of the test
    examples explains, two standard errors, are no change and left out."""
    others = [name for name in (*FACTORS, "n_train", "seed", "corruption_rate") if name in usable and name != factor]
    if factor == "corruption":
        others.remove("corruption_rate")
    groups = usable.groupby(others, sort=False, dropna=False).indices.values()
    pairs = [rows[np.stack(np.triu_indices(len(rows), 1))] for rows in groups]
    one, other = np.concatenate([np.empty((2, 0), dtype=int), *pairs], axis=1)
    accuracies, gaps, values = (
        usable[name].to_numpy(float) for name in ("test_accuracy", "generalization_gap", measure)
    )
    variances = accuracies * (1 - accuracies) / usable["n_test"].to_numpy(float)
    change = gaps[other] - gaps[one]
    real = np.abs(change) > 2 * np.sqrt(variances[one] + variances[other])
    one, other, change = one[real], other[real], change[real]
    numbers, levels = pd.factorize(usable[factor])
    ends = np.sort([numbers[one], numbers[other]], axis=0)
    environments = [f"{factor} {levels[first]} to {levels[second]}" for first, second in ends.T]
    return environments, np.sign(change) * np.sign(values[other] - values[one])


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
    return Interval(estimate, float(low), float(high), n)
