"""From a study to what its page shows: one line a study."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import pandas as pd

from byrote.report import (
    architectures,
    bounds,
    expressivity,
    figure2,
    judge,
    largest_n,
    min_norm,
    overparameterization,
    rademacher,
    randomization,
    regularization,
    shattering,
    stability,
    strengths,
    table1,
    table2,
    table4,
)
from byrote.report.sections import Presentation
from byrote.studies.analysis import Analysis
from byrote.studies.study import Study
from byrote.theory.calculation import Computed
from byrote.training.outcome import TrainOutcome

Presenter = Callable[[Study, Sequence[TrainOutcome], pd.DataFrame], Presentation]

PRESENTERS: dict[str, Presenter] = {
    "randomization": randomization.present,
    "table1": table1.present,
    "table2": table2.present,
    "table4": table4.present,
    "implicit": figure2.present,
    "regularization": regularization.present,
    "strengths": strengths.present,
    "overparameterization": overparameterization.present,
    "architectures": architectures.present,
}


def presentation(study: Study, outcomes: Sequence[TrainOutcome], table: pd.DataFrame) -> Presentation:
    """What the page of `study` shows. A study of the user's own is shown as a randomisation test, as far as its runs
    are one."""
    return PRESENTERS.get(study.name, randomization.present)(study, outcomes, table)


AnalysisPresenter = Callable[[Any, Sequence[Computed], pd.DataFrame], Presentation]

ANALYSIS_PRESENTERS: dict[str, AnalysisPresenter] = {
    "judge": judge.present,
    "expressivity": expressivity.present,
    "min-norm": min_norm.present,
    "rademacher": rademacher.present,
    "shattering": shattering.present,
    "largest-n": largest_n.present,
    "stability": stability.present,
    "bounds": bounds.present,
}


def presentation_of_analysis(analysis: Analysis, results: Sequence[Computed], table: pd.DataFrame) -> Presentation:
    """What the page of `analysis` shows. An analysis of the user's own is shown by its verdict alone."""
    if analysis.name in ANALYSIS_PRESENTERS:
        return ANALYSIS_PRESENTERS[analysis.name](analysis, results, table)
    return Presentation(analysis.title, ())
