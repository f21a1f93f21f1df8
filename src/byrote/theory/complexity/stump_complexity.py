"""The Rademacher complexity of decision stumps on the same inputs: what an exact one looks like beside networks'."""

from __future__ import annotations

from typing import ClassVar

from byrote.data.dataset import Dataset
from byrote.data.subsets import subset
from byrote.theory.calculation import Calculation, OnStage, Result
from byrote.theory.complexity.rademacher import rademacher_complexity
from byrote.theory.complexity.stumps import Stumps
from byrote.training.spec import Count, Seed


class StumpComplexity(Calculation):
    """On the raw features of `n_train` examples; over `draws` of signs, or all of them for up to 16 examples."""

    name: ClassVar[str] = "stump-complexity"

    n_train: Count
    draws: Count = 64
    seed: Seed = 0
    data_seed: Seed = 0

    @property
    def label(self) -> str:
        return f"decision stumps, n = {self.n_train:,}"

    def compute(self, data: Dataset, *, device: str, on_stage: OnStage) -> Result:  # noqa: ARG002
        """values: complexity, low, high, upper_bound (Massart's), num_draws, is_exact."""
        inputs = subset(data, self.n_train, self.data_seed).train.inputs
        on_stage("stumps", 0.0)
        stumps = Stumps(inputs.reshape(len(inputs), -1))
        found = rademacher_complexity(stumps, draws=self.draws, seed=self.seed)
        return Result(
            {
                "complexity": found.value,
                "low": found.low,
                "high": found.high,
                "upper_bound": found.upper_bound,
                "num_draws": found.num_draws,
                "is_exact": found.is_exact,
            }
        )
