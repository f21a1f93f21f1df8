"""What training reached on all draws of signs: a row for each network, n and seed.

For each draw a network is trained on its signs as labels. With h the sign of its one output, (1/n) sum sigma_i h(x_i)
is twice its training accuracy minus 1. No training finds more than the supremum, so the mean over draws, minus what
chance may add to it (McDiarmid), is below the complexity of the class of all networks of this architecture, however
badly they were trained. Where a draw is fitted, its supremum is found exactly: it is 1.

Source     Zhang et al., Understanding deep learning requires rethinking generalization (ICLR 2017), section 2.2.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from byrote.studies.rademacher.findings import RISK, STUMPS
from byrote.studies.random_label_runs import best_accuracy, failed_checks, num_interrupted
from byrote.studies.study import Results
from byrote.theory.calculation import Computed
from byrote.theory.complexity.rademacher import deviation, generalization_bound
from byrote.theory.complexity.stumps import StumpComplexity
from byrote.training.outcome import TrainOutcome
from byrote.training.spec import Recipe

COLUMNS: Mapping[str, str] = {
    "study": "rademacher.",
    "model": f"Of the networks that were trained, or `{STUMPS}`.",
    "parameters": "Of the network.",
    "n_train": "Examples, n.",
    "seed": "Which of the times that all draws were made anew.",
    "data_seed": "Draws the examples.",
    "complexity": "The mean over draws of the supremum, for networks of what training reached.",
    "low": "Below the complexity with a chance of 0.95; of 0.975 for stumps whose signs are drawn.",
    "high": "Above it with a chance of 0.975 for stumps whose signs are drawn; for networks 1, the trivial limit.",
    "upper_bound": "Massart's, of stumps.",
    "bound": "Of the test error without any training error, at 95%: for networks given `low`, so that it is "
    "this or larger; for stumps given `high`, for which it is left as much of the 5% as `high` does not take.",
    "standard_deviation": "Of what networks reached over the draws.",
    "num_draws": "Draws of signs.",
    "is_exact": "Whether all signs were gone through, of stumps.",
    "num_interpolated": "Draws of which the network had all signs right when it stopped.",
    "num_interrupted": "Those whose network was ended by its limit of epochs or steps.",
    "failed_checks": "Names of those that failed in any run.",
    "data": "What figures call the data.",
} | {name: field.description or "" for name, field in Recipe.model_fields.items()}
"""Of the table, each with what it is. What is of networks or of stumps alone is missing in the rows of the others."""


def rows(study: str, results: Results, num_draws: int) -> pd.DataFrame:
    """COLUMNS, a row for each calculation with stumps, and for each network, n and seed of which all draws are there.

    Fewer are none: those that have ended are the ones that were fitted soon.
    """
    stumps = [_of_stumps(computed) for computed in results.computed if isinstance(computed.task, StumpComplexity)]
    draws: dict[tuple[object, ...], list[TrainOutcome]] = {}
    for planned, result in zip(results.planned, results, strict=True):
        if isinstance(result, TrainOutcome):
            key = (result.spec.model, result.n_train, planned.labels.get("repeat", 0))
            draws.setdefault(key, []).append(result)
    reached = [{"seed": seed} | _of_draws(own) for (_, _, seed), own in draws.items() if len(own) == num_draws]
    return pd.DataFrame([{"study": study} | row for row in stumps + reached], columns=list(COLUMNS))


def _of_draws(outcomes: Sequence[TrainOutcome]) -> dict[str, Any]:
    correlations = np.array([2 * best_accuracy(outcome) - 1 for outcome in outcomes])
    mean, first = float(correlations.mean()), outcomes[0]
    low = max(mean - deviation(np.ones(first.n_train), len(outcomes), RISK), 0.0)
    recipe = {name: value for name, value in first.spec.model_dump(mode="json").items() if name in Recipe.model_fields}
    return {
        **recipe,
        "model": first.spec.model,
        "parameters": first.parameters,
        "n_train": first.n_train,
        "data_seed": first.spec.data_seed,
        "complexity": mean,
        "low": low,
        "high": 1.0,
        "bound": generalization_bound(0.0, low, first.n_train, RISK),
        "standard_deviation": float(correlations.std(ddof=1)) if len(outcomes) > 1 else float("nan"),
        "num_draws": len(outcomes),
        "num_interpolated": sum(outcome.interpolated for outcome in outcomes),
        "num_interrupted": num_interrupted(outcomes),
        "failed_checks": failed_checks(outcomes),
        "data": first.data,
    }


def _of_stumps(computed: Computed) -> dict[str, Any]:
    calculation = computed.calculation.model_dump()
    values: dict[str, Any] = dict(computed.values)
    risk = RISK if values["is_exact"] else RISK / 2
    return {
        **values,
        "model": STUMPS,
        "n_train": calculation["n_train"],
        "seed": calculation["seed"],
        "data_seed": calculation["data_seed"],
        "bound": generalization_bound(0.0, values["high"], calculation["n_train"], risk),
        "data": computed.data,
    }
