import numpy as np
import pytest

from byrote.audits.labels_findings import findings_of_labels, number_is_known
from byrote.audits.material import Material, Rows
from byrote.audits.metric import Metric
from byrote.audits.stage import Case, StageResult, interval_figure
from byrote.audits.subject import Subject
from byrote.evidence.intervals import Interval


class Named(Subject):
    name = identity = "net"

    def fit(self, train, seed):
        raise AssertionError


@pytest.fixture
def case():
    rows = Rows(np.zeros((4, 2)), np.array([0, 1, 0, 1]), np.arange(4))
    return Case(Named(), Material("m", "M", "vectors", rows, rows, ("a", "b")), Metric("accuracy", 2))


def figures(low=0.03, mean=0.05, high=0.06, **changes):
    return {
        "num_rows": 1000,
        "num_wrong": interval_figure(Interval(1000 * mean, 1000 * low, 1000 * high, 1000)),
        "share_wrong": interval_figure(Interval(mean, low, high, 1000)),
        "read_off_at_recall": 0.9,
        "is_pure": True,
        "agreement": 0.9,
        "num_listed": 48,
        "listed_false_share": interval_figure(Interval(0.04, 0.01, 0.2, 48)),
        "hidden": {"uniform": {"stated": 0.9, "p": 0.7} | interval_figure(Interval(0.92, 0.8, 0.97, 50))},
        "num_hidden": 50,
        "rise_with_hidden": 49.0,
    } | changes


@pytest.mark.parametrize(
    ("share", "outcome"),
    [
        ((0.03, 0.05, 0.06), "not supported"),
        ((0.0, 0.001, 0.004), "supported"),
        ((0.005, 0.012, 0.02), "no conclusion"),
    ],
)
def test_whether_few_are_wrong_is_told_by_the_interval(case, share, outcome):
    count, check = findings_of_labels(case, StageResult("done", figures=figures(*share)))
    assert count.outcome == outcome
    assert check.outcome == "supported"


def test_the_sentences_have_their_figures(case):
    count, check = findings_of_labels(case, StageResult("done", figures=figures()))
    assert "Of 1,000 rows, 30 to 60 have a wrong label (95% interval; 3.0 to 6.0%)" in count.statement
    assert "48 are more likely wrong than right; of these, at most 20% are labelled rightly" in count.statement
    assert "(95% interval 1.0% to 20%)" in count.statement
    assert "50 errors were hidden" in check.statement
    assert "The estimated number of errors rises by 49 with them." in check.statement
    _, fallen = findings_of_labels(case, StageResult("done", figures=figures(rise_with_hidden=-1.2)))
    assert "The estimated number of errors falls by 1 with them." in fallen.statement
    assert "92% (80% to 97%), where 90% were foretold" in check.statement


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"is_pure": False, "read_off_at_recall": 0.12}, "with 12% of planted errors"),
        ({"agreement": 0.2}, "Rows hardly show their labels"),
        (
            {"hidden": {"uniform": {"stated": 0.9, "p": 0.01} | interval_figure(Interval(0.6, 0.5, 0.7, 50))}},
            "did not come out at the rate",
        ),
    ],
)
def test_a_number_that_is_not_known_is_no_conclusion(case, changes, words):
    assert not number_is_known(figures(**changes))
    count = findings_of_labels(case, StageResult("done", figures=figures(**changes)))[0]
    assert count.outcome == "no conclusion"
    assert words in count.statement


def test_too_few_hidden_errors_check_nothing(case):
    few = {"uniform": {"stated": 0.9, "p": 0.001} | interval_figure(Interval(0.2, 0.0, 0.6, 5))}
    assert number_is_known(figures(hidden=few))
    assert findings_of_labels(case, StageResult("done", figures=figures(hidden=few)))[1].outcome == "no conclusion"
    assert findings_of_labels(case, StageResult("done", figures=figures(hidden={})))[1].outcome == "no conclusion"
