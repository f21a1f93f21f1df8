"""Scores under any metric of scikit-learn, and chance: the best that a constant prediction gets on these labels."""

from __future__ import annotations

import math
import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from jaxtyping import Bool, Float, Float64, Int64
from scipy.stats import rankdata
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.metrics import get_scorer, get_scorer_names

from byrote.errors import UserError, suggestion


@dataclass(frozen=True, eq=False)
class Prediction:
    """What a subject says of N examples."""

    labels: Int64[np.ndarray, " N"]
    probabilities: Float[np.ndarray, "N K"] | None = None
    """Of each class, or any scores that grow with them; None of a subject that names classes alone."""

    def __len__(self) -> int:
        return len(self.labels)

    def take(self, rows: Int64[np.ndarray, " M"] | Bool[np.ndarray, " N"]) -> Prediction:
        probabilities = None if self.probabilities is None else self.probabilities[rows]
        return Prediction(self.labels[rows], probabilities)


@dataclass(frozen=True)
class Metric:
    """A scorer of scikit-learn by its name: larger is better.

    Raises:
        UserError: a name that scikit-learn does not have, or a metric that is not one of classes.
    """

    name: str
    num_classes: int

    def __post_init__(self) -> None:
        if self.name not in get_scorer_names():
            raise UserError(
                f"got metric={self.name!r}, expected the name of a scorer of scikit-learn, such as accuracy, roc_auc, "
                f"balanced_accuracy or f1_macro{suggestion(self.name, get_scorer_names())}"
            )
        labels = np.arange(4 * self.num_classes) % self.num_classes
        right = np.eye(self.num_classes)[labels]
        if math.isnan(self.value(labels, Prediction(labels, right))):
            hint = "; of more than two classes, f1_macro or roc_auc_ovr" if self.num_classes > 2 else ""
            raise UserError(
                f"got metric={self.name!r}, which scikit-learn does not compute for {self.num_classes} classes: give "
                f"another, such as accuracy or balanced_accuracy{hint}"
            )

    @cached_property
    def _scorer(self) -> Any:
        return get_scorer(self.name)

    @property
    def needs_probabilities(self) -> bool:
        if self.name in _BY_LABELS:
            return False
        labels = np.arange(4 * self.num_classes) % self.num_classes
        return math.isnan(self.value(labels, Prediction(labels)))

    @property
    def is_share(self) -> bool:
        """Whether it is the share of examples that are right, whose interval is known exactly."""
        return self.name == "accuracy"

    def value(self, labels: Int64[np.ndarray, " N"], prediction: Prediction) -> float:
        """NaN where it is not defined: of no example, or of one class where it takes two."""
        if self.name == "accuracy":
            return float((labels == prediction.labels).mean()) if len(labels) else math.nan
        if not len(labels):
            return math.nan
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            try:
                kind = _Told if prediction.probabilities is None else _ToldChances
                return float(self._scorer(kind(prediction, self.num_classes), np.arange(len(labels)), labels))
            except (ValueError, AttributeError, TypeError):
                return math.nan

    def values(self, labellings: Int64[np.ndarray, "B N"], prediction: Prediction) -> Float64[np.ndarray, " B"]:
        """Of B labellings of the same examples."""
        if self.name == "accuracy":
            return (labellings == prediction.labels).mean(axis=1)
        if self.name == "roc_auc" and prediction.probabilities is not None and self.num_classes == 2:
            ranks = rankdata(prediction.probabilities[:, 1])
            positive = labellings.sum(axis=1)
            pairs = positive * (labellings.shape[1] - positive)
            with np.errstate(invalid="ignore", divide="ignore"):
                return (labellings @ ranks - positive * (positive + 1) / 2) / np.where(pairs > 0, pairs, np.nan)
        if self.name == "balanced_accuracy":
            sizes = np.stack([(labellings == c).sum(axis=1) for c in range(self.num_classes)])
            right = np.stack(
                [((labellings == c) & (prediction.labels == c)).sum(axis=1) for c in range(self.num_classes)]
            )
            with np.errstate(invalid="ignore"):
                return np.nanmean(np.where(sizes > 0, right / np.maximum(sizes, 1), np.nan), axis=0)
        return np.array([self.value(labels, prediction) for labels in labellings])

    @property
    def values_are_fast(self) -> bool:
        return self.name in ("accuracy", "balanced_accuracy") or (self.name == "roc_auc" and self.num_classes == 2)

    def chance(self, labels: Int64[np.ndarray, " N"]) -> float:
        """The best that any constant has here: one class always, or always the frequencies of the classes."""
        frequencies = np.bincount(labels, minlength=self.num_classes) / max(len(labels), 1)
        constants = [*np.eye(self.num_classes), frequencies]
        found = [
            self.value(
                labels,
                Prediction(np.full(len(labels), int(np.argmax(each))), np.tile(each, (len(labels), 1))),
            )
            for each in constants
        ]
        known = [value for value in found if not math.isnan(value)]
        return max(known) if known else math.nan

    def in_words(self, value: float, signed: bool = False) -> str:
        """ "94.1%" of an accuracy, "0.941" of any other."""
        if math.isnan(value):
            return "–"
        sign = "+" if signed else ""
        if self.name in _SHARES:
            return f"{100 * value:{sign}.1f}%"
        return f"{value:{sign}.3f}"

    def range_in_words(self, low: float, high: float) -> str:
        """ "88.9 to 90.4%"."""
        if math.isnan(low) or math.isnan(high):
            return "no interval"
        if self.name in _SHARES:
            return f"{100 * low:.1f} to {100 * high:.1f}%"
        return f"{low:.3f} to {high:.3f}"

    @property
    def title(self) -> str:
        return self.name.replace("_", " ").replace("roc auc", "ROC AUC")


_BY_LABELS = ("accuracy", "balanced_accuracy")
_SHARES = ("accuracy", "balanced_accuracy")


def mean_prediction(predictions: Sequence[Prediction]) -> Prediction:
    """Of several fits: their mean probabilities, or the class that most of them name."""
    if len(predictions) == 1:
        return predictions[0]
    parts = [each.probabilities for each in predictions]
    known = [part for part in parts if part is not None]
    if len(known) == len(parts):
        mean = np.mean(known, axis=0)
        return Prediction(mean.argmax(axis=1), mean)
    num_classes = max(int(each.labels.max(initial=0)) for each in predictions) + 1
    votes = np.sum([np.eye(num_classes)[each.labels] for each in predictions], axis=0)
    return Prediction(votes.argmax(axis=1))


class _Told(ClassifierMixin, BaseEstimator):  # type: ignore[misc]
    """A fitted classifier, for scorers, whose answer on row i is known."""

    def __init__(self, prediction: Prediction, num_classes: int) -> None:
        self.prediction = prediction
        self.classes_ = np.arange(num_classes)

    def predict(self, rows: np.ndarray) -> np.ndarray:
        return self.prediction.labels[rows]


class _ToldChances(_Told):
    """With probabilities too. Scorers go by the name of the method."""

    def predict_proba(self, rows: np.ndarray) -> np.ndarray:
        return np.asarray(self.prediction.probabilities)[rows]
