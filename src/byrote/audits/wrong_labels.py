"""Which labels are wrong, at a stated rate of false discoveries: errors are planted and voters chosen by them.

Before anybody votes, a few labels are made wrong and *hidden* among the others: half of them uniform, half between
classes that rows seem to be confused with. Voters learn from those labels. Then errors are planted in one row at a
time, whose votes do not depend on it, and the voter is taken that has most of these on a list of equal length. At last
the list is made with the hidden errors on it, of which `error_rates` is told nothing, and what planted errors of either
kind foretell of them is compared with how many it has."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float32, Float64, Int64
from scipy.stats import binomtest
from sklearn.metrics import cohen_kappa_score

from byrote.audits.label_votes import Votes, suggested, suspicion, together
from byrote.audits.planted_labels import ERROR_KINDS, ErrorKind, drawn_errors, error_chances, planted_errors
from byrote.evidence.intervals import Interval, binomial_interval
from byrote.evidence.planted_errors import RESAMPLES, ErrorRates, Planted, error_rates, share_found
from byrote.randomness import stream

HIDDEN_SHARE = 0.01
_LEAST_HIDDEN, _MOST_HIDDEN_SHARE = 50, 0.05
"""At least 50 of them, where that is no more than a twentieth of the rows."""
_PLANTED = 20_000
_SHORTEST_LIST = 10
_TURNS = 3

Voter = Callable[[Int64[np.ndarray, " N"]], Votes]
"""Votes of rows with these labels."""


@dataclass(frozen=True)
class Hidden:
    """What became of hidden errors of one kind."""

    stated: float
    """The share that was to be found on the list, by the planted errors of this kind."""
    found: Interval
    p_value: float
    """That so many are found, where the stated share is the true one."""


@dataclass(frozen=True, eq=False)
class WrongLabels:
    """How likely each label is wrong, and how well such a list finds planted errors."""

    rates: ErrorRates
    scores: Float32[np.ndarray, " N"]
    suggested: Int64[np.ndarray, " N"]
    voter: str
    found_by: Mapping[str, float]
    """Of each voter, the share of planted errors on a list of the same length."""
    compared_at: int
    """That length."""
    hidden: Mapping[str, Hidden]
    """Of each kind, on the list of rows that are more likely wrong than right, once the hidden ones are among them."""
    num_hidden: int
    agreement: float
    """Cohen's kappa of what the voter says with the labels: 0 where rows do not show them, 1 where they do."""
    rise: float
    """By how many errors the estimate rises once the hidden ones are counted with the others."""


def find_wrong_labels(
    voters: Mapping[str, Voter],
    labels: Int64[np.ndarray, " N"],
    num_classes: int,
    looks: Votes | None = None,
    seed: int = 0,
) -> WrongLabels:
    """
    Args:
        looks: by which the hidden errors are drawn that are as rows look; None hides uniform ones alone.
    """
    marked, hidden = _hide(labels, num_classes, looks, seed)
    votes = {name: voter(marked) for name, voter in voters.items()}
    if len(votes) > 1:
        votes["all together"] = together(list(votes.values()), marked)
    first = list(votes.values())[-1]
    tried = [_drawn(kind, first, labels, seed, "compared") for kind in ERROR_KINDS]
    own = {name: suspicion(each, labels) for name, each in votes.items()}
    length = max(int(np.median([(scores > 0).sum() for scores in own.values()])), _SHORTEST_LIST)
    found_by = {
        name: float(np.mean([share_found(own[name], suspicion(each[rows], wrong), length) for rows, wrong in tried]))
        for name, each in votes.items()
    }
    voter = max(found_by, key=lambda name: found_by[name])
    chosen = votes[voter]
    rates = _rates(chosen, labels, seed)
    after = suspicion(chosen, marked)
    with_hidden = _rates(chosen, marked, seed)
    return WrongLabels(
        rates,
        own[voter],
        suggested(chosen, labels),
        voter,
        found_by,
        length,
        _checked(with_hidden, chosen, labels, after, hidden, seed),
        sum(len(each.rows) for each in hidden.values()),
        float(cohen_kappa_score(labels, chosen.argmax(axis=1))),
        with_hidden.num_errors.mean - rates.num_errors.mean,
    )


