"""A classifier, regressor or pipeline of scikit-learn as a subject."""

from __future__ import annotations

import hashlib
import inspect
from typing import Any

import numpy as np
import pandas as pd
import sklearn
from jaxtyping import Float, Int64
from scipy.special import expit, softmax
from sklearn.base import BaseEstimator, clone, is_classifier, is_regressor
from sklearn.compose import make_column_transformer
from sklearn.impute import SimpleImputer
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import FunctionTransformer, OneHotEncoder, StandardScaler

from byrote.audits.columns import is_number, seconds_of
from byrote.audits.material import Material, Rows
from byrote.audits.metric import Prediction
from byrote.audits.subject import Predictor, Subject, SubjectFailed, classes_said, finite
from byrote.errors import UserError
from byrote.isolation import undisturbed
from byrote.randomness import stream_seed
from byrote.references import is_reference, name_of, short_name, source_digest, users_code

_MOST_CATEGORIES = 50
"""Of a column of text, each of the commonest becomes a column of its own; all others share one."""


def is_estimator(found: Any) -> bool:
    """Whether this is an estimator of scikit-learn, its class, or a function without arguments that makes one."""
    if isinstance(found, type):
        return issubclass(found, BaseEstimator) and hasattr(found, "fit")
    made = _called(found) if _asks_for_nothing(found) else found
    return isinstance(made, BaseEstimator) and hasattr(made, "fit")


def predicts_quantities(found: Any) -> bool:
    """Whether an estimator is a regressor, by scikit-learn's `is_regressor`.

    Raises:
        UserError: its class cannot be made without arguments.
    """
    return bool(is_regressor(_instance(found)))


def _asks_for_nothing(found: Any) -> bool:
    """Of a function: makers of networks ask for the shape of the inputs or the number of classes."""
    if not inspect.isfunction(found):
        return False
    return all(
        each.default is not each.empty or each.kind in (each.VAR_POSITIONAL, each.VAR_KEYWORD)
        for each in inspect.signature(found).parameters.values()
    )


def _called(maker: Any) -> Any:
    """
    Raises:
        UserError: it raised, with its line.
    """
    with users_code(f"{maker.__module__}:{maker.__qualname__}", f"calling {maker.__name__}()"):
        return maker()


def _instance(found: Any) -> Any:
    if not isinstance(found, type):
        return _called(found) if _asks_for_nothing(found) else found
    try:
        return found()
    except TypeError as error:
        raise UserError(
            f"got {found.__name__}, which cannot be made without arguments ({error}): give an instance, or a name that "
            "leads to one"
        ) from error


class EstimatorSubject(Subject):
    """Cloned for each fit, with every `random_state` set from the seed. A pipeline gets a table as it came; a bare
    classifier gets one of numbers (`encoder`) where a column holds anything else."""

    def __init__(self, found: Any, material: Material, name: str = "") -> None:
        self._estimator = _instance(found)
        self._material = material
        self.name = short_name(name) if name else type(self._estimator).__name__
        if not (is_regressor if material.of_quantities else is_classifier)(self._estimator):
            expected = "regressor" if material.of_quantities else "classifier"
            raise UserError(
                f"got {self.name}, which is no {expected} by scikit-learn's is_{expected}: give a {expected} or a "
                "pipeline that ends in one"
            )
        self._encodes = material.kind == "table" and not _is_pipeline(self._estimator) and _needs_numbers(material)
        self.in_words = _ENCODED if self._encodes else ""
        parts = [repr(sorted(self._estimator.get_params().items(), key=lambda pair: pair[0])), sklearn.__version__]
        reference = name or name_of(type(self._estimator))
        parts += [reference, source_digest(reference) if is_reference(reference) else ""]
        self.identity = hashlib.sha256("\n".join(map(str, parts)).encode()).hexdigest()

    def fit(self, train: Rows, seed: int) -> Predictor:
        made = clone(self._estimator)
        own = stream_seed(seed, "audit", "estimator") % 2**32
        states = {name: own for name in made.get_params() if name.split("__")[-1] == "random_state"}
        made.set_params(**states)
        if self._encodes:
            made = make_pipeline(encoder(self._material.columns(train)), made)
        with undisturbed(own):
            try:
                made.fit(self._given(train), train.labels)
            except Exception as error:
                raise SubjectFailed.of(self.name, error) from error
        return lambda rows: self._predicted(made, rows, own)

    def _given(self, rows: Rows) -> Any:
        takes_all = self._material.kind == "table" and _is_pipeline(self._estimator)
        return rows.inputs if takes_all else self._material.columns(rows)

    def _predicted(self, made: Any, rows: Rows, seed: int) -> Prediction:
        with undisturbed(seed):
            try:
                given = self._given(rows)
                said = np.asarray(made.predict(given)).reshape(len(rows))  # some give [N, 1]
                if self._material.of_quantities:
                    found = Prediction(said.astype(np.float64))
                else:
                    num_classes = self._material.num_classes
                    labels = classes_said(self.name, said, num_classes)
                    found = Prediction(labels, _probabilities(made, given, num_classes))
            except UserError:
                raise
            except Exception as error:
                raise SubjectFailed.of(self.name, error) from error
        return finite(self.name, found)


