"""The claims of Table 1, and of all that compares two conditions example by example."""

from __future__ import annotations

import numpy as np
import pandas as pd
from claims.simulation import WHOLE, Claim, Fact, Simulation, right

from byrote.evidence.comparisons import discordant_columns
from byrote.studies.table1.findings import findings
from byrote.studies.table1.rows import Table1Row, orderings

MODEL = "net"
NONE, RANDOM = Table1Row(), Table1Row(random_labels=True)
ROWS = (Table1Row(random_crop=True), NONE, RANDOM)


def draw(generator: np.random.Generator, seeds: int, n_test: int, effect: float):
    """Without regularisers the network tests at 32.5% and `effect`, a quarter of the way from guessing to all; with any
    at `effect` more. On random labels it tests at 10% and `effect`."""
    difficulties = generator.random(n_test)
    accuracy = {row: 0.325 + effect * (1 + (row != NONE)) for row in ROWS} | {RANDOM: 0.1 + effect}
    correct = {row: right(generator, seeds, difficulties, accuracy[row]) for row in ROWS}
    # Each seed draws random labels of its own: what its network says of a test example is its own as well.
    alone = [right(generator, 1, generator.random(n_test), accuracy[RANDOM])[0] for _ in range(seeds)]
    correct[RANDOM] = np.stack(alone)
    table = pd.concat(
        [
            pd.DataFrame(
                {
                    "model": MODEL,
                    "seed": np.arange(seeds),
                    "row": row.label,
                    "test_accuracy": correct[row].mean(axis=1),
                }
            )
            for row in ROWS
        ],
        ignore_index=True,
    )
    same = {"fitted": True, "failed_checks": "", "stop_reason": "steps", "train_accuracy": 1.0, "n_train": 1000}
    same |= {"n_test": n_test, "num_classes": 10, "paper_test_accuracy": np.nan, "chance_deviation": 0.0}
    same |= {"n_test_effective": float(n_test), "num_test_leaked": 0, "test_accuracy_unleaked": np.nan, "guessing": 0.1}
    same |= {"balanced_guessing": 0.1}
    table = table.assign(**same)
    places = {row: slice(index * seeds, (index + 1) * seeds) for index, row in enumerate(ROWS)}
    for ordering in orderings({MODEL: ROWS}, as_published=False):
        first, second = ordering.first[1], ordering.second[1]
        columns = discordant_columns(ordering.rival, list(correct[first]), list(correct[second]), [0] * seeds)
        for name, values in columns.items():
            if name not in table:
                table[name] = np.nan
            table.loc[table.index[places[first]], name] = values
    return findings({MODEL: ROWS}, table, seeds, on_cifar10=False)


EQUAL = (0.0, "cropping changes nothing")
CHANCE = (0.0, "it tests at chance")
QUARTER = (0.0, "it tests at a quarter of the way from guessing to all")
SIMULATIONS = [
    Simulation(
        "table1",
        draw,
        [
            Claim(
                "REGULARISER raises the test accuracy of MODEL",
                "Random cropping raises the test accuracy of net",
                EQUAL,
                EQUAL,
                (0.1, "cropping is worth 10 points"),
            ),
            Claim(
                "MODEL generalises without explicit regularisers: they are not necessary",
                "net generalises without explicit regularisers: they are not necessary",
                QUARTER,
                QUARTER,
                (0.1, "it tests 10 points above that"),
            ),
            Claim(
                "Test accuracies are in the paper's order",
                "Test accuracies are in the paper's order.*",
                EQUAL,
                EQUAL,
                (0.1, "the one regulariser tried is worth 10 points"),
            ),
            Claim(
                "MODEL fits random labels without regularisers, and tests at chance",
                "net fits random labels without regularisers, and tests at chance",
                (0.09, "a tenth of the errors of guessing are gone"),
                CHANCE,
                CHANCE,
            ),
        ],
        **WHOLE,
    )
]
FACTS: list[Fact] = []
