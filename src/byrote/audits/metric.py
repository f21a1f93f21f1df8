"""Scores under any metric of scikit-learn, and chance: the best that a constant prediction gets on these labels.

Of quantities, the best constant is looked for: it is the mean under squared errors and all that share their minimum
(Savage, Elicitation of personal probabilities, JASA 1971), the median under absolute ones, and no name of a metric says
so for all of them."""

from __future__ import annotations

import inspect
import math
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from jaxtyping import Bool, Float, Float64, Int64, Real
from scipy.optimize import minimize_scalar
from scipy.stats import rankdata
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.metrics import get_scorer, get_scorer_names, r2_score

from byrote.errors import UserError, suggestion


@dataclass(frozen=True, eq=False)
class Prediction:
    """What a subject says of N examples."""

    labels: Real[np.ndarray, " N"]
    """Classes 0..K-1, or quantities."""
    probabilities: Float[np.ndarray, "N K"] | None = None
    """Of each class, or any scores that grow with them; None of a subject that names classes alone."""

    def __len__(self) -> int:
        return len(self.labels)

    def take(self, rows: Int64[np.ndarray, " M"] | Bool[np.ndarray, " N"]) -> Prediction:
        """That of these rows."""
        probabilities = None if self.probabilities is None else self.probabilities[rows]
        return Prediction(self.labels[rows], probabilities)


def scores_quantities(name: str) -> bool:
    """Whether this is a scorer of scikit-learn's for regression.

    Raises:
        UserError: a name that scikit-learn does not have.
    """
    if name not in get_scorer_names():
        raise UserError(
            f"got metric={name!r}, expected the name of a scorer of scikit-learn, such as accuracy, roc_auc, "
            f"balanced_accuracy or f1_macro, or of quantities r2{suggestion(name, get_scorer_names())}"
        )
    return bool(get_scorer(name)._score_func.__module__ == r2_score.__module__)


