import io
import sys

import pytest
from squares import Square, Squares

from byrote.runs.display import CalculationDisplay, Display, each
from byrote.theory.calculation import compute


@pytest.fixture
def shown(monkeypatch):
    """What a display of three, one of them done already, writes to standard error while a second one ends."""

    def play(*, is_terminal, term="xterm"):
        stream = io.StringIO()
        stream.isatty = lambda: is_terminal
        monkeypatch.setattr(sys, "stderr", stream)
        monkeypatch.setenv("TERM", term)
        monkeypatch.setenv("COLUMNS", "100")
        with Display(3, 1, left="an hour") as display:
            display.describe("[half] way", left="a minute")
            display.print("[by the way]")
            display.count("the [second]", left="a second")
            assert display.has_bar == (is_terminal and term != "dumb")
        return stream.getvalue()

    return play


@pytest.mark.parametrize("where", [{"is_terminal": False}, {"is_terminal": True, "term": "dumb"}])
def test_without_a_bar_there_are_lines_alone(shown, where):
    assert shown(**where) == "[by the way]\n2/3  the [second]\n"


def test_a_terminal_has_a_bar_below_the_lines(shown):
    text = shown(is_terminal=True)
    assert "[by the way]" in text
    assert "2/3  the [second]" in text
    for words in ("1/3", "an hour", "[half] way", "2/3", "a second"):
        assert words in text


@pytest.mark.parametrize("is_terminal", [True, False])
def test_a_terminal_sees_stages_move_and_a_file_sees_each_once(is_terminal, monkeypatch):
    stream = io.StringIO()
    stream.isatty = lambda: is_terminal  # type: ignore[method-assign]
    monkeypatch.setattr(sys, "stderr", stream)
    monkeypatch.setenv("TERM", "xterm")
    square = Square(number=2)
    with CalculationDisplay(2, 0) as display:
        display.update(square, "adding", 0.0)
        display.update(square, "adding", 0.5)
        display.update(square, "multiplying", 0.5)
        display.finish(compute(square, Squares([2]).data))
    lines = stream.getvalue()
    assert "1/2  the square of 2: " in lines
    if not is_terminal:
        assert lines.splitlines()[:2] == ["the square of 2: adding", "the square of 2: multiplying"]


def test_each_callback_is_called_and_none_makes_none():
    seen = []
    assert each(None, None) is None
    assert each(None, seen.append) == seen.append
    each(seen.append, None, lambda value: seen.append(-value))(3)
    assert seen == [3, -3]
