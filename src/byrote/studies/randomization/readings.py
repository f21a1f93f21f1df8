"""How the runs of one model in a randomisation test bear on a claim: p-values, what was found, what would decide it."""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import pairwise
from typing import NamedTuple

import numpy as np
import pandas as pd

from byrote.data.corruptions.catalog import title_of
from byrote.data.corruptions.record import corruption_words
from byrote.evidence.chance import chance_sides, verdict_in_words
from byrote.evidence.comparisons import compare_accuracies
from byrote.evidence.fitting_by_luck import by_luck, by_luck_of_class
from byrote.evidence.intervals import Interval, mean_interval
from byrote.evidence.learning import MOST_EXAMPLES, learning, learning_sides, unseen_accuracies
from byrote.evidence.obstacles import remedy
from byrote.evidence.seed_tests import (
    LEAST_SEEDS,
    LEVEL,
    UNKNOWN,
    Sides,
    all_of,
    seeds_in_words,
    seeds_wanted,
    sides,
    sides_of,
)
from byrote.evidence.slow_start import FALL, WINDOW
from byrote.evidence.tested import Tested
from byrote.evidence.verdicts import LITTLE
from byrote.evidence.words import listed, seeds_of, steps_in_words

SMALL_FACTOR = 10.0
"""Time to fit may grow by an order of magnitude and still count as 'a small factor': the paper gives none."""
FIT = 0.99
"""The share of the labels that counts as fitted."""


class Evidence(NamedTuple):
    """What speaks for a claim, and what against it."""

    sides: Sides
    """Of the claim: `above` speaks for it and `below` against it."""
    statement: str
    wanted: str = ""
    """What would decide it, in sentences, for where it is not decided."""


def memorises(model: str, runs: pd.DataFrame) -> Evidence:
    """Of the claim that the model fits random labels."""
    n, train = int(runs["n_train"].iloc[0]), runs["train_accuracy"].mean()
    p_value = by_luck(runs)
    least = runs["ceiling"].min()
    labels = f"random labels of all {n:,} examples" if least == 1 else f"random labels of {n:,} examples"
    statement = f"{model} fits {labels} under this recipe (train accuracy {train:.3f}, {seeds_of(runs)})"
    if least < 1:
        statement += f", as far as identical inputs with different labels allow, {least:.3f} at most"
    if p_value > LEVEL:
        return Evidence(
            Sides(p_value, 1.0),
            f"{statement}: but naming one class always does so well by luck with p = {p_value:.2g}.",
            "More training examples that differ, in more than one class, would tell.",
        )
    statement += (
        ": bounds on the whole class, VC or Rademacher, are vacuous here. "
        f"It tests at an accuracy of {_mean(runs['test_accuracy'])}, {verdict_in_words(runs)}."
    )
    if runs["seed"].nunique() > 1 and runs["initial_weights"].nunique() == 1:
        statement += (
            " All seeds start from the same weights (a pretrained or unseeded factory): "
            "they differ in labels and batch order alone."
        )
    return Evidence(Sides(p_value, 1.0), statement)


def learns_by_rote(model: str, runs: pd.DataFrame) -> Evidence:
    """Of one label corruption at one rate, with the column `predictable`."""
    n, train, predictable = int(runs["n_train"].iloc[0]), runs["train_accuracy"].mean(), runs["predictable"].iloc[0]
    words = corruption_words(runs["corruption"].iloc[0], float(runs["corruption_rate"].iloc[0]))
    statement = (
        f"{model} fits {words} of {n:,} examples under this recipe (train accuracy {train:.3f}, {seeds_of(runs)})"
    )
    if math.isnan(predictable):
        return Evidence(
            UNKNOWN,
            f"{statement}. By what chances these labels come from the true ones is not known, so neither is how many "
            "of them can be told without remembering each.",
            "A corruption that defines `chances` would tell.",
        )
    p_value = by_luck_of_class(runs)
    told = f"the true class alone tells {predictable:.1%} of these labels"
    if p_value > LEVEL:
        return Evidence(
            UNKNOWN,
            f"{statement}: but {told}, and so it need not remember any: that they are fitted is no question of memory.",
        )
    return Evidence(
        Sides(p_value, 1.0), f"{statement}: {told}, and what is fitted beyond them it remembers example by example."
    )