@dataclass(frozen=True)
class Metric:
    """A scorer of scikit-learn by its name: larger is better.

    Raises:
        UserError: a name that scikit-learn does not have, or a metric that is not one of such labels.
    """

    name: str
    num_classes: int
    """0 where labels are quantities."""

    def __post_init__(self) -> None:
        of_quantities = scores_quantities(self.name)
        if of_quantities and self.num_classes:
            raise UserError(
                f"got metric={self.name!r}, which is a score of quantities, of labels that are classes: give another, "
                "such as accuracy, balanced_accuracy or roc_auc"
            )
        if self.num_classes == 0:
            if not of_quantities:
                raise UserError(
                    f"got metric={self.name!r}, which is no score of quantities, of targets that are: give another, "
                    "such as r2, neg_mean_absolute_error or neg_root_mean_squared_error"
                )
            return
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
    def is_share(self) -> bool:
        """Whether it is the share of examples that are right, whose interval is known exactly."""
        return self.name == "accuracy"

    @property
    def of_quantities(self) -> bool:
        """Whether it scores quantities, not classes."""
        return self.num_classes == 0

    @property
    def has_units(self) -> bool:
        """Whether it is an error, most of which are in the units of the target, and not relative to a constant's."""
        return self.of_quantities and self.name.startswith("neg_")

    def value(self, labels: Real[np.ndarray, " N"], prediction: Prediction) -> float:
        """NaN where it is not defined: of no example, or of one class or target where it takes two."""
        if self.of_quantities:
            return float(self._of_quantities(labels[None], prediction.labels[None])[0])
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

    def values(self, labellings: Real[np.ndarray, "B N"], prediction: Prediction) -> Float64[np.ndarray, " B"]:
        """Of B labellings of the same examples."""
        if self.of_quantities:
            return self._of_quantities(labellings, prediction.labels[None])
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

    def _of_quantities(
        self, labellings: Real[np.ndarray, "B N"], said: Real[np.ndarray, "_ N"]
    ) -> Float64[np.ndarray, " B"]:
        """NaN where scikit-learn refuses the numbers, and of equal targets, unless it is an error.

        Args:
            said: one prediction, or one of each labelling.
        """
        scorer = self._scorer
        known = np.ones(len(labellings), dtype=bool)
        if not self.has_units:
            known = labellings.max(axis=1, initial=-np.inf) > labellings.min(axis=1, initial=np.inf)
        values = np.full(len(labellings), np.nan)
        if not known.any() or not labellings.shape[1]:
            return values
        if self.name in _FAST:
            with np.errstate(all="ignore"):
                fast = _FAST[self.name](labellings[known], said if len(said) == 1 else said[known])
            values[known] = np.where(np.isfinite(fast), fast, np.nan)
            return values
        told, answers = labellings[known].T, np.broadcast_to(said, labellings.shape)[known].T
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            try:
                if self._takes_columns:
                    found = scorer._score_func(told, answers, multioutput="raw_values", **scorer._kwargs)
                else:
                    pairs = zip(told.T, answers.T, strict=True)
                    found = np.array([scorer._score_func(*pair, **scorer._kwargs) for pair in pairs])
            except ValueError:
                return values
        values[known] = scorer._sign * found
        return values

    @cached_property
    def _takes_columns(self) -> bool:
        """Whether scikit-learn scores many columns of targets at once."""
        return "multioutput" in inspect.signature(self._scorer._score_func).parameters

    @property
    def values_are_fast(self) -> bool:
        """Whether `values` scores many labellings at once."""
        if self.of_quantities:
            return self.name in _FAST
        return self.name in ("accuracy", "balanced_accuracy") or (self.name == "roc_auc" and self.num_classes == 2)

    def chance(self, labels: Real[np.ndarray, " N"]) -> float:
        """The best that any constant has here: one class always, or always the frequencies of the classes; one
        quantity."""
        return self.value(labels, self.best_constant(labels))

    def best_constant(self, labels: Real[np.ndarray, " N"]) -> Prediction:
        """The constant that has it; any, where the metric is not defined on these labels."""
        if self.of_quantities:
            return Prediction(np.full(len(labels), self._best_quantity(labels)))
        frequencies = np.bincount(labels, minlength=self.num_classes) / max(len(labels), 1)
        constants = [
            Prediction(np.full(len(labels), int(np.argmax(each))), np.tile(each, (len(labels), 1)))
            for each in [*np.eye(self.num_classes), frequencies]
        ]
        values = [self.value(labels, each) for each in constants]
        return constants[int(np.argmax(np.nan_to_num(values, nan=-np.inf)))]

    def constant_value(self, labels: Real[np.ndarray, " N"], constant: Prediction) -> float:
        """What a constant has on some of the rows for which it was the best, or on rows drawn from them again. Of
        quantities, which have many constants, one of their own is taken where it has more: their mean, median or
        midrange."""
        if not self.of_quantities or not len(labels):
            return self.value(labels, constant)
        found = self._of_constants(labels, np.array([constant.labels[0], *_centres(labels)]))
        return math.nan if np.isnan(found).all() else float(np.nanmax(found))

    def simple_constant(self, labels: Real[np.ndarray, " N"]) -> float:
        """The commonest class; the best of mean, median and midrange."""
        if not self.of_quantities:
            return float(np.bincount(labels).argmax())
        tried = np.array(_centres(labels))
        return float(tried[np.argmax(np.nan_to_num(self._of_constants(labels, tried), nan=-np.inf))])

    def _best_quantity(self, targets: Real[np.ndarray, " N"]) -> float:
        """The best of mean, median, midrange and quantiles, and of what lies between the neighbours of the best."""
        if not len(targets):
            return math.nan
        tried = np.unique([*_centres(targets), *np.quantile(targets, np.linspace(0, 1, _QUANTILES))])
        values = np.nan_to_num(self._of_constants(targets, tried), nan=-np.inf)
        best = int(np.argmax(values))
        between = float(tried[max(best - 1, 0)]), float(tried[min(best + 1, len(tried) - 1)])
        if between[0] == between[1] or math.isinf(values[best]):
            return float(tried[best])

        def loss(constant: float) -> float:
            return -float(np.nan_to_num(self._of_constants(targets, np.array([constant])), nan=-np.inf)[0])

        found = minimize_scalar(loss, bounds=between, method="bounded")
        is_better = found.fun < -values[best] - _ROUNDING * abs(values[best])
        return float(found.x) if is_better else float(tried[best])

    def _of_constants(
        self, targets: Real[np.ndarray, " N"], constants: Real[np.ndarray, " C"]
    ) -> Float64[np.ndarray, " C"]:
        shape = (len(constants), len(targets))
        return self._of_quantities(np.broadcast_to(targets, shape), np.broadcast_to(constants[:, None], shape))

    def in_words(self, value: float) -> str:
        """ "94.1%" of an accuracy, "0.941" of any other score, "-1,234" of an error in thousands."""
        if math.isnan(value):
            return "–"
        if self.name in _SHARES:
            return f"{100 * value:.1f}%"
        return self._number(value, value)

    def difference_in_words(self, mean: float, low: float, high: float) -> str:
        """ "4.6 points (3.1 to 6.0)" between accuracies, "0.046 (0.031 to 0.060)" between others."""
        if math.isnan(low) or math.isnan(high):
            return f"{self._in_points(mean, mean)} (no interval)"
        like = max(abs(low), abs(high))
        ends = (self._in_points(end, like, unit="") for end in (low, high))
        return f"{self._in_points(mean, like)} ({' to '.join(ends)})"

    def _in_points(self, value: float, like: float, unit: str = " points") -> str:
        if math.isnan(value):
            return "–"
        return f"{100 * value:.1f}{unit}" if self.name in _SHARES else self._number(value, like)

    def range_in_words(self, low: float, high: float) -> str:
        """ "88.9 to 90.4%"."""
        if math.isnan(low) or math.isnan(high):
            return "no interval"
        if self.name in _SHARES:
            return f"{100 * low:.1f} to {100 * high:.1f}%"
        like = max(abs(low), abs(high))
        return f"{self._number(low, like)} to {self._number(high, like)}"

    def _number(self, value: float, like: float) -> str:
        """With as many places as one of this size needs."""
        if self.has_units or abs(like) >= _LARGE:
            return quantity_in_words(value, like)
        return f"{value:.3f}"

    @property
    def title(self) -> str:
        """What pages call it."""
        if self.name == "r2":
            return "R²"
        return self.name.replace("_", " ").replace("roc auc", "ROC AUC").replace("d2", "D²")


