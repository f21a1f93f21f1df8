"""The claims about minimum-norm interpolation; draws of random labels take the place of seeds, three at least."""

from __future__ import annotations

import math

import numpy as np
import pandas as pd
from claims.simulation import WHOLE, Claim, Fact, Simulation, right

from byrote.studies.min_norm.findings import findings
from byrote.studies.min_norm.rows import KernelRow

PIXELS, GABOR = KernelRow("inputs"), KernelRow("gabor")
L2 = KernelRow("inputs", regularized=True)
N_TRAIN = 1000


def draw(generator: np.random.Generator, seeds: int, n_test: int, effect: float):
    """Pixels test at 32.5% and `effect`, the others at `effect` more; on random labels at 10% and `effect`. Norms on
    true labels are e^(-effect) of those on random ones, of which draws differ by a fiftieth."""
    difficulties = generator.random(n_test)
    correct = {
        row: right(generator, 1, difficulties, 0.325 + effect * times)[0]
        for row, times in ((PIXELS, 1), (GABOR, 2), (L2, 2))
    }
    draws = max(seeds, 3)
    rows = []
    for row, own in correct.items():
        others = {"gabor": correct[GABOR], "no_l2": correct[PIXELS], "inputs": correct[PIXELS]}
        sides = {"won": lambda other, own=own: own & ~other, "lost": lambda other, own=own: other & ~own}
        counts = {
            f"{s}_against_{name}": int(side(other).sum()) for name, other in others.items() for s, side in sides.items()
        }
        norm = 100 * math.exp(0.02 * generator.standard_normal() - effect) / (2 if row == GABOR else 1)
        rows.append(_fit(row, "true labels", 0, n_test, 1 - own.mean(), norm) | counts)
    for seed in range(draws):
        error = 1 - right(generator, 1, generator.random(n_test), 0.1 + effect)[0].mean()
        norm = 100 * math.exp(0.02 * generator.standard_normal())
        rows.append(_fit(PIXELS, "random labels", seed, n_test, error, norm))
    return findings({PIXELS: N_TRAIN, GABOR: N_TRAIN, L2: N_TRAIN}, pd.DataFrame(rows))


def _fit(row: KernelRow, labels: str, seed: int, n_test: int, error: float, norm: float) -> dict[str, object]:
    return {
        "calculation": "KernelInterpolation", "features": row.features, "regularized": row.regularized,
        "labels": labels, "seed": seed, "n_train": N_TRAIN, "n_test": n_test, "num_classes": 10, "train_error": 0.0,
        "n_test_effective": float(n_test), "num_test_leaked": 0, "guessing": 0.1, "balanced_guessing": 0.1,
        "test_accuracy": 1 - error, "test_accuracy_unleaked": math.nan,
        "interpolated": True, "test_error": error, "norm": norm, "scaled_norm": norm, "rademacher_bound": 0.3,
        "ridge": 0.01, "chance_deviation": 0.0, "paper_test_error": math.nan,
    }  # fmt: skip


EQUAL, CHANCE = (0.0, "both test alike"), (0.0, "it tests at chance")
QUARTER = (0.0, "a quarter of the errors of guessing are gone")
SIMULATIONS = [
    Simulation(
        "min-norm",
        draw,
        [
            Claim(
                "FEATURES: minimum-norm interpolation generalises without regularisation",
                "Raw inputs: minimum-norm interpolation generalises without regularisation",
                QUARTER,
                QUARTER,
                (0.2, "20 points more are right"),
            ),
            Claim(
                "FEATURES: random labels are interpolated too, and test at chance",
                "Raw inputs: random labels are interpolated too, and test at chance",
                (0.09, "a tenth of the errors of guessing are gone"),
                CHANCE,
                CHANCE,
            ),
            Claim(
                "FEATURES: the norm is larger for random labels than for true ones",
                "Raw inputs: the norm is larger for random labels than for true ones",
                (0.0, "the norms are drawn alike"),
                (0.0, "the norms are drawn alike"),
                (0.2, "it is 1.2 times as large; draws differ by a fiftieth"),
            ),
            Claim(
                "The norm does not tell which generalises better: FEATURES, or FEATURES",
                "The norm does not tell which generalises better: raw inputs, or Gabor wavelets",
                EQUAL,
                EQUAL,
                (-0.12, "the one of smaller norm has 12 points more errors"),
            ),
            Claim(
                "FEATURES: l2 lowers the test error, and they generalise without it",
                "Raw inputs: l2 lowers the test error, and they generalise without it",
                (0.0, "l2 changes nothing, and a quarter of the errors of guessing are gone"),
                (0.0, "l2 changes nothing, and a quarter of the errors of guessing are gone"),
                (0.2, "l2 is worth 20 points, and 20 points more than a quarter of the way to all are right without"),
            ),
        ],
        **WHOLE,
    )
]
FACTS = [
    Fact(
        "min-norm",
        "SGD from zero converges to the interpolant of minimum norm; from elsewhere it does not",
        "SGD from zero converges to the interpolant of minimum norm; from elsewhere it does not",
        "the distance of a descent that has converged, to a hundredth of the norm",
    ),
    Fact(
        "min-norm",
        "Interpolants of very different norm and test error have the same curvature",
        "Interpolants of very different norm and test error have the same curvature",
        "Hessians that are equal to rounding",
    ),
]
