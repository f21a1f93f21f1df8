"""The claims of sweeps and of measured capacities, whose tables are small."""

from __future__ import annotations

import numpy as np
import pandas as pd
from claims.simulation import WHOLE, Claim, Fact, Simulation, right

from byrote.studies.overparameterization import findings as overparameterization_findings

SIZES = [f"net-{size}" for size in range(6)]


def sweep(generator: np.random.Generator, seeds: int, n_test: int, effect: float):
    """Networks fit from the third of six sizes on and test at 55%, but the largest at `effect` more; on noisy labels
    the third tests at `effect` more than all others."""
    difficulties = generator.random(n_test)
    parts = []
    for rate in (0.0, 0.2):
        for size, model in enumerate(SIZES):
            own = size == (5 if rate == 0 else 2)
            accuracy = right(generator, seeds, difficulties, 0.55 + effect * own).mean(axis=1)
            part = {"model": model, "seed": np.arange(seeds), "label_rate": rate, "parameters": 100 * 4**size}
            part |= {"parameters_per_example": 0.1 * 4**size, "fitted": size >= 2, "test_accuracy": accuracy}
            parts.append(pd.DataFrame(part))
    table = pd.concat(parts, ignore_index=True).assign(
        train_accuracy=1.0,
        stop="at_steps",
        steps_run=1000,
        failed_checks="",
        stop_reason="steps",
        n_test=n_test,
        n_test_effective=float(n_test),
        num_test_leaked=0,
        test_accuracy_unleaked=np.nan,
        guessing=0.1,
        num_classes=10,
        n_train=1000,
    )
    return overparameterization_findings.findings("net-{width}", SIZES, [0.0, 0.2], table, seeds)


SIMULATIONS = [
    Simulation(
        "overparameterization",
        sweep,
        [
            Claim(
                "FAMILY shows a small gap although it has more parameters than examples",
                "net-W shows a small gap.*",
                (0.0, "its gap is half of what rote learning leaves"),
                (0.0, "its gap is half of what rote learning leaves"),
                (0.1, "its gap is 10 points smaller"),
            ),
            Claim(
                "More parameters than it takes to fit do not raise the test error of FAMILY on true labels",
                "More parameters than it takes to fit do not raise.*",
                (-0.04, "the largest network errs 4 points more often"),
                (0.0, "all sizes test alike"),
                (0.1, "the largest network errs 10 points less often"),
            ),
            Claim(
                "On LABELS, the test error of FAMILY peaks near the interpolation threshold",
                "On labels with 20% noise, the test error of net-W peaks.*",
                (0.0, "all sizes test alike"),
                (-0.04, "the size at the threshold errs 4 points more often than all others"),
                (-0.2, "it errs 20 points more often"),
            ),
        ],
        **WHOLE,
    ),
]
FACTS = [
    Fact(
        "randomization",
        "MODEL can learn LABELS by rote",
        ".+ can learn .+ by rote",
        "every seed fits, and what the true class tells of these labels would not by luck (binomial, p <= 0.05)",
    ),
    Fact(
        "randomization",
        "MODEL can fit inputs whose structure is destroyed",
        ".+ can fit inputs whose structure is destroyed",
        "every seed fits, under each corruption of the inputs",
    ),
    Fact(
        "table2",
        "Explicit regularisers do not keep MODEL from fitting random labels",
        "Explicit regularisers do not keep .+ from fitting random labels",
        "train accuracy of every seed, which one class named always would not have by luck; never refuted",
    ),
    Fact(
        "table4",
        "MODEL fits random labels with REGULARISER",
        ".+ fits random labels with .+",
        "every seed fits, and one class named always would not by luck; never refuted",
    ),
    Fact(
        "table4",
        "Explicit regularisers of the usual strength do not keep networks from fitting random labels",
        "Explicit regularisers of the usual strength .+",
        "all of the former hold; never refuted",
    ),
    Fact(
        "regularization",
        "MODEL fits random labels under all its regularisers at once: none is sufficient to prevent memorising",
        ".+ fits random labels under all .+",
        "every seed fits, and one class named always would not by luck; never refuted",
    ),
    Fact(
        "strengths",
        "Regularised as it tests best, MODEL still fits random labels",
        "Regularised as it tests best, .+",
        "every seed fits, and one class named always would not by luck; never refuted",
    ),
    Fact(
        "overparameterization",
        "FAMILY fits random labels once it is large enough",
        ".+ fits random labels once it is large enough",
        "every seed fits, and one class named always would not by luck; never refuted",
    ),
    Fact(
        "largest-n",
        "MODEL fits random labels up to some n and not beyond",
        ".+ fits random labels up to some n and not beyond",
        "runs that fit up to there, and beyond do not and no longer rise",
    ),
    Fact(
        "expressivity",
        "2n + d weights represent any labels of n examples (Theorem 1)",
        "2n \\+ d weights .+",
        "a network that was built",
    ),
    Fact(
        "expressivity",
        "In a deep network of width O(n/k), O(n + d) weights do too (Corollary 1)",
        "In a deep network .+",
        "a network that was built",
    ),
    Fact(
        "expressivity",
        "Fewer units than examples represent any labels, if each reads all inputs",
        "Fewer units than examples .+",
        "a network that was built",
    ),
    Fact(
        "expressivity",
        "Having all labels right says nothing about test examples",
        "Having all labels right .+",
        "an interval over test examples",
    ),
    Fact(
        "expressivity",
        "Predictions are overridden at will, and nothing else changes",
        "Predictions are overridden .+",
        "predictions counted",
    ),
    Fact("shattering", "MODEL shatters these N examples", ".+ shatters these .+", "all labelings tried"),
    Fact(
        "stability",
        "MODEL: the bound by uniform stability says nothing, on these data",
        ".+: the bound by uniform stability .+",
        "the largest change that was seen, a lower limit",
    ),
    Fact(
        "stability",
        "Where theory is exact, what is measured stays below its bound",
        "Where theory is exact, .+",
        "figures that are compared",
    ),
]
