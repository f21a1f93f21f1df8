import io
import sys

import numpy as np
import pytest
from squares import Square, Squares

from byrote.runs.forecast import Forecast
from byrote.runs.progress import CalculationProgress, ProgressDisplay
from byrote.runs.time_left import TimeLeft
from byrote.theory.calculation import compute
from byrote.training.engine import train
from byrote.training.outcome import Progress
from byrote.training.spec import TrainSpec


class Stream(io.StringIO):
    def __init__(self, is_terminal):
        super().__init__()
        self.isatty = lambda: is_terminal


@pytest.fixture(scope="module")
def outcomes(tiny):
    specs = [TrainSpec(model="mlp-1x4", stop="at_steps", steps=2, n_train=20, seed=seed) for seed in range(2)]
    return list(train(specs, tiny, device="cpu"))


def standing(*specs):
    values = np.full(len(specs), 0.5)
    return Progress(specs, 2, 0.5, 7, values, values, 1234.0, "about 2 min left")


@pytest.fixture
def show(outcomes, monkeypatch):
    """What a display writes to standard error."""

    def play(*, is_terminal):
        stream = Stream(is_terminal)
        monkeypatch.setattr(sys, "stderr", stream)
        _play(outcomes)
        return stream.getvalue()

    return play


def _play(outcomes):
    specs = [outcome.spec for outcome in outcomes]
    time_left = TimeLeft(Forecast({}, set(), dict.fromkeys(specs, 60.0)))
    with ProgressDisplay(3, 1, time_left) as display:
        display.log("one by one [because]")
        display.log("one by one [because]")
        for outcome in outcomes:
            display.update(standing(outcome.spec))
            time_left.finish(outcome.spec)
            display.finish(outcome)
        display.update(standing(*specs))


def test_a_file_gets_one_plain_line_a_run(show, outcomes):
    lines = show(is_terminal=False).splitlines()
    assert lines[0] == "one by one [because]"
    assert len(lines) == 1 + len(outcomes)
    assert lines[1].startswith("2/3  mlp-1x4, true-labels, seed 0: ")
    assert lines[2].startswith("3/3  mlp-1x4, true-labels, seed 1: ")
    assert "after 2 steps" in lines[1]
    assert "test accuracy" in lines[1]


def test_a_dumb_terminal_gets_no_control_codes(show, monkeypatch):
    monkeypatch.setenv("TERM", "dumb")
    text = show(is_terminal=True)
    assert "\x1b" not in text
    assert "\r" not in text


def test_a_terminal_gets_a_bar_with_rate_and_time_left(show, monkeypatch):
    monkeypatch.setenv("TERM", "xterm-256color")
    monkeypatch.setenv("COLUMNS", "160")
    text = show(is_terminal=True)
    assert "one by one [because]" in text
    assert "1,234 examples/s" in text
    assert "about 2 min left," in text
    assert "3/3" in text


@pytest.mark.parametrize("is_terminal", [True, False])
def test_a_terminal_sees_stages_move_and_a_file_sees_each_once(is_terminal, monkeypatch):
    stream = io.StringIO()
    stream.isatty = lambda: is_terminal  # type: ignore[method-assign]
    monkeypatch.setattr(sys, "stderr", stream)
    monkeypatch.setenv("TERM", "xterm")
    square = Square(number=2)
    with ProgressDisplay(2, 1, TimeLeft(Forecast({}, set()))) as display:
        display.update(CalculationProgress(square, "adding", 0.0))
        display.update(CalculationProgress(square, "adding", 0.5))
        display.update(CalculationProgress(square, "multiplying", 0.5))
        display.finish(compute(square, Squares([2]).data))
    lines = stream.getvalue()
    assert "2/2  the square of 2: " in lines
    if not is_terminal:
        assert lines.splitlines()[:2] == ["the square of 2: adding", "the square of 2: multiplying"]
