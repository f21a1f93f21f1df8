"""Whether measures are larger on random labels than on true ones: all that a page asks of, decided together.

Of fifteen measures that know nothing of labels, one at least would pass a test at 5% by itself in every other study.
So labels are exchanged among networks for all measures at once, and each measure is held against the largest statistic
that any gives: the chance that one of them is said falsely to tell labels apart is 5% at most, however they depend on
one another. Those that stand out are taken away, and the others tried again.

Source     Westfall and Young, Resampling-based multiple testing (1993); Romano and Wolf, Exact and approximate
           stepdown methods for multiple hypothesis testing (JASA 2005).
"""

from __future__ import annotations

import math
from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations, product
from typing import Literal

import numpy as np
import pandas as pd
from jaxtyping import Bool, Float, Int64
from scipy import stats

from byrote.evidence.intervals import Interval, joined, mean_interval
from byrote.evidence.obstacles import remedy
from byrote.evidence.permutations import EACH_SIDE, MOST_EXCHANGES, stand_out
from byrote.randomness import stream

OWN = ("learning_rate", "batch_size", "weight_decay", "dropout", "augmentation", "n_train")
"""What may differ between the configurations of a zoo, beside the model."""
SAME = 0.01
"""A relative difference that is surely below a hundredth counts as none."""
FEWEST_SEEDS, FEWEST_CONFIGURATIONS = 3, 5
"""Of three seeds' networks, all six are in order by chance in one of twenty cases; five signs agree in one of 32."""
TOGETHER = (
    "All measures of this page are decided together: the chance that any of them is said falsely to tell labels apart "
    "is 5% at most, and so is the chance that any is said falsely not to. The relative differences beside, with their "
    "95% intervals, are shown for each measure by itself, and are no claims."
)
OPPOSED = 0.005
"""The chance, for all together, that a measure which knows nothing is taken for one that surely goes the other way."""
_NUMBERS = {FEWEST_SEEDS: "Three", FEWEST_CONFIGURATIONS: "Five"}
_ROUNDING = 1e-12


@dataclass(frozen=True)
class Telling:
    """Whether a measure is larger on random labels than on true ones, over C configurations with S seeds each."""

    difference: Interval
    """Mean of (random - true) / (|random| + |true|), from -1 to 1. Networks of a configuration share it, and those of a
    seed share its draw of labels, so the interval `joins` that of the means of configurations with that of the means of
    seeds; of one configuration it is that over seeds. It is of this measure by itself. NaN ends with one seed."""
    simultaneous: Interval
    """The same with an interval that holds for all measures at once (Bonferroni)."""
    stands_out: Literal[-1, 0, 1]
    """1 where it is larger on random labels, and -1 where it is smaller, than exchanging labels makes any measure: in
    whole seeds of all configurations, and in whole configurations with all of their seeds."""
    share_larger: float
    """Of the pairs, how often it is larger on random labels."""
    num_pairs: int
    num_unfitted: int
    """Pairs of which one network had not fitted: they decide nothing."""
    num_configurations: int
    num_seeds: int
    to_fit: str = ""
    """What to try for those that had not fitted, with the value to try next; empty where there are none."""

    @property
    def tells(self) -> bool | None:
        """Whether it is larger: not decided where neither is sure to 95%, nor that it is equal but for SAME."""
        if not self.num_pairs or math.isnan(self.difference.low):
            return None
        if self.difference.low > 0 and self.stands_out == 1:
            return True
        is_smaller = self.difference.high < 0 and self.stands_out == -1
        is_same = self.simultaneous.low > -SAME and self.simultaneous.high < SAME
        return False if is_smaller or (is_same and self.num_seeds >= FEWEST_SEEDS) else None

    @property
    def would_decide(self) -> str:
        """What to try where nothing is decided; empty where it is."""
        if self.tells is not None:
            return ""
        longer = f" Those that had not fitted count once they do: {self.to_fit}." if self.to_fit else ""
        return f"{self._more}{longer}"

    @property
    def _more(self) -> str:
        if not self.num_pairs:
            return (
                "Networks of one configuration and seed that fit both true and random labels, "
                "and for which it is finite, would tell."
            )
        if self.num_seeds < FEWEST_SEEDS:
            return f"{_NUMBERS[FEWEST_SEEDS]} seeds would tell."
        if 1 < self.num_configurations < FEWEST_CONFIGURATIONS:
            return (
                f"{_NUMBERS[FEWEST_CONFIGURATIONS]} configurations would tell: of {self.num_configurations}, all go "
                "the same way by chance too often."
            )
        more = "more configurations or seeds" if self.num_configurations > 1 else "more seeds"
        return f"The difference is within noise: {more} may tell."


