"""What each factor of a full factorial grid of runs is worth: main effects, interactions, ANOVA, Shapley values.

Source     Fisher, The Design of Experiments (1935), for the grid and its analysis; Shapley, A value for n-person
           games (1953), for the shares; Holm (1979), for reading many p-values at once.
"""

from __future__ import annotations

import math
from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations, product

import numpy as np
import pandas as pd
from jaxtyping import Float
from scipy import stats
from scipy.special import comb

from byrote.errors import UserError
from byrote.evidence.blocks import Blocks, complete_blocks, interval_ends
from byrote.evidence.comparisons import holm
from byrote.evidence.intervals import Interval, joined
from byrote.evidence.learning import unseen_accuracies
from byrote.evidence.tested import Tested
from byrote.evidence.words import count_of_seeds

ROUNDING = 1e-20
"""A sum of squares below this share of that of the responses themselves is rounding: float64 keeps 1e-16 of a value."""

ALPHA = 0.05
"""Chance of calling some factor real when none is, and of calling some interaction so."""


@dataclass(frozen=True, eq=False)
class Attribution:
    """Effects in units of the response. `low` and `high` end 95% intervals over seeds; NaN with one seed.

    >>> grid = [(seed, rate, 0.7 + rate / 5 + seed / 100) for seed in (0, 1, 2) for rate in (0.0, 0.5)]
    >>> table = pd.DataFrame(grid, columns=["seed", "dropout", "test_accuracy"])
    >>> found = attribute(table, ["dropout"], "test_accuracy")
    >>> found.baseline, found.num_seeds, round(found.total.mean, 3)
    ({'dropout': 0.0}, 3, 0.1)
    """

    response: str
    baseline: dict[str, Hashable]
    """The level of each factor that counts as untreated."""
    num_seeds: int
    untreated: float
    """Mean response with every factor at its baseline."""
    total: Interval
    """By how much the mean response differs once every factor is treated."""
    shapley: pd.DataFrame
    """factor, value, low, high. The values sum to the total. The intervals are simultaneous: each is at a level of
    1 - 0.05 / F (Bonferroni), so that all of them hold their values with 95%."""
    main_effects: pd.DataFrame
    """factor, level, effect, low, high: each treated level against the baseline, averaged over the other factors."""
    interactions: pd.DataFrame
    """first, second, effect, low, high: by how much two factors together exceed the sum of what each does alone,
    averaged over the other factors."""
    anova: pd.DataFrame
    """term, sum_of_squares, degrees_of_freedom, f, p_value, holm_p_value, eta_squared.

    A row for each factor and each pair ("dropout x weight_decay"), then "higher interactions" together, "seed" and
    "residual". Without a residual (one seed, or seeds that differ by a constant) f and the p-values are NaN.
    """


