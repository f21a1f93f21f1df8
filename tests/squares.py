"""The smallest study of calculations there is: squares of numbers, of which negative ones have none."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import pandas as pd

from byrote.data.dataset import Dataset, Split
from byrote.evidence.finding import Finding
from byrote.studies.study import Planned, Study, tabulate_calculations
from byrote.theory.calculation import Calculation, Computed, Context, Result

DATA = Dataset(
    "four points",
    *(Split.clean(np.zeros((4, 2), np.float32), np.zeros(4, dtype=np.int64)) for _ in range(2)),
    class_names=("a", "b"),
)
made: list[int] = []


class Square(Calculation):
    """The square of a number; negative numbers have none here."""

    name: ClassVar[str] = "square"

    number: int

    @property
    def label(self) -> str:
        return f"the square of {self.number}"

    def compute(self, data: Dataset, context: Context) -> Result:
        made.append(self.number)
        context.on_stage("multiplying", 0.5)
        if self.number < 0:
            raise ArithmeticError(f"{self.number} is negative")
        values = {"square": self.number**2, "missing": float("nan"), "device": context.device, "n": len(data.train)}
        return Result(values, {"upto": np.arange(self.number)})


@dataclass(frozen=True, eq=False)
class Squares(Study):
    name: ClassVar[str] = "squares"
    title: ClassVar[str] = "Squares"

    numbers: Sequence[int]
    data: Dataset = DATA

    def plan(self) -> list[Planned]:
        return [Planned(Square(number=number)) for number in self.numbers]

    def summarise(self, results: Sequence[Computed]) -> pd.DataFrame:
        return tabulate_calculations(self.name, results)

    def verdict(self, table: pd.DataFrame) -> list[Finding]:
        return [Finding("Squares are computed", "supported", f"{len(table)} of them.")]
