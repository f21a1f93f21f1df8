"""How sure a figure is: confidence intervals over seeds, over test examples, and over both at once."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Real
from scipy import special, stats


@dataclass(frozen=True)
class Interval:
    """A mean with the ends of its confidence interval; the ends are NaN where n cannot give one."""

    mean: float
    low: float
    high: float
    n: int
    """The number of values (seeds, test examples) behind it."""


def mean_interval(
    values: Sequence[float] | np.ndarray, confidence: float = 0.95, *, least_deviation: float = 0.0
) -> Interval:
    """The mean of independent values, one per seed, with Student's t interval.

    It has no width where all values agree, which decides nothing (`exceeds`), unless it is known by how much the
    measurement alone makes them differ: `least_deviation`.

    One value has no interval: its ends are NaN. A NaN among the values (a run that never fitted has no time
    to fit) makes everything but n NaN, since leaving it out would flatter the mean. No values give NaN.
    """
    array = np.asarray(values, dtype=float)
    n = array.size
    mean = float(array.mean()) if n else math.nan
    if n < 2:
        return Interval(mean, math.nan, math.nan, n)
    deviation = np.maximum(array.std(ddof=1), least_deviation)
    half_width = float(special.stdtrit(n - 1, (1 + confidence) / 2) * deviation / math.sqrt(n))
    return Interval(mean, mean - half_width, mean + half_width, n)


def mean_p(values: Sequence[float] | np.ndarray) -> float:
    """Two-sided, that the mean of two or more independent values is 0, by Student's t; 0 where they are all equal."""
    array = np.asarray(values, dtype=float)
    error = float(array.std(ddof=1)) / math.sqrt(array.size)
    if error <= 1e-12 * abs(array.mean()):
        return 0.0 if array.mean() else 1.0
    return 2 * float(stats.t.sf(abs(array.mean()) / error, array.size - 1))


def next_value(values: Sequence[float] | np.ndarray) -> Interval:
    """Where one more value like these lies: Student's 95% prediction interval; NaN ends of fewer than two."""
    known = mean_interval(values)
    half = math.sqrt(known.n + 1) * (known.high - known.mean)
    return Interval(known.mean, known.mean - half, known.mean + half, known.n)


def binomial_interval(accuracy: float, n: int | float, confidence: float = 0.95) -> Interval:
    """An accuracy measured on n independent examples, with Wilson's score interval (Wilson, 1927).

    It covers the draw of the examples, not that of the seed. n need not be whole: examples that repeat are worth fewer
    (`Tested.worth`). A NaN accuracy, or n = 0, gives NaN.
    """
    if n == 0 or math.isnan(accuracy):
        return Interval(math.nan, math.nan, math.nan, round(n))
    hits = round(accuracy * n) if n == round(n) else accuracy * n
    low, high = wilson(np.array([hits]), np.array([n]), confidence)
    return Interval(accuracy, float(low[0]), float(high[0]), round(n))


def wilson(
    hits: Real[np.ndarray, " K"], sizes: Real[np.ndarray, " K"], confidence: float = 0.95
) -> tuple[Float[np.ndarray, " K"], Float[np.ndarray, " K"]]:
    """The ends of Wilson's score interval (Wilson, 1927) of each share `hits` of `sizes`, none of which is 0.

    SciPy's `binomtest` gives the same for one share at a time, with an exact p-value that takes a hundred times longer.
    """
    z = float(special.ndtri((1 + confidence) / 2))
    shares = hits / sizes
    centre = shares + z**2 / (2 * sizes)
    half = z * np.sqrt(shares * (1 - shares) / sizes + (z / (2 * sizes)) ** 2)
    low, high = ((centre + side * half) / (1 + z**2 / sizes) for side in (-1, 1))
    return np.where(hits == 0, 0.0, low), np.where(hits == sizes, 1.0, high)