def attribute(
    table: pd.DataFrame,
    factors: Sequence[str],
    response: str,
    *,
    baseline: Mapping[str, Hashable] | None = None,
    seed: int = 0,
    num_resamples: int = 20_000,
) -> Attribution:
    """How much of `response` each of `factors` accounts for.

    A factor is *treated* where it is not at its baseline; one of more than two levels counts as treated at the mean
    over the others (`main_effects` has each of its levels). The game of the Shapley values is v(S) = the mean response
    with the factors in S treated and the others at their baseline, and they are exact: the grid has all 2^F coalitions.
    A main effect averages over the other factors, treated and untreated in equal parts (the Banzhaf value of the same
    game): it equals the Shapley value unless three or more factors interact, but only Shapley values always add up.

    Every effect is linear in the runs of a seed, so its interval (`interval_ends`) is Student's t over seeds, up to
    resampling noise. In the analysis of variance the seed is a block: what it adds to all cells alike is no noise.
    The types I, II and III of sums of squares coincide in a complete grid, and the model has all interactions, so that
    the residual is the spread over seeds alone. The p-values of all terms are one family.

    >>> grid = [(seed, rate, 0.7 + rate / 5 + seed / 100) for seed in (0, 1, 2) for rate in (0.0, 0.5)]
    >>> table = pd.DataFrame(grid, columns=["seed", "dropout", "test_accuracy"])
    >>> attribute(table, ["dropout"], "test_accuracy").shapley["value"].round(3).tolist()
    [0.1]

    Args:
        table: one row per run, as `tabulate` makes it, and nothing but the grid: the same seeds in every cell.
        baseline: the untreated level where it should be another than "none" or else the smallest.
        seed: draws the resamples.
        num_resamples: with 2,000, simultaneous intervals over three seeds are off by a tenth of their width.

    Raises:
        UserError: a factor with one level, an unknown baseline, or what `complete_blocks` refuses: an incomplete grid,
            say, or runs that failed a check.
    """
    blocks = complete_blocks(table, factors, response)
    for name, own in blocks.levels.items():
        if len(own) < 2:
            raise UserError(f"got {name}={own[0]} in all runs, expected two levels or more: take it off the factors")
    levels, values = _baseline_first(blocks, baseline or {})
    shapley, main, interaction = _contrasts(len(levels))
    coalitions = _coalitions(values)
    switches = [(name, level) for name, own in levels.items() for level in own[1:]]
    one_by_one = [
        _coalitions(values.take([0, position], axis + 1)) @ main[:, axis]
        for axis, own in enumerate(levels.values())
        for position in range(1, len(own))
    ]

    def estimates(
        effect: str, names: pd.DataFrame, per_seed: Float[np.ndarray, " ..."], alpha: float = ALPHA
    ) -> pd.DataFrame:
        low, high = interval_ends(per_seed, seed=seed, num_resamples=num_resamples, confidence=1 - alpha)
        return names.assign(**{effect: per_seed.mean(axis=0), "low": low, "high": high})

    change = coalitions[:, -1:] - coalitions[:, :1]
    low, high = interval_ends(change, seed=seed, num_resamples=num_resamples)[:, 0].tolist()
    return Attribution(
        response=response,
        baseline={name: own[0] for name, own in levels.items()},
        num_seeds=len(values),
        untreated=float(coalitions[:, 0].mean()),
        total=Interval(float(change.mean()), low, high, len(values)),
        shapley=estimates(
            "value", pd.DataFrame({"factor": list(levels)}), coalitions @ shapley, alpha=ALPHA / len(levels)
        ),
        main_effects=estimates(
            "effect", pd.DataFrame(switches, columns=["factor", "level"]), np.stack(one_by_one, axis=1)
        ),
        interactions=estimates(
            "effect", pd.DataFrame(list(combinations(levels, 2)), columns=["first", "second"]), coalitions @ interaction
        ),
        anova=_anova(values, list(levels)),
    )


def _baseline_first(
    blocks: Blocks, baseline: Mapping[str, Hashable]
) -> tuple[dict[str, list[Hashable]], Float[np.ndarray, "S ..."]]:
    levels, values = dict(blocks.levels), blocks.values
    for name, level in baseline.items():
        if name not in levels or level not in levels[name]:
            known = f"one of {', '.join(map(str, levels.get(name, levels)))}"
            raise UserError(f"got the baseline {name}={level}, expected {known}")
        position = levels[name].index(level)
        order = [position, *(other for other in range(len(levels[name])) if other != position)]
        values = values.take(order, 1 + list(levels).index(name))
        levels[name] = [levels[name][other] for other in order]
    return levels, values


def _coalitions(values: Float[np.ndarray, "S ..."]) -> Float[np.ndarray, "S coalitions"]:
    """The 2^F coalitions of treated factors: each axis reduced to its baseline and the mean over its other levels."""
    for axis in range(1, values.ndim):
        treated = values.take(range(1, values.shape[axis]), axis).mean(axis, keepdims=True)
        values = np.concatenate([values.take([0], axis), treated], axis)
    return values.reshape(len(values), -1)


def shapley_weights(num_factors: int) -> Float[np.ndarray, "coalitions F"]:
    """What to multiply the values of all coalitions with, the one of none first and each as a binary number, for the
    Shapley value of each factor."""
    return _contrasts(num_factors)[0]


def _contrasts(
    num_factors: int,
) -> tuple[Float[np.ndarray, "coalitions F"], Float[np.ndarray, "coalitions F"], Float[np.ndarray, "coalitions pairs"]]:
    """What to multiply the coalitions with for Shapley values, main effects and two-way interactions.

    Shapley's weight of a step from T to T and one more is |T|! (F-1-|T|)! / F!, that is 1 / (F (F-1 over |T|)).
    """
    treated = np.array(list(product((0, 1), repeat=num_factors)))
    sign = 2.0 * treated - 1
    num_others = treated.sum(axis=1, keepdims=True) - treated
    shapley = sign / (num_factors * comb(num_factors - 1, num_others))
    main = sign / 2 ** (num_factors - 1)
    first, second = np.triu_indices(num_factors, k=1)
    return shapley, main, sign[:, first] * sign[:, second] / 2.0 ** (num_factors - 2)


