"""A whole pipeline, `pipeline(table, labels, seed) -> score`, as a subject: it splits, selects, fits and scores."""

from __future__ import annotations

import hashlib
import inspect
import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
from jaxtyping import Real

from byrote.audits.material import Material, Rows
from byrote.audits.subject import Predictor, Subject, SubjectFailed
from byrote.errors import UserError
from byrote.isolation import undisturbed
from byrote.randomness import stream_seed
from byrote.references import is_reference, name_of, short_name, source_digest

ARGUMENTS = ("table", "labels", "seed")


def is_pipeline(found: Any) -> bool:
    """Whether it is a function of (table, labels, seed)."""
    if not inspect.isfunction(found):
        return False
    return tuple(inspect.signature(found).parameters)[:3] == ARGUMENTS


class WholePipeline(Subject):
    """Gets all rows of both splits, as a table or an array, and gives one number; larger is better."""

    can_fit = False
    can_predict = False

    def __init__(self, function: Callable[..., Any], material: Material, name: str = "") -> None:
        self._function = function
        self._rows = _in_order(material)
        reference = name or name_of(function)
        self.name = short_name(reference)
        self.identity = source_digest(reference) if is_reference(reference) else reference
        self.identity = hashlib.sha256(self.identity.encode()).hexdigest()
        self.in_words = "It is a pipeline that splits, fits and scores by itself: it is given all rows."

    @property
    def rows(self) -> Rows:
        return self._rows

    def score(self, labels: Real[np.ndarray, " N"], seed: int) -> float:
        """What the pipeline gives for all rows under these labels.

        Raises:
            SubjectFailed: it raised.
            UserError: it gave no number.
        """
        inputs = self._rows.inputs
        given = inputs.copy() if isinstance(inputs, pd.DataFrame) else np.array(inputs)
        with undisturbed(stream_seed(seed, "audit", "pipeline")):
            try:
                found = self._function(given, labels.copy(), seed)
            except Exception as error:
                raise SubjectFailed.of(self.name, error) from error
        try:
            score = float(found)
        except (TypeError, ValueError) as error:
            raise UserError(f"got {type(found).__name__} from {self.name}, expected one number, its score") from error
        if not math.isfinite(score):
            raise SubjectFailed(self.name, f"its score is {score}, expected a finite number")
        return score

    def fit(self, train: Rows, seed: int) -> Predictor:  # noqa: ARG002
        raise UserError(f"{self.name} is a pipeline that gives a score: it cannot be fitted on other rows")


def _in_order(material: Material) -> Rows:
    """The rows of both splits, in the order in which they came where that is known."""
    whole = material.whole()
    is_known = material.split_in_words and whole.sources.dtype.kind in "iu"
    return whole.take(np.argsort(whole.sources, kind="stable")) if is_known else whole
