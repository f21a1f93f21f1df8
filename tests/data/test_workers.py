import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from functools import partial
from operator import truediv
from pathlib import Path

import pytest
from gated import until

from byrote.data import workers
from byrote.data.workers import map_in_order
from byrote.errors import UserError


@pytest.fixture(autouse=True)
def two_cores(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(workers, "num_usable_cores", lambda: 2)


both = pytest.mark.parametrize("processes", [False, True], ids=["threads", "processes"])


@both
def test_results_come_in_the_order_of_the_tasks(processes: bool) -> None:
    assert list(map_in_order(str, range(100), processes=processes)) == list(map(str, range(100)))
    assert list(map_in_order(str, [], processes=processes)) == []


@both
def test_few_tasks_are_in_hand(processes: bool) -> None:
    taken = 0

    def tasks() -> Iterator[int]:
        nonlocal taken
        while taken < 100:
            taken += 1
            yield taken

    with closing(map_in_order(str, tasks(), processes=processes)) as results:
        for number, _ in enumerate(results, 1):
            assert taken <= number + 2 * 4
            if number == 50:
                break


@both
def test_errors_are_raised_here(processes: bool) -> None:
    with closing(map_in_order(partial(truediv, 1), [1, 0, 1], processes=processes)) as results:
        assert next(results) == 1
        with pytest.raises(ZeroDivisionError):
            next(results)


@pytest.mark.parametrize(("end", "argument", "code"), [(signal.raise_signal, 9, -9), (os._exit, 3, 3)])
def test_a_worker_that_ends_too_early_is_an_error(end, argument: int, code: int) -> None:
    with (
        closing(map_in_order(end, [argument], processes=True)) as results,
        pytest.raises(UserError, match=rf"^a worker process ended too early \(code {code}; .*: make room and run it"),
    ):
        next(results)


def test_what_a_worker_prints_is_no_result(capfd: pytest.CaptureFixture[str]) -> None:
    assert list(map_in_order(print, ["hello"], processes=True)) == [None]
    assert list(map_in_order(os.system, ["echo hello"], processes=True)) == [0]


def is_running(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


@pytest.mark.skipif(sys.platform != "linux", reason="looks into /proc")
@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGINT, signal.SIGTERM])
def test_workers_end_with_their_process(number: signal.Signals, tmp_path: Path) -> None:
    """As from Ctrl-C the signal goes to all of the terminal's foreground. The script has no guard."""
    (tmp_path / "slowly.py").write_text("import os, time\ndef pid(_):\n    time.sleep(0.05)\n    return os.getpid()\n")
    (tmp_path / "script.py").write_text(
        "from slowly import pid\nfrom byrote.data.workers import map_in_order\n"
        "for pid in map_in_order(pid, range(10_000), processes=True): print(pid, flush=True)\n"
    )
    script = subprocess.Popen(
        [sys.executable, tmp_path / "script.py"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    pids = {int(script.stdout.readline()) for _ in range(10)}
    os.killpg(script.pid, number)
    assert script.stderr.read().count("Traceback") == (number == signal.SIGINT)
    assert script.wait() == -number
    until(lambda: not any(map(is_running, pids)))
