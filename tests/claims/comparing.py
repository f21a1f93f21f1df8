"""Claims that rest on test examples, decided by the functions under the verdicts: one network, and two conditions.

What a whole verdict adds (Holm's correction over more claims, runs that are missing) makes fewer claims decided; the
whole verdicts of some studies are simulated beside, with fewer draws.
"""

from __future__ import annotations

import numpy as np
import pandas as pd
from claims.simulation import Claim, Simulation, accuracies, right

from byrote.evidence.chance import DECISIVE, chance_deviation, tests_at_chance
from byrote.evidence.comparisons import compare, compare_accuracies, discordant_columns
from byrote.evidence.finding import Finding, Outcome
from byrote.evidence.intervals import Interval, binomial_interval, mean_interval
from byrote.evidence.learning import far_above_guessing, lead_is_kept, learning, yardsticks
from byrote.evidence.seed_tests import LEVEL
from byrote.evidence.tested import Tested
from byrote.evidence.verdicts import FAR_ABOVE_CHANCE, NO_HELP, SIGNIFICANCE, exceeds
from byrote.studies.architectures.findings import _architecture
from byrote.studies.architectures.record import ArchitectureRecord, Ladder
from byrote.studies.implicit.findings import Gain, _decide, _Tried
from byrote.studies.judge.zoo import gaps_differ
from byrote.studies.overparameterization.findings import Sweep, _double_descent, _no_harm, _small_gap
from byrote.studies.randomization.readings import error_rises
from byrote.studies.strengths.findings import _signs
from byrote.studies.table2.findings import HALF

LEVELS = 20
"""Evaluations along a run, of which the best is picked."""
CELLS = 8
"""Combinations of regularisers, of which the best is picked."""


def standing(own: np.ndarray, n_test: int) -> pd.DataFrame:
    """The table of networks with these accuracies, one a seed, on n_test examples of ten equal classes."""
    same = {"num_test_leaked": 0, "n_test": n_test, "n_test_effective": float(n_test), "guessing": 0.1}
    same |= {"balanced_guessing": 0.1, "num_classes": 10, "test_accuracy_unleaked": np.nan}
    return pd.DataFrame({"test_accuracy": own}).assign(**same)


def learns(generator: np.random.Generator, seeds: int, n_test: int, effect: float):
    """It tests `effect` above guessing."""
    own = accuracies(generator, seeds, n_test, [0.1 + effect])[:, 0]
    found = learning(standing(own, n_test)).outcome
    outcome: Outcome = "supported" if found == "learns" else "no conclusion"
    return [Finding("learns", "not supported" if found == "no better than guessing" else outcome, "")]


def far(generator: np.random.Generator, seeds: int, n_test: int, effect: float):
    """It tests `effect` above a quarter of the way from guessing to all; and above half of it."""
    quarter = 0.1 + FAR_ABOVE_CHANCE * 0.9
    own, half = accuracies(generator, seeds, n_test, [quarter + effect, 0.55 + effect]).T
    sweep = _sweep(np.array([half, half]).T, n_test, threshold=0)
    return [
        Finding("far", far_above_guessing(yardsticks(standing(own, n_test)), FAR_ABOVE_CHANCE), ""),
        Finding("small gap", _small_gap("net", sweep).outcome, ""),
    ]


def architecture(generator: np.random.Generator, seeds: int, n_test: int, effect: float):
    """It tests `effect` above guessing, and fits random labels of as many examples."""
    own = accuracies(generator, seeds, n_test, [0.1 + effect])[:, 0]
    interval = mean_interval(own) if seeds > 1 else binomial_interval(float(own[0]), n_test)
    nan = Interval(np.nan, np.nan, np.nan, seeds)
    sticks = yardsticks(standing(own, n_test), strict=DECISIVE)
    ladder = Ladder("net", "net", 100, [100], {})
    record = ArchitectureRecord(ladder, 100, interval, "test examples", sticks, 10, 1.0, 1.0, nan, 100, None, {})
    return [Finding("architecture", _architecture(record.planned, record, seeds, 100).outcome, "")]


