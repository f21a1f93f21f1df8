"""The contract of an audit's stages, and what they are given.

A stage answers one question on one model and data set. It says beforehand what it costs (`estimate`), does its work
once (`run`), and leaves a `StageResult` of plain values, which is stored: findings and sections are made of it, so that
an audit that is resumed says what the first one said. P-values of all stages are corrected together before any finding
is written: a stage never judges its own.
"""

from __future__ import annotations

import math
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, ClassVar, Literal, TypeAlias

import numpy as np
import pandas as pd
from jaxtyping import Bool, Int64

from byrote.audits.material import Material, Rows
from byrote.audits.metric import Metric, Prediction
from byrote.audits.subject import Fit, Predictor, Subject, SubjectFailed
from byrote.charts.sections import Picture, PictureRow, Section
from byrote.evidence.finding import Finding
from byrote.evidence.intervals import Interval

SCHEMA = 1
"""Of audit.json: raised when a reader of it would have to change."""
CLEAN_SPLIT = "clean_split.csv"
Status: TypeAlias = Literal["done", "skipped", "no conclusion"]
_SHARE_OF_BUDGET = 0.4
"""The most that the fits take whose predictions on test rows stages share; the rest is for what stages do."""
_FEWEST_FITTED = 300
_SLOWEST, _FASTEST = 10.0, 0.5
"""By so much what fits have taken corrects the estimates of later ones."""


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
    _within: dict[str, int] = field(default_factory=dict)
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

    def tested(self) -> Rows:
        """The test rows, with those that are copies of one another, by the data stage."""
        result = self.results.get("data")
        if result is None or CLEAN_SPLIT not in result.tables:
            return self.material.test
        table = result.tables[CLEAN_SPLIT]
        copies = table.loc[table["split"] == "test", "copies"].to_numpy(np.int64)
        return replace(self.material.test, copies=copies_or_none(copies))

    def predictors(self) -> list[Predictor]:
        """Fitted on all training rows, one of each seed."""
        if not self._fitted:
            seeds = range(self.seeds if self.subject.can_fit else 1)
            num_rows = self._within.get("rows", len(self.material.train))
            rows = self.material.some_training_rows(num_rows, "rows within the budget")
            fits = [Fit(rows, seed) for seed in seeds]
            if self._failed:
                raise self._failed[0]
            self.log(f"fitting {self.subject.name} on {len(rows):,} rows")
            started = time.monotonic()
            try:
                self._fitted.update(zip(seeds, self.subject.fit_all(fits), strict=True))
            except SubjectFailed as failed:
                self._failed.append(failed)
                raise
            if foreseen := self._seconds.get("fits"):
                self._seconds["pace"] = min(max((time.monotonic() - started) / foreseen, _FASTEST), _SLOWEST)
        return list(self._fitted.values())

    def limit_fits(self, budget_s: float) -> None:
        """Of a budget for the whole audit: `predictions` are those of fits on as many rows as take a part of it."""
        if math.isinf(budget_s) or not self.subject.can_fit:
            return
        num = len(self.material.train)
        whole = self.seconds_of_fits()
        allowed = num if whole <= _SHARE_OF_BUDGET * budget_s else int(num * _SHARE_OF_BUDGET * budget_s / whole)
        self._within["rows"] = min(max(allowed, _FEWEST_FITTED), num)
        self._seconds["fits"] = whole * self._within["rows"] / num

    def fitted_on_fewer(self) -> str:
        """Which part of the training rows `predictions` are fitted on, for want of time; "" for all."""
        num, whole = self._within.get("rows"), len(self.material.train)
        return "" if num in (None, whole) else f"{self.subject.name} was fitted on {num:,} of {whole:,} training rows"

    @property
    def pace(self) -> float:
        """By how much fits take longer than was foreseen, once some are made."""
        return self._seconds.get("pace", 1.0)

    def seconds_of_fits(self) -> float:
        """About how long `predictions` will take; 0 once they are there."""
        if self._test or not self.subject.can_fit or "assumed" in self._seconds:
            return 0.0
        if "fits" not in self._seconds:
            self._seconds["fits"] = self.seeds * self.subject.seconds_of_fit(self.material.train)
        return self._seconds["fits"]

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
    needs_predictions: ClassVar[bool] = False
    """Whether it asks for those on the test rows, which stages share."""
    needs_classes: ClassVar[str] = ""
    """Why it is skipped where labels are quantities, as a sentence; "" where it is not."""
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

    def alarms(self, case: Case, result: StageResult, found: Mapping[str, bool]) -> Mapping[str, float]:  # noqa: ARG002
        """What `--fail-on` can ask for: 1 or 0 of "leakage", a share of "wrong-labels>2%"; absent where not known."""
        return {}

    @abstractmethod
    def sections(self, case: Case, result: StageResult) -> list[Section]:
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


def interval_figure(found: Interval) -> dict[str, float | int | None]:
    """A figure of audit.json; what is not known is null."""
    known = {name: None if math.isnan(value) else float(value) for name, value in vars(found).items()}
    return {**known, "n": found.n}


def figure_interval(figure: Mapping[str, Any]) -> Interval:
    """The interval that such a figure was made of."""
    mean, low, high = (math.nan if figure[name] is None else figure[name] for name in ("mean", "low", "high"))
    return Interval(mean, low, high, figure["n"])


def picture_rows(figures: Mapping[str, Any]) -> list[PictureRow]:
    """The pictures that a stage has among its figures, each with the fields of a `Picture`."""
    return [PictureRow(row["title"], [Picture(**each) for each in row["pictures"]]) for row in figures["pictures"]]


def copies_or_none(clusters: Int64[np.ndarray, " N"]) -> Int64[np.ndarray, " N"] | None:
    """As `Rows.copies`.

    Args:
        clusters: equal numbers for copies of one another, 0 for what has none.
    """
    if len(np.unique(clusters[clusters > 0])) == (clusters > 0).sum():
        return None
    return np.where(clusters > 0, clusters, clusters.max() + 1 + np.arange(len(clusters)))


def p_in_words(value: float) -> str:
    """ "0.0012", "0.34"."""
    return f"{value:.4f}" if value < 0.01 else f"{value:.2f}"


def rows_in_words(count: int, rows: Rows) -> str:
    """ "3 images", "1 row"."""
    what = "image" if isinstance(rows.inputs, np.ndarray) and rows.inputs.ndim == 4 else "row"
    return f"{count:,} {what}{'' if count == 1 else 's'}"
