from __future__ import annotations

from byrote.runs.read_ahead import ReadAhead

KEYS = [f"run {number}" for number in range(1000)]


def reader(num_bytes=100):
    asked = []

    def read(keys):
        asked.append(len(keys))
        return {key: {"curve": key.upper()} for key in keys}, num_bytes * len(keys)

    ahead = ReadAhead(read)
    ahead.keys = KEYS
    return ahead, asked


def test_in_their_order_more_and_more_are_read_at_once():
    ahead, asked = reader()
    for _ in range(2):  # the three columns of a table are read by three passes over all runs
        assert [ahead(key)["curve"] for key in KEYS] == [key.upper() for key in KEYS]
    assert sum(asked) == 2 * len(KEYS)
    assert max(asked) == 256
    assert len(asked) < 30


def test_a_run_asked_for_again_is_there():
    ahead, asked = reader()
    assert ahead("run 7") is ahead("run 7")
    assert asked == [1]


def test_those_that_are_drawn_out_of_many_are_read_alone():
    ahead, asked = reader()
    for key in KEYS[10::50]:
        ahead(key)
    assert asked == [1] * 20


def test_large_ones_are_not_held_together():
    ahead, asked = reader(num_bytes=3 * 2**20)
    for key in KEYS[:20]:
        ahead(key)
    assert max(asked) == 2
