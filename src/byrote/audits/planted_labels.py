"""Wrong labels that are planted to learn how wrong labels show: as the data seem to have them, and uniform."""

from __future__ import annotations

from typing import Literal, TypeAlias

import numpy as np
from jaxtyping import Float64, Int64

from byrote.audits.label_votes import Votes, suggested, suspicion
from byrote.evidence.planted_errors import Planted

ErrorKind: TypeAlias = Literal["confused", "uniform"]
ERROR_KINDS: tuple[ErrorKind, ...] = ("confused", "uniform")


def error_chances(
    kind: ErrorKind,
    votes: Votes,
    labels: Int64[np.ndarray, " N"],
    p_wrong: Float64[np.ndarray, " N"] | None = None,
) -> Float64[np.ndarray, "K K"]:
    """The chance that a wrong label is of a row of class i and says j.

    Uniform: each row and each other label alike. Confused: as often as rows look like i that are labelled j, one row
    being spread over all pairs.

    Args:
        p_wrong: of each row; None counts those as wrong that look like another class.
    """
    num_classes = votes.shape[1]
    others = 1.0 - np.eye(num_classes)
    spread = np.bincount(labels, minlength=num_classes)[:, None] * others
    spread /= spread.sum()
    if kind == "confused":
        wrong = suspicion(votes, labels) > 0 if p_wrong is None else p_wrong
        np.add.at(spread, (suggested(votes, labels), labels), wrong)
    return spread / spread.sum()


def drawn_errors(
    chances: Float64[np.ndarray, "K K"], labels: Int64[np.ndarray, " N"], num: int, draw: np.random.Generator
) -> tuple[Int64[np.ndarray, " P"], Int64[np.ndarray, " P"]]:
    """Rows, and a wrong label for each: as many of each pair of classes as its chance gives, no more than `num` in all;
    rows of a class in turn, so that none occurs twice before all have."""
    num_classes = len(chances)
    present = np.bincount(labels, minlength=num_classes) > 0
    chances = chances * present[:, None] / max(float((chances * present[:, None]).sum()), 1e-300)
    pairs = draw.choice(num_classes**2, size=num, p=chances.ravel())
    before, after = pairs // num_classes, pairs % num_classes
    rows = np.empty(num, np.int64)
    for label in np.unique(before):
        places = np.flatnonzero(before == label)
        rows[places] = np.resize(draw.permutation(np.flatnonzero(labels == label)), len(places))
    return rows, after.astype(np.int64)


def planted_errors(
    chances: Float64[np.ndarray, "K K"],
    votes: Votes,
    labels: Int64[np.ndarray, " N"],
    num: int,
    draw: np.random.Generator,
) -> Planted:
    """Each alone: votes on a row do not depend on its own label."""
    rows, wrong = drawn_errors(chances, labels, num, draw)
    return Planted(rows, suspicion(votes[rows], wrong))
