"""Figures and settings in words, the same ones everywhere."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import pandas as pd


def listed(words: Sequence[str], last: str = "and") -> str:
    """ "a, b and c"."""
    return f" {last} ".join(filter(None, [", ".join(words[:-1]), words[-1]]))


def epochs(number: int) -> str:
    """ "1 epoch", "1,200 epochs"."""
    return f"{number:,} epoch{'' if number == 1 else 's'}"


def count_of_seeds(number: int, one: str = "one seed") -> str:
    """ "3 seeds"; `one` for a single one."""
    return one if number == 1 else f"{number} seeds"


def seeds_of(runs: pd.DataFrame) -> str:
    """How many there are among `runs`, and that a single one has no interval."""
    return count_of_seeds(runs["seed"].nunique(), "one seed, so no interval over seeds")


def mean_of_seeds(number: int) -> str:
    """ "mean of 3 seeds", "one seed"."""
    return "one seed" if number == 1 else f"mean of {number} seeds"


def steps_in_words(steps: pd.Series) -> str:
    """The mean over runs, "1,200"; or in how many of them it came at all, where it did not in every one.

    A run has only so many steps, and nothing is known of more.
    """
    num_known = int(steps.notna().sum())
    if num_known == len(steps):
        return f"{steps.mean():,.0f}"
    return f"in {num_known} of {len(steps)} runs alone" if num_known else "not within its steps"


def percent(fraction: float, digits: int = 1) -> str:
    """ "97.1%", and "–" for what was not measured. Only all of it reads 100.0%."""
    if np.isnan(fraction):
        return "–"
    shown = round(100 * fraction, digits)
    if shown == 100 and fraction < 1:
        shown -= 10**-digits
    return f"{shown:.{digits}f}%"


def percent_range(low: float, high: float) -> str:
    """ "1.2 to 3.4%", and "0.001 to 0.012%" where one digit would leave nothing of the upper end."""
    digits = 1 if high >= 0.001 or high <= 0 else 1 - math.floor(math.log10(100 * high))
    return f"{100 * low:.{digits}f} to {100 * high:.{digits}f}%"


def regularizers(augmentation: str, dropout: float, weight_decay: float) -> str:
    """What a run is regularised with, in words: "random crop, weight decay 0.0005"; "" for nothing."""
    words = []
    if augmentation != "none":
        words.append(augmentation.replace("-", " ") if ":" not in augmentation else augmentation)
    if dropout:
        words.append(f"dropout {dropout:g}")
    if weight_decay:
        words.append(f"weight decay {weight_decay:g}")
    return ", ".join(words)
