"""What a regulariser is worth in training examples: how many more the unregularised network needs to do as well."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy.optimize import isotonic_regression

from byrote.errors import UserError
from byrote.evidence.blocks import complete_blocks, seed_weights
from byrote.randomness import stream

RESPONSE = "test_accuracy"


@dataclass(frozen=True, eq=False)
class Worth:
    """A regulariser's worth as a factor on the number of training examples; 1 is worth nothing.

    `factor`, `low` and `high` are math.inf where the unregularised network would need more examples than its
    learning curve has, and 0 where fewer: nothing is extrapolated.

    >>> plain = pd.DataFrame({"n_train": [100, 200, 400], "seed": 0, "test_accuracy": [0.7, 0.8, 0.9]})
    >>> regularised = pd.DataFrame({"n_train": [100], "seed": 0, "test_accuracy": [0.8]})
    >>> found = worth(plain, regularised)
    >>> round(found.factor, 3), found.n_train, found.num_seeds
    (2.0, 100, 1)
    """

    factor: float
    low: float
    """Ends of the 95% interval over seeds; NaN with one seed."""
    high: float
    n_train: int
    """How many examples the regularised network was trained on."""
    accuracy: float
    """Its test accuracy."""
    curve: pd.DataFrame
    """n_train, test_accuracy (means over seeds) and fitted_accuracy of the unregularised network."""
    num_seeds: int
    """Of the regularised network, or of the curve if that has fewer."""


def worth(curve: pd.DataFrame, regularised: pd.DataFrame, *, seed: int = 0, num_resamples: int = 2000) -> Worth:
    """How many times as many examples the unregularised network needs to be as accurate as the regularised one.

    The means over seeds of the unregularised test accuracy are fitted by the nearest curve that never falls with n
    (isotonic regression), interpolated linearly in log n, and read at the regularised accuracy. Where the curve is flat
    at just that accuracy, the n nearest to that of the regularised runs is read, so that a regulariser that does
    nothing is worth a factor of 1. The interval repeats all of it on resamples of the seeds (`seed_weights`): the same
    resamples for both networks if they have the same seeds, else independent ones. It covers neither the draw of the
    test set nor that of the training subset, which both share.

    >>> plain = pd.DataFrame({"n_train": [100, 200, 400], "seed": 0, "test_accuracy": [0.7, 0.8, 0.9]})
    >>> regularised = pd.DataFrame({"n_train": [100], "seed": 0, "test_accuracy": [0.8]})
    >>> round(worth(plain, regularised).factor, 3)
    2.0

    Args:
        curve: the unregularised runs; columns n_train (two or more of them), seed, test_accuracy.
        regularised: runs with one regulariser at one n_train; the same columns.
        seed: draws the resamples.

    Raises:
        UserError: one n_train in the curve, several among the regularised runs, or what `complete_blocks` refuses: a
            seed that is missing at some n_train, say, or runs that failed a check.
    """
    plain, treated = complete_blocks(curve, ["n_train"], RESPONSE), complete_blocks(regularised, ["n_train"], RESPONSE)
    sizes, at = (np.array(blocks.levels["n_train"], dtype=float) for blocks in (plain, treated))
    if len(sizes) < 2:
        raise UserError(f"got a learning curve at n_train={plain.levels['n_train']} alone, expected two sizes or more")
    if len(at) > 1:
        raise UserError(f"got regularised runs at n_train={treated.levels['n_train']}, expected one size: select it")
    n_train, means, accuracy = int(at[0]), plain.values.mean(axis=0), float(treated.values.mean())
    low, high = math.nan, math.nan
    num_seeds = min(len(plain.seeds), len(treated.seeds))
    if num_seeds > 1:
        weights = seed_weights(len(plain.seeds), stream(seed, "curve"), num_resamples)
        own = weights
        if treated.seeds != plain.seeds:
            own = seed_weights(len(treated.seeds), stream(seed, "regularised"), num_resamples)
        factors = [
            _factor(sizes, resampled, float(reached), n_train)
            for resampled, reached in zip(weights @ plain.values, (own @ treated.values)[:, 0], strict=True)
        ]
        # No interpolation between percentiles: some may be infinite.
        low, high = np.quantile(factors, [0.025, 0.975], method="inverted_cdf").tolist()
    fitted = isotonic_regression(means).x
    return Worth(
        factor=_factor(sizes, means, accuracy, n_train),
        low=low,
        high=high,
        n_train=n_train,
        accuracy=accuracy,
        curve=pd.DataFrame({"n_train": sizes.astype(int), RESPONSE: means, "fitted_accuracy": fitted}),
        num_seeds=num_seeds,
    )


def _factor(sizes: np.ndarray, accuracies: np.ndarray, reached: float, n_train: int) -> float:
    # Of those that never fall, as most resamples, they are the fit: to find it takes most of the time of an interval.
    fitted = accuracies if (accuracies[1:] >= accuracies[:-1]).all() else isotonic_regression(accuracies).x
    if reached < fitted[0]:
        return 0.0
    if reached > fitted[-1]:
        return math.inf
    level = sizes[fitted == reached]
    if level.size:
        return float(np.clip(n_train, level[0], level[-1])) / n_train
    return math.exp(np.interp(reached, fitted, np.log(sizes))) / n_train


def sentence(worth: Worth, name: str) -> str:
    """In words: "random-crop is worth 1.8 times the data (95% interval 1.5 to 2.1; n = 1,000, 3 seeds)."."""
    fewest, most = worth.curve["n_train"].iloc[[0, -1]]
    # Beyond the curve its end is what bounds the factor, and the accuracy there is missed strictly.
    differ = worth.low != worth.high or worth.low in (0, math.inf)
    gains = most >= worth.n_train if worth.low == math.inf else worth.low > 1 and differ
    harms = fewest <= worth.n_train if worth.high == 0 else worth.high < 1 and differ
    times, reason = f"worth {_times(worth, worth.factor)} times the data", ""
    if worth.factor == math.inf:
        reason = (
            f": its test accuracy of {worth.accuracy:.3f} is beyond that of the unregularised network "
            f"with {most:,} examples, the most measured"
        )
    elif worth.factor == 0:
        reason = (
            f": its test accuracy of {worth.accuracy:.3f} is below that of the unregularised network "
            f"with {fewest:,} examples, the fewest measured"
        )
    elif harms:
        reason = f": the unregularised network does as well with {worth.factor * worth.n_train:,.0f} examples"
    if worth.num_seeds == 1:
        return f"{name} is {times} (n = {worth.n_train:,}; one seed, so no interval){reason}."
    interval = f"95% interval {_times(worth, worth.low)} to {_times(worth, worth.high)}"
    if worth.low == worth.high:
        interval = "so is its whole 95% interval" if worth.low in (0, math.inf) else "seeds agree, so no interval"
    doubt = "" if gains or harms else ", which cannot be told from 1, no worth at all"
    verb = "does harm: it is" if harms else "is"
    return f"{name} {verb} {times} ({interval}; n = {worth.n_train:,}, {worth.num_seeds} seeds){doubt}{reason}."


def _times(worth: Worth, factor: float) -> str:
    fewest, most = worth.curve["n_train"].iloc[[0, -1]] / worth.n_train
    if factor == math.inf:
        return f"more than {_figure(most)}"
    return f"less than {_figure(fewest)}" if factor == 0 else _figure(factor)


def _figure(factor: float) -> str:
    return f"{factor:,.1f}" if factor >= 1 else f"{factor:.2g}"