def newcombe(
    hits: Real[np.ndarray, " K"],
    sizes: Real[np.ndarray, " K"],
    other_hits: Real[np.ndarray, " K"],
    other_sizes: Real[np.ndarray, " K"],
) -> tuple[Float[np.ndarray, " K"], Float[np.ndarray, " K"]]:
    """The ends of the 95% interval of each difference of two independent shares, of `hits` of `sizes` minus the other,
    by the Wilson intervals of both (Newcombe, Statistics in Medicine 1998, method 10). No size is 0."""
    low, high = wilson(hits, sizes)
    other_low, other_high = wilson(other_hits, other_sizes)
    share, other = hits / sizes, other_hits / other_sizes
    difference = share - other
    return (
        difference - np.hypot(share - low, other_high - other),
        difference + np.hypot(high - share, other - other_low),
    )


def exact_ends(
    hits: Real[np.ndarray, " K"], sizes: Real[np.ndarray, " K"], confidence: float = 0.95
) -> tuple[Float[np.ndarray, " K"], Float[np.ndarray, " K"]]:
    """The ends of the interval of Clopper and Pearson (1934) of each share `hits` of `sizes`, none of which is 0: it
    covers the share at least as often as it says for any size.

    SciPy's `binomtest` gives the same for one share at a time, with an exact p-value that takes a hundred times longer.
    """
    outside = (1 - confidence) / 2
    # At the ends, where beta distributions have no parameters, these are NaN.
    low = special.betaincinv(hits, sizes - hits + 1, outside)
    high = special.betaincinv(hits + 1, sizes - hits, 1 - outside)
    return np.where(hits == 0, 0.0, low), np.where(hits == sizes, 1.0, high)


def within_0_and_1(found: Interval) -> Interval:
    """The interval of a share, cut to what a share can be; NaN ends stay."""
    low, high = (float(np.clip(end, 0.0, 1.0)) for end in (found.low, found.high))
    return Interval(found.mean, low, high, found.n)


def accuracy_interval(
    accuracies: Sequence[float] | np.ndarray, worth: int | float, strict: float = 0.999, confidence: float = 0.95
) -> Interval:
    """Where the mean accuracy of networks like these lies on examples like these; one accuracy for each seed.

    Seeds share their test set, so its luck does not shrink with their number: Wilson's interval of the mean on as many
    examples as the test set is worth (`Tested.worth`) and Student's of the seeds are `joined` at `confidence`. One seed
    tells nothing of others: its interval is that of the examples alone, at the stricter confidence, and speaks of the
    network that was trained. The ends are cut to 0 and 1, which Student's pass.
    """
    array = np.asarray(accuracies, dtype=float)
    if len(array) == 1:
        return binomial_interval(float(array[0]), worth, strict)
    mean = float(array.mean()) if len(array) else math.nan
    return within_0_and_1(joined(mean_interval(array, confidence), binomial_interval(mean, worth, confidence)))


def interval_in_words(num_seeds: int, examples: str, strict: float = 0.999) -> str:
    """What an `accuracy_interval` covers: "95% interval over 3 seeds that share 360 test examples".

    Args:
        examples: `Tested.in_words`.
    """
    if num_seeds == 1:
        return f"{100 * strict:g}% interval over {examples}, one seed"
    return f"95% interval over {num_seeds} seeds that share {examples}"


def joined(first: Interval, second: Interval) -> Interval:
    """The interval of the first's mean, where the two cover independent sources of luck: half-widths add in squares.

    With h = t s the half-width of each source, the root of h1² + h2² is where the two together exceed it with the
    chance that each exceeds its own, or less (Howe, Approximate confidence limits on the mean of X + Y where X and Y
    are two tabled independent random variables, JASA 1974). What both cover is counted twice, which errs on the safe
    side.
    """
    low = first.mean - math.hypot(first.mean - first.low, second.mean - second.low)
    high = first.mean + math.hypot(first.high - first.mean, second.high - second.mean)
    return Interval(first.mean, low, high, first.n)


def joined_p(first: float, second: float) -> float:
    """The p-value of the interval that `joined` makes of those of two p-values, two-sided, of one estimate."""
    places = [float(stats.norm.isf(p_value / 2)) for p_value in (first, second)]
    if min(places) <= 0:
        return 1.0
    width = math.hypot(*(1 / place for place in places))
    return 2 * float(stats.norm.sf(1 / width)) if width else 0.0