def learns(model: str, runs: pd.DataFrame) -> Evidence:
    """Of the claim that the model learns from true labels."""
    if math.isnan(float(runs["guessing"].iloc[0])):
        return Evidence(UNKNOWN, "No test example is left to tell whether it learns: all are in the training set.")
    found = learning(runs)
    statement = f"With true labels {model} gets {found.words} ({seeds_of(runs)})."
    if one_class := one_class_suffices(runs):
        statement += f" {one_class}"
    return Evidence(learning_sides(runs), statement, found.wanted)


def fits_noise(model: str, runs: pd.DataFrame) -> Evidence:
    """Of the claim that the model fits inputs without structure."""
    n = int(runs["n_train"].iloc[0])
    names = listed([title_of(name) for name in dict.fromkeys(runs["corruption"])])
    statement = f"{model} fits {names} of all {n:,} examples under this recipe ({seeds_of(runs)})."
    if one_class := one_class_suffices(runs):
        return Evidence(UNKNOWN, f"{statement} {one_class}")
    return Evidence(Sides(0.0, 1.0), statement)


def one_class_suffices(runs: pd.DataFrame) -> str:
    """Why fitting the true labels says nothing, in a sentence; "" where it does."""
    largest = float(runs["largest_class"].iloc[0])
    if largest < FIT * float(runs["ceiling"].min()):
        return ""
    return (
        f"But {largest:.1%} of the true labels are of one class, and naming it always counts as fitted: data in which "
        "classes are less unequal would tell."
    )


def order(model: str, runs: pd.DataFrame) -> Evidence:
    """Of the paper's order of starts: noise before random labels."""
    starts = _by_seed(runs, "steps_to_start")
    if (starts[["random-pixels", "gaussian"]].isna().any(axis=1) & starts["random-labels"].isna()).any():
        unstarted = runs[runs["steps_to_start"].isna()]
        return Evidence(
            UNKNOWN,
            f"{_starts(model, runs)} Which of two that never start would be first is not known.",
            f"{_capital(remedy(unstarted))}.",
        )
    leads = {name: _log_ratios(runs, name) for name in ("random-pixels", "gaussian")}
    bounds = {name: _bound(runs, "random-labels", name) for name in leads}
    factors = listed(
        [f"{bounds[name]}{_factor(lead)} as many as on {title_of(name)}" for name, (lead, _) in leads.items()]
    )
    statement = f"{_starts(model, runs)} On random labels it takes {factors}."
    return Evidence(
        all_of(*(sides(lead, least_deviation=least) for lead, least in leads.values())),
        statement,
        _most_seeds([seeds_wanted(lead) for lead, _ in leads.values()]),
    )


def time_grows(model: str, runs: pd.DataFrame) -> Evidence:
    """Of the claim that wrong labels take longer to fit."""
    most = runs["label_rate"].max()
    top = runs[runs["label_rate"] == most].sort_values("seed")
    # Over one epoch, which is what a time to fit is exact to.
    steps_an_epoch = np.ceil(runs["n_train"].iloc[0] / runs["batch_size"].iloc[0])
    factors = top["relative_time_to_fit"].to_numpy(float)
    times = top["steps_to_fit"].to_numpy(float)
    growth = np.log(factors)
    least = _deviation_of_rounding(times, steps_an_epoch, times / factors, steps_an_epoch)
    means = runs.groupby("label_rate")["relative_time_to_fit"].mean()
    each = ", ".join(f"{mean:.2f} at rate {rate:g}" for rate, mean in means.items())
    statement = (
        f"{model} takes {_factor(growth)} as many steps to fit at rate {most:g} as at 0; on average "
        f"{each} ({seeds_of(runs)}; up to {SMALL_FACTOR:g} times counts as a small factor)."
    )
    if one_class := one_class_suffices(runs):
        return Evidence(UNKNOWN, f"{statement} {one_class}")
    grows = sides(growth, least_deviation=least)
    is_small = sides(-growth, -math.log(SMALL_FACTOR), least_deviation=least)
    return Evidence(
        all_of(grows, is_small),
        statement,
        _most_seeds([seeds_wanted(growth), seeds_wanted(growth, math.log(SMALL_FACTOR))]),
    )


