"""Which of two conditions tests better: over test examples, and over seeds where there are several."""

from __future__ import annotations

import math
from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
import pandas as pd
from jaxtyping import Bool, Float, Int64
from scipy import stats
from scipy.special import betainc, ndtri

from byrote.evidence.columns import Column
from byrote.evidence.intervals import Interval, binomial_interval, joined, joined_p, mean_interval, mean_p
from byrote.evidence.tested import Tested
from byrote.training.outcome import TrainOutcome

Right: TypeAlias = Bool[np.ndarray, " T"] | Float[np.ndarray, " T"]
"""Which of T test examples a run gets right; NaN of those that do not count."""


@dataclass(frozen=True)
class Comparison:
    """By how much the first of two conditions has the higher test accuracy."""

    difference: Interval
    """As a fraction, with its 95% interval; n counts seeds, or test examples with one seed."""
    p_value: float
    """Two-sided, that there is no difference."""
    num_seeds: int


def columns_against(rival: str, told: str) -> tuple[Column, ...]:
    """Of a study's table; `told` says what the run is that each is compared with. They count test examples that are
    not in training."""
    beside = f"{told}; missing without such a run."
    return (
        Column(f"won_against_{rival}", "float64", f"The unseen test examples that it gets right, and not {beside}"),
        Column(f"lost_against_{rival}", "float64", f"The unseen test examples that it gets wrong, and not {beside}"),
        Column(
            f"agreed_against_{rival}",
            "float64",
            "How far the seeds agree on both, as the sum over those examples of this seed's difference (1, 0 or -1) "
            f"times the mean difference over seeds, against {beside}",
        ),
    )


def right_where_unseen(outcome: TrainOutcome, labels: Int64[np.ndarray, " T"]) -> Float[np.ndarray, " T"]:
    """Which test examples a run gets right, 1 or 0; NaN of those that it was trained on."""
    right = (outcome.test_predictions == labels).astype(float)
    right[outcome.test_leaked] = np.nan
    return right


def discordant_columns(
    rival: str,
    right: Sequence[Right],
    others: Sequence[Right | None],
    conditions: Sequence[Hashable],
) -> dict[str, list[float]]:
    """The entries of `columns_against`, in which each run is compared with another of the same seed, on T examples.

    Where all seeds predict the same, they agree on what is won and lost together, and on the S-th part of it where each
    differs on examples of its own.

    Args:
        rival: the other's name in the columns.
        right: which examples each run gets right, as `right_where_unseen` has it.
        others: the same of the run that it is compared with; None where there is none, which gives NaN.
        conditions: equal in runs that are one another's seeds.
    """
    differences = [
        None if other is None else np.nan_to_num(own.astype(float) - other)
        for own, other in zip(right, others, strict=True)
    ]
    seeds: dict[Hashable, list[np.ndarray]] = {}
    for condition, difference in zip(conditions, differences, strict=True):
        if difference is not None:
            seeds.setdefault(condition, []).append(difference)
    means = {condition: np.mean(own, axis=0) for condition, own in seeds.items()}
    counts = [
        (np.nan,) * 3
        if difference is None
        else (float((difference > 0).sum()), float((difference < 0).sum()), float(difference @ means[condition]))
        for condition, difference in zip(conditions, differences, strict=True)
    ]
    names = (column.name for column in columns_against(rival, ""))
    return {name: [count[place] for count in counts] for place, name in enumerate(names)}


def compared(runs: pd.DataFrame, rival: str) -> Comparison:
    """What the `discordant_columns` of these runs, the seeds of one condition, come to."""
    won, lost, agreed = (runs[f"{side}_against_{rival}"].astype(float).tolist() for side in ("won", "lost", "agreed"))
    return compare(won, lost, agreed, Tested.on_unseen(runs))


