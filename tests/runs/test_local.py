"""Worker processes: that they are not to be noticed, but by the time that they save."""

from __future__ import annotations

import os
import shutil
import signal
import sqlite3
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from fake_engine import SmallStudy, assert_equal, real_points
from gated import Gate, until

from byrote.errors import UserError
from byrote.runs import local
from byrote.runs.executors import Need
from byrote.runs.local import Local
from byrote.runs.run import run
from byrote.runs.store import Store

ALL: list[dict[str, Any]] = [{"threads": 4}, {"alone": True}, {"num_bytes": 2**50}]
MODELS = ("mlp-1x4", "mlp-1x5", "mlp-2x4")

SCRIPT = """
import os
import sys
from typing import ClassVar

import torch

import byrote
from byrote.theory.calculation import Calculation, Result

sys.path.insert(0, {tests!r})
from fake_engine import SmallStudy, real_points
from byrote.runs.local import Local
from byrote.studies.study import Planned
import beside

class Net(torch.nn.Module):
    def __init__(self, input_shape, num_classes):
        super().__init__()
        print("made in", os.getpid())
        self.linear = torch.nn.Linear(input_shape[0], num_classes)

    def forward(self, inputs):
        return self.linear(inputs) * beside.SCALE

class Sum(Calculation):
    name: ClassVar[str] = "sum-of-inputs"
    number: int

    @property
    def label(self):
        return f"sum {{self.number}}"

    def compute(self, data, context):
        return Result({{"sum": float(data.train.inputs.sum()) + self.number, "pid": os.getpid()}})

class Own(SmallStudy):
    def plan(self):
        return [*super().plan(), *(Planned(Sum(number=number)) for number in range(2))]

study = Own(2, real_points(), tuple(map(byrote.name_of, (Net, lambda **sizes: Net(**sizes)))))
results = byrote.run(study, "runs.db", Local(processes=2), device="cpu", quiet=True)
again = byrote.run(study, "runs.db", Local(processes=1), device="cpu", quiet=True)
assert [result.key for result in results] == [result.key for result in again]
print(len(results), "results in", os.getpid())
"""

LONG = """
import sys
from dataclasses import dataclass

import byrote
from byrote.cli.interruption import ending_like_ctrl_c
from byrote.runs import worker

sys.path.insert(0, {tests!r})
from fake_engine import SmallStudy, real_points
from byrote.studies.study import Planned

class Long(SmallStudy):
    def plan(self):
        first, *others = super().plan()
        endless = {{"stop": "at_steps", "steps": 10**7}}
        return [first, *(Planned(planned.task.model_copy(update=endless)) for planned in others)]

def say(_):
    print("trains", file=sys.stderr, flush=True)

byrote.run(SmallStudy(1, real_points(), {models!r}[:1]), "runs.db", device="cpu", quiet=True)
study = Long(1, real_points(), {models!r})
# However long a worker takes to tidy up.
patience = "worker._SECONDS_TO_TIDY_UP = 300.0"
exec(patience)
worker._SERVE = worker._SERVE.replace("serve(", f"from byrote.runs import worker; {{patience}}; serve(")
with ending_like_ctrl_c():
    byrote.run(study, "runs.db", byrote.Local(processes=2), device="cpu", compile="off", on_progress=say)
"""


@pytest.fixture(scope="module")
def two():
    """Whose workers stay: to start one takes seconds."""
    with Local(processes=2) as executor:
        yield executor


def test_results_are_the_same_with_any_number_of_processes(tmp_path, two):
    study = SmallStudy(3, real_points(), MODELS)
    lines: list[str] = []
    side_by_side = run(study, tmp_path / "two.db", two, device="cpu", keep_weights=True, quiet=True)
    assert len(two._idle) == 2
    alone = run(study, tmp_path / "one.db", Local(processes=1), device="cpu", keep_weights=True, quiet=True)
    for one, other in zip(side_by_side, alone, strict=True):
        assert_equal(replace(one, seconds=0.0), replace(other, seconds=0.0))
        states = (Store(tmp_path / f"{name}.db").weights(one.key) for name in ("two", "one"))
        for state, want in zip(*states, strict=True):
            assert_equal(state, want)
    run(study, tmp_path / "two.db", Local(processes=1), device="cpu", on_log=lines.append, on_progress=pytest.fail)
    assert lines == ["9 of 9 runs are in the store already"]


