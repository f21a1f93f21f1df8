"""Made-up outcomes have predictions of no length in particular: their accuracies spread as those of dice do."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest

from byrote.evidence.chance import chance_deviation
from byrote.studies.randomization import study as randomization
from byrote.studies.table1 import study as table1
from byrote.studies.table2 import study as table2
from byrote.training.outcome import TrainOutcome


def _deviations(outcomes: Sequence[TrainOutcome], labels: np.ndarray) -> list[float]:
    return [
        chance_deviation(labels, outcome.test_predictions.astype(np.int64), outcome.num_classes)
        if len(outcome.test_predictions) == len(labels) and labels.max() < outcome.num_classes
        else 0.0
        for outcome in outcomes
    ]


@pytest.fixture(autouse=True)
def chance_of_made_up_predictions(monkeypatch: pytest.MonkeyPatch) -> None:
    for study in (randomization, table1, table2):
        monkeypatch.setattr(study, "chance_deviations", _deviations)