def error_rises(model: str, runs: pd.DataFrame) -> Evidence:
    """Of the claim that test error rises with the share of wrong labels."""
    tested = Tested.on_unseen(runs)
    rates = sorted(runs["label_rate"].astype(float).unique().tolist())
    levels = [(rate, runs[runs["label_rate"] == rate].sort_values("seed")) for rate in rates]
    accuracies = [unseen_accuracies(own) for _, own in levels]
    learned = learning(levels[0][1])
    several = runs["seed"].nunique() >= LEAST_SEEDS
    # How much test error falls from one level to the next, against a fall that counts.
    rises = [
        compare_accuracies(before.tolist(), after.tolist(), tested).difference for before, after in pairwise(accuracies)
    ]
    steps = [sides_of(rise, -LITTLE) if several else UNKNOWN for rise in rises]
    starts = sides_of(learned.accuracy, learned.guessing) if several else UNKNOWN
    ends = chance_sides(levels[-1][1]) if several else UNKNOWN
    each = ", ".join(
        f"{1 - own.mean():.3f} at rate {rate:g}" for (rate, _), own in zip(levels, accuracies, strict=True)
    )
    worst = min(range(len(rises)), key=lambda place: rises[place].low)
    fall = rises[worst]
    between = f"{levels[worst][0]:g} and {levels[worst + 1][0]:g}"
    statement = (
        f"{model}'s test error is {each}. From one level to the next it falls by {_points(-fall.low)} at most "
        f"(between {between}, by the 95% interval; {_points(LITTLE)} count). On true labels it gets {learned.words}. "
        f"On random labels its test accuracy is {_mean(accuracies[-1])}, {verdict_in_words(levels[-1][1])} "
        f"({seeds_of(runs)})."
    )
    return Evidence(
        all_of(starts, ends, *steps), statement, _error_wanted(several, learned.wanted, steps, rises, tested)
    )


def _error_wanted(
    several: bool, learned: str, steps: Sequence[Sides], rises: Sequence[Interval], tested: Tested
) -> str:
    if not several:
        return seeds_in_words(LEAST_SEEDS)
    undecided = [rise for rise, found in zip(rises, steps, strict=True) if min(found) > LEVEL]
    if not undecided:
        return learned
    # Half-widths shrink with the root of the number of test examples.
    away = min(abs(rise.mean + LITTLE) / (rise.mean - rise.low) for rise in undecided)
    number = math.ceil(tested.worth / away**2) if away else math.inf
    if number > MOST_EXAMPLES:
        return "More seeds, or levels further apart, would tell."
    return f"Some {number:,} test examples would tell whether it falls between levels."


def slow_start(model: str, runs: pd.DataFrame) -> Evidence:
    """Of the claim that random labels start more slowly than true ones."""
    true, random = (runs[runs["corruption"] == name].set_index("seed").sort_index() for name in _TWO)
    if true["steps_to_start"].isna().any():
        return Evidence(
            UNKNOWN,
            f"{model}'s loss did not start to fall even on true labels ({seeds_of(runs)}).",
            f"{_capital(remedy(true[true['steps_to_start'].isna()]))}, or a larger learning rate.",
        )
    later, least = _log_ratios(runs, "true-labels")
    recorded = pd.concat([true, random])[["early_gradient_norm", "early_gradient_cosine"]].notna()
    if not recorded.all(axis=None):
        return Evidence(
            UNKNOWN,
            f"{_starts(model, runs)} Its gradients until then are not recorded ({seeds_of(runs)}).",
            "Try `--dense-steps 1000`, and a batch size that leaves several steps before it starts.",
        )
    larger = np.log(random["early_gradient_norm"].to_numpy(float) / true["early_gradient_norm"].to_numpy(float))
    less = (true["early_gradient_cosine"] - random["early_gradient_cosine"]).to_numpy(float)
    r, t = random.mean(numeric_only=True), true.mean(numeric_only=True)
    statement = (
        f"{_starts(model, runs)} On random labels it takes {_bound(runs, *_TWO[::-1])}{_factor(later)} as many. "
        f"Over the same first steps, until the loss falls on random labels, batch gradients have a mean norm of "
        f"{r['early_gradient_norm']:.2g} (on true "
        f"labels: {t['early_gradient_norm']:.2g}; {_factor(larger)} as large) and a mean cosine of "
        f"{r['early_gradient_cosine']:.2f} with the one before (on true labels: {t['early_gradient_cosine']:.2f}; "
        f"{_less_by(less)}). In the first {WINDOW} steps alone the norms are "
        f"{r['initial_gradient_norm']:.2g} and {t['initial_gradient_norm']:.2g}"
    )
    at_first = np.log((random["initial_gradient_norm"] / true["initial_gradient_norm"]).to_numpy(float))
    if sides(larger).above <= LEVEL < sides(at_first).above:
        statement += ": that those under random labels start larger does not show, they stay while the others shrink"
    return Evidence(
        all_of(sides(later, least_deviation=least), sides(larger), sides(less)),
        f"{statement} ({seeds_of(runs)}).",
        _most_seeds([seeds_wanted(later), seeds_wanted(larger), seeds_wanted(less)]),
    )


