"""The Rademacher complexity that training reaches: a lower estimate, with the supremum searched by training.

For each draw of signs a network is trained on them as labels. With h the sign of its one output, (1/n) sum sigma_i
h(x_i) is twice its training accuracy minus 1. No training finds more than the supremum, so the mean over draws, minus
what chance may add to it (McDiarmid), is below the complexity of the class of all networks of this architecture,
however badly they were trained. Where a draw is fitted, its supremum is found exactly: it is 1.

Source     Zhang et al., Understanding deep learning requires rethinking generalization (ICLR 2017), section 2.2.
"""

from __future__ import annotations

from typing import ClassVar

import numpy as np

from byrote.data.dataset import Dataset
from byrote.theory.calculation import Context, Result
from byrote.theory.complexity.rademacher import deviation
from byrote.theory.complexity.random_labels import (
    RandomLabels,
    best_accuracy,
    coin_flips,
    failed_checks,
    fit_random_labels,
    num_interrupted,
)
from byrote.training.spec import Count

RISK = 0.05
"""The chance that a lower limit is above the complexity."""


class ReachedComplexity(RandomLabels):
    """Of one model on `n_train` examples, over `draws` of signs; recipe and seeds of every draw as in RandomLabels."""

    name: ClassVar[str] = "reached-complexity"

    draws: Count = 64

    @property
    def label(self) -> str:
        return f"{self.model}, n = {self.n_train:,}, seed {self.seed}"

    def compute(self, data: Dataset, context: Context) -> Result:
        """values: complexity (the mean over draws), low (below R with a chance of 0.95), high (1, the trivial limit),
        standard_deviation over the draws, num_draws, num_interpolated, num_interrupted, parameters, failed_checks.
        arrays: correlations [draws]."""
        flips = coin_flips(data, self.n_train, self.data_seed)
        seeds = [self.seed * self.draws + draw for draw in range(self.draws)]
        outcomes = fit_random_labels(
            self.model,
            self.recipe,
            flips,
            seeds,
            device=context.device,
            on_stage=context.on_stage,
            stage=f"{self.draws} draws",
        )
        correlations = np.array([2 * best_accuracy(outcome) - 1 for outcome in outcomes])
        mean = float(correlations.mean())
        return Result(
            {
                "complexity": mean,
                "low": max(mean - deviation(np.ones(self.n_train), self.draws, RISK), 0.0),
                "high": 1.0,
                "standard_deviation": float(correlations.std(ddof=1)) if self.draws > 1 else float("nan"),
                "num_draws": self.draws,
                "num_interpolated": sum(outcome.interpolated for outcome in outcomes),
                "num_interrupted": num_interrupted(outcomes),
                "parameters": outcomes[0].parameters,
                "failed_checks": failed_checks(outcomes),
            },
            {"correlations": correlations},
        )
