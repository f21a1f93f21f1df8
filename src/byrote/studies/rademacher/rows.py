"""What training reached on all draws of signs: a row for each network, n and seed.

For each draw a network is trained on its signs as labels. With h the sign of its one output, (1/n) sum sigma_i h(x_i)
is twice its training accuracy minus 1. No training finds more than the supremum, so the mean over draws, minus what
chance may add to it (McDiarmid), is below the complexity of the class of all networks of this architecture, however
badly they were trained. Where a draw is fitted, its supremum is found exactly: it is 1.

Source     Zhang et al., Understanding deep learning requires rethinking generalization (ICLR 2017), section 2.2.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd

from byrote.evidence.columns import Column, as_declared, nullable
from byrote.studies.columns import DATA, EXAMPLES_SEED, OF_RECIPE, STUDY, recipe_values
from byrote.studies.rademacher.findings import RISK, STUMPS
from byrote.studies.random_label_runs import best_accuracy, failed_checks, num_interrupted
from byrote.studies.study import Results
from byrote.theory.calculation import Computed
from byrote.theory.complexity.rademacher import deviation, generalization_bound
from byrote.theory.complexity.stumps import StumpComplexity
from byrote.training.outcome import TrainOutcome

COLUMNS: tuple[Column, ...] = (
    STUDY,
    Column("model", "str", f"The model of the networks that were trained, or {STUMPS}."),
    Column("parameters", "float64", "The number of its parameters; missing for stumps."),
    Column("n_train", "int64", "The number of examples, n."),
    Column("seed", "int64", "Which of the times that all draws were made anew it is."),
    EXAMPLES_SEED,
    Column("complexity", "float64", "The mean over draws of the supremum, for networks of what training reached."),
    Column(
        "low",
        "float64",
        "What is below the complexity with a chance of 0.95; of 0.975 for stumps whose signs are drawn.",
    ),
    Column(
        "high",
        "float64",
        "What is above it with a chance of 0.975 for stumps whose signs are drawn; for networks 1, the trivial limit.",
    ),
    Column("upper_bound", "float64", "Massart's bound for stumps; missing for networks."),
    Column(
        "bound",
        "float64",
        "The bound on the test error without any training error, at 95%: for networks given low, so that it is this or "
        "larger; for stumps given high, for which it is left as much of the 5% as high does not take.",
    ),
    Column(
        "standard_deviation",
        "float64",
        "The deviation of what networks reached over draws; missing for stumps.",
    ),
    Column("num_draws", "int64", "The number of draws of signs."),
    Column("is_exact", "boolean", "Whether all signs were gone through; missing for networks."),
    Column(
        "num_interpolated",
        "float64",
        "The draws of which the network had all signs right when it stopped; missing for stumps.",
    ),
    Column(
        "num_interrupted",
        "float64",
        "The draws whose network was ended by its limit of epochs or steps; missing for stumps.",
    ),
    Column("failed_checks", "str", "The names of the self-checks that failed in any run; missing for stumps."),
    DATA,
    *nullable(OF_RECIPE.values()),
)


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
    return as_declared(pd.DataFrame([{"study": study} | row for row in stumps + reached]), COLUMNS)


def _of_draws(outcomes: Sequence[TrainOutcome]) -> dict[str, Any]:
    correlations = np.array([2 * best_accuracy(outcome) - 1 for outcome in outcomes])
    mean, first = float(correlations.mean()), outcomes[0]
    low = max(mean - deviation(np.ones(first.n_train), len(outcomes), RISK), 0.0)
    return {
        **recipe_values(first.spec),
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