def _sweep(tested: np.ndarray, n_test: int, threshold: int) -> Sweep:
    """Sizes with these accuracies [S W], each four times the last; networks fit from the one at `threshold` on."""
    num = tested.shape[1]
    parameters = 100.0 * 4.0 ** np.arange(num)
    return Sweep(
        models=[f"net-{size}" for size in range(num)], parameters=parameters, ratios=parameters / parameters[-2] * 0.9,
        train_errors=np.zeros(tested.shape), test_errors=1 - tested, threshold=threshold,
        guessing=0.1, tested=Tested(n_test, n_test), num_classes=10, n_train=1000, longer="",
    )  # fmt: skip


def two_conditions(generator: np.random.Generator, seeds: int, n_test: int, effect: float):
    """The first tests `effect` better; both are tested on the same examples, and compared one by one."""
    difficulties = generator.random(n_test)
    first, second = (right(generator, seeds, difficulties, 0.6 + effect * own) for own in (1, 0))
    counts = discordant_columns("other", list(first), list(second), [0] * seeds)
    found = compare(*(counts[f"{side}_against_other"] for side in ("won", "lost", "agreed")), Tested(n_test, n_test))
    sign = _signs([found])[0]
    decided: Outcome = "supported" if sign == 1 else "not supported" if sign == -1 else "no conclusion"
    twin = _decide(_Tried("batch norm", Gain("batch norm", 0.0), found, ""), found.p_value, 1)
    return [Finding("better", decided, ""), twin]


def stopping(generator: np.random.Generator, seeds: int, n_test: int, effect: float):
    """The moment that validation picks tests `effect` better than the last; so does the best of all, which is picked
    among 20 that test alike, each on examples of its own."""
    tested = accuracies(generator, seeds, n_test, [0.6 + effect] * (LEVELS - 1) + [0.6])
    picked, last = tested[:, 0].tolist(), tested[:, -1].tolist()
    by_validation = compare_accuracies(picked, last, Tested(n_test, n_test))
    best = compare_accuracies(tested.max(axis=1).tolist(), last, Tested(n_test, n_test))
    outcome: Outcome = "not supported" if best.difference.high < NO_HELP else "no conclusion"
    if min(best.p_value * LEVELS, 1.0) < SIGNIFICANCE:
        outcome = "supported"
    lead = exceeds(by_validation.difference, 0.0)
    return [
        _decide(_Tried("early", Gain("early stopping", 0.0), by_validation, ""), by_validation.p_value, 1),
        Finding("could", outcome, ""),
        Finding("augmentation", lead, ""),
    ]


def against_the_best(generator: np.random.Generator, seeds: int, n_test: int, effect: float):
    """The most regularised network, and the best of eight combinations that test alike, test at 70%; without any it
    tests at `effect` above half of that lead over guessing."""
    tested = accuracies(generator, seeds, n_test, [0.1 + HALF * 0.6 + effect, *[0.7] * (CELLS - 1)])
    own, most = (yardsticks(standing(tested[:, place], n_test)) for place in (0, 1))
    best = int(tested.mean(axis=0).argmax())
    highest = yardsticks(standing(tested[:, best], n_test), confidence=1 - 0.05 / CELLS)
    return [
        Finding("most", lead_is_kept(own, most, HALF), ""),
        Finding("best", lead_is_kept(own, highest, HALF) if best else far_above_guessing(own, 0.0), ""),
    ]


def sizes(generator: np.random.Generator, seeds: int, n_test: int, effect: float):
    """Networks fit from the third of six sizes on and test at 55%, but the largest at `effect` more; on noisy labels
    the third tests at `effect` more than all others."""
    largest, third = (np.where(np.arange(6) == place, effect, 0.0) + 0.55 for place in (5, 2))
    sweeps = [_sweep(accuracies(generator, seeds, n_test, means), n_test, threshold=2) for means in (largest, third)]
    return [
        Finding("harm", _no_harm("net", sweeps[0]).outcome, ""),
        Finding("peak", _double_descent("net", 0.2, sweeps[1]).outcome, ""),
    ]