def _centres(targets: Real[np.ndarray, " N"]) -> tuple[float, float, float]:
    """The best constants under squared, absolute and largest errors."""
    return float(targets.mean()), float(np.median(targets)), float((targets.min() + targets.max()) / 2)


def quantity_in_words(value: float, like: float) -> str:
    """A number with four digits, or as many as leave another one, `like`, with four: "12,346", "0.01235"."""
    size = math.floor(math.log10(abs(like))) if like and math.isfinite(like) else 0
    if not _SMALLEST <= size <= _LARGEST:
        return f"{value:.3g}"
    return f"{value:,.{max(3 - size, 0)}f}"


_FAST: dict[str, Callable[[np.ndarray, np.ndarray], np.ndarray]] = {
    "r2": lambda y, p: 1 - ((y - p) ** 2).sum(axis=1) / ((y - y.mean(axis=1, keepdims=True)) ** 2).sum(axis=1),
    "explained_variance": lambda y, p: 1 - (y - p).var(axis=1) / y.var(axis=1),
    "neg_mean_squared_error": lambda y, p: -((y - p) ** 2).mean(axis=1),
    "neg_root_mean_squared_error": lambda y, p: -np.sqrt(((y - p) ** 2).mean(axis=1)),
    "neg_mean_absolute_error": lambda y, p: -np.abs(y - p).mean(axis=1),
}
"""Of targets and predictions `[B, N]`: a check of its inputs takes scikit-learn a millisecond, and thousands are asked
for."""
_QUANTILES = 51
_ROUNDING = 1e-12
_SMALLEST, _LARGEST = -5, 9
"""Powers of ten, beyond which numbers are written with an exponent."""
_LARGE = 10.0
"""A score without units that is as far from 0 needs no three places."""
_SHARES = ("accuracy", "balanced_accuracy")


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
