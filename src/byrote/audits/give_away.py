"""A single column that tells the label: a small tree on each column alone, cross-validated, against shuffled labels.
Of quantities, means in bins of each column (`column_means`)."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd
from jaxtyping import Float64, Int64
from sklearn.feature_selection import f_classif
from sklearn.model_selection import StratifiedKFold
from sklearn.tree import DecisionTreeClassifier

from byrote.audits.column_means import chance_of_telling, most_telling
from byrote.audits.columns import numbers_of
from byrote.audits.material import Material, Rows
from byrote.evidence.intervals import binomial_interval
from byrote.evidence.verdicts import SIGNIFICANCE
from byrote.input_parts import names_of_columns, side_by_side
from byrote.randomness import permutation, stream

NEARLY_ALL = 0.95
"""A column gives the label away where it surely removes so much of the errors of naming the largest class. The best
single measurement of breast cancer removes 76%, that of iris 93%."""
_MOST_ROWS, _MOST_COLUMNS = 4000, 200
_FOLDS = 5
_SHUFFLES = 199
_TRIED_COLUMNS, _TRIED_ROWS = 20, 500
"""Under shuffled labels."""


@dataclass(frozen=True)
class GiveAway:
    """The column that tells most of the label."""

    column: str
    accuracy: float | None
    """Of the small tree on rows that it was not fitted on; None of quantities."""
    low: float
    """What it exceeds, but for 5 of 100 times, for all columns at once (Bonferroni): it is the best of them. Of
    quantities, this is said of `removed`."""
    removed: float
    """The share of the errors of naming the largest class that it removes; of quantities, of the squared error, in
    ranks, of a constant."""
    gives_away: bool
    """Whether it surely removes NEARLY_ALL of them."""
    may_give_away: bool
    """Whether it may, by the upper end of its own 95% interval."""
    p_value: float
    """That some column does as well by chance, by shuffled labels; 1 where none gives the label away."""
    num_columns: int


def best_column(material: Material, copies: Int64[np.ndarray, " N"]) -> GiveAway | None:
    """The column that tells the label best; None where inputs are images or tokens, or a class has too few rows. Of
    several inputs, columns are those of all quantities, token ids and bools.

    Args:
        copies: of training rows, equal for copies of one another.
    """
    if material.kind not in ("vectors", "table") and not material.parts_of_columns:
        return None
    rows = replace(material.train, copies=copies)
    draw = stream(0, "single columns")
    if len(rows) > _MOST_ROWS:
        rows = rows.take(np.sort(draw.choice(len(rows), _MOST_ROWS, replace=False)))
    if isinstance(rows.inputs, pd.DataFrame):
        table = material.features(rows.inputs)
        values, names = numbers_of(table), [str(name) for name in table]
    elif material.parts:
        parts = material.parts_of_columns
        values, names = side_by_side(parts, rows.inputs).astype(np.float64), names_of_columns(parts)
    else:
        values = rows.inputs.astype(np.float64)
        names = [f"feature {place} (counting from 0)" for place in range(values.shape[1])]
    varying = np.flatnonzero(
        [len(np.unique(column[~np.isnan(column)])) > 1 or np.isnan(column).any() for column in values.T]
    )
    if not len(varying):
        return None
    if material.of_quantities:
        return _of_quantities(values, rows, varying, names)
    return _of_classes(values, rows, varying, names, draw)


def _of_quantities(
    values: Float64[np.ndarray, "N D"],
    rows: Rows,
    varying: Int64[np.ndarray, " V"],
    names: list[str],
) -> GiveAway | None:
    targets, copies, units = rows.labels, rows.copies, rows.units
    if units is None or copies is None:
        return None
    tenths = np.searchsorted(np.quantile(targets, np.linspace(0.1, 0.9, 9)), targets)
    places = _screened(values, tenths, varying)
    found = most_telling(values[:, places], targets, units, len(varying))
    if found is None:
        return None
    gives_away, may = found.low >= NEARLY_ALL, found.high >= min(NEARLY_ALL, found.most)
    p_value = 1.0
    if gives_away:
        some, part = _some(len(places), _TRIED_COLUMNS), _some(len(rows), _TRIED_ROWS)
        groups = None if rows.groups is None else rows.groups[part]
        tried = values[np.ix_(part, places[some])]
        p_value = chance_of_telling(tried, targets[part], groups, copies[part], found.removed)
    name = names[places[found.place]]
    return GiveAway(name, None, found.low, found.removed, gives_away, may, p_value, len(varying))


def _of_classes(
    values: Float64[np.ndarray, "N D"],
    rows: Rows,
    varying: Int64[np.ndarray, " V"],
    names: list[str],
    draw: np.random.Generator,
) -> GiveAway | None:
    labels = rows.labels
    counts = np.bincount(labels)
    if counts[counts > 0].min() < _FOLDS or len(counts[counts > 0]) < 2:
        return None
    places = _screened(values, labels, varying)
    best, accuracy = _best_alone(values[:, places], labels, -1.0)
    found = binomial_interval(accuracy, len(labels))
    guessing = float(counts.max() / len(labels))
    removed = (found.mean - guessing) / (1 - guessing)
    low = binomial_interval(found.mean, len(labels), 1 - 2 * SIGNIFICANCE / len(varying)).low
    gives_away, may = ((end - guessing) / (1 - guessing) >= NEARLY_ALL for end in (low, found.high))
    p_value = _p_value(values[:, places], labels, found.mean, draw) if gives_away else 1.0
    return GiveAway(names[places[best]], found.mean, low, removed, gives_away, may, p_value, len(varying))


def _some(size: int, most: int) -> Int64[np.ndarray, " P"]:
    """Spread evenly: a handful is enough, for it is decided by far."""
    return np.linspace(0, size - 1, min(size, most)).astype(np.int64)


def _screened(
    values: Float64[np.ndarray, "N D"], labels: Int64[np.ndarray, " N"], varying: Int64[np.ndarray, " V"]
) -> Int64[np.ndarray, " P"]:
    """Of very many columns, those whose ranks differ most between classes."""
    if len(varying) <= _MOST_COLUMNS:
        return varying
    ranks = np.argsort(np.argsort(np.nan_to_num(values[:, varying]), axis=0), axis=0)
    scores, _ = f_classif(ranks, labels)
    return varying[np.sort(np.argsort(-np.nan_to_num(scores))[:_MOST_COLUMNS])]


def _best_alone(
    columns: Float64[np.ndarray, "N P"], labels: Int64[np.ndarray, " N"], least: float
) -> tuple[int, float]:
    """The first column on which alone a small tree is right most often, and how often, on rows that it was not fitted
    on; (-1, least) where none comes to more than this."""
    tree = DecisionTreeClassifier(max_leaf_nodes=max(2, len(np.unique(labels))), random_state=0)
    folds = list(StratifiedKFold(_FOLDS, shuffle=True, random_state=0).split(labels, labels))
    best = -1, least
    for place, column in enumerate(columns.T):
        inputs = column.astype(np.float32)[:, None]
        # Without, a tree heeds no missing values; with, it takes three times as long.
        check = bool(np.isnan(column).any())
        wrong = 0
        for fitted, held_out in folds:
            tree.fit(inputs[fitted], labels[fitted], check_input=check)
            wrong += int((tree.predict(inputs[held_out], check_input=check) != labels[held_out]).sum())
            accuracy = (len(labels) - wrong) / len(labels)
            if accuracy <= best[1]:  # whatever the other folds give
                break
        else:
            best = place, accuracy
    return best


def _p_value(
    values: Float64[np.ndarray, "N P"], labels: Int64[np.ndarray, " N"], reached: float, draw: np.random.Generator
) -> float:
    """Of the best of all columns under shuffled labels."""
    as_good = 0
    places, rows = _some(values.shape[1], _TRIED_COLUMNS), _some(len(labels), _TRIED_ROWS)
    some, just_below = values[np.ix_(rows, places)], math.nextafter(reached, 0.0)
    for _ in range(_SHUFFLES):
        shuffled = labels[permutation(draw, len(labels))][rows]
        if np.bincount(shuffled)[np.unique(shuffled)].min() < _FOLDS:
            as_good += 1
            continue
        as_good += _best_alone(some, shuffled, just_below)[0] >= 0
    return (as_good + 1) / (_SHUFFLES + 1)