def _probabilities(made: Any, given: Any, num_classes: int) -> Float[np.ndarray, "N K"] | None:
    classes: Int64[np.ndarray, " C"] = np.asarray(made.classes_).astype(np.int64)
    if hasattr(made, "predict_proba"):
        found = np.asarray(made.predict_proba(given), dtype=np.float64)
    elif hasattr(made, "decision_function"):
        scores = np.asarray(made.decision_function(given), dtype=np.float64)
        found = np.stack([expit(-scores), expit(scores)], axis=1) if scores.ndim == 1 else softmax(scores, axis=1)
    else:
        return None
    probabilities = np.zeros((len(found), num_classes))
    probabilities[:, classes] = found
    return probabilities


def _is_pipeline(estimator: Any) -> bool:
    inner = getattr(estimator, "estimator", None)  # of a search or a calibration
    return isinstance(estimator, Pipeline) or (inner is not None and _is_pipeline(inner))


def _needs_numbers(material: Material) -> bool:
    tables = [material.columns(rows) for rows in (material.train, material.test)]
    return any(not is_number(table[name]) or bool(table[name].isna().any()) for table in tables for name in table)


_ENCODED = (
    "The model takes numbers alone: columns of dates become seconds, other text one column for each of its 50 "
    "commonest values, what is missing the median of its column with a column that says so; all of it learnt from the "
    "rows that are fitted. A pipeline of your own gets the table as it came."
)


def encoder(table: pd.DataFrame) -> Any:
    """A transformer of this table into numbers."""
    numbers = [name for name in table if is_number(table[name])]
    dates = [name for name in table if name not in numbers and seconds_of(table[name]) is not None]
    texts = [name for name in table if name not in numbers and name not in dates]
    filled = SimpleImputer(strategy="median", add_indicator=True, keep_empty_features=True)
    names = OneHotEncoder(
        handle_unknown="infrequent_if_exist", max_categories=_MOST_CATEGORIES, sparse_output=False, dtype=np.float64
    )
    return make_column_transformer(
        (make_pipeline(filled, StandardScaler()), numbers),
        (make_pipeline(FunctionTransformer(_dates), clone(filled), StandardScaler()), dates),
        (make_pipeline(FunctionTransformer(_texts), names), texts),
    )


def _dates(table: pd.DataFrame) -> Float[np.ndarray, "N D"]:
    """Columns of dates as seconds; NaN of what is none."""
    columns = [seconds_of(table[name], always=True) for name in table]
    return np.stack([column for column in columns if column is not None], axis=1)


def _texts(table: pd.DataFrame) -> Any:
    """Columns as text; what is missing is a text of its own."""
    return table.astype(object).where(table.notna(), "").astype(str).to_numpy(object)