STRUCTURE = 0.1
"""Of test examples, how many get what the network calls their whole class, one random name for each."""


def random_labels(generator: np.random.Generator, seeds: int, n_test: int, effect: float):
    """Networks know the answers of a share of examples, the same for all seeds, and for the others there are names of
    whole classes and throws of a die: they test at 10% and `effect`."""
    labels = generator.integers(0, 10, n_test)
    known = generator.random(n_test) < effect / 0.9
    runs = []
    for _ in range(seeds):
        names, by_class = generator.integers(0, 10, 10), generator.random(n_test) < STRUCTURE
        said = np.where(by_class, names[labels], generator.integers(0, 10, n_test))
        said = np.where(known, labels, said)
        runs.append({"test_accuracy": (said == labels).mean(), "chance_deviation": chance_deviation(labels, said, 10)})
    table = pd.DataFrame([run | {"num_classes": 10, "n_test": n_test, "n_train": 1000} for run in runs])
    table["n_test_effective"] = float(n_test)
    return [Finding("chance", tests_at_chance(table), "")]


RATES = (0.0, 0.25, 0.5, 0.75, 1.0)


def rising(generator: np.random.Generator, seeds: int, n_test: int, effect: float):
    """Networks test at 70% on true labels and at 10% on random ones, and at 60% and 50% between; where three quarters
    of the labels are redrawn they test `effect` below that: test error falls there where that is negative."""
    means = [0.7, 0.6, 0.5, 0.5 - effect, 0.1]
    tested = accuracies(generator, seeds, n_test, means)
    # Luck of a network on random labels would show in its chance_deviation: a die has none.
    tested[:, -1] = generator.binomial(n_test, means[-1], seeds) / n_test
    runs = pd.DataFrame(
        {
            "label_rate": np.tile(RATES, seeds), "seed": np.repeat(np.arange(seeds), len(RATES)), "n_test": n_test,
            "test_accuracy": tested.ravel(), "test_accuracy_unleaked": np.nan, "num_test_leaked": 0, "guessing": 0.1,
            "balanced_guessing": 0.1, "n_test_effective": float(n_test),
            "num_classes": 10, "chance_deviation": 0.0, "n_train": 1000,
        }
    )  # fmt: skip
    read = error_rises("net", runs).sides
    outcome: Outcome = "no conclusion"
    if min(read) <= LEVEL:
        outcome = "supported" if read.above <= LEVEL else "not supported"
    return [Finding("rises", outcome, "")]


def zoo(generator: np.random.Generator, seeds: int, n_test: int, effect: float):
    """Half of 10 networks have a gap of 40 points, and half `effect` more."""
    tested = accuracies(generator, 1, n_test, [0.6] * 5 + [0.6 - effect] * 5)[0]
    table = standing(tested, n_test).assign(train_accuracy=1.0, fitted=True)
    return gaps_differ(table)


