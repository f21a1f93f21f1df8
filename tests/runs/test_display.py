import io
import sys

import pytest

from byrote.runs.display import Display, each


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


def test_each_callback_is_called_and_none_makes_none():
    seen = []
    assert each(None, None) is None
    assert each(None, seen.append) == seen.append
    each(seen.append, None, lambda value: seen.append(-value))(3)
    assert seen == [3, -3]
