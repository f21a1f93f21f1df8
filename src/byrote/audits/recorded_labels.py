"""Which labels are wrong, by how examples fared in a run that was recorded; calibrated by errors that were planted.

A network learns most examples from others before it learns wrong labels by rote, so that these have low margins for
long. For how long it pays to look differs: several scores are tried, and that by which planted errors are found best is
taken. Half of the planted errors choose and tell; the other half is held back, and must be found as often. Then all
tell how many of the rows are errors (`evidence/planted_errors.py`).

That assumes that the list holds errors alone at its top, and that these fare as planted ones do. If so, scores of rows
above the cut where their number was read off are distributed as those of planted errors above it, which is tested
(Kolmogorov and Smirnov): right rows that are hard, or errors of another kind, give themselves away by that.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float64, Int64
from scipy import stats

from byrote.evidence.intervals import Interval, binomial_interval
from byrote.evidence.planted_errors import ErrorRates, Planted, error_rates, share_found
from byrote.evidence.words import epochs
from byrote.randomness import stream
from byrote.recording.courses import Courses, mean_margin
from byrote.recording.recording import Recording

FEWEST_PLANTED = 40
"""Half of them tell: of 20, a recall of 95% has an interval from 76% to 99%."""


@dataclass(frozen=True, eq=False)
class HeldBack:
    """Planted errors that told nothing, held against those that did."""

    found: Interval
    """The share of them on the list of rows that are more likely wrong than right."""
    stated: float
    """The share of the others on it."""
    p_value: float
    """That both are found as often (Fisher's exact test)."""


@dataclass(frozen=True, eq=False)
class RecordedLabels:
    """M rows are listed: those that were seen, without planted ones."""

    rows: Int64[np.ndarray, " M"]
    scores: Float64[np.ndarray, " M"]
    """Above 0 where another label is likelier than the one that is given."""
    rates: ErrorRates
    """Of the M rows."""
    score: str
    """Which score was taken."""
    found_by: Mapping[str, float]
    """By score: the share of telling errors that lists of `compared_at` rows would hold."""
    compared_at: int
    held_back: HeldBack
    likeness_p: float
    """That rows at the top of the list have the scores of planted errors; 1 where there is no such row."""


def label_scores(recording: Recording, found: Courses) -> dict[str, Float64[np.ndarray, " N"]]:
    """Of all N examples, by name: the higher, the likelier its label is wrong; above 0 where another is likelier."""
    num = recording.num_epochs
    scores = {f"area under the margin over {epochs(num)}": -found.aum}
    for length in sorted({-(-num // 2), -(-num // 4)} - {num}, reverse=True):
        scores[f"area under the margin over the first {epochs(length)}"] = -mean_margin(recording, 0, length)
    scores["mean probability of the label"] = 0.5 - found.confidence
    return scores


def recorded_labels(recording: Recording, found: Courses) -> RecordedLabels | None:
    """None where fewer than FEWEST_PLANTED errors were planted and seen."""
    seen = found.num_seen > 0
    planted = recording.planted
    if planted is None or int(seen[planted.rows].sum()) < FEWEST_PLANTED:
        return None
    errors = planted.rows[seen[planted.rows]]
    is_listed: Bool[np.ndarray, " N"] = seen.copy()
    is_listed[errors] = False
    rows = np.flatnonzero(is_listed)
    mixed = stream(0, "planted errors that tell").permutation(errors)
    telling, held_back = mixed[: len(mixed) // 2], mixed[len(mixed) // 2 :]
    # Rows that half of the epochs did not have may lack a score over the first of them.
    scores = {name: np.nan_to_num(score, nan=-np.inf) for name, score in label_scores(recording, found).items()}
    length = min(max(int((found.aum[rows] < 0).sum()), len(telling)), len(rows))
    found_by = {name: share_found(score[rows], score[telling], length) for name, score in scores.items()}
    chosen = max(found_by, key=lambda name: found_by[name])
    least = float(np.min(scores[chosen], where=scores[chosen] > -np.inf, initial=0))
    score = np.maximum(scores[chosen], least)
    rates = _rates(score[rows], score[errors])
    held = _held_back(score[rows], score[telling], score[held_back])
    likeness_p = _likeness_p(rates, score[rows], score[errors])
    return RecordedLabels(rows, score[rows], rates, chosen, found_by, length, held, likeness_p)


def _rates(listed: Float64[np.ndarray, " M"], planted: Float64[np.ndarray, " P"]) -> ErrorRates:
    # Which of the planted rows were wrong before is not known: they stand for rows drawn at random.
    rows = np.resize(stream(0, "rows of planted errors").permutation(len(listed)), len(planted))
    return error_rates(listed, {"planted": Planted(rows, planted)})


def _likeness_p(rates: ErrorRates, listed: Float64[np.ndarray, " M"], planted: Float64[np.ndarray, " P"]) -> float:
    cut = rates.cut_scores[np.argmin(np.abs(rates.recall - rates.least_at))]
    first, others = listed[listed >= cut], planted[planted >= cut]
    return float(stats.ks_2samp(first, others).pvalue) if len(first) and len(others) else 1.0


def _held_back(
    listed: Float64[np.ndarray, " M"], telling: Float64[np.ndarray, " T"], others: Float64[np.ndarray, " H"]
) -> HeldBack:
    rates = _rates(listed, telling)
    likely = listed[rates.p_wrong > 0.5]
    cut = float(likely.min()) if len(likely) else math.inf
    hits, told = int((others >= cut).sum()), int((telling >= cut).sum())
    p_value = stats.fisher_exact(np.array([[hits, len(others) - hits], [told, len(telling) - told]])).pvalue
    return HeldBack(binomial_interval(hits / len(others), len(others)), told / len(telling), float(p_value))