@pytest.mark.slow
@pytest.mark.skipif(shutil.which("g++") is None, reason="needs g++")
def test_steps_compiled_by_workers_side_by_side_are_those_of_one_process(tmp_path, monkeypatch):
    """Both compile at once, into one folder that is empty."""
    monkeypatch.setenv("TORCHINDUCTOR_CACHE_DIR", str(tmp_path / "cache"))
    study = SmallStudy(2, real_points(), MODELS)
    first, second = (
        run(study, tmp_path / f"{processes}.db", Local(processes=processes), device="cpu", compile="on")
        for processes in (2, 1)
    )
    for one, other in zip(first, second, strict=True):
        assert one.environment["compiled"] == other.environment["compiled"] == "yes"
        assert_equal(one.curve, other.curve)


def test_a_killed_worker_costs_its_group_once_more(tmp_path, two):
    gate = Gate(tmp_path, num_calls=12)

    def kill() -> None:
        os.kill(int(gate.waiting()), signal.SIGKILL)
        gate.open()

    lines: list[str] = []
    study = SmallStudy(2, real_points(), (gate.model, *MODELS))
    with ThreadPoolExecutor(1) as thread:
        killing = thread.submit(kill)
        results = run(study, tmp_path / "runs.db", two, device="cpu", on_log=lines.append)
        killing.result()
    assert not any("waiting" in line for line in lines), "the lease of the dead is freed"
    assert sum("try 2 of 2" in line for line in lines) == 1
    for one, other in zip(results, run(study, tmp_path / "one.db", Local(processes=1), device="cpu"), strict=True):
        assert_equal(one.curve, other.curve)


@pytest.mark.slow
def test_code_that_no_file_leads_to_and_files_beside_it_reach_workers(tmp_path):
    """A script without a guard, whose classes are its own."""
    (tmp_path / "beside.py").write_text("SCALE = 2.0\n")
    (tmp_path / "script.py").write_text(SCRIPT.format(tests=str(Path(__file__).parent)))
    done = subprocess.run(
        [sys.executable, "script.py"], cwd=tmp_path, capture_output=True, text=True, check=False, timeout=400
    )
    assert done.returncode == 0, done.stderr
    count, driver = done.stdout.splitlines()[-1].split(" results in ")
    assert count == "6"
    workers = {line.split()[-1] for line in done.stderr.splitlines() if line.startswith("made in")} - {driver}
    assert workers, done.stderr
    assert not any(line.startswith("made in") and line.split()[-1] in workers for line in done.stdout.splitlines())
    assert "cannot be sent" not in done.stderr
    assert not any(is_alive(int(pid)) for pid in workers)


@pytest.mark.skipif(not Path("/proc").is_dir(), reason="looks for processes in /proc")
@pytest.mark.parametrize(
    "number",
    [
        pytest.param(number, id=number.name, marks=[pytest.mark.slow] * (number != signal.SIGKILL))
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGKILL)
    ],
)
def test_whatever_ends_this_process_ends_its_workers(number, tmp_path):
    (tmp_path / "tmp").mkdir()
    program = LONG.format(tests=str(Path(__file__).parent), models=MODELS)
    with subprocess.Popen(
        [sys.executable, "-c", program],
        cwd=tmp_path,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "TMPDIR": str(tmp_path / "tmp")},
    ) as driver:
        assert driver.stderr is not None
        lines = iter(driver.stderr)
        until(lambda: "trains" in next(lines))
        until(lambda: stored(tmp_path) == 1)
        workers = children(driver.pid)
        assert len(workers) == 2
        driver.send_signal(number)
        until(lambda: not any(map(is_alive, workers)))
        driver.wait(300)
    with closing(sqlite3.connect(tmp_path / "runs.db")) as database:
        assert database.execute("SELECT COUNT(*) FROM byrote_leases").fetchone() == (0,)
    assert stored(tmp_path) == 1
    until(lambda: not list((tmp_path / "tmp").glob("byrote-*")))


