"""From a study to what its page shows: one line a study."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import pandas as pd

from byrote.report import randomization
from byrote.report.sections import Presentation
from byrote.studies.study import Study
from byrote.training.outcome import TrainOutcome

Presenter = Callable[[Study, Sequence[TrainOutcome], pd.DataFrame], Presentation]

PRESENTERS: dict[str, Presenter] = {
    "randomization": randomization.present,
}


def presentation(study: Study, outcomes: Sequence[TrainOutcome], table: pd.DataFrame) -> Presentation:
    """What the page of `study` shows. A study of the user's own is shown as a randomisation test, as far as its runs
    are one."""
    return PRESENTERS.get(study.name, randomization.present)(study, outcomes, table)
