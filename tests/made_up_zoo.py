"""A zoo whose networks have figures that a test chooses."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import pandas as pd

from byrote.data.corruptions.record import Corruption
from byrote.data.dataset import Dataset
from byrote.evidence.finding import Finding
from byrote.studies.study import Finished, Planned, Study
from byrote.training.spec import TrainSpec


@dataclass(frozen=True, eq=False)
class MadeUpZoo(Study):
    """As `table` has its networks, whatever came of their training."""

    name = "zoo"
    title = "Made up"

    data: Dataset
    table: pd.DataFrame

    def plan(self) -> list[Planned]:
        return [
            Planned(TrainSpec(model=model, seed=seed, corruptions=_corruptions(name, rate)))
            for model, name, rate, seed in zip(
                *(self.table[column] for column in ("model", "corruption", "corruption_rate", "seed")), strict=True
            )
        ]

    def summarise(self, results: Sequence[Finished]) -> pd.DataFrame:
        return self.table.assign(train_accuracy=self.table["test_accuracy"] + self.table["generalization_gap"])

    def verdict(self, table: pd.DataFrame) -> list[Finding]:
        return []


def _corruptions(name: str, rate: float) -> tuple[Corruption, ...]:
    return () if name == "true-labels" else (Corruption(name=name, rate=rate),)
