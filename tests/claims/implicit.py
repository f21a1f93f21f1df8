"""The claims about stopping early and batch norm, which are read as one family."""

from __future__ import annotations

import numpy as np
import pandas as pd
from claims.simulation import WHOLE, Claim, Fact, Simulation, right

from byrote.evidence.comparisons import discordant_columns
from byrote.studies.implicit.findings import findings

PAIR = ("net", "net-no-batchnorm")


def draw(generator: np.random.Generator, seeds: int, n_test: int, effect: float):
    """With batch norm the network tests `effect` better and learns in exp(-5 effect) times the steps; the best moment
    by validation is `effect` better than the last."""
    difficulties = generator.random(n_test)
    correct = [right(generator, seeds, difficulties, 0.6 + effect * own) for own in (1, 0)]
    columns = discordant_columns("twin", list(correct[0]), list(correct[1]), [0] * seeds)
    parts = []
    for index, model in enumerate(PAIR):
        last = correct[index].mean(axis=1)
        before = right(generator, seeds, difficulties, 0.6 + effect * (1 - index) + effect).mean(axis=1)
        steps = 1000 * np.exp(0.2 * generator.standard_normal(seeds) - 5 * effect * (1 - index))
        part = {"model": model, "seed": np.arange(seeds), "test_accuracy": last, "best_on_validation": before}
        part["early_stopping_gain"] = before - last
        part |= {f"steps_to_train_{level}": np.ceil(steps / 10) * 10 for level in (50, 90, 99)}
        parts.append(pd.DataFrame(part))
    table = pd.concat(parts, ignore_index=True).assign(
        label_rate=0.0, fitted=True, failed_checks="", stop_reason="steps", n_train=1000, n_test=n_test, optimism=0.01,
        n_test_effective=float(n_test), num_test_leaked=0, test_accuracy_unleaked=np.nan,
        num_validation=100, num_evaluations=50, steps_to_best_on_validation=500.0, steps_run=10_000, epochs_run=1000,
        evaluation_lag=0.0, **{name: [*values, *[np.nan] * seeds] for name, values in columns.items()},
    )  # fmt: skip
    return findings([(model, 0.0) for model in PAIR], [PAIR], table, seeds, on_cifar10=False)


SIMULATIONS = [
    Simulation(
        "implicit",
        draw,
        [
            Claim(
                "Stopping early, when validation examples say so, raises the test accuracy of MODEL",
                "Stopping early, when validation examples say so, raises the test accuracy of net",
                (0.0, "the best moment is no better than the last"),
                (0.01, "it is better by one point"),
                (0.1, "it is better by 10 points"),
            ),
            Claim(
                "Batch norm raises the test accuracy of MODEL",
                "Batch norm raises the test accuracy of net",
                (0.0, "batch norm changes nothing"),
                (0.01, "it is worth one point"),
                (0.1, "it is worth 10 points"),
            ),
            Claim(
                "Batch norm speeds up the training of MODEL",
                "Batch norm speeds up the training of net",
                (0.0, "both take as long"),
                (0.0, "both take as long"),
                (0.1, "it takes 0.6 times the steps; times of seeds differ by a fifth"),
            ),
        ],
        **WHOLE,
    )
]
FACTS: list[Fact] = []
