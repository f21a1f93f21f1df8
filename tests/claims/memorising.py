"""The claims about what is memorised: that a network can, within what steps it does, and what a regulariser shrinks."""

from __future__ import annotations

import math

import numpy as np
import pandas as pd
from claims.simulation import Claim, Fact, Simulation, right

from byrote.evidence.columns import quick
from byrote.evidence.comparisons import discordant_columns
from byrote.evidence.finding import Finding
from byrote.evidence.seed_tests import LEVEL
from byrote.evidence.verdicts import LITTLE
from byrote.studies.paper_settings import WEIGHT_DECAY
from byrote.studies.randomization.readings import memorises
from byrote.studies.strengths.findings import shrinks
from byrote.studies.strengths.readings import Ladders
from byrote.studies.table4.findings import findings as table4_findings
from byrote.studies.table4.rows import Condition, words

FEW, ALIKE = 6, 100


def by_rote(generator: np.random.Generator, seeds: int, n_test: int, effect: float):
    """Two networks that name one class always, where that fits: one has 6 examples of two classes, the other 100 that
    are all the same. With an effect they have 6 and 100 different ones, and fit their labels."""
    found = []
    for name, n, num_classes in (("few", FEW, 2), ("alike", ALIKE, 10)):
        labels = generator.integers(0, num_classes, (seeds, n))
        largest = np.array([np.bincount(own).max() for own in labels]) / n
        ceiling = largest if name == "alike" and not effect else np.ones(seeds)
        accuracy = np.ones(seeds) if effect else largest
        runs = pd.DataFrame({"train_accuracy": accuracy, "ceiling": ceiling, "seed": np.arange(seeds)}).assign(
            n_train=n, num_classes=num_classes, n_test=100, test_accuracy=1 / num_classes, chance_deviation=0.03,
            n_test_effective=100.0,
            initial_weights=np.arange(seeds).astype(str),
        )  # fmt: skip
        supported = (accuracy >= 0.99 * ceiling).all() and memorises("net", runs).sides.above <= LEVEL
        found.append(Finding(name, "supported" if supported else "no conclusion", ""))
    return found


DECAYS: list[Condition] = [("none", 0.0), ("none", WEIGHT_DECAY), ("none", 0.01)]


def decay(generator: np.random.Generator, seeds: int, n_test: int, effect: float):
    """Every other seed fits within the steps given; and `effect` more without weight decay, `effect` less with it."""
    runs = []
    for condition in DECAYS:
        chance = 0.5 + effect * (1 if condition == DECAYS[0] else -1)
        for seed, fits in enumerate(generator.random(seeds) < chance):
            runs.append(
                {
                    "model": "net", "regularizer": words(condition), "augmentation": condition[0], "seed": seed,
                    "weight_decay": condition[1],
                    "ending": "fits" if fits else "converges without fitting", "fitted": bool(fits),
                    "steps_to_fit": 100.0 if fits else math.nan, "train_accuracy": 1.0 if fits else 0.7,
                    "steps_run": 300, "epochs_run": 30, "stop": "at_steps", "stop_reason": "steps", "settled": True,
                    "failed_checks": "", "n_train": 1000, "num_classes": 10, "final_loss": 1.0, "loss_at_chance": 2.3,
                    "paper_ending": "", "corruption": "random-labels", "corruption_rate": 1.0, "dropout": 0.0,
                    "learning_rate": 0.1,
                }
            )  # fmt: skip
    return table4_findings({"net": DECAYS}, pd.DataFrame(runs), seeds)


SIZES = (125, 250, 500, 1000, 2000, 4000)
STRENGTHS = (0.0, 0.2, 0.5, 0.8)
LUCK = 0.3


def shrinking(generator: np.random.Generator, seeds: int, n_test: int, effect: float):
    """Every strength of dropout shrinks capacities by `effect` rungs, and costs no test accuracy."""
    return _strengths(generator, seeds, n_test, effect, 0.0)