def test_what_cannot_be_sent_is_made_here_and_says_so(two):
    class Unsendable:
        def __reduce__(self):
            raise TypeError("it is mine")

        def __call__(self):
            return os.getpid()

    jobs = [two.submit(function) for function in (Unsendable(), os.getpid)]
    with pytest.warns(UserWarning, match="is made in this one: TypeError: it is mine"):
        here, elsewhere = [job.result() for job in jobs]
    assert here == os.getpid() != elsewhere


def test_output_of_workers_is_told_on_standard_error(capsys, two):
    jobs = [two.submit(print, word) for word in ("two", "words")]
    for job in jobs:
        job.result()
    said = capsys.readouterr()
    assert (said.out, sorted(said.err.split())) == ("", ["two", "words"])


def test_callbacks_are_called_here_while_a_call_lasts(two):
    heard: list[tuple[object, ...]] = []
    tell = two.callback(lambda *words: heard.append((os.getpid(), *words)))
    jobs = [two.submit(tell, number, "told") for number in range(2)]
    for job in jobs:
        job.result()
    assert sorted(heard) == [(os.getpid(), 0, "told"), (os.getpid(), 1, "told")]


def test_settings_paths_and_the_folder_are_those_of_this_process(tmp_path, monkeypatch, two):
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(tmp_path)
    (tmp_path / "only_here.py").write_text(
        "import os\nimport torch\n\ndef seen():\n    return os.getcwd(), settings()\n"
        "\ndef settings():\n    return torch.are_deterministic_algorithms_enabled(), torch.get_num_threads()\n"
    )
    import only_here

    torch.use_deterministic_algorithms(True)
    try:
        jobs = [two.submit(only_here.seen) for _ in range(2)]
        assert {job.result() for job in jobs} == {(str(tmp_path), (True, torch.get_num_threads()))}
    finally:
        torch.use_deterministic_algorithms(False)


# Which calls run where


def test_little_work_a_single_call_and_calls_that_need_all_are_made_here(monkeypatch):
    monkeypatch.setattr(local, "num_physical_cores", lambda: 4)
    much = Need(seconds=1e3)

    assert Local().side_by_side([much, much]) == 2
    assert Local().side_by_side([Need(seconds=0.1)] * 9) == 1
    assert Local(processes=2).side_by_side([Need()] * 9) == 2
    for needs in ([], [much], *([replace(much, **all_of_it)] * 3 for all_of_it in ALL)):
        assert Local().side_by_side(needs) == 1
    assert Local(processes=1).side_by_side([much] * 3) == 1


def test_so_many_run_at_once_as_cores_and_memory_hold(monkeypatch):
    monkeypatch.setattr(local, "num_physical_cores", lambda: 4)
    monkeypatch.setattr(local, "total_memory", lambda: 8 * 2**30)

    def most(need: Need, **options: Any) -> int:
        return Local(**options).side_by_side([replace(need, seconds=1e3)] * 20)

    assert most(Need()) == 4
    assert most(Need(threads=2)) == 2
    assert most(Need(num_bytes=2 * 2**30)) == 2
    assert most(Need(), processes=3) == 3
    assert most(Need(), processes=9) == 9
    assert most(Need(threads=4), processes=3) == 1


@pytest.mark.parametrize("processes", [0, -1, True])
def test_other_numbers_of_processes_are_refused(processes):
    with pytest.raises(UserError, match=r"got processes=.*, expected auto, or a number from 1 on"):
        Local(processes)


def children(pid: int) -> list[int]:
    return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


def is_alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def stored(folder: Path) -> int:
    with closing(sqlite3.connect(folder / "runs.db")) as database:
        return int(database.execute("SELECT COUNT(*) FROM byrote_runs").fetchone()[0])
