import numpy as np

from byrote.audits.material import Rows
from byrote.audits.metric import Prediction
from byrote.audits.subject import Fit, Subject, SubjectFailed


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
