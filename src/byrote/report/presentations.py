"""From a study to what its page shows: one line a study."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import pandas as pd

from byrote.report import (
    architectures,
    figure2,
    overparameterization,
    randomization,
    regularization,
    strengths,
    table1,
    table2,
    table4,
)
from byrote.report.sections import Presentation
from byrote.studies.study import Study
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
