"""From a study to what its page shows: one line a study."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import pandas as pd

from byrote.charts.sections import Presentation
from byrote.studies.analysis import Analysis
from byrote.studies.architectures import page as architectures
from byrote.studies.bounds import page as bounds
from byrote.studies.expressivity import page as expressivity
from byrote.studies.implicit import page as figure2
from byrote.studies.judge import page as judge
from byrote.studies.largest_n import page as largest_n
from byrote.studies.min_norm import page as min_norm
from byrote.studies.overparameterization import page as overparameterization
from byrote.studies.rademacher import page as rademacher
from byrote.studies.rademacher import shattering_page as shattering
from byrote.studies.randomization import page as randomization
from byrote.studies.regularization import page as regularization
from byrote.studies.stability import page as stability
from byrote.studies.strengths import page as strengths
from byrote.studies.study import Study
from byrote.studies.table1 import page as table1
from byrote.studies.table2 import page as table2
from byrote.studies.table4 import page as table4
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
