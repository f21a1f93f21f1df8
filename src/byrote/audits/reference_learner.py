"""Whether anything can be learnt at all: a random forest on the same rows, and a p-value by exchanging test labels.

A model that knows its training labels and nothing else is only to be called a memoriser where another learns."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from sklearn.ensemble import RandomForestClassifier
from sklearn.pipeline import make_pipeline

from byrote.audits.estimators import encoder
from byrote.audits.material import Material, Rows
from byrote.audits.metric import Metric, Prediction
from byrote.evidence.intervals import Interval
from byrote.evidence.label_permutations import exchange_of, exchanged_values, share_as_large
from byrote.evidence.noise_ladder import balanced_accuracy
from byrote.randomness import stream

NAME = "a random forest"
_TREES = 100
_EXCHANGES = 9999


@dataclass(frozen=True)
class Reference:
    """How well the reference learner does."""

    score: Interval
    """Its balanced accuracy on the test rows."""
    p_value: float
    """That it learnt nothing."""


def reference(material: Material, rows: Rows, test: Rows) -> Reference:
    """Fitted on `rows`, tested on `test`."""
    forest: Any = RandomForestClassifier(_TREES, random_state=0)
    if material.kind == "table":
        forest = make_pipeline(encoder(material.columns(rows)), forest)
    forest.fit(material.columns(rows), rows.labels)
    metric = Metric("balanced_accuracy", material.num_classes)
    said = Prediction(np.asarray(forest.predict(material.columns(test))).astype(np.int64))
    score = metric.value(test.labels, said)
    drawn = exchanged_values(
        exchange_of(test.labels, test.groups, test.times, test.copies),
        lambda labels: metric.values(labels, said),
        _EXCHANGES,
        len(test),
        stream(0, "labels of the reference"),
    )
    is_right = said.labels == test.labels
    return Reference(balanced_accuracy(is_right[None], test.labels, test.units), share_as_large(drawn, score))
