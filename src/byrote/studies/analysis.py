"""The contract of an analysis: a study whose results are computed rather than trained."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Any, ClassVar

import pandas as pd

from byrote.data.dataset import Dataset
from byrote.evidence.finding import Finding
from byrote.theory.calculation import Calculation, Computed


class Analysis(ABC):
    """Which calculations to make, how to read them, what they show. Subclasses are frozen dataclasses."""

    name: ClassVar[str]
    """The column `study`, and the name on the command line."""
    title: ClassVar[str]
    data: Dataset

    def __init_subclass__(cls, **arguments: Any) -> None:
        super().__init_subclass__(**arguments)
        # What a dataclass would write instead holds all arrays.
        cls.__repr__ = cls.__dict__.get("__repr__", Analysis.__repr__)  # type: ignore[method-assign]

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.name!r} on {self.data.label}: {len(self.plan())} calculations>"

    @abstractmethod
    def plan(self) -> Sequence[Calculation]:
        """All calculations, in a fixed order and without repeats."""

    @abstractmethod
    def summarise(self, results: Sequence[Computed]) -> pd.DataFrame:
        """The tidy table, one row per calculation: `tabulate_results` and whatever the analysis adds."""

    @abstractmethod
    def verdict(self, table: pd.DataFrame) -> list[Finding]:
        """What the table of `summarise` shows."""

    def choices(self) -> list[str]:
        """Which models were used and why, in sentences for the page's setup."""
        return []


def tabulate_results(analysis: str, results: Sequence[Computed]) -> pd.DataFrame:
    """One row per calculation: its fields, then its values, then seconds and key."""
    return pd.DataFrame(
        [
            {
                "study": analysis,
                "calculation": type(result.calculation).__name__,
                **result.calculation.model_dump(mode="json"),
                **result.values,
                "data": result.data,
                "seconds": result.seconds,
                "key": result.key,
            }
            for result in results
        ]
    )
