"""Claims about what is known by rote, example by example, and about who can tell what was trained on: by whole verdicts
on what networks on halves would say."""

from __future__ import annotations

from types import MappingProxyType

import numpy as np
from claims.simulation import Claim, Fact, Simulation

from byrote.data.dataset import Dataset, Split
from byrote.data.subsets import half_rows
from byrote.studies.memorization.calculations import ExampleScores
from byrote.studies.memorization.findings import findings
from byrote.studies.memorization.halves import Answers
from byrote.studies.memorization.readings import read
from byrote.studies.memorization.rows import rows
from byrote.theory.calculation import Computed
from byrote.training.recipe import Recipe

NETWORKS, EXAMPLES, RATES, MODELS = 64, 40, (0.0, 0.2), ("narrow", "wide")
SHIFT = 0.205
"""Standard deviations by which log-odds rise for what is trained on, where LiRA's AUC is 0.54 with so many networks."""


def verdict(generator: np.random.Generator, seeds: int, n_test: int, effect: float):
    """All that is trained on is right; of what is not, one half less `effect`, and less as much again in the wide
    network, with noise, and where labels are wrong. Log-odds rise by SHIFT and ten times `effect`."""
    number = int(generator.integers(2**31))
    labels = np.arange(EXAMPLES) % 2
    inside = np.zeros((NETWORKS, EXAMPLES), dtype=bool)
    for network in range(NETWORKS):
        inside[network, half_rows(labels, network, number)[0]] = True
    results = []
    for model in MODELS:
        for rate in RATES:
            wrong = np.arange(EXAMPLES) < EXAMPLES // 5 if rate else np.zeros(EXAMPLES, dtype=bool)
            more = effect * ((model == "wide") + (rate > 0) + wrong)
            right = inside | (generator.random(inside.shape) < 0.5 - effect - more)
            margins = generator.standard_normal(inside.shape) + (SHIFT + 10 * effect) * inside
            tested = generator.standard_normal((NETWORKS, 10))
            answers = Answers(inside, right, margins.astype(np.float16), tested > 0, tested.astype(np.float16))
            values, arrays = read(answers, labels, wrong, 2)
            own = {
                "num_runs": NETWORKS,
                "num_fitted": NETWORKS,
                "num_diverged": 0,
                "failed_checks": "",
                "parameters": 1,
            }
            scores = ExampleScores(model=model, recipe=Recipe(), networks=NETWORKS, label_rate=rate)
            results.append(Computed("key", scores, "data", MappingProxyType(values | own), arrays, 1.0, {}))
    table = rows("memorization", results, {rate: _data(labels, rate) for rate in RATES})
    return findings(MODELS, RATES, table, NETWORKS)


def _data(labels: np.ndarray, rate: float) -> Dataset:
    given = np.where(np.arange(EXAMPLES) < EXAMPLES // 5, 1 - labels, labels) if rate else labels
    inputs = np.zeros((EXAMPLES, 1), dtype=np.float32)
    split = Split(inputs, given, labels, np.zeros(EXAMPLES, dtype=bool))
    return Dataset("data", split, split, ("a", "b"))


HALF, ALIKE = (0.0, "all scores are one half"), (0.0, "both have a mean of one half")
MORE = (0.05, "the means differ by 5 points and more; 64 networks, 40 examples")
SIMULATIONS = [
    Simulation(
        "memorization",
        verdict,
        [
            Claim(
                "MODEL knows some labels by rote alone", "narrow knows some labels by rote alone", HALF,
                (0.001, "all are a thousandth more"), (0.45, "all are 0.95"),
            ),
            Claim(
                "Whoever sees the confidence of MODEL can tell what it was trained on",
                "Whoever sees the confidence of narrow can tell what it was trained on",
                (0.0, "LiRA's AUC is 0.54"), (0.0, "LiRA's AUC is 0.54"),
                (0.05, "log-odds rise by 0.7 of their deviation; 64 networks"),
            ),
            Claim(
                "MODEL memorises wrong labels more than right ones with N% of labels redrawn",
                "narrow memorises wrong labels more than right ones .*", ALIKE, ALIKE, MORE,
            ),
            Claim(
                "MODEL memorises more where labels are noisier", "narrow memorises more where .*", ALIKE, ALIKE, MORE,
            ),
            Claim("Larger networks memorise more", "Larger networks memorise more", ALIKE, ALIKE, MORE),
        ],
        test_examples=(0,),
        seeds=(1,),
        share=0.1,
    ),
]  # fmt: skip
FACTS: list[Fact] = []
