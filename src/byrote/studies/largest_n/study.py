"""Effective capacity: the largest n whose random labels training fits, and how many bits of them a network holds.

Claim      A network has so many examples' random labels in it and no more: it fits them up to some n, and the bits that
           it memorises stop growing beyond.
Command    byrote measure largest-n --data digits --models mlp-1x512    (or --models "mlp-1x{width}")
Expected   The largest n grows with the number of parameters; large networks fit all there is, which gives no limit.
Source     Zhang et al. (ICLR 2017), section 2; Arpit et al. (ICML 2017); Nakkiran et al. (ICLR 2020), definition 1.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import pandas as pd

from byrote.evidence.columns import Column
from byrote.evidence.finding import Finding
from byrote.studies.columns import CALCULATION, DATA, MODEL, OF_RECIPE, PARAMETERS, STUDY
from byrote.studies.largest_n.calculations import LargestN
from byrote.studies.largest_n.findings import findings
from byrote.studies.random_labels import RandomLabelStudy, refuse_draws
from byrote.studies.study import Planned


@dataclass(frozen=True, eq=False)
class LargestNStudy(RandomLabelStudy):
    """The largest n for each model and seed, up to `n_train` or all examples; all n get as many steps.

    >>> import byrote
    >>> byrote.LargestNStudy(byrote.load("digits"), "mlp-1x16", seeds=2)
    <LargestNStudy 'largest-n' on Digits: 2 calculations>

    Args, beside those of every RandomLabelStudy:
        draws: draws of random labels at each n, trained side by side.
    """

    name: ClassVar[str] = "largest-n"
    title: ClassVar[str] = "Effective capacity"
    presented_by: ClassVar[str] = "byrote.studies.largest_n.page"
    one_class: ClassVar[str] = "whose labels cannot be random"
    columns: ClassVar[Sequence[Column]] = (
        STUDY,
        CALCULATION,
        MODEL,
        Column("n_train", "int64", "The largest number of examples that is tried."),
        Column("seed", "int64", "What all draws follow from."),
        Column("data_seed", "int64", "What draws the training subsets."),
        Column("draws", "int64", "The draws of random labels at each n."),
        Column(
            "largest_n",
            "float64",
            "The largest n whose random labels are fitted; missing where none is.",
        ),
        Column("next_n", "float64", "The smallest n that was found too large; missing where all are fitted."),
        Column("next_accuracy", "float64", "The mean accuracy on its random labels."),
        Column("next_gain", "float64", "What running accuracy gained over the last fifth of its runs."),
        Column("next_stop", "str", "Why its runs ended."),
        Column("bits", "float64", "The most bits of random labels that are memorised at any n."),
        Column("bits_n", "int64", "The n at which they are."),
        Column("bits_per_parameter", "float64", "These bits over the number of parameters."),
        Column(
            "bits_growth",
            "float64",
            "The factor between the bits of the last two n beyond the capacity.",
        ),
        Column("num_probes", "int64", "The number of n that were tried."),
        PARAMETERS,
        Column("failed_checks", "str", "The names of the runs' self-checks that failed."),
        DATA,
        Column("seconds", "float64", "The seconds that the search took."),
        Column("key", "str", "What the store has the search under."),
        *OF_RECIPE.values(),
    )

    draws: int = 4

    def __post_init__(self) -> None:
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

    def verdict(self, table: pd.DataFrame) -> list[Finding]:
        return findings(self.models, table, self.seeds)
