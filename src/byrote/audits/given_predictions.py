"""Predictions that were made elsewhere, as a subject that cannot be fitted: one row for each test example."""

from __future__ import annotations

import hashlib
import math
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from jaxtyping import Int64

from byrote.audits.material import Material, Rows
from byrote.audits.metric import Metric, Prediction
from byrote.audits.subject import Predictor, Subject
from byrote.data.columns import Column, check_rows
from byrote.data.quantities import quantities
from byrote.errors import UserError

_LABELS = ("prediction", "predicted", "y_pred", "pred", "label", "class")
_NUMBERS = ("row", "index", "id", "")


class GivenPredictions(Subject):
    """Read from a csv file with a column of predicted classes or quantities ("prediction"), or one of probabilities for
    each class, called as the class is, or both; in the order of the test examples, or with their numbers in a column
    "row"."""

    can_fit = False

    def __init__(self, given: Any, material: Material) -> None:
        if material.split_in_words:
            raise UserError(
                f"got predictions of data without a test split, where {material.split_in_words}, and nothing tells "
                "which rows were predicted: mark the test rows in the data (in a csv file by a column split that has "
                "train and test, among images by folders train/ and test/, in an npz file by x_test and y_test), or "
                "give test= in Python"
            )
        self._test = material.test
        self._prediction = _prediction(given, material)
        digest = hashlib.sha256(self._prediction.labels.tobytes())
        if self._prediction.probabilities is not None:
            digest.update(np.ascontiguousarray(self._prediction.probabilities).data)
        self.identity = digest.hexdigest()
        self.name = Path(given).name if isinstance(given, str | Path) else "given predictions"
        self.in_words = "Predictions were made elsewhere: nothing is trained."

    def refuse_unscored(self, metric: Metric) -> None:
        """Raises UserError for predictions of classes alone, where the metric takes a probability of each."""
        said, labels = self._prediction, self._test.labels
        if metric.of_quantities or said.probabilities is not None or not math.isnan(metric.value(labels, said)):
            return
        with_scores = Prediction(said.labels, np.eye(metric.num_classes)[said.labels])
        if not math.isnan(metric.value(labels, with_scores)):
            raise UserError(
                f"got metric={metric.name!r}, which takes a probability or score of each class, and predictions that "
                "are classes alone: give a column for each class, called as it is, or another metric, such as accuracy"
            )

    def fit(self, train: Rows, seed: int) -> Predictor:  # noqa: ARG002
        return self._of

    def _of(self, rows: Rows) -> Prediction:
        if rows is not self._test:
            raise UserError("got predictions of the test examples alone, expected a model for a stage that fits one")
        return self._prediction


def _prediction(given: Any, material: Material) -> Prediction:
    if isinstance(given, str | Path):
        table, what = _read(Path(given)), str(given)
    elif isinstance(given, pd.DataFrame):
        table, what = given, "predictions"
    else:
        return _of_array(np.asarray(given), material)
    table = _in_order(table, len(material.test), what)
    probabilities = None
    names = [str(column) for column in table.columns]
    if material.class_names and all(name in names for name in material.class_names):
        columns = [table.columns[names.index(name)] for name in material.class_names]
        probabilities = np.stack(
            [pd.to_numeric(table[name], errors="coerce").to_numpy(np.float64, na_value=np.nan) for name in columns],
            axis=1,
        )
        if not np.isfinite(probabilities).all():
            row, place = np.argwhere(~np.isfinite(probabilities))[0]
            raise UserError(
                f"{what}, row {row} (counting from 0): got {str(table[columns[place]].iloc[row])!r} for "
                f"{material.class_names[place]}, expected a probability or score of each class, a finite number"
            )
    column = next((name for name in _LABELS if name in names), None)
    if column is None:
        others = [name for name in names if name not in _NUMBERS]
        column = others[0] if len(others) == 1 else None
    if column is None or column in material.class_names:
        if probabilities is None:
            expected = (
                "a number in each row"
                if material.of_quantities
                else f"a class in each row, or one for each class: {', '.join(material.class_names[:10])}"
            )
            raise UserError(
                f"{what} has the columns {', '.join(names[:10])}, expected one called prediction with {expected}"
            )
        return Prediction(probabilities.argmax(axis=1), probabilities)
    if material.of_quantities:
        return Prediction(quantities(Column(table[column].to_numpy(object), what), "prediction"))
    return Prediction(_codes(table[column], material, what), probabilities)


def _of_array(array: np.ndarray, material: Material) -> Prediction:
    n, k = len(material.test), material.num_classes
    if material.of_quantities:
        if array.shape not in ((n,), (n, 1)):
            raise UserError(f"got predictions of shape {array.shape}, expected ({n},) numbers")
        return Prediction(quantities(Column(array, "predictions"), "prediction"))
    if array.shape == (n, k):
        try:
            scores = array.astype(np.float64)
        except (TypeError, ValueError) as error:
            raise UserError(
                f"got predictions of shape {array.shape} that are no numbers ({error}), expected a probability or "
                "score of each class"
            ) from None
        check_rows(
            ~np.isfinite(scores),
            Column(array, "predictions"),
            "NaN or infinity",
            "give a probability or score of each class",
        )
        return Prediction(scores.argmax(axis=1), scores)
    if array.shape != (n,):
        raise UserError(f"got predictions of shape {array.shape}, expected ({n},) classes or ({n}, {k}) probabilities")
    return Prediction(_codes(pd.Series(array), material, "predictions"))


def _read(path: Path) -> pd.DataFrame:
    try:
        return pd.read_csv(path, dtype=str, keep_default_na=False)
    except (OSError, ValueError) as error:
        raise UserError(
            f"{path} cannot be read as csv: {error}; give a file with a header and a row a test example"
        ) from error


def _in_order(table: pd.DataFrame, num_rows: int, what: str) -> pd.DataFrame:
    if len(table) != num_rows:
        raise UserError(f"{what} has {len(table):,} rows, expected one for each of {num_rows:,} test examples")
    if "row" in table:
        rows = pd.to_numeric(table["row"], errors="coerce").to_numpy(np.float64)
        if sorted(rows.tolist()) != list(range(num_rows)):
            raise UserError(f"{what} has a column row, expected each number from 0 to {num_rows - 1} once in it")
        table = table.iloc[np.argsort(rows)].reset_index(drop=True)
    return table


def _codes(column: pd.Series, material: Material, what: str) -> Int64[np.ndarray, " N"]:
    known = {name: code for code, name in enumerate(material.class_names)}
    found = [known.get(str(value).strip(), -1) for value in column]
    if -1 in found:
        row = found.index(-1)
        raise UserError(
            f"{what}, row {row} (counting from 0): got {column.iloc[row]!r}, expected one of the classes "
            f"{', '.join(material.class_names[:10])}"
        )
    return np.array(found, dtype=np.int64)
