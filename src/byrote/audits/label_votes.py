"""What speaks for each label of a row, from all rows but itself: so its own label, right or wrong, changes none of it.

Three voters. *Neighbours*: the labels of the ten nearest. *Ridge*: kernel ridge regression onto the labels, of which
each row is left out in closed form. *Model*: what is audited, fitted on the other parts of a cross-validation. Votes
grow with the chances of labels; several are put *together* with the weights under which the labels as they are become
likeliest.

Ridge      Kernel k(x, y) = exp(-3 |x - y|² / median), expanded in 2,000 rows (Nyström). With features Z and
           H = Z (Z'Z + s I)^-1 Z', the fit without row i says y_i - (y_i - (H y)_i) / (1 - H_ii) there; s is chosen by
           the squares of these errors.
Source     Allen, The relationship between variable selection and data augmentation (Technometrics 16, 1974), for the
           fit without a row; Williams & Seeger, Using the Nyström method to speed up kernel machines (NIPS 2000);
           Northcutt, Jiang & Chuang, Confident learning (JAIR 70, 2021), for cross-validated chances."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeAlias

import numpy as np
from jaxtyping import Float32, Float64, Int64
from scipy.linalg import solve_triangular
from scipy.optimize import minimize
from scipy.special import logsumexp

from byrote.audits.material import Rows
from byrote.audits.neighbours import nearest
from byrote.audits.row_likeness import descriptors
from byrote.audits.subject import Fit, Subject
from byrote.randomness import stream

NEIGHBOURS = 10
CENTRES = 2000
"""Of the kernel's expansion: 4,000 miss as many planted errors on MNIST, at five times the cost."""
FOLDS = 5
_NARROWNESS = 3.0
_STRENGTHS = (0.03, 0.1, 0.3, 1.0, 3.0, 10.0, 30.0)
_JITTER = 1e-5
_BLOCK = 4096
_LEAST_CHANCE = 1e-3
"""A model that is surer than this of a label is not believed more for it."""
_FITTED_ON = 20_000
"""Rows by which the weights of voters are found."""

Votes: TypeAlias = Float32[np.ndarray, "N K"]


def nearest_rows(features: Float32[np.ndarray, "N D"]) -> Int64[np.ndarray, "N k"]:
    """For each row, its nearest others."""
    known, asked = descriptors(features.astype(np.float64))
    return nearest(known, None, NEIGHBOURS, asked=asked)


def neighbour_votes(near: Int64[np.ndarray, "N k"], labels: Int64[np.ndarray, " N"], num_classes: int) -> Votes:
    """Logarithms of the share of neighbours with each label, half a neighbour spread over all labels."""
    counts = np.zeros((len(labels), num_classes), np.float32)
    for place in range(near.shape[1]):
        counts[np.arange(len(labels)), labels[near[:, place]]] += 1
    return np.log((counts + 0.5 / num_classes) / (near.shape[1] + 0.5)).astype(np.float32)


class RidgeFeatures:
    """The kernel's expansion, in the basis in which every strength of the ridge is a division."""

    def __init__(self, features: Float32[np.ndarray, "N D"], centres: int = CENTRES) -> None:
        draw = stream(0, "centres")
        chosen = np.sort(draw.choice(len(features), min(centres, len(features)), replace=False))
        points = features[chosen]
        lengths = (features**2).sum(axis=1)

        def distances(part: slice | Int64[np.ndarray, " M"]) -> Float32[np.ndarray, "M C"]:
            return np.maximum(lengths[part][:, None] + lengths[chosen] - 2 * features[part] @ points.T, 0)

        exact = points.astype(np.float64)  # rounded ones of one column make no positive definite matrix
        squares = (exact**2).sum(axis=1)
        inner = np.maximum(squares[:, None] + squares - 2 * exact @ exact.T, 0)
        scale = np.float32(_NARROWNESS / max(float(np.median(inner[inner > 0])) if inner.any() else 1.0, 1e-12))
        gram = np.exp(-inner * float(scale))
        gram.flat[:: len(gram) + 1] += _JITTER
        factor = np.linalg.cholesky(gram).astype(np.float32)
        self._basis = np.empty((len(features), len(chosen)), np.float32)
        for start in range(0, len(features), _BLOCK):
            part = slice(start, start + _BLOCK)
            block = np.exp(-distances(part) * scale)
            self._basis[part] = solve_triangular(factor, block.T, lower=True, check_finite=False).T
        values, vectors = np.linalg.eigh(self._basis.T @ self._basis)
        self._values = np.maximum(values, 0)
        for start in range(0, len(features), _BLOCK):
            self._basis[start : start + _BLOCK] = self._basis[start : start + _BLOCK] @ vectors

    def votes(self, labels: Int64[np.ndarray, " N"], num_classes: int) -> Votes:
        """What the fit without each row says there, with the strength that errs least."""
        targets = np.zeros((len(labels), num_classes), np.float32)
        targets[np.arange(len(labels)), labels] = 1
        targets -= (middle := targets.mean(axis=0))
        projected = self._basis.T @ targets
        squares = self._basis**2
        best: tuple[float, Votes] | None = None
        for strength in _STRENGTHS:
            shrunk = (1 / (self._values + np.float32(strength))).astype(np.float32)
            rest = 1 - squares @ shrunk
            errors = (targets - self._basis @ (projected * shrunk[:, None])) / np.maximum(rest, 1e-4)[:, None]
            loss = float((errors**2).mean())
            if best is None or loss < best[0]:
                best = loss, targets - errors + middle
        assert best is not None  # noqa: S101 - there are strengths
        return best[1]