_TWO = ("true-labels", "random-labels")


def _by_seed(runs: pd.DataFrame, column: str) -> pd.DataFrame:
    return runs.pivot_table(index="seed", columns="corruption", values=column, dropna=False)


def _log_ratios(runs: pd.DataFrame, second: str) -> tuple[np.ndarray, float]:
    """Of steps until random labels and those of `second` start, seed by seed, and the deviation that rounding alone
    gives to each.

    A run in which it never happened counts with all its steps: so much later it is at least.
    """
    known = runs.assign(steps_to_start=runs["steps_to_start"].fillna(runs["steps_run"]))
    times = _by_seed(known, "steps_to_start")
    one, other = times["random-labels"].to_numpy(float), times[second].to_numpy(float)
    least = _deviation_of_rounding(one, _exact_to(one), other, _exact_to(other))
    return np.log(one / other), least


def _bound(runs: pd.DataFrame, first: str, second: str) -> str:
    """ "at least " before by how much later the first starts than the second where it never did, in any seed; "at
    most " where the second did not."""
    never = _by_seed(runs, "steps_to_start").isna().any()
    if never[first] == never[second]:
        return ""
    return "at least " if never[first] else "at most "


def _exact_to(steps: np.ndarray) -> np.ndarray:
    """How many steps apart the record of early training is."""
    return np.where(steps <= 100, 1.0, 10.0)


def _deviation_of_rounding(
    first: np.ndarray, first_exact_to: np.ndarray | float, second: np.ndarray, second_exact_to: np.ndarray | float
) -> float:
    """Of the logarithm of the ratio of two times, each uniform between two that are recorded."""
    return float(np.sqrt(((first_exact_to / first) ** 2 + (second_exact_to / second) ** 2).mean() / 12))


def _starts(model: str, runs: pd.DataFrame) -> str:
    return (
        f"Steps until {model}'s loss starts to fall ({FALL:.0%} below chance): {_times(runs, 'steps_to_start')}; "
        f"until it has fitted: {_times(runs, 'steps_to_fit')} ({seeds_of(runs)})."
    )


def _times(runs: pd.DataFrame, column: str) -> str:
    """Mean steps by setting, soonest first: "12 on true labels, not within its steps on random labels"."""
    names = list(dict.fromkeys(runs["corruption"]))
    means = {name: runs.loc[runs["corruption"] == name, column].mean(skipna=False) for name in names}
    return ", ".join(
        f"{steps_in_words(runs.loc[runs['corruption'] == name, column])} on {title_of(name)}"
        for name in sorted(names, key=lambda name: np.nan_to_num(means[name], nan=np.inf))
    )


def _factor(logarithms: np.ndarray) -> str:
    """ "2.10 times (95% interval 1.80 to 2.50)"."""
    interval = mean_interval(logarithms)
    shown = f"{math.exp(interval.mean):.2f} times"
    if math.isnan(interval.low):
        return shown
    return f"{shown} (95% interval {math.exp(interval.low):.2f} to {math.exp(interval.high):.2f})"


def _less_by(values: np.ndarray) -> str:
    """ "less by 0.20 (95% interval 0.10 to 0.30)"; "more by" where they are negative in the mean."""
    word, values = ("more", -values) if values.mean() < 0 else ("less", values)
    interval = mean_interval(values)
    shown = f"{word} by {interval.mean:.2f}"
    if math.isnan(interval.low):
        return shown
    return f"{shown} (95% interval {interval.low:.2f} to {interval.high:.2f})"


def _points(fraction: float) -> str:
    return f"{100 * max(fraction, 0.0):.1f} points"


def _mean(accuracies: Sequence[float] | np.ndarray | pd.Series) -> str:
    return f"{float(np.mean(accuracies)):.3f}"


def _most_seeds(numbers: Sequence[int | None]) -> str:
    return seeds_in_words(None if None in numbers else max(number for number in numbers if number))


def _capital(words: str) -> str:
    return words[:1].upper() + words[1:]
