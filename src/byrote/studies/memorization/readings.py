"""What is read from the answers of networks on halves: how much of each label is known by rote, how surely who was
trained on is told, and which examples decide others."""

from __future__ import annotations

import math

import numpy as np
from jaxtyping import Bool, Float32, Float64, Int64

from byrote.evidence.intervals import Interval, mean_interval, newcombe
from byrote.studies.memorization.halves import Answers
from byrote.theory.memorization.contributions import gaps, influences, means_in_and_out
from byrote.theory.memorization.membership import lira, rmia, roc, told

ATTACKS: tuple[str, ...] = ("lira", "rmia")
RATES: dict[str, float] = {"0001": 0.001, "001": 0.01}
"""False-positive rates at which members are told, by the ends of column names."""
ROC_RATES = np.concatenate([[0.0], np.geomspace(1e-4, 1, 61)])


def read(
    answers: Answers,
    labels: Int64[np.ndarray, " N"],
    changed: Bool[np.ndarray, " N"],
    num_classes: int,
    influential: int = 0,
) -> tuple[dict[str, float], dict[str, np.ndarray]]:
    """Figures of all examples, and arrays of each: as of `ExampleScores.compute`, without what is of its runs.

    Args:
        labels: that are trained on.
        changed: those that were.
    """
    values = {"test_accuracy": float(answers.test_right.mean()) if answers.test_right.size else math.nan}
    means = means_in_and_out(answers.right, answers.inside)
    arrays = {
        "hits_in": (answers.right & answers.inside).sum(axis=0),
        "hits_out": (answers.right & ~answers.inside).sum(axis=0),
        "num_in": means.num_inside,
        "num_out": means.num_outside,
        "classes": np.array([_ends(_over_pairs(answers, labels == label)) for label in range(num_classes)]),
        "roc_rates": ROC_RATES,
    }
    for name, rows in {"": np.ones(len(labels), dtype=bool), "_wrong": changed, "_right": ~changed}.items():
        values |= _named(f"memorization{name}", _over_pairs(answers, rows))
    for attack in ATTACKS:
        scores = (
            lira(answers.margins, answers.inside)
            if attack == "lira"
            else rmia(answers.margins, answers.inside, answers.test_margins)
        )
        of_attack, of_examples = _of_attack(attack, scores, answers.inside)
        values |= of_attack
        arrays |= of_examples
    if influential:
        arrays |= _most_influential(answers, min(influential, len(labels)))
    return values, arrays


def _over_pairs(answers: Answers, rows: Bool[np.ndarray, " N"]) -> Interval:
    """Of the mean memorization of these examples."""
    if not rows.any():
        return mean_interval([])
    return mean_interval(gaps(answers.right[:, rows], answers.inside[:, rows]))


def _of_attack(
    attack: str, scores: Float32[np.ndarray, "M N"], inside: Bool[np.ndarray, "M N"]
) -> tuple[dict[str, float], dict[str, np.ndarray]]:
    found = roc(scores, inside, ROC_RATES)
    values: dict[str, float] = _named(f"{attack}_auc", of_attacked(found.auc))
    arrays = {f"roc_{attack}": found.true_positive_rates}
    for end, rate in RATES.items():
        at = told(scores, inside, rate)
        arrays[f"{attack}_told_{end}"] = at.members.sum(axis=0)
        _, low, high = _ends(of_attacked(at.by_network))
        values |= _named(f"{attack}_tpr_{end}", Interval(at.share, max(low, 0.0), min(high, 1.0), len(inside)))
    return values, arrays


def of_attacked(values: Float64[np.ndarray, " M"]) -> Interval:
    """Of the mean over networks that are attacked by all others, from pairs of them.

    Each pair is attacked once, and helps to attack all others: where nothing can be told, the mean is a degenerate
    U-statistic of order 2 in the pairs, whose variance is twice that of a mean of independent values. So is the width
    here: simulated, it holds the truth in 92 to 99 of 100 where something can be told, too.
    """
    found = mean_interval((values[0::2] + values[1::2]) / 2)
    half = math.sqrt(2) * (found.high - found.mean)
    return Interval(found.mean, found.mean - half, found.mean + half, found.n)


def _named(name: str, interval: Interval) -> dict[str, float]:
    return dict(zip((name, f"{name}_low", f"{name}_high"), _ends(interval), strict=True))


def _ends(interval: Interval) -> tuple[float, float, float]:
    return interval.mean, interval.low, interval.high


def _most_influential(answers: Answers, num: int) -> dict[str, np.ndarray]:
    influence = influences(answers.test_right, answers.inside).T
    rows = np.argsort(-influence, axis=1, kind="stable")[:, :num]
    size = answers.inside.sum(axis=0)
    tests = np.arange(len(influence))[:, None]
    hits = (answers.inside.astype(np.float32).T @ answers.test_right.astype(np.float32)).T[tests, rows]
    all_hits, sizes = answers.test_right.sum(axis=0)[:, None], size[rows]
    others = len(answers.inside) - sizes
    low, high = newcombe(hits.ravel(), sizes.ravel(), (all_hits - hits).ravel(), others.ravel())
    return {
        "influential": rows,
        "influence": np.take_along_axis(influence, rows, axis=1),
        "influence_low": low.reshape(rows.shape),
        "influence_high": high.reshape(rows.shape),
    }