def tellings(measures: Mapping[Hashable, tuple[pd.DataFrame, str]]) -> dict[Hashable, Telling]:
    """Of each measure of a page, a table with a row a network and the column to look at, turned so that larger should
    mean a larger gap."""
    tables = {id(table): table for table, _ in measures.values()}
    matched = {place: _matched(table) for place, table in tables.items()}
    to_fit = {place: _to_fit(table, matched[place]) for place, table in tables.items()}
    seeds, configurations = (
        list(dict.fromkeys(each for found in matched.values() for each in found[name])) for name in ("seed", "own")
    )
    codes = {
        place: (pd.Index(seeds).get_indexer(found["seed"]), pd.Index(configurations).get_indexer(found["own"]))
        for place, found in matched.items()
    }
    family = []
    for table, column in measures.values():
        found, (by_seed, by_configuration) = matched[id(table)], codes[id(table)]
        values = table[column].to_numpy(float)
        random, true = values[found["random"].to_numpy(int)], values[found["true"].to_numpy(int)]
        both = found["fitted"].to_numpy(bool) & np.isfinite(random) & np.isfinite(true)
        unfitted = int((~found["fitted"]).sum())
        family.append(_Pairs(by_configuration[both], by_seed[both], random[both], true[both], unfitted))
    larger, smaller = (_stand_out(family, len(seeds), len(configurations), side) for side in (1, -1))
    sure = 1 - EACH_SIDE / max(len(family), 1)
    return {
        key: Telling(
            difference=_difference(own, 0.95),
            simultaneous=_difference(own, sure),
            stands_out=1 if larger[place] else -1 if smaller[place] else 0,
            share_larger=float((own.random > own.true).mean()) if len(own.random) else math.nan,
            num_pairs=len(own.random),
            num_unfitted=own.num_unfitted,
            num_configurations=len(np.unique(own.configurations)),
            num_seeds=len(np.unique(own.seeds)),
            to_fit=to_fit[id(measures[key][0])],
        )
        for place, (key, own) in enumerate(zip(measures, family, strict=True))
    }


@dataclass(frozen=True, eq=False)
class _Pairs:
    """Networks that differ in their labels alone, both fitted, both with a value."""

    configurations: Int64[np.ndarray, " P"]
    """Numbers, the same for all measures; and so are those of seeds."""
    seeds: Int64[np.ndarray, " P"]
    random: Float[np.ndarray, " P"]
    true: Float[np.ndarray, " P"]
    num_unfitted: int


def _matched(table: pd.DataFrame) -> pd.DataFrame:
    """A row a pair of networks that differ in their labels alone: own, their configuration; seed; random and true,
    which rows of `table` they are; fitted, whether both have."""
    own = ["model", *(name for name in OWN if name in table and table[name].nunique() > 1)]
    rows = table[[*own, "seed", "fitted"]].assign(row=np.arange(len(table)))
    labels = [rows[(table["corruption"] == name).to_numpy()] for name in ("random-labels", "true-labels")]
    pairs = labels[0].merge(labels[1], on=[*own, "seed"], suffixes=("_random", "_true"))
    return pd.DataFrame(
        {
            "own": [str(each) for each in pairs[own].itertuples(index=False, name=None)],
            "seed": pairs["seed"],
            "random": pairs["row_random"],
            "true": pairs["row_true"],
            "fitted": pairs["fitted_random"].astype(bool) & pairs["fitted_true"].astype(bool),
        }
    )


def _to_fit(table: pd.DataFrame, matched: pd.DataFrame) -> str:
    """What to try for networks of pairs that had not both fitted."""
    rows = matched[["random", "true"]].to_numpy(int).ravel()
    unfitted = table.iloc[rows[~table["fitted"].to_numpy(bool)[rows]]]
    if len(unfitted) and table.groupby("model")["learning_rate"].nunique().max() > 1:
        # The rates are what is compared, and not to be changed.
        unfitted = unfitted[unfitted["stop_reason"] != "non-finite loss"]
    return remedy(unfitted) if len(unfitted) else ""


def _relative(pairs: _Pairs) -> Float[np.ndarray, " P"]:
    size = np.abs(pairs.random) + np.abs(pairs.true)
    return np.divide(pairs.random - pairs.true, size, out=np.zeros_like(size), where=size > 0)


def _difference(pairs: _Pairs, confidence: float) -> Interval:
    relative = _relative(pairs)
    by_configuration, by_seed = (
        means[np.isfinite(means)] for means in (_means(relative, pairs.configurations), _means(relative, pairs.seeds))
    )
    difference = mean_interval(by_seed, confidence)
    if len(by_configuration) == 1:
        return difference
    return joined(mean_interval(by_configuration, confidence), difference)


def _means(values: Float[np.ndarray, " P"], codes: Int64[np.ndarray, " P"], num: int = 0) -> Float[np.ndarray, " N"]:
    """The means of the values of each code, NaN where there are none."""
    counts = np.bincount(codes, minlength=num)
    sums = np.bincount(codes, values, minlength=num)
    return np.divide(sums, counts, out=np.full(len(counts), np.nan), where=counts > 0)