def _anova(values: Float[np.ndarray, "S ..."], factors: Sequence[str]) -> pd.DataFrame:
    """In a complete grid all terms are orthogonal: each is what remains of the cells' means once what fewer factors do
    is taken off."""
    cells, offsets = values.mean(axis=0), values.reshape(len(values), -1).mean(axis=1)
    terms = [axes for size in range(1, cells.ndim + 1) for axes in combinations(range(cells.ndim), size)]
    found = {axes: (_sum_of_squares(cells, axes) * len(values), _freedom(cells, axes)) for axes in terms}
    rows = [(" x ".join(factors[axis] for axis in axes), *found[axes]) for axes in terms if len(axes) < 3]
    higher = [found[axes] for axes in terms if len(axes) > 2]
    if higher:
        rows.append(("higher interactions", sum(square for square, _ in higher), sum(free for _, free in higher)))
    num_tested = len(rows)
    if len(values) > 1:
        rows.append(("seed", cells.size * float(((offsets - values.mean()) ** 2).sum()), len(values) - 1))
    rest = values - cells - offsets.reshape(-1, *(1,) * cells.ndim) + values.mean()
    rows.append(("residual", float((rest**2).sum()), (len(values) - 1) * (cells.size - 1)))
    squares, freedom = np.array([row[1] for row in rows]), np.array([row[2] for row in rows])

    rounding, total = ROUNDING * float((values**2).sum()), float(squares.sum())
    f, p_value, corrected = np.full((3, len(rows)), np.nan)
    if len(values) > 1 and squares[-1] > rounding:
        tested = slice(num_tested)
        f[tested] = (squares[tested] / freedom[tested]) / (squares[-1] / freedom[-1])
        p_value[tested] = stats.f.sf(f[tested], freedom[tested], freedom[-1])
        corrected[tested] = holm(p_value[tested].tolist())
    return pd.DataFrame(
        {
            "term": [row[0] for row in rows],
            "sum_of_squares": squares,
            "degrees_of_freedom": freedom,
            "f": f,
            "p_value": p_value,
            "holm_p_value": corrected,
            "eta_squared": squares / total if total > rounding else np.nan,
        }
    )


def _sum_of_squares(cells: Float[np.ndarray, " ..."], axes: Sequence[int]) -> float:
    """Of what the factors of these axes do together, over all cells."""
    effect = cells
    for axis in range(cells.ndim):
        mean = effect.mean(axis, keepdims=True)
        effect = effect - mean if axis in axes else mean
    return cells.size / effect.size * float((effect**2).sum())


def _freedom(cells: Float[np.ndarray, " ..."], axes: Sequence[int]) -> int:
    return math.prod(cells.shape[axis] - 1 for axis in axes)