def costing(generator: np.random.Generator, seeds: int, n_test: int, effect: float):
    """Every strength of dropout shrinks capacities by two rungs, and costs four points less `effect`."""
    return _strengths(generator, seeds, n_test, 2.0, LITTLE - effect)


def _strengths(generator: np.random.Generator, seeds: int, n_test: int, rungs: float, cost: float):
    """Capacities lie between two rungs in the mean of seeds, which differ by a third of one."""
    difficulties = generator.random(n_test)
    ladders = Ladders("net", {"dropout": STRENGTHS}, SIZES, SIZES[-2], 10_000, seeds)
    none = right(generator, seeds, difficulties, 0.6)
    place = generator.uniform(3, 4)
    parts = []
    for strength in range(len(STRENGTHS)):
        shrunk = place - rungs * (strength > 0) + LUCK * generator.standard_normal(seeds) * (seeds > 1)
        cells = pd.MultiIndex.from_product([range(len(SIZES)), range(seeds)], names=["size", "seed"])
        rote = cells.to_frame(index=False)
        rote["fitted"] = rote["size"] + 1 <= shrunk[rote["seed"]]
        rote["n_train"] = np.array(SIZES)[rote["size"]]
        own = right(generator, seeds, difficulties, 0.6 - cost) if strength else none
        counts = discordant_columns("none", list(own), list(none), [0] * seeds)
        true = pd.DataFrame({"n_train": SIZES[-1], "seed": np.arange(seeds), "fitted": True} | counts)
        true["test_accuracy"] = own.mean(axis=1)
        parts.append(pd.concat([rote, true]).assign(strength=strength))
    runs = pd.concat(parts, ignore_index=True)
    runs = runs.assign(
        corruption=np.where(runs["test_accuracy"].isna(), "random-labels", "true-labels"),
        regularizer=np.where(runs["strength"] > 0, "dropout", ""),
        failed_checks="",
        stop_reason="steps",
        n_test=n_test,
        n_test_effective=float(n_test),
        num_test_leaked=0,
        train_accuracy=0.9,
        stop="at_steps",
    )
    return [shrinks(ladders, quick(runs), "dropout")]


NOTHING = (0.0, "it shrinks nothing")
RUNG = (1.0, "it halves the largest n fitted")
FOUR = (2.0, "it makes the largest n fitted a quarter")
COSTLY = (0.0, "it costs 4 points wherever it shrinks")
CHEAP = (LITTLE, "it costs nothing and makes the largest n fitted a quarter")
PATTERN = "Within .+ steps, stronger .+"
WORDS = "Within NUMBER steps, stronger REGULARISER shrinks what MODEL memorises before it costs test accuracy"
CLASS = (0.0, "one class is named always, which fits by luck")
FITTED = (1.0, "labels of different examples are fitted")
SIMULATIONS = [
    Simulation(
        "randomization",
        by_rote,
        [
            Claim("MODEL can fit random labels", "few", (0.0, f"{CLASS[1]}: of {FEW} examples"), FITTED, FITTED),
            Claim(
                "MODEL can fit random labels", "alike",
                (0.0, f"{CLASS[1]}: of {ALIKE} equal ones"), FITTED, FITTED,
            ),
        ],
        test_examples=(0,),
        name="by rote",
    ),
    Simulation(
        "table4",
        decay,
        [
            Claim(
                "Within the steps given, strong weight decay keeps MODEL from fitting random labels",
                "Within the steps given, .+", (0.0, "every other seed fits, with it and without"),
                (0.4, "nine of ten seeds fit without it, and one of ten with"),
                (0.5, "all seeds fit without it, and none with"),
            )
        ],
        test_examples=(0,),
        share=0.3,
        name="decay",
    ),
    Simulation(
        "strengths",
        shrinking,
        [Claim(WORDS, PATTERN, NOTHING, RUNG, FOUR)],
        share=0.3,
        name="shrinks",
    ),
    Simulation(
        "strengths",
        costing,
        [Claim(WORDS, PATTERN, COSTLY, CHEAP, CHEAP)],
        share=0.3,
        name="shrinks and costs",
    ),
]  # fmt: skip
FACTS: list[Fact] = []