def _stand_out(family: Sequence[_Pairs], num_seeds: int, num_configurations: int, side: int) -> list[bool]:
    """Whether each is larger (side 1) or smaller (-1), for all of them at once."""
    if not family or not num_seeds:
        return [False] * len(family)
    sure = OPPOSED / len(family)
    slots = np.stack([_by_slot(own, num_seeds) for own in family])
    sources, least = [_two_groups(side * slots, _groups(num_seeds))], [float(stats.t.ppf(sure, 2 * num_seeds - 2))]
    if any(len(np.unique(own.configurations)) > 1 for own in family):
        relative = np.stack([_means(_relative(own), own.configurations, num_configurations) for own in family])
        sources.append(_signs_exchanged(side * relative))
        least.append(float(stats.t.ppf(sure, num_configurations - 1)))
    return stand_out(sources, [-math.inf if math.isnan(end) else end for end in least]).tolist()


def _by_slot(pairs: _Pairs, num_seeds: int) -> Float[np.ndarray, " N"]:
    """The means of the S seeds on random labels and then on true ones: networks of a seed that differ in their
    configuration alone share a draw of labels, and stay together.

    What configurations have of their own is taken away: of logarithms their means, where all values have one sign, else
    their mean size is the unit.
    """
    random, true = pairs.random, pairs.true
    every = np.concatenate([random, true])
    if (every > 0).all() or (every < 0).all():
        random, true = (np.sign(values) * np.log(np.abs(values)) for values in (random, true))
        middles = _means((random + true) / 2, pairs.configurations)[pairs.configurations]
        random, true = random - middles, true - middles
    else:
        sizes = _means((np.abs(random) + np.abs(true)) / 2, pairs.configurations)[pairs.configurations]
        random, true = (values / np.where(sizes > 0, sizes, 1.0) for values in (random, true))
    return np.concatenate([_means(values, pairs.seeds, num_seeds) for values in (random, true)])


def _groups(num_seeds: int) -> Bool[np.ndarray, "B N"]:
    """Which of 2 S networks are taken for those with random labels, the first S first of all."""
    total = 2 * num_seeds
    if math.comb(total, num_seeds) <= MOST_EXCHANGES:
        chosen = np.array(list(combinations(range(total), num_seeds)), dtype=int).reshape(-1, num_seeds)
    else:
        draw = stream(0, "labels exchanged")
        others = [draw.permutation(total)[:num_seeds] for _ in range(MOST_EXCHANGES)]
        chosen = np.array([np.arange(num_seeds), *others])
    groups = np.zeros((len(chosen), total), dtype=bool)
    np.put_along_axis(groups, chosen, True, axis=1)
    return groups


def _two_groups(values: Float[np.ndarray, "M N"], groups: Bool[np.ndarray, "B N"]) -> Float[np.ndarray, "B M"]:
    """Student's t of the group against the others; -inf where either has no value, or the two have no spread to know.

    A measure without a difference and without a spread has a t of 0, one with a difference alone an infinite one.
    """
    there = np.isfinite(values)
    with np.errstate(invalid="ignore"):
        centred = values - np.nanmean(np.where(there.any(axis=1, keepdims=True), values, 0.0), axis=1, keepdims=True)
    size = np.max(np.abs(np.where(there, values, 0.0)), axis=1, initial=0.0)
    centred = np.where(there & (np.abs(centred) > _ROUNDING * size[:, None]), centred, 0.0)
    inside = groups.astype(float)
    num, others = inside @ there.T, (1 - inside) @ there.T
    enough = (num > 0) & (others > 0) & (num + others > 2)
    num, others = np.where(enough, num, 1.0), np.where(enough, others, 1.0)
    mean, other = (inside @ centred.T) / num, ((1 - inside) @ centred.T) / others
    squares = (centred**2).sum(axis=1)
    rest = squares - num * mean**2 - others * other**2
    rest = np.where(rest > _ROUNDING * squares, rest, 0.0)
    error = np.sqrt(rest / np.maximum(num + others - 2, 1.0) * (1 / num + 1 / others))
    return np.where(enough, _over(mean - other, error), -np.inf)


def _over(difference: np.ndarray, error: np.ndarray) -> np.ndarray:
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.where(difference == 0, 0.0, difference / error)


def _signs_exchanged(relative: Float[np.ndarray, "M C"]) -> Float[np.ndarray, "B M"]:
    """Student's t of the relative differences of configurations, with labels exchanged in whole ones; the first row is
    as they are."""
    num_configurations = relative.shape[1]
    if 2**num_configurations <= MOST_EXCHANGES:
        signs = np.array(list(product((1, -1), repeat=num_configurations)), dtype=float)
    else:
        signs = stream(0, "sign flips").choice((-1.0, 1.0), (MOST_EXCHANGES + 1, num_configurations))
        signs[0] = 1.0
    there = np.isfinite(relative)
    num = there.sum(axis=1)
    values = np.where(there, relative, 0.0)
    means, squares = signs @ values.T / np.maximum(num, 1), (values**2).sum(axis=1)
    rest = squares - num * means**2
    rest = np.where(rest > _ROUNDING * squares, rest, 0.0)
    error = np.sqrt(rest / np.maximum(num - 1, 1) / np.maximum(num, 1))
    return np.where(num > 1, _over(means, error), -np.inf)
