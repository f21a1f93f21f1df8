"""What is audited: something that is fitted on rows and then says what rows are."""

from __future__ import annotations

import time
import traceback
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from typing import NamedTuple, TypeAlias

import numpy as np
from jaxtyping import Int64, Real

from byrote.audits.material import Rows
from byrote.audits.metric import Prediction
from byrote.errors import UserError
from byrote.masking import masked
from byrote.references import said

Predictor: TypeAlias = Callable[[Rows], Prediction]
"""What a fit gives: asked about rows, it says what they are."""

_TRIED = 400
"""Rows of the fit that tells how long one takes."""


class Fit(NamedTuple):
    """A fit to be made."""

    train: Rows
    seed: int


class SubjectFailed(RuntimeError):
    """The user's model raised; `trace` is its traceback, for the page and the terminal."""

    def __init__(self, name: str, trace: str) -> None:
        super().__init__(name, trace)
        self.name = name
        self.trace = masked(trace)

    def __str__(self) -> str:
        return f"{self.name} failed: {self.trace.strip().splitlines()[-1]}"

    @classmethod
    def of(cls, name: str, error: BaseException) -> SubjectFailed:
        """From what the user's own code raised."""
        return cls(name, "".join(traceback.format_exception(error)) or said(error))


def finite(name: str, prediction: Prediction) -> Prediction:
    """The same, of finite numbers: NaN is largest in the first class, so that it would be taken for an answer.

    Raises:
        SubjectFailed: some are not.
    """
    said_of_rows = prediction.labels if prediction.probabilities is None else prediction.probabilities
    sound = np.isfinite(said_of_rows).all(axis=tuple(range(1, said_of_rows.ndim)))
    if not sound.all():
        raise SubjectFailed(
            name,
            f"its answers on {int((~sound).sum()):,} of {len(sound):,} rows are not finite numbers: training may have "
            "diverged, which a smaller learning rate mends, or it divides by zero, or takes a logarithm or a root of "
            "what has none",
        )
    return prediction


def classes_said(name: str, said: Real[np.ndarray, " N"], num_classes: int) -> Int64[np.ndarray, " N"]:
    """Answers that are classes, as whole numbers.

    Raises:
        UserError: some are no class: one number a row may also be meant for a score, which would be rounded away.
    """
    known = (said >= 0) & (said < num_classes) & (said == np.floor(said))
    if not known.all():
        row = int(np.argmin(known))
        raise UserError(
            f"got {said[row]} from {name} for row {row} (counting from 0), expected classes from 0 to "
            f"{num_classes - 1}, or scores of each class, [B, {num_classes}]; of two classes, too, give both"
        )
    return said.astype(np.int64)


class Subject(ABC):
    """A model to audit. Equal rows, labels and seed give the same predictor."""

    name: str
    """What pages call it."""
    identity: str
    """Digest of all that decides what it does: results of an audit are kept under it."""
    in_words: str = ""
    """What is to be said of how it is fitted, in sentences."""
    can_fit: bool = True
    """Whether it can be fitted on other rows: predictions that were given cannot."""
    can_predict: bool = True
    """Whether it says what single rows are: a pipeline that gives a score alone does not."""

    @abstractmethod
    def fit(self, train: Rows, seed: int) -> Predictor:
        """Fits anew on `train` with the labels it has.

        Raises:
            SubjectFailed: it raised.
            UserError: it cannot be fitted on such rows.
        """

    def fit_all(self, fits: Sequence[Fit]) -> list[Predictor]:
        """Several fits, in their order; a subject that makes them side by side overrides this."""
        return [self.fit(*each) for each in fits]

    def fit_all_briefly(self, fits: Sequence[Fit]) -> list[Predictor]:
        """As `fit_all`, but no longer than it takes to tell classes apart: for those who ask about held-out rows, and
        gain nothing by labels that are learnt by rote. Where fits cannot be cut short, they are whole."""
        return self.fit_all(fits)

    def seconds_of_brief_fits(self, train: Rows, num: int) -> float:
        """As `seconds_of_fit`, of so many fits by `fit_all_briefly`."""
        return num * self.seconds_of_fit(train)

    def seconds_of_fit(self, train: Rows) -> float:
        """About how long a fit on `train` takes: that of some 400 of its rows, in proportion."""
        if not self.can_fit:
            return 0.0
        rows = np.linspace(0, len(train) - 1, min(len(train), _TRIED)).astype(np.int64)
        part = train.take(rows)
        started = time.perf_counter()
        self.fit(part, 0)(part)
        return (time.perf_counter() - started) * len(train) / len(part)
