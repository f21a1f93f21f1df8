"""Made-up runs that reach a given accuracy on fair signs."""

from __future__ import annotations

from typing import Any

import numpy as np
from made_up_runs import make_evaluated

from byrote.training.outcome import TrainOutcome
from byrote.training.spec import TrainSpec


def reaching(spec: TrainSpec, complexity: float, **fields: Any) -> TrainOutcome:
    """A run whose best training accuracy along its course is that of this correlation; not fitted below 1."""
    made = make_evaluated(spec)
    accuracy = (complexity + 1) / 2
    curve = made.curve | {"train_accuracy": np.array([0.5] * 10 + [accuracy, accuracy])}
    values = {
        "curve": curve,
        "train_accuracy": accuracy,
        "stop_reason": "interpolated" if complexity == 1 else "epochs",
    }
    if complexity < 1:
        values |= {"epochs_to_interpolate": None, "steps_to_interpolate": None}
    return make_evaluated(spec, **(values | fields))