def compare(
    won: Sequence[int | float], lost: Sequence[int | float], agreed: Sequence[int | float], tested: Tested
) -> Comparison:
    """Two conditions with the same seeds and test set, by what `discordant_columns` gives for each seed.

    One seed: McNemar's exact test (1947) on the discordant test examples, those that only one of the two gets right,
    with the interval of Agresti and Min (2005). It covers the draw of the test set, not that of the seed.

    Several seeds share the test set, and an example on which all of them differ alike is no more evidence than with one
    seed. So the same test runs on as many discordant examples as the seeds are worth: their number over the design
    effect, the variance that the examples' means over seeds have to that of as many independent ones (Kish, Survey
    sampling, 1965; for exact tests Korn and Graubard, 1998). It is 1 where seeds differ independently and S where they
    predict the same. That covers the draw of examples. What they have in common is `joined` with Student's t on the
    differences, seed by seed, which covers the draw of seeds; the larger p-value and the wider interval of the two
    count, since few seeds may agree by luck. Test examples that repeat count as those that they are worth.
    """
    num_seeds, n_test, share = len(won), tested.worth, tested.worth / tested.number
    differences = (np.asarray(won) - np.asarray(lost)) / tested.number
    num_discordant = float(np.sum(won) + np.sum(lost))
    effect = min(max(num_seeds * float(np.sum(agreed)) / num_discordant, 1.0), num_seeds) if num_discordant else 1.0
    num_won, num_lost = (share * float(np.sum(side)) / effect for side in (won, lost))
    low, high, p_value = _over_examples(num_won, num_lost, num_seeds * n_test / effect)
    if num_seeds == 1:
        return Comparison(Interval(float(differences[0]), low, high, tested.number), p_value, 1)
    over_seeds = mean_interval(differences)
    mean = over_seeds.mean
    # The share of the examples' variance that more seeds would not average out.
    common = math.sqrt(num_seeds * (1 - 1 / effect) / (num_seeds - 1))
    over_examples = Interval(mean, mean - common * (mean - low), mean + common * (high - mean), tested.number)
    both = joined(over_seeds, over_examples)
    ends = max(min(low, both.low), -1.0), min(max(high, both.high), 1.0)
    of_common = 2 * float(stats.norm.sf(stats.norm.isf(p_value / 2) / common)) if common else 0.0
    p_value = max(p_value, joined_p(mean_p(differences), of_common))
    return Comparison(Interval(mean, *ends, num_seeds), p_value, num_seeds)


def compare_accuracies(first: Sequence[float], second: Sequence[float], tested: Tested) -> Comparison:
    """As `compare`, where accuracies are known, a pair for each seed, but not on which examples they rest.

    The draw of examples is taken as if the two had been tested on as many of their own (Newcombe's interval, 1998,
    method 10; Fisher's exact test), all seeds on the same: two conditions get mostly the same examples right, so this
    errs on the safe side. Student's t over seeds is `joined` with it.
    """
    differences = np.asarray(first, dtype=float) - np.asarray(second, dtype=float)
    means = float(np.mean(first)), float(np.mean(second))
    one, other = (binomial_interval(mean, tested.worth) for mean in means)
    mean = one.mean - other.mean
    low = mean - math.hypot(one.mean - one.low, other.high - other.mean)
    high = mean + math.hypot(one.high - one.mean, other.mean - other.low)
    whole = max(math.floor(tested.worth), 1)
    right = np.rint(np.array(means) * whole).astype(int)
    p_value = float(stats.fisher_exact(np.stack([right, whole - right])).pvalue)
    over_examples = Interval(mean, low, high, tested.number)
    if len(differences) == 1:
        return Comparison(over_examples, p_value, 1)
    both = joined(mean_interval(differences), over_examples)
    return Comparison(both, joined_p(mean_p(differences), p_value), len(differences))


def _over_examples(won: float, lost: float, n: float) -> tuple[float, float, float]:
    """The ends of the 95% interval of (won - lost) / n, and the p-value that it is 0; counts need not be whole.

    Agresti and Min, Simple improved confidence intervals for comparing matched proportions (2005): Wald's, with half
    an example more of each of the four kinds, so that it has a width even where none is discordant, or all are. The
    chance that a fair coin gives so few of the one side is the regularised incomplete beta function, for whole counts
    the binomial distribution's.
    """
    fewer, more = sorted((won, lost))
    p_value = min(2 * float(betainc(more, fewer + 1, 0.5)), 1.0) if more else 1.0
    centre = (won - lost) / (n + 2)
    half_width = float(ndtri(0.975)) * math.sqrt(won + lost + 1 - (won - lost) * centre) / (n + 2)
    return max(centre - half_width, -1.0), min(centre + half_width, 1.0), p_value


def holm(p_values: Sequence[float]) -> Float[np.ndarray, " M"]:
    """The p-values, adjusted so that all M may be read at once (Holm, 1979)."""
    array = np.asarray(p_values, dtype=np.float64)
    order = np.argsort(array)
    adjusted = np.empty_like(array)
    adjusted[order] = np.minimum(np.maximum.accumulate((len(array) - np.arange(len(array))) * array[order]), 1)
    return adjusted
