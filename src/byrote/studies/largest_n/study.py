"""Effective capacity: the largest n whose random labels training fits, and how many bits of them a network holds.

Claim      A network has so many examples' random labels in it and no more: it fits them up to some n, and the bits that
           it memorises stop growing beyond.
Command    byrote measure largest-n --data digits --models mlp-1x512    (or --models "mlp-1x{width}")
Expected   The largest n grows with the number of parameters; large networks fit all there is, which gives no limit.
Source     Zhang et al. (ICLR 2017), section 2; Arpit et al. (ICML 2017); Nakkiran et al. (ICLR 2020), definition 1.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import pandas as pd

from byrote.data.dataset import require_dataset
from byrote.errors import UserError
from byrote.evidence.finding import Finding
from byrote.studies.largest_n.calculations import LargestN
from byrote.studies.largest_n.findings import findings
from byrote.studies.random_labels import COLUMNS_OF_RECIPE, RandomLabelStudy, refuse_draws
from byrote.studies.study import Finished, Planned

COLUMNS: Mapping[str, str] = {
    "study": "The name of the study.",
    "calculation": "What was computed.",
    "model": "The name of the model.",
    "n_train": "The largest number of examples that is tried.",
    "seed": "What all draws follow from.",
    "data_seed": "What draws the training subsets.",
    "draws": "The draws of random labels at each n.",
    "largest_n": "The largest n whose random labels are fitted; missing where not even the smallest n is.",
    "next_n": "The smallest n that was found too large; missing where all are fitted.",
    "next_accuracy": "The mean accuracy on its random labels.",
    "next_gain": "What running accuracy gained over the last fifth of its runs.",
    "next_stop": "Why its runs ended.",
    "bits": "The most bits of random labels that are memorised at any n.",
    "bits_n": "The n at which they are.",
    "bits_per_parameter": "These bits over the number of parameters.",
    "bits_growth": "What the last doubling of n beyond the capacity multiplies the bits by; missing without one.",
    "num_probes": "The number of n that were tried.",
    "parameters": "The number of parameters.",
    "failed_checks": "The names of the runs' self-checks that failed.",
    "data": "The data set.",
    "seconds": "The time that the search took.",
    "key": "What the store has the search under.",
    **COLUMNS_OF_RECIPE,
}
"""Of the table, each with what it holds."""


@dataclass(frozen=True, eq=False)
class LargestNStudy(RandomLabelStudy):
    """The largest n for each model and seed, up to `n_train` or all examples; all n get as many steps.

    Args, beside those of every RandomLabelStudy:
        draws: draws of random labels at each n, trained side by side.
    """

    name: ClassVar[str] = "largest-n"
    title: ClassVar[str] = "Effective capacity"
    presented_by: ClassVar[str] = "byrote.studies.largest_n.page"

    draws: int = 4

    def __post_init__(self) -> None:
        require_dataset(self.data)
        if self.data.num_classes < 2:
            raise UserError(f"got {self.data.name} with one class, whose labels cannot be random: expected at least 2")
        super().__post_init__()
        refuse_draws(self.draws)

    def plan(self) -> list[Planned]:
        own: dict[str, Any] = {
            "recipe": self.recipe,
            "n_train": self.largest,
            "draws": self.draws,
            "data_seed": self.data_seed,
        }
        seeds = range(self.seeds)
        return [Planned(LargestN(model=model, seed=seed, **own)) for model in self.models for seed in seeds]

    def summarise(self, results: Sequence[Finished]) -> pd.DataFrame:
        """One row a search, with COLUMNS."""
        return super().summarise(results).reindex(columns=list(COLUMNS))

    def verdict(self, table: pd.DataFrame) -> list[Finding]:
        return findings(self.models, table, self.seeds)
