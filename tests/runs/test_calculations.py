"""Calculations go through the store like runs: each once, resumed after a kill, their failures kept apart."""

from __future__ import annotations

import os
import signal
import sqlite3
import subprocess
import sys
import textwrap
from pathlib import Path

import numpy as np
import pytest
from squares import DATA, Square, Squares, made

from byrote.data.dataset import Dataset
from byrote.errors import StoreError
from byrote.runs.run import RunsFailed, run
from byrote.runs.store import Store


@pytest.fixture(autouse=True)
def _nothing_made_yet() -> None:
    made.clear()


def test_results_come_in_the_order_of_the_plan_whole(store):
    stages: list[tuple[str, str, float]] = []
    results = run(
        Squares([3, 1, 2]),
        store,
        device="cpu",
        on_progress=lambda at: stages.append((at.calculation.label, at.name, at.share)),
    )
    assert [result.values["square"] for result in results] == [9, 1, 4]
    assert [result.calculation for result in results] == Squares([3, 1, 2]).tasks()
    assert np.isnan(results[0].values["missing"])
    np.testing.assert_array_equal(results[0].arrays["upto"], [0, 1, 2])
    assert results[0].environment["device"] == "cpu"
    assert stages[0] == ("the square of 3", "multiplying", 0.5)


def test_what_is_stored_is_not_computed_again(store):
    new: list[int] = []
    lines: list[str] = []
    run(Squares([1, 2]), store)
    made.clear()
    run(Squares([2, 3]), store, on_log=lines.append, on_result=lambda result: new.append(result.values["square"]))
    assert made == [3]
    assert new == [9]
    assert lines[0] == "1 of 2 calculations are in the store already"


def test_other_data_or_another_version_is_another_calculation(store, monkeypatch):
    run(Squares([2]), store)
    other = Dataset("four other points", DATA.test, DATA.train.take(np.arange(3)), DATA.class_names)
    run(Squares([2], other), store)
    monkeypatch.setattr(Square, "version", 2)
    run(Squares([2]), store)
    assert made == [2, 2, 2]


def test_a_failure_leaves_the_rest(store):
    with pytest.raises(RunsFailed, match=r"1 of 3 calculations failed.*the square of -1.*-1 is negative") as info:
        run(Squares([1, -1, 2]), store)
    assert [result.values["square"] for result in info.value.results] == [1, 4]
    assert "ArithmeticError" in info.value.failures[0].trace


def test_a_store_without_calculations_is_an_ordinary_store(store):
    assert store.results({"key": Square(number=1)}) == {}
    assert run(Squares([]), store) == []


def test_a_result_is_stored_once(store):
    (result,) = run(Squares([2]), store)
    assert not store.put(result)


def test_a_damaged_result_says_so_and_is_made_again(store, tmp_path):
    (result,) = run(Squares([2]), store)
    with sqlite3.connect(tmp_path / "runs.db") as connection:
        connection.execute("update byrote_calculations set \"values\" = replace(\"values\", '4', '5')")
    with pytest.raises(StoreError, match="is damaged"):
        store.results({result.key: result.calculation})
    lines = []
    (again,) = run(Squares([2]), store, on_log=lines.append)
    assert again.values == result.values
    assert lines[0] == "1 damaged calculation in the store: made again"


@pytest.mark.slow
def test_a_killed_process_loses_only_what_it_was_computing(tmp_path):
    """kill -9 in the second calculation: the first stays, and nobody waits for the lease of the second to expire."""
    lease_seconds = 1e6 if sys.platform.startswith("linux") else 2.0
    script = tmp_path / "work.py"
    script.write_text(
        textwrap.dedent(
            f"""
            import sys, time
            sys.path[:0] = [{str(Path(__file__).parents[1])!r}]
            import squares as t
            from byrote.runs.run import run
            from byrote.runs.store import Store
            compute = t.Square.compute
            def slow(self, data, context):
                if self.number == 2:
                    print("at 2", flush=True)
                    time.sleep(600)
                return compute(self, data, context)
            t.Square.compute = slow
            run(t.Squares([1, 2]), Store({str(tmp_path / "runs.db")!r}, lease_seconds={lease_seconds}))
            """
        )
    )
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)}
    process = subprocess.Popen([sys.executable, str(script)], stdout=subprocess.PIPE, text=True, env=environment)
    assert process.stdout is not None
    assert process.stdout.readline().strip() == "at 2"
    process.send_signal(signal.SIGKILL)
    process.wait()
    again = run(Squares([1, 2]), tmp_path / "runs.db")
    assert made == [2]
    assert [result.values["square"] for result in again] == [1, 4]


def test_stores_of_one_file_share_results(tmp_path):
    run(Squares([2]), Store(tmp_path / "runs.db"))
    made.clear()
    run(Squares([2]), Store(tmp_path / "runs.db"))
    assert made == []
