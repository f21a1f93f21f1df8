import math
from typing import ClassVar

import numpy as np
import pandas as pd
import pytest

from byrote.audits.material import Material, Rows
from byrote.audits.metric import Metric, Prediction
from byrote.audits.stage import CLEAN_SPLIT, Case, StageResult, copies_or_none, interval_figure, rows_in_words
from byrote.audits.subject import Subject, SubjectFailed
from byrote.evidence.intervals import Interval


class Constant(Subject):
    name = "constant"
    identity = "constant"
    fits = 0

    def fit(self, train, seed):
        self.fits += 1
        return lambda rows: Prediction(np.full(len(rows), seed % 2))


class Raising(Constant):
    def fit(self, train, seed):
        self.fits += 1
        raise SubjectFailed("raising", "ValueError: no")


def case(subject, **fields):
    rows = Rows(np.zeros((4, 2)), np.array([0, 1, 0, 1]), np.arange(4))
    return Case(subject, Material("m", "M", "vectors", rows, rows, ("a", "b")), Metric("accuracy", 2), **fields)


def test_fits_are_made_once_for_all_stages():
    subject = Constant()
    made = case(subject, seeds=2)
    assert made.seconds_of_fits() > 0
    fits = subject.fits
    assert [each.labels[0] for each in made.predictions()] == [0, 1]
    assert made.predictions() is made.predictions()
    assert subject.fits == fits + 2
    assert made.seconds_of_fits() == 0.0


class Slow(Constant):
    sizes: ClassVar[list[int]] = []

    def fit(self, train, seed):
        self.sizes.append(len(train))
        return super().fit(train, seed)

    def seconds_of_fit(self, train):
        return len(train) / 10


@pytest.mark.parametrize(("budget", "fitted"), [(math.inf, 1000), (500.0, 1000), (100.0, 400), (1.0, 300)])
def test_a_budget_bounds_the_fits_that_stages_share(budget, fitted):
    rows = Rows(np.zeros((1000, 2)), np.arange(1000) % 2, np.arange(1000))
    subject = Slow()
    subject.sizes.clear()
    made = Case(subject, Material("m", "M", "vectors", rows, rows, ("a", "b")), Metric("accuracy", 2))
    made.limit_fits(budget)
    made.predictions()
    assert subject.sizes == [fitted]
    assert made.fitted_on_fewer() == (
        "" if fitted == 1000 else f"constant was fitted on {fitted} of 1,000 training rows"
    )


def test_a_model_that_raises_is_tried_once():
    subject = Raising()
    made = case(subject)
    for _ in range(2):
        with pytest.raises(SubjectFailed, match="ValueError: no"):
            made.predictions()
    assert subject.fits == 1


def test_rows_that_training_does_not_know():
    made = case(Constant())
    assert made.clean_test_rows().all()
    sides = {"split": ["train", "test", "test"], "clean_split": ["train", "test", "left out"], "copies": [1, 0, 1]}
    table = pd.DataFrame(sides)
    made.results["data"] = StageResult("done", tables={CLEAN_SPLIT: table})
    assert made.clean_test_rows().tolist() == [True, False]


def test_copies_within_the_test_split():
    assert copies_or_none(np.array([0, 2, 0, 1])) is None
    found = copies_or_none(np.array([0, 2, 0, 2]))
    assert found[1] == found[3]
    assert len(np.unique(found)) == 3


def test_figures_and_words():
    assert interval_figure(Interval(0.5, math.nan, 0.7, 3)) == {"mean": 0.5, "low": None, "high": 0.7, "n": 3}
    assert rows_in_words(1, case(Constant()).material.train) == "1 row"
