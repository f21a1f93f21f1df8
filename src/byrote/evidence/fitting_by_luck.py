"""Whether random labels that were fitted could have been by naming one class always, which is no memorising."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd
from scipy import stats

from byrote.evidence.seed_tests import LEVEL


def by_luck(runs: pd.DataFrame) -> float:
    """The chance that naming one class always is right on so many random labels of these runs: by any of K classes.

    What identical inputs with different labels leave at most may be no more than that.
    """
    accuracies = runs["train_accuracy"].to_numpy(float)
    return chance_of_accuracies(accuracies, int(runs["n_train"].min()), int(runs["num_classes"].iloc[0]))


def chance_of_accuracies(accuracies: Sequence[float] | np.ndarray, n: int, num_classes: int) -> float:
    """`by_luck` of the least of these accuracies on n random labels."""
    right = np.rint(np.asarray(accuracies, dtype=float) * n)
    return float(min(1.0, num_classes * stats.binom.sf(right - 1, n, 1 / num_classes).max()))


def by_luck_of_class(runs: pd.DataFrame) -> float:
    """The chance that a rule which knows every true class, and the law by which labels were redrawn (the column
    `predictable`), is right on so many of these labels; NaN where that law is not known."""
    n = int(runs["n_train"].min())
    right = np.rint(runs["train_accuracy"].min() * n)
    return float(stats.binom.sf(right - 1, n, float(runs["predictable"].iloc[0])))


def luck_in_words(p_value: float) -> str:
    """Why fitting so few labels shows nothing, and what would; "" where it does show something."""
    if p_value <= LEVEL:
        return ""
    return (
        f" But naming one class always does so well by luck with p = {p_value:.2g}: more training examples that "
        "differ, in more than one class, would tell."
    )