@dataclass(frozen=True, eq=False)
class _HiddenRows:
    rows: Int64[np.ndarray, " M"]
    chances: Float64[np.ndarray, "K K"]
    """By which they were drawn."""


def _hide(
    labels: Int64[np.ndarray, " N"], num_classes: int, looks: Votes | None, seed: int
) -> tuple[Int64[np.ndarray, " N"], dict[ErrorKind, _HiddenRows]]:
    num_rows = len(labels)
    num = int(max(HIDDEN_SHARE * num_rows, min(_LEAST_HIDDEN, _MOST_HIDDEN_SHARE * num_rows)))
    draw = stream(seed, "hidden errors")
    marked, hidden = labels.copy(), {}
    kinds: tuple[ErrorKind, ...] = ERROR_KINDS if looks is not None else ("uniform",)
    flat = np.zeros((num_rows, num_classes), np.float32) if looks is None else looks
    for place, kind in enumerate(kinds):
        chances = error_chances(kind, flat, labels)
        rows, wrong = drawn_errors(chances, labels, num // len(kinds) + (place < num % len(kinds)), draw)
        once = np.unique(rows, return_index=True)[1]
        once = once[marked[rows[once]] == labels[rows[once]]]
        marked[rows[once]] = wrong[once]
        hidden[kind] = _HiddenRows(rows[once], chances)
    return marked, hidden


def _drawn(
    kind: ErrorKind, votes: Votes, labels: Int64[np.ndarray, " N"], seed: int, what: str
) -> tuple[Int64[np.ndarray, " P"], Int64[np.ndarray, " P"]]:
    return drawn_errors(error_chances(kind, votes, labels), labels, _PLANTED, stream(seed, what, kind))


def _rates(votes: Votes, labels: Int64[np.ndarray, " N"], seed: int) -> ErrorRates:
    """Planted errors go between classes as those do that seem wrong: by how likely wrong rows are, found in turn."""
    scores, p_wrong = suspicion(votes, labels), None
    for turn in range(_TURNS):
        planted: dict[str, Planted] = {
            kind: planted_errors(
                error_chances(kind, votes, labels, p_wrong), votes, labels, _PLANTED, stream(seed, "planted", kind)
            )
            for kind in ERROR_KINDS
        }
        rates = error_rates(scores, planted, seed, RESAMPLES if turn == _TURNS - 1 else 1)
        p_wrong = rates.p_wrong
    return rates


def _checked(
    rates: ErrorRates,
    votes: Votes,
    labels: Int64[np.ndarray, " N"],
    after: Float32[np.ndarray, " N"],
    hidden: Mapping[ErrorKind, _HiddenRows],
    seed: int,
) -> dict[str, Hidden]:
    """
    Args:
        rates, after: of the list with the hidden errors, and its scores.
        labels: as they are.
    """
    found: dict[str, Hidden] = {}
    if not rates.num_likely:
        return found
    least = rates.cut_scores[rates.cut_at(rates.num_likely)]
    for kind, each in hidden.items():
        rows, wrong = drawn_errors(each.chances, labels, _PLANTED, stream(seed, "foretold", kind))
        right = 1 - rates.p_wrong[rows]
        stated = float((right * (suspicion(votes[rows], wrong) >= least)).sum() / max(right.sum(), 1e-12))
        hits, num = int((after[each.rows] >= least).sum()), len(each.rows)
        if num:
            p_value = float(binomtest(hits, num, min(max(stated, 0.0), 1.0)).pvalue)
            found[kind] = Hidden(stated, binomial_interval(hits / num, num), p_value)
    return found