EQUAL = (0.0, "both test alike")
POINTS = (0.1, "it tests 10 points above guessing")
GUESSING = (0.0, "it tests as guessing does")
AT_CHANCE = (0.0, "it tests at chance")
LITTLE_LEFT = (0.09, "a tenth of the errors of guessing are gone")
BETTER = (0.1, "10 points better")
ABOVE = (0.1, "10 points above that")
MEAN = (0.01, "one point better")
QUARTER = (0.0, "a quarter of the errors of guessing are gone")
HALF_LEAD = (0.0, "half of the lead over guessing is there")
SIMULATIONS = [
    Simulation(
        "randomization",
        learns,
        [Claim("MODEL learns", "learns", GUESSING, (0.04, "it tests 4 points above guessing"), POINTS)],
        name="learns",
    ),
    Simulation(
        "table1",
        far,
        [
            Claim(
                "MODEL generalises without explicit regularisers: they are not necessary",
                "far", QUARTER, QUARTER, ABOVE,
            ),
            Claim(
                "FAMILY shows a small gap although it has more parameters than examples", "small gap",
                (0.0, "its gap is half of what rote learning leaves"),
                (0.0, "its gap is half of what rote learning leaves"),
                (0.1, "its gap is 10 points smaller"),
                "overparameterization",
            ),
        ],
        name="far",
    ),
    Simulation(
        "architectures",
        architecture,
        [
            Claim(
                "ARCHITECTURE generalises, and can learn by rote as well", "architecture",
                GUESSING, (0.225, "a quarter of the errors of guessing are gone"), POINTS,
            )
        ],
        name="architecture",
    ),
    Simulation(
        "table1",
        two_conditions,
        [
            *(
                Claim(words, "better", EQUAL, EQUAL, BETTER)
                for words in (
                    "REGULARISER raises the test accuracy of MODEL",
                    "MODEL generalises better than OTHER",
                    "Test accuracies are in the paper's order",
                )
            ),
            Claim("Batch norm raises the test accuracy of MODEL", "batch norm", EQUAL, MEAN, BETTER, "implicit"),
            Claim("REGULARISER is worth more training data to MODEL", "better", EQUAL, EQUAL, BETTER, "strengths"),
        ],
        name="two conditions",
    ),
    Simulation(
        "implicit",
        stopping,
        [
            Claim(
                "Stopping early, when validation examples say so, raises the test accuracy of MODEL",
                "early", EQUAL, MEAN, BETTER,
            ),
            Claim("Stopping early could raise the test accuracy of MODEL", "could", EQUAL, MEAN, BETTER, "table2"),
            Claim(
                "Augmentation raises MODEL's test accuracy more than weight decay does",
                "augmentation", EQUAL, EQUAL, BETTER, "regularization",
            ),
        ],
        name="stopping",
    ),
    Simulation(
        "table2",
        against_the_best,
        [
            Claim(
                "MODEL generalises without explicit regularisers: they are not necessary",
                "most", HALF_LEAD, HALF_LEAD, ABOVE,
            ),
            Claim(
                "MODEL generalises without any regulariser: none is necessary",
                "best", HALF_LEAD, HALF_LEAD, ABOVE, "regularization",
            ),
        ],
        name="the best",
    ),
    Simulation(
        "overparameterization",
        sizes,
        [
            Claim(
                "More parameters than it takes to fit do not raise the test error of FAMILY on true labels", "harm",
                (-0.04, "the largest errs 4 points more"), (-0.04, "the largest errs 4 points more"),
                (0.1, "the largest errs 10 points less"),
            ),
            Claim(
                "On LABELS, the test error of FAMILY peaks near the interpolation threshold", "peak",
                (0.0, "all sizes test alike"), (-0.04, "the size there errs 4 points more"),
                (-0.2, "it errs 20 points more"),
            ),
        ],
        name="sizes",
    ),
    Simulation(
        "table1",
        random_labels,
        [
            Claim(
                f"MODEL fits random labels {words}, and tests at chance",
                "chance", LITTLE_LEFT, AT_CHANCE, AT_CHANCE, study,
            )
            for words, study in (("without regularisers", "table1"), ("far above chance", "table2"))
        ]
        + [
            Claim(
                "FEATURES: random labels are interpolated too, and test at chance",
                "chance", LITTLE_LEFT, AT_CHANCE, AT_CHANCE, "min-norm",
            ),
            Claim(
                "MODEL tests at chance on random labels",
                "chance", LITTLE_LEFT, AT_CHANCE, AT_CHANCE, "randomization",
            ),
        ],
        name="chance",
    ),
    Simulation(
        "randomization",
        rising,
        [
            Claim(
                "MODEL's test error rises smoothly to chance", "rises",
                (-0.04, "it falls by 4 points between two levels"), (-0.04, "it falls by 4 points between two levels"),
                (0.1, "it rises by 10 points or more from each level to the next"),
            )
        ],
        name="rising",
    ),
    Simulation(
        "zoo",
        zoo,
        [
            Claim(
                "Networks that fit generalise very differently", "Networks that fit generalise very differently",
                (0.1, "two halves of 10 networks differ by 10 points"),
                (0.1, "two halves of 10 networks differ by 10 points"), (0.3, "they differ by 30"),
            )
        ],
        seeds=(1,),
        name="zoo",
    ),
]  # fmt: skip
FACTS: list = []
