"""Groups are worked off wherever the executor takes them; what other processes have is waited for."""

from __future__ import annotations

import traceback
from dataclasses import dataclass

import pytest

from byrote.errors import StoreError, UserError, WorkerDied
from byrote.runs.groups import GroupReport, what_happened, work_off
from byrote.runs.local import Local
from byrote.runs.store import Store


@dataclass(frozen=True)
class Letters:
    keys: tuple[str, ...]


def work(groups, function, store, log=lambda _: None):
    here = Local(processes=1)

    def submit(group, *, again=False):
        return here.submit(function, group)

    return work_off(groups, submit, here, store, log)


def test_a_trace_belongs_to_every_key_of_its_group(store):
    lines: list[str] = []
    traces = work([Letters(("a", "b"))], lambda _: GroupReport(trace="Traceback\nE: no"), store, lines.append)
    assert traces == {"a": "Traceback\nE: no", "b": "Traceback\nE: no"}
    assert lines == ["a group of 2 runs failed: E: no"]


def test_an_executor_that_dies_is_a_failure_and_a_store_that_does_is_the_end(store):
    def dies(_):
        raise OSError("the worker died")

    traces = work([Letters(("a",))], dies, store)
    assert what_happened(traces["a"]) == "OSError: the worker died"

    def loses_the_store(_):
        raise StoreError("gone")

    with pytest.raises(StoreError, match="gone"):
        work([Letters(("a",))], loses_the_store, store)


def test_a_group_that_another_process_has_is_tried_again(tmp_path):
    other, mine = Store(tmp_path / "runs.db"), Store(tmp_path / "runs.db", lease_seconds=0.6)
    assert other.claim(["a"])
    lines: list[str] = []

    def log(line):
        lines.append(line)
        other.release(["a"])

    def try_it(group):
        with mine.lease(group.keys) as held:
            return GroupReport(held)

    assert work([Letters(("a",))], try_it, mine, log) == {}
    (line,) = lines
    assert line.startswith("waiting for 1 group of runs that other processes have leased; ")
    assert line.endswith("killed elsewhere is free after 1 s")


def test_what_dies_is_tried_as_often_as_the_executor_says(store):
    lines: list[str] = []

    def dies(_):
        raise WorkerDied("gone")

    traces = work([Letters(("a", "b"))], dies, store, lines.append)
    assert what_happened(traces["a"]) == "gone"
    assert lines == ["a worker died in a group of 2 runs: try 2 of 2", "a group of 2 runs failed: gone"]


def test_words_of_several_lines_are_told_by_their_first():
    try:
        try:
            raise KeyError("earlier")
        except KeyError:
            raise ValueError("first\nsecond") from None
    except ValueError:
        assert what_happened(traceback.format_exc()) == "ValueError: first"


def test_a_sentence_for_the_user_is_told_as_it_is():
    try:
        raise UserError("got a, expected b")
    except UserError:
        assert what_happened(traceback.format_exc()) == "got a, expected b"
