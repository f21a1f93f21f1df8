"""Whether a measure tells true labels from random ones: over configurations of a zoo, or of one network's seeds."""

from __future__ import annotations

from itertools import product

import numpy as np
import pandas as pd
from claims.simulation import Claim, Fact, Simulation

from byrote.studies.bounds_findings import findings
from byrote.studies.judgement import telling
from byrote.studies.study import Finding
from byrote.theory.measures.catalog import MEASURES

OUTCOMES = {True: "supported", False: "not supported", None: "no conclusion"}
CLAIM = "MEASURE tells true labels from random ones"
CONFIGURATIONS = 12


def over_configurations(generator: np.random.Generator, seeds: int, n_test: int, effect: float):
    """Configurations differ under either labels by a factor of e, and so do seeds a little; random labels multiply by
    e^effect."""
    kinds = ("true-labels", "random-labels")
    own = np.exp(generator.standard_normal((2, CONFIGURATIONS, 1)) + np.array([0.0, effect])[:, None, None])
    values = own * np.exp(
        0.2 * generator.standard_normal((2, 1, seeds)) + 0.2 * generator.standard_normal((2, CONFIGURATIONS, seeds))
    )
    places = list(product(range(2), range(CONFIGURATIONS), range(seeds)))
    table = pd.DataFrame(
        {
            "model": [f"net-{configuration}" for _, configuration, _ in places],
            "corruption": [kinds[kind] for kind, _, _ in places],
            "seed": [seed for *_, seed in places],
            "fitted": True,
            "measure": values.ravel(),
        }
    )
    return [Finding("measure tells", OUTCOMES[telling(table, "measure").tells], "")]


def over_seeds(generator: np.random.Generator, seeds: int, n_test: int, effect: float):
    """Seeds differ by a fifth; random labels multiply by e^effect."""
    table = pd.DataFrame(
        [
            {
                "model": "net",
                "corruption": corruption,
                "seed": seed,
                "fitted": True,
                "failed_checks": "",
                "num_classes": 10,
            }
            | {
                name: np.exp(0.2 * generator.standard_normal() + shift * (1 if m.larger_is_worse else -1))
                for name, m in SOME.items()
            }
            | {f"{name} error bound": 2.0 for name, m in SOME.items()}
            for corruption, shift in (("true-labels", 0.0), ("random-labels", effect))
            for seed in range(seeds)
        ]
    )
    for name in MEASURES:
        if name not in SOME:
            table[name], table[f"{name} error bound"] = np.nan, np.nan
    return findings(table)


NAME = "parameters"
SOME = {NAME: MEASURES[NAME]}
EQUAL = (0.0, "labels change nothing")
SIMULATIONS = [
    Simulation(
        "judge",
        over_configurations,
        [
            Claim(
                CLAIM,
                "measure tells",
                EQUAL,
                EQUAL,
                (2.0, f"random labels multiply it by 7.4; {CONFIGURATIONS} configurations differ by a factor of 2.7"),
            )
        ],
        test_examples=(0,),
    ),
    Simulation(
        "bounds",
        over_seeds,
        [
            Claim(
                CLAIM,
                f"{MEASURES[NAME].title[:1].upper()}{MEASURES[NAME].title[1:]} tells true labels from random ones",
                EQUAL,
                EQUAL,
                (1.0, "random labels multiply it by 2.7; seeds differ by a fifth"),
            )
        ],
        test_examples=(0,),
    ),
]
FACTS: list[Fact] = []
