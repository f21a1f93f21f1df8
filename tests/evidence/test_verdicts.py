import pytest

from byrote.evidence.intervals import Interval
from byrote.evidence.verdicts import exceeds, sum_up

YES, NO, OPEN = "supported", "not supported", "no conclusion"
NAN = float("nan")


@pytest.mark.parametrize(
    ("low", "high", "outcome"),
    [
        (0.3, 0.5, YES),
        (0.1, 0.2, NO),
        (0.2, 0.3, OPEN),
        (0.25, 0.3, OPEN),
        (0.2, 0.25, OPEN),
        (NAN, NAN, OPEN),
        (0.4, 0.4, OPEN),
    ],
)
def test_an_interval_decides_once_it_lies_on_one_side(low, high, outcome):
    assert exceeds(Interval((low + high) / 2, low, high, 5), 0.25) == outcome


@pytest.mark.parametrize(
    ("outcomes", "outcome"),
    [
        ([YES], YES),
        ([YES, YES], YES),
        ([YES, YES, OPEN], OPEN),
        ([YES, OPEN], OPEN),
        ([YES, *[OPEN] * 17], OPEN),
        ([YES, YES, YES, NO], NO),
        ([NO, OPEN, OPEN], NO),
        ([OPEN, OPEN], OPEN),
        ([], OPEN),
    ],
)
def test_all_must_hold_and_none_may_fail(outcomes, outcome):
    assert sum_up(outcomes) == outcome
