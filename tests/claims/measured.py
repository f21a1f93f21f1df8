"""The claims of sweeps and of measured capacities, whose tables are small."""

from __future__ import annotations

import numpy as np
import pandas as pd
from claims.simulation import Claim, Fact, Simulation, right

from byrote.studies import largest_n_findings, overparameterization_findings

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
        train_accuracy=1.0, failed_checks="", stop_reason="steps", n_test=n_test, num_classes=10, n_train=1000
    )
    return overparameterization_findings.findings("net-{width}", SIZES, [0.0, 0.2], table, seeds)


def capacity(generator: np.random.Generator, seeds: int, n_test: int, effect: float):
    """The last doubling of n multiplies bits by 1.1 less `effect`, and a wider network holds e^effect times as many;
    seeds differ by a hundredth and by a tenth."""
    parts = [
        pd.DataFrame(
            {
                "model": model,
                "n_train": 1000,
                "largest_n": 200.0,
                "next_n": 240.0,
                "next_accuracy": 0.9,
                "next_gain": 0.0,
                "next_stop": "epochs",
                "bits": 600 * np.exp(0.1 * generator.standard_normal(seeds) + effect * wider),
                "bits_per_parameter": 2.0,
                "bits_growth": 1.1 - effect + 0.01 * generator.standard_normal(seeds),
                "parameters": 300,
                "failed_checks": "",
            }
        )
        for wider, model in enumerate(("net", "wide"))
    ]
    return largest_n_findings.findings(["net", "wide"], pd.concat(parts), seeds)


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
    ),
    Simulation(
        "largest-n",
        capacity,
        [
            Claim(
                "The bits that MODEL memorises stop growing with n",
                "The bits that net memorises stop growing with n",
                (0.0, "a doubling of n multiplies them by 1.1"),
                (0.0, "a doubling of n multiplies them by 1.1"),
                (0.1, "they stay the same; seeds differ by a hundredth"),
            ),
            Claim(
                "Memorised bits grow with the number of parameters",
                "Memorised bits grow with the number of parameters",
                (0.0, "both networks hold as many"),
                (0.0, "both networks hold as many"),
                (1.0, "the wider holds 2.7 times as many; seeds differ by a tenth"),
            ),
        ],
        test_examples=(0,),
    ),
]
_PAIRS = "the rule of Table 1's orderings: two conditions, example by example, Holm over the family"
_BOTH = "an interval over seeds joined with that of the test examples"
FACTS = [
    Fact(
        "table2",
        "MODEL fits random labels far above chance, and tests at chance",
        ".+ fits random labels far above .+",
        "train accuracy of every seed; then the rule of Table 1's chance",
    ),
    Fact(
        "table2",
        "Explicit regularisers do not keep MODEL from fitting random labels",
        "Explicit regularisers do not keep .+ from fitting random labels",
        "train accuracy of every seed",
    ),
    Fact(
        "table2",
        "MODEL generalises without explicit regularisers: they are not necessary",
        ".+ generalises without explicit regularisers: they are not necessary",
        f"{_BOTH}, of it and of what it is compared with",
    ),
    Fact(
        "table2",
        "Stopping early could raise the test accuracy of MODEL",
        "Stopping early could raise the test accuracy of .+",
        "the rule of the implicit study's stopping, Bonferroni over moments and rows",
    ),
    Fact(
        "table4",
        "MODEL fits random labels with REGULARISER",
        ".+ fits random labels with .+",
        "every seed fits; or none does, with twice the steps and a settled loss",
    ),
    Fact(
        "table4",
        "Explicit regularisers of the usual strength do not keep networks from fitting random labels",
        "Explicit regularisers of the usual strength .+",
        "most of the former hold, and none fails",
    ),
    Fact(
        "table4",
        "Strong weight decay keeps MODEL from fitting random labels",
        "Strong weight decay keeps .+",
        "as the former, at every strength",
    ),
    Fact(
        "regularization",
        "MODEL generalises without any regulariser: none is necessary",
        ".+ generalises without any regulariser: .+",
        f"{_BOTH}, of it and of the best combination, which was picked among all",
    ),
    Fact(
        "regularization",
        "MODEL fits random labels under all its regularisers at once: none is sufficient to prevent memorising",
        ".+ fits random labels under all .+",
        "every seed fits",
    ),
    Fact(
        "regularization",
        "Regularisers raise MODEL's test accuracy; narrow its generalization gap",
        "Regularisers (raise|narrow) .+",
        f"{_BOTH}, of Shapley values, Bonferroni over factors",
    ),
    Fact(
        "regularization",
        "Augmentation raises MODEL's test accuracy more than weight decay does",
        "Augmentation raises .+ more than weight decay does",
        _BOTH,
    ),
    Fact(
        "strengths",
        "Within N steps, stronger REGULARISER shrinks what MODEL memorises before it costs test accuracy",
        "Within .+ steps, stronger .+",
        f"an interval over seeds of the largest n fitted; and {_PAIRS}",
    ),
    Fact(
        "strengths",
        "Regularised as it tests best, MODEL still fits random labels",
        "Regularised as it tests best, .+",
        "every seed fits",
    ),
    Fact(
        "strengths", "REGULARISER is worth more training data to MODEL", ".+ is worth more training data to .+", _PAIRS
    ),
    Fact(
        "architectures",
        "ARCHITECTURE generalises, and can learn by rote as well",
        ".+ generalises, and can learn by rote as well",
        f"{_BOTH}; and every seed fits",
    ),
    Fact(
        "architectures",
        "Architectures that generalise better can memorise less; are slower to memorise",
        "Architectures that generalise better .+",
        "rank correlation, by exchanging architectures: exact",
    ),
    Fact(
        "architectures",
        "SWITCHES changes the test accuracy of a switchboard; the time it takes to fit",
        ".+ changes the (test accuracy|time) .+",
        "as the regularisers of the grid",
    ),
    Fact(
        "overparameterization",
        "FAMILY fits random labels once it is large enough",
        ".+ fits random labels once it is large enough",
        "every seed fits",
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
        "Trained networks (FAMILY) need more weights than Theorem 1's",
        "Trained networks .+ need more weights .+",
        "Student's interval over draws of labels, at every n",
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
    Fact(
        "rademacher",
        "MODEL fits coin flips: its Rademacher complexity is near 1",
        ".+ fits coin flips: .+",
        "a lower limit by bounded differences",
    ),
    Fact(
        "rademacher",
        "The bound on the test error that follows from the complexity of MODEL is vacuous",
        "The bound on the test error .+",
        "a lower limit by bounded differences",
    ),
    Fact(
        "rademacher",
        "What training of MODEL reaches falls with the number of examples",
        "What training of .+ reaches falls .+",
        "Welch's interval over draws of signs",
    ),
    Fact(
        "rademacher",
        "What training reaches grows with width",
        "What training reaches grows with width",
        "Welch's interval over draws of signs",
    ),
    Fact("shattering", "MODEL shatters these N examples", ".+ shatters these .+", "all labelings tried"),
    Fact(
        "stability",
        "MODEL: a replaced example loses more where labels are random",
        ".+: a replaced example loses more .+",
        "Student's interval over seeds; with one seed, two intervals over replacements that do not meet",
    ),
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
    Fact(
        "zoo",
        "Networks that fit generalise very differently",
        "Networks that fit generalise very differently",
        "intervals over test examples, Bonferroni over networks",
    ),
]
