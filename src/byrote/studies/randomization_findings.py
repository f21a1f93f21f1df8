"""What the runs of one model in a randomisation test show, claim by claim, in plain words.

A claim is decided only by runs that have all finished, passed their checks and, where it speaks of fitting,
have fitted.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import pairwise

import numpy as np
import pandas as pd

from byrote.data.corruptions import INPUT_CORRUPTIONS
from byrote.studies.chance import chance_in_words, is_at_chance
from byrote.studies.evidence import obstacle
from byrote.studies.slow_start import FALL, WINDOW
from byrote.studies.statistics import binomial_interval, mean_interval
from byrote.studies.study import Finding
from byrote.training.spec import TrainSpec

SMALL_FACTOR = 10.0
"""Time to fit may grow by an order of magnitude and still count as 'a small factor': the paper gives none."""
DECISIVE = 0.999
"""Confidence at which an accuracy differs from chance or from another. Stricter than the 95% shown: the
interval covers the draw of test examples but not of seeds, and several are read at once."""

MARGIN = 0.1
"""Mean norms and cosines of gradients that differ by a tenth or less count as equal: a single run is no surer."""

_NAMES = {
    "true-labels": "true labels",
    "random-labels": "random labels",
    "shuffled-pixels": "shuffled pixels",
    "random-pixels": "random pixels",
    "gaussian": "Gaussian inputs",
}


# A model's name and its runs -> whether the claim holds (None: they do not tell), and what was found.
_Decision = Callable[[str, pd.DataFrame], tuple[bool | None, str]]


def findings(model: str, table: pd.DataFrame, planned: Sequence[TrainSpec]) -> list[Finding]:
    """The claims that the runs `planned` for `model` bear on, decided by those in `table`."""
    conditions = {spec.corruption for spec in planned}
    rates = {spec.label_rate for spec in planned if not spec.corruption.endswith(INPUT_CORRUPTIONS)}

    def try_claim(claim: str, decide: _Decision, wanted: set[str], *, fitted: bool = True) -> Finding:
        runs = table[table["corruption"].isin(wanted)] if len(table) else table
        num_planned = sum(spec.corruption in wanted for spec in planned)
        # A loss that blew up has not fitted, which says all there is to say of it here.
        reason = obstacle(runs, num_planned, fitted=fitted, finite=False)
        if reason:
            return Finding(claim, "no conclusion", reason)
        holds, statement = decide(model, runs)
        if holds is None:
            return Finding(claim, "no conclusion", statement)
        return Finding(claim, "supported" if holds else "not supported", statement)

    labels = {"true-labels", "partial-labels", "random-labels"} & conditions
    inputs = set(INPUT_CORRUPTIONS) & conditions
    found = []
    if "random-labels" in conditions:
        found.append(try_claim(f"{model} can fit random labels", _memorises, {"random-labels"}))
    if inputs:
        found.append(try_claim(f"{model} can fit inputs whose structure is destroyed", _fits_noise, inputs))
    if {"random-labels", "random-pixels", "gaussian"} <= conditions:
        claim = f"{model} starts to fit random pixels and Gaussian inputs sooner than random labels"
        found.append(try_claim(claim, _order, inputs | {"random-labels"}, fitted=False))
    if 0.0 in rates and len(rates) > 1:
        claim = f"{model}'s time to fit grows with label corruption by a small factor"
        found.append(try_claim(claim, _time_grows, labels))
    if {0.0, 1.0} < rates:  # at least one in between
        found.append(try_claim(f"{model}'s test error rises smoothly to chance", _error_rises, labels))
    if {"true-labels", "random-labels"} <= conditions:
        claim = f"{model} starts slowly on random labels because its gradients are large and uncorrelated"
        found.append(try_claim(claim, _slow_start, {"true-labels", "random-labels"}, fitted=False))
    return found


def _memorises(model: str, runs: pd.DataFrame) -> tuple[bool, str]:
    n, train = int(runs["n_train"].iloc[0]), runs["train_accuracy"].mean()
    place = "at" if is_at_chance(runs, DECISIVE) else "not at"
    statement = (
        f"{model} fits random labels of all {n:,} examples under this recipe (train accuracy {train:.3f}, "
        f"{_seeds(runs)}): bounds on the whole class, VC or Rademacher, are vacuous here. "
        f"Test accuracy is {place} chance: {_accuracy(runs)} ({chance_in_words(runs, DECISIVE)})."
    )
    if runs["ceiling"].min() < 1:
        ceiling = runs["ceiling"].min()
        statement += f" Identical inputs with different labels leave a train accuracy of {ceiling:.3f} at most."
    if runs["seed"].nunique() > 1 and runs["initial_weights"].nunique() == 1:
        statement += (
            " All seeds start from the same weights (a pretrained or unseeded factory): "
            "they differ in labels and batch order alone."
        )
    return True, statement


def _fits_noise(model: str, runs: pd.DataFrame) -> tuple[bool, str]:
    n = int(runs["n_train"].iloc[0])
    names = [_NAMES[name] for name in INPUT_CORRUPTIONS if name in set(runs["corruption"])]
    return True, f"{model} fits {_and(names)} of all {n:,} examples under this recipe ({_seeds(runs)})."


def _order(model: str, runs: pd.DataFrame) -> tuple[bool | None, str]:
    starts = runs.pivot_table(index="seed", columns="corruption", values="steps_to_start", dropna=False)
    starts = starts.fillna(np.inf)
    pixels = starts[["random-pixels", "gaussian"]].max(axis=1)
    statement = (
        f"Steps until {model}'s loss starts to fall ({FALL:.0%} below chance): {_times(runs, 'steps_to_start')}; "
        f"until it has fitted: {_times(runs, 'steps_to_fit')} ({_seeds(runs)})."
    )
    # Neither fell within its run: which would have been first is not known.
    unknown = np.isinf(pixels) & np.isinf(starts["random-labels"])
    return None if unknown.any() else bool((pixels < starts["random-labels"]).all()), statement


def _time_grows(model: str, runs: pd.DataFrame) -> tuple[bool, str]:
    means = runs.groupby("label_rate")["relative_time_to_fit"].mean()
    most = runs["label_rate"].max()
    factors = runs.loc[runs["label_rate"] == most, "relative_time_to_fit"].to_numpy(dtype=float)
    grows = bool((factors > 1).all())
    each = ", ".join(f"{mean:.2f} at rate {rate:g}" for rate, mean in means.items())
    interval = mean_interval(factors)
    between = "" if np.isnan(interval.low) else f" (95% interval {interval.low:.2f} to {interval.high:.2f})"
    rising = "at every level" if means.is_monotonic_increasing else "though not at every level"
    return bool(grows and means.max() <= SMALL_FACTOR), (
        f"{model} takes {interval.mean:.2f} times as many steps to fit at rate {most:g} as at 0{between}, "
        f"{'growing ' + rising if grows else 'no growth'}: {each} ({_seeds(runs)}; "
        f"up to {SMALL_FACTOR:g} counts as a small factor)."
    )


def _error_rises(model: str, runs: pd.DataFrame) -> tuple[bool, str]:
    n_test, chance = int(runs["n_test"].iloc[0]), 1 / int(runs["num_classes"].iloc[0])
    levels = runs.groupby("label_rate")["test_accuracy"].mean()
    decisive = [binomial_interval(accuracy, n_test, DECISIVE) for accuracy in levels]
    rises = all(later.low <= earlier.high for earlier, later in pairwise(decisive))
    ends = is_at_chance(runs[runs["label_rate"] == levels.index[-1]], DECISIVE)
    starts_below = decisive[0].low > chance
    each = ", ".join(f"{1 - accuracy:.3f} at rate {rate:g}" for rate, accuracy in levels.items())
    shape = [
        "never falls beyond noise" if rises else "falls between some levels",
        f"ends {'at' if ends else 'away from'} chance ({1 - chance:.3f})",
    ]
    if not starts_below:
        shape.append("is no better than chance on true labels")
    return rises and ends and starts_below, (
        f"{model}'s test error is {each}: it {_and(shape)} ({n_test:,} test examples, {_seeds(runs)})."
    )


def _slow_start(model: str, runs: pd.DataFrame) -> tuple[bool | None, str]:
    columns = ["steps_to_start", "initial_gradient_norm", "early_gradient_norm", "early_gradient_cosine"]
    by_seed = runs.set_index("seed")
    true = by_seed.loc[by_seed["corruption"] == "true-labels", columns]
    random = by_seed.loc[by_seed["corruption"] == "random-labels", columns]
    if true["steps_to_start"].isna().any():
        return None, f"{model}'s loss did not start to fall even on true labels ({_seeds(runs)})."
    later = bool((random["steps_to_start"].fillna(np.inf) > true["steps_to_start"]).all())
    uncorrelated = bool((random["early_gradient_cosine"] < (1 - MARGIN) * true["early_gradient_cosine"]).all())
    large = bool((random["early_gradient_norm"] > (1 + MARGIN) * true["early_gradient_norm"]).all())
    at_first = bool((random["initial_gradient_norm"] > (1 + MARGIN) * true["initial_gradient_norm"]).all())
    r, t = random.mean(skipna=False), true.mean(skipna=False)
    statement = (
        f"Steps until {model}'s loss starts to fall: {_times(runs, 'steps_to_start')}, so "
        f"{'later' if later else 'not later'} on random labels. Over the same first steps, until it falls on "
        f"random labels, batch gradients have a mean norm of {r.early_gradient_norm:.2g} (on true labels: "
        f"{t.early_gradient_norm:.2g}) and a mean cosine of {r.early_gradient_cosine:.2f} with the one before "
        f"(true labels: {t.early_gradient_cosine:.2f}): {'larger' if large else 'not larger'}, and "
        f"{'less' if uncorrelated else 'not less'} correlated ({MARGIN:.0%} or less counts as "
        f"equal). In the first {WINDOW} steps alone the norms "
        f"are {r.initial_gradient_norm:.2g} and {t.initial_gradient_norm:.2g}"
    )
    if large and not at_first:
        statement += ": those under random labels do not start large, they stay while the others shrink"
    return later and uncorrelated and large, f"{statement} ({_seeds(runs)})."


def _accuracy(runs: pd.DataFrame) -> str:
    test, n_test = runs["test_accuracy"].to_numpy(dtype=float), int(runs["n_test"].iloc[0])
    if len(test) > 1:
        interval, over = mean_interval(test), f"{len(test)} seeds"
    else:
        interval, over = binomial_interval(float(test[0]), n_test), f"{n_test:,} test examples"
    return f"{interval.mean:.3f} (95% interval over {over}: {interval.low:.3f} to {interval.high:.3f})"


def _times(runs: pd.DataFrame, column: str) -> str:
    """Mean steps by setting, soonest first: "12 on true labels, never on random labels"."""
    names = list(dict.fromkeys(runs["corruption"]))
    means = {name: runs.loc[runs["corruption"] == name, column].mean(skipna=False) for name in names}
    return ", ".join(
        f"{'never' if np.isnan(means[name]) else f'{means[name]:,.0f}'} on {_NAMES[name]}"
        for name in sorted(names, key=lambda name: np.nan_to_num(means[name], nan=np.inf))
    )


def _seeds(runs: pd.DataFrame) -> str:
    count = runs["seed"].nunique()
    return f"{count} seeds" if count > 1 else "one seed, so no interval over seeds"


def _and(names: Sequence[str]) -> str:
    return " and ".join(filter(None, [", ".join(names[:-1]), names[-1]]))
