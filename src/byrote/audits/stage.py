"""The contract of an audit's stages, and what they are given.

A stage answers one question on one model and data set. It says beforehand what it costs (`estimate`), does its work
once (`run`), and leaves a `StageResult` of plain values, which is stored: findings and sections are made of it, so that
an audit that is resumed says what the first one said. P-values of all stages are corrected together before any finding
is written: a stage never judges its own.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar, Literal, TypeAlias

import numpy as np
import pandas as pd
from jaxtyping import Bool

from byrote.audits.material import Material, Rows
from byrote.audits.metric import Metric, Prediction
from byrote.audits.subject import Fit, Predictor, Subject, SubjectFailed
from byrote.charts.sections import Section
from byrote.evidence.finding import Finding

SCHEMA = 1
"""Of audit.json: raised when a reader of it would have to change."""
CLEAN_SPLIT = "clean_split.csv"
Status: TypeAlias = Literal["done", "skipped", "no conclusion"]


@dataclass(frozen=True)
class Estimate:
    """What a stage would cost."""

    seconds: float
    memory_bytes: float = 0.0
    disk_bytes: float = 0.0
    smaller: str = ""
    """What is left out for want of time, in words; "" for the whole."""


@dataclass(frozen=True, eq=False)
class StageResult:
    """What a stage found, in plain values (numbers, text, lists, dictionaries)."""

    status: Status
    statement: str = ""
    """Why it was skipped or has no conclusion, and which smaller version was taken; a sentence or "" ."""
    figures: Mapping[str, Any] = field(default_factory=dict)
    """Numbers with their intervals, for audit.json: {"score": {"mean":, "low":, "high":, "n":}, "num_duplicates":
    3}."""
    p_values: Mapping[str, float] = field(default_factory=dict)
    """Of each flag that chance could raise, by its name: that nothing is wrong (or nothing is there) and it shows this
    much. Those of all stages are corrected together."""
    tables: Mapping[str, pd.DataFrame] = field(default_factory=dict)
    """File name -> what is written there: "duplicates.csv"."""
    trace: str = ""
    """Of the user's code, where it raised; what could be found without it is there all the same, if the stage is
    done."""


@dataclass(frozen=True, eq=False)
class Case:
    """What all stages of one audit share."""

    subject: Subject
    material: Material
    metric: Metric
    seeds: int = 1
    out: Path | None = None
    options: Mapping[str, Any] = field(default_factory=dict)
    """What the caller asked of single stages: {"retrain": 99}."""
    log: Callable[[str], None] = lambda _: None
    results: dict[str, StageResult] = field(default_factory=dict)
    """Of the stages before."""
    _fitted: dict[int, Predictor] = field(default_factory=dict)
    _test: list[Prediction] = field(default_factory=list)
    _seconds: dict[str, float] = field(default_factory=dict)
    _failed: list[SubjectFailed] = field(default_factory=list)

    def predictions(self) -> list[Prediction]:
        """Of the test rows, one of each seed: fitted once, for all stages.

        Raises:
            SubjectFailed: the model raised.
        """
        if not self._test:
            self._test.extend(predictor(self.material.test) for predictor in self.predictors())
        return self._test

    def clean_test_rows(self) -> Bool[np.ndarray, " T"]:
        """Which test rows training does not know, by the data stage; all, where it was not made."""
        result = self.results.get("data")
        if result is None or CLEAN_SPLIT not in result.tables:
            return np.ones(len(self.material.test), dtype=bool)
        table = result.tables[CLEAN_SPLIT]
        return (table.loc[table["split"] == "test", "clean_split"] == "test").to_numpy(bool)

    def predictors(self) -> list[Predictor]:
        """Fitted on all training rows, one of each seed."""
        if not self._fitted:
            seeds = range(self.seeds if self.subject.can_fit else 1)
            fits = [Fit(self.material.train, seed) for seed in seeds]
            if self._failed:
                raise self._failed[0]
            self.log(f"fitting {self.subject.name} on {len(self.material.train):,} rows")
            try:
                self._fitted.update(zip(seeds, self.subject.fit_all(fits), strict=True))
            except SubjectFailed as failed:
                self._failed.append(failed)
                raise
        return list(self._fitted.values())

    def seconds_of_fits(self) -> float:
        """About how long `predictions` will take; 0 once they are there."""
        if self._test or not self.subject.can_fit or "assumed" in self._seconds:
            return 0.0
        if "fit" not in self._seconds:
            self._seconds["fit"] = self.subject.seconds_of_fit(self.material.train)
        return self.seeds * self._seconds["fit"]

    def assume_fitted(self) -> None:
        """Of stages whose costs are estimated, only the first pays for the fits."""
        self._seconds["assumed"] = 0.0


class Stage(ABC):
    """One question. Subclasses have no state."""

    name: ClassVar[str]
    """On the command line, and in audit.json."""
    title: ClassVar[str]
    """The question, in words."""
    alarm_names: ClassVar[tuple[str, ...]] = ()
    """What `alarms` may give, and `--fail-on` ask for."""
    version: ClassVar[int] = 1
    """Raised whenever its numbers change: what was stored before is then made anew."""

    @abstractmethod
    def estimate(self, case: Case, budget_s: float = math.inf) -> Estimate:
        """What `run` will cost, in the version that it takes with so many seconds left."""

    @abstractmethod
    def run(self, case: Case, budget_s: float = math.inf) -> StageResult:
        """Does the work; the version that `budget_s` allows, and says which.

        Raises:
            SubjectFailed: the model raised; the audit says so and goes on with other stages.
        """

    @abstractmethod
    def findings(self, case: Case, result: StageResult, found: Mapping[str, bool]) -> list[Finding]:
        """What the result shows.

        Args:
            found: of each of its `p_values`, whether it stays significant among those of all stages.
        """

    @abstractmethod
    def alarms(self, case: Case, result: StageResult, found: Mapping[str, bool]) -> Mapping[str, float]:
        """What `--fail-on` can ask for: 1 or 0 of "leakage", a share of "wrong-labels>2%"; absent where not known."""

    @abstractmethod
    def sections(self, case: Case, result: StageResult, findings: Sequence[Finding]) -> list[Section]:
        """Figures and tables for the page."""


def stage_entry(result: StageResult, findings: Sequence[Finding], significant: Mapping[str, bool]) -> dict[str, Any]:
    """What audit.json holds of one stage."""
    return {
        "status": result.status,
        "statement": result.statement,
        "findings": [{"claim": each.claim, "outcome": each.outcome, "statement": each.statement} for each in findings],
        "figures": dict(result.figures),
        "p_values": {flag: {"p": p, "significant": significant[flag]} for flag, p in result.p_values.items()},
    }


def interval_figure(mean: float, low: float, high: float, n: int) -> dict[str, float | int | None]:
    """A figure of audit.json; what is not known is null."""
    known = [None if math.isnan(value) else float(value) for value in (mean, low, high)]
    return {**dict(zip(("mean", "low", "high"), known, strict=True)), "n": n}


def rows_in_words(count: int, rows: Rows) -> str:
    """ "3 images", "1 row"."""
    what = "image" if isinstance(rows.inputs, np.ndarray) and rows.inputs.ndim == 4 else "row"
    return f"{count:,} {what}{'' if count == 1 else 's'}"