def model_votes(subject: Subject, rows: Rows, labels: Int64[np.ndarray, " N"], num_classes: int) -> Votes:
    """Logarithms of the chances that the model gives each label, fitted briefly on the other folds; where it names
    labels alone, 0 for that and the least for others.

    Raises:
        SubjectFailed: it raised.
    """
    parts = folds_of(rows, labels, FOLDS)
    marked = rows.relabelled(labels)
    fits = [Fit(marked.take(np.flatnonzero(parts != fold)), 0) for fold in range(FOLDS)]
    found = np.full((len(labels), num_classes), np.log(_LEAST_CHANCE), np.float32)
    for fold, predict in enumerate(subject.fit_all_briefly(fits)):
        asked = np.flatnonzero(parts == fold)
        prediction = predict(marked.take(asked))
        if prediction.probabilities is None:
            found[asked, prediction.labels] = 0
        else:
            found[asked] = np.log(np.clip(prediction.probabilities, _LEAST_CHANCE, 1))
    return found


def folds_of(rows: Rows, labels: Int64[np.ndarray, " N"], folds: int) -> Int64[np.ndarray, " N"]:
    """The fold of each row: whole groups where there are any, else with equal shares of each label."""
    if rows.groups is not None:
        _, codes = np.unique(rows.groups, return_inverse=True)
        return (stream(0, "folds").permutation(codes.max() + 1) % folds)[codes].astype(np.int64)
    shuffled = stream(0, "folds").permutation(len(labels))
    parts = np.empty(len(labels), np.int64)
    parts[shuffled[np.argsort(labels[shuffled], kind="stable")]] = np.arange(len(labels)) % folds
    return parts


def together(votes: Sequence[Votes], labels: Int64[np.ndarray, " N"]) -> Votes:
    """The weighted sum under which the softmax gives the labels as they are the largest likelihood."""
    rows = stream(0, "rows that weigh").permutation(len(labels))[:_FITTED_ON]
    parts = np.stack([each[rows] for each in votes]).astype(np.float64)
    own = parts[:, np.arange(len(rows)), labels[rows]]

    def loss(weights: Float64[np.ndarray, " S"]) -> tuple[float, Float64[np.ndarray, " S"]]:
        summed = np.tensordot(weights, parts, axes=1)
        total = logsumexp(summed, axis=1, keepdims=True)
        chances = np.exp(summed - total)
        slope = (parts * chances).sum(axis=2) - own
        return float(-(weights @ own - total[:, 0]).mean()), slope.mean(axis=1)

    found = minimize(loss, np.ones(len(votes)), jac=True, bounds=[(0, None)] * len(votes), method="L-BFGS-B")
    return np.tensordot(found.x.astype(np.float32), np.stack(votes), axes=1)


def suspicion(votes: Votes, labels: Int64[np.ndarray, " N"]) -> Float32[np.ndarray, " N"]:
    """By how much the best other label is ahead of the one that is given."""
    rows = np.arange(len(labels))
    return votes[rows, suggested(votes, labels)] - votes[rows, labels]


def suggested(votes: Votes, labels: Int64[np.ndarray, " N"]) -> Int64[np.ndarray, " N"]:
    """The label that most speaks for, other than the one that is given."""
    others = votes.copy()
    others[np.arange(len(labels)), labels] = -np.inf
    return others.argmax(axis=1).astype(np.int64)
