"""Twelve planted cases, named rightly."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.dummy import DummyClassifier
from sklearn.ensemble import RandomForestClassifier
from sklearn.feature_selection import SelectKBest
from sklearn.model_selection import cross_val_score
from sklearn.naive_bayes import GaussianNB
from sklearn.neighbors import KNeighborsClassifier
from sklearn.preprocessing import StandardScaler

import byrote
from byrote.errors import UserError

DIGITS = byrote.load("digits")


class Lookup(ClassifierMixin, BaseEstimator):
    """Knows the rows it was given by heart, and of others the first class."""

    def fit(self, X, y):
        self.classes_ = np.unique(y)
        self._known = {row.tobytes(): label for row, label in zip(np.ascontiguousarray(X), y, strict=True)}
        return self

    def predict(self, X):
        return np.array([self._known.get(row.tobytes(), self.classes_[0]) for row in np.ascontiguousarray(X)])


def arrays(num=400, columns=6, seed=0):
    """A table in which the first columns tell the label, with noise."""
    generator = np.random.default_rng(seed)
    labels = generator.integers(0, 2, num)
    table = generator.standard_normal((num, columns))
    table[:, :3] += labels[:, None]
    return table, labels


def split(table, labels, *, at=300):
    return byrote.from_arrays(table[:at], labels[:at], table[at:], labels[at:])


def select_then_split(table, labels, seed):
    chosen = SelectKBest(k=10).fit_transform(table, labels)
    return cross_val_score(GaussianNB(), chosen, labels, cv=5).mean()


def scale_then_split(table, labels, seed):
    return cross_val_score(GaussianNB(), StandardScaler().fit_transform(table), labels, cv=5).mean()


@pytest.mark.parametrize(
    "model",
    [
        KNeighborsClassifier(1),
        RandomForestClassifier(50, random_state=0),
        pytest.param("mlp-1x32", marks=pytest.mark.slow),
    ],
    ids=["1-nearest-neighbour", "forest", "small net"],
)
def test_what_learns_is_said_to_learn(model, tmp_path):
    byrote.assert_learns(model, DIGITS, out=tmp_path, **({"epochs": 20} if isinstance(model, str) else {}))


@pytest.mark.parametrize("model", [Lookup(), DummyClassifier()], ids=["lookup table", "constant"])
def test_what_does_not_learn_is_named(model, tmp_path):
    with pytest.raises(AssertionError, match=r"the best constant has 10\.3%.* The page: .*report\.html") as failed:
        byrote.assert_learns(model, DIGITS, out=tmp_path)
    assert Path(str(failed.value).rpartition("The page: ")[2]).is_file()


def test_labels_that_a_loader_shuffled_are_named(tmp_path):
    train, test = DIGITS.train, DIGITS.test
    shuffled = np.random.default_rng(0).permutation(train.labels)
    data = byrote.from_arrays(train.inputs, shuffled, test.inputs, test.labels)
    with pytest.raises(AssertionError, match="the best constant has"):
        byrote.assert_learns(RandomForestClassifier(50, random_state=0), data, out=tmp_path)


@pytest.mark.slow
def test_a_selection_before_the_split_is_named_and_scaling_is_not(tmp_path):
    noise = np.random.default_rng(1).standard_normal((100, 1000)), np.arange(100) % 2
    with pytest.raises(AssertionError, match="It sees the labels that it is tested on: look for what is selected"):
        byrote.assert_chance_on_random_labels(select_then_split, noise, out=tmp_path / "selected")
    byrote.assert_chance_on_random_labels(scale_then_split, arrays(), out=tmp_path / "scaled")


@pytest.mark.slow
def test_what_has_leaked_is_named(tmp_path):
    table, labels = arrays()
    byrote.assert_no_leakage(split(table, labels), out=tmp_path / "none")
    again = table.copy()
    again[350:] = again[:50]
    with pytest.raises(AssertionError, match=r"50 rows of the test split are identical to one of training"):
        byrote.assert_no_leakage(split(again, labels), out=tmp_path / "copies")
    told = np.c_[table, labels + np.random.default_rng(2).normal(0, 0.05, len(labels))]
    with pytest.raises(AssertionError, match=r"feature 6 .* tells the label best"):
        byrote.assert_no_leakage(split(told, labels), out=tmp_path / "column")


def test_groups_and_times_on_both_sides_are_named(tmp_path):
    table, labels = arrays()
    frame = (
        pd.DataFrame(table)
        .add_prefix("x")
        .assign(
            label=labels,
            patient=np.arange(400) % 80,
            day=pd.Timestamp("2020-01-01") + pd.to_timedelta(np.arange(400), "D"),
        )
    )
    train, test = frame[:300], frame[300:]
    options = {"label": "label", "test": test}
    with pytest.raises(AssertionError, match="100 of 100 test rows belong to a group that is in training too"):
        byrote.assert_no_leakage(train, groups="patient", out=tmp_path / "groups", **options)
    late = frame.sample(frac=1, random_state=0)
    with pytest.raises(AssertionError, match=r"later|after"):
        byrote.assert_no_leakage(late[:300], time="day", out=tmp_path / "times", **(options | {"test": late[300:]}))


def test_what_is_not_known_fails_too(tmp_path):
    with pytest.raises(AssertionError, match=r"beats chance: no conclusion"):
        byrote.assert_learns(GaussianNB(), split(*arrays(304)), out=tmp_path / "few")
    with pytest.raises(UserError, match="expected a time"):
        byrote.assert_learns(GaussianNB(), DIGITS, budget="soon")
    with pytest.raises(AssertionError, match=r"used up by the stages before it: give it more time\. The page: "):
        byrote.assert_learns(GaussianNB(), DIGITS, budget="0.001s", out=tmp_path / "soon")
    with pytest.raises(UserError, match="the model first and then its data"):
        byrote.assert_learns(DIGITS, GaussianNB())
    with pytest.raises(UserError, match=r"got GaussianNB, expected a function pipeline\(table, labels, seed\)"):
        byrote.assert_chance_on_random_labels(GaussianNB(), DIGITS)