def sentences(attribution: Attribution) -> list[str]:
    """What matters and how much, in plain words: all factors together, each by its Shapley value, then the pairs.

    A factor *matters* if its interval excludes 0; the factors' intervals are simultaneous, so that of many without
    effect some matters by chance no more often than a single one. A pair's 95% interval must exclude 0 as well, and its
    Holm-corrected p-value (where there is one) be below 0.05. With one seed nothing is said to matter. Accuracies and
    the generalization gap are in points, hundredths of one.
    """
    response, total, start = attribution.response, attribution.total, attribution.untreated
    shares = attribution.shapley.sort_values("value", key=abs, ascending=False, kind="stable")
    together = (
        f"All treated, the factors change {_words(response)} by "
        f"{_amount(total.mean, total.low, total.high, response)}, from {start:,.3f} to {start + total.mean:,.3f} "
        f"({count_of_seeds(attribution.num_seeds)})."
    )
    if attribution.num_seeds == 1:
        return [
            together,
            f"Each one's share, by Shapley value: {_shares(attribution, shares)}.",
            "One seed does not tell its spread: there is no interval and no p-value, and any of this may be chance.",
        ]
    said = [together]
    matter = _excludes_0(shares)
    if matter.any():
        said.append(f"These matter, by Shapley value: {_shares(attribution, shares[matter])}.")
    if not matter.all():
        said.append(f"Not to be told from nothing: {_shares(attribution, shares[~matter])}.")
    pairs = attribution.interactions.sort_values("effect", key=abs, ascending=False, kind="stable")
    p_values = attribution.anova.set_index("term")["holm_p_value"]
    pairs["p_value"] = p_values[pairs["first"] + " x " + pairs["second"]].to_numpy()
    matter = _excludes_0(pairs) & ~(pairs["p_value"] >= ALPHA)
    said += [
        f"{_words(pair['first'])} and {_words(pair['second'])} together change {_words(response)} by "
        f"{_amount(pair['effect'], pair['low'], pair['high'], response)} beyond the sum of what each does alone"
        f"{_corrected(pair['p_value'])}."
        for pair in pairs[matter].to_dict("records")
    ]
    if len(pairs) and not matter.any():
        said.append(
            "No interaction of two factors stands out "
            f"(a 95% interval without 0 and a Holm-corrected p-value below {ALPHA:g})."
        )
    return said


def shapley_intervals(found: Attribution, noise: float, sign: int = 1) -> list[Interval]:
    """Of each factor's Shapley value, times `sign`: over seeds, `joined` with this half-width for the test examples."""
    rows = found.shapley.to_dict("records")
    ends = [sorted((sign * row["low"], sign * row["high"])) for row in rows]
    means = [sign * row["value"] for row in rows]
    return [
        joined(Interval(mean, low, high, found.num_seeds), Interval(mean, mean - noise, mean + noise, found.num_seeds))
        for mean, (low, high) in zip(means, ends, strict=True)
    ]


def examples_noise(runs: pd.DataFrame, num_factors: int) -> float:
    """By how much the draw of test examples, which all runs share, may change a difference of two mean accuracies, or a
    Shapley value: as if the two had been tested on examples of their own, so that it errs on the safe side; of all
    factors at once."""
    worth, accuracy = Tested.on_unseen(runs).worth, float(unseen_accuracies(runs).mean())
    accuracy = (accuracy * worth + 1) / (worth + 2)
    return float(stats.norm.ppf(1 - 0.025 / num_factors)) * math.sqrt(2 * accuracy * (1 - accuracy) / worth)


def noise_in_words(runs: pd.DataFrame, noise: float) -> str:
    """What the shared draw of test examples adds to intervals over seeds."""
    return (
        f"Intervals are over seeds; the draw of {Tested.on_unseen(runs).in_words}, which all share, adds "
        f"up to {100 * noise:.1f} points, and an effect has to exceed both."
    )


def _excludes_0(effects: pd.DataFrame) -> pd.Series:
    """Seeds that all agree do not show how others would differ: an interval without a width tells nothing."""
    return ((effects["low"] > 0) | (effects["high"] < 0)) & (effects["low"] < effects["high"])


def _shares(attribution: Attribution, shares: pd.DataFrame) -> str:
    levels = {name: own["level"].map(_level) for name, own in attribution.main_effects.groupby("factor")}
    return "; ".join(
        f"{_words(name)} ({' or '.join(levels[name])} instead of {_level(attribution.baseline[name])}) "
        f"{_amount(value, low, high, attribution.response, interval='simultaneous 95% interval')}"
        for name, value, low, high in shares[["factor", "value", "low", "high"]].to_numpy().tolist()
    )


def _amount(value: float, low: float, high: float, response: str, *, interval: str = "95% interval") -> str:
    points = response.endswith(("accuracy", "generalization_gap"))
    shown = [f"{100 * figure:+.1f}" if points else f"{figure:+.3g}" for figure in (value, low, high)]
    between = "" if math.isnan(low) else f" ({interval} {shown[1]} to {shown[2]})"
    return f"{shown[0]}{' points' if points else ''}{between}"


def _corrected(p_value: float) -> str:
    return "" if math.isnan(p_value) else f" (p = {p_value:.2g}, Holm-corrected)"


def _level(level: Hashable) -> str:
    return f"{level:g}" if isinstance(level, float) else str(level)


def _words(name: str) -> str:
    return name.replace("_", " ")
