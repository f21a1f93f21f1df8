import numpy as np
import pytest

from byrote.audits.material import Rows
from byrote.audits.metric import Prediction
from byrote.audits.subject import Fit, Subject, SubjectFailed, classes_said, finite
from byrote.errors import UserError


class Counting(Subject):
    name = identity = "counting"

    def __init__(self):
        self.seen = []

    def fit(self, train, seed):
        self.seen.append((len(train), seed))
        return lambda rows: Prediction(np.zeros(len(rows), np.int64))


ROWS = Rows(np.zeros((1000, 2)), np.zeros(1000, np.int64), np.arange(1000))


def test_several_fits_and_the_time_of_one():
    subject = Counting()
    assert len(subject.fit_all([Fit(ROWS, 0), Fit(ROWS, 1)])) == 2
    assert subject.seconds_of_fit(ROWS) >= 0
    assert subject.seen == [(1000, 0), (1000, 1), (400, 0)]


def test_the_traceback_is_kept():
    try:
        1 / 0  # noqa: B018
    except ZeroDivisionError as error:
        failed = SubjectFailed.of("net", error)
    assert "ZeroDivisionError" in str(failed)
    assert "1 / 0" in failed.trace


def test_answers_that_are_no_numbers_are_none():
    sound = Prediction(np.array([1, 0]), np.array([[0.1, 0.9], [1.0, 0.0]]))
    assert finite("net", sound) is sound
    with pytest.raises(SubjectFailed, match="net failed: its answers on 1 of 2 rows are not finite numbers"):
        finite("net", Prediction(np.array([0, 0]), np.array([[np.nan, np.nan], [1.0, 0.0]])))
    with pytest.raises(SubjectFailed, match="1 of 3 rows"):
        finite("forest", Prediction(np.array([0.5, np.inf, 1.0])))


def test_answers_that_are_no_classes_are_refused():
    assert classes_said("it", np.array([0.0, 2.0]), 3).tolist() == [0, 2]
    assert classes_said("it", np.zeros(0), 3).dtype == np.int64
    for wrong in (0.5, -1.0, 3.0, np.nan, np.inf):
        with pytest.raises(UserError, match=r"for row 1 \(counting from 0\), expected classes from 0 to 2"):
            classes_said("it", np.array([1.0, wrong]), 3)
