import pytest

from byrote.runs.forecast import Forecast
from byrote.runs.time_left import TimeLeft
from byrote.training.spec import TrainSpec

SPECS = [TrainSpec(model="mlp-1x8", seed=seed) for seed in range(4)]


@pytest.fixture
def clock(monkeypatch):
    """Moves time by so many seconds."""
    now = [0.0]
    monkeypatch.setattr("time.monotonic", lambda: now[0])

    def move(seconds):
        now[0] += seconds

    return move


def left(at_most=(), unknown=()):
    return TimeLeft(Forecast({}, set(), dict.fromkeys(SPECS, 600.0), set(at_most), unknown))


def test_before_anything_has_happened_the_forecast_holds(clock):
    assert left().words() == "about 40 min left"
    assert left(SPECS).words() == "at most about 40 min left"


def test_what_has_ended_corrects_what_is_left(clock):
    time_left = left(SPECS)
    clock(60)
    time_left.finish(SPECS[0])
    assert time_left.words() == "about 3 min left"


def test_a_group_under_way_corrects_it_too(clock):
    time_left = left()
    clock(300)
    time_left.update(dict.fromkeys(SPECS, 0.25))
    assert time_left.words() == "about 15 min left"


def test_nothing_is_said_where_nothing_is_known(clock):
    time_left = TimeLeft(Forecast({}, set(), unknown=SPECS))
    assert time_left.words() == ""
    clock(60)
    time_left.finish(SPECS[0])
    assert time_left.words() == "about 3 min left"
