"""Whole commands with one process and with one for each core: start, data, training, report and all.

    python benchmarks/processes.py                          # the demo
    python benchmarks/processes.py --commands demo stability rademacher judge regularization --rounds 1

Asked on two cores: the demo in at most half the time. `judge` and `regularization` take many minutes each. Rates are
commands an hour. The most memory that the command's own process took is stated, and the most that a worker did. Compare
on a machine that does nothing else: beside other programs two processes get twice the share of one; the seconds of CPU
that all took together are stated too.
"""

from __future__ import annotations

import resource
import subprocess
import sys
import tempfile
import time
from functools import partial
from pathlib import Path

import measure

COMMANDS = {
    "demo": "demo",
    "stability": "measure stability --data digits",
    "rademacher": "measure rademacher --data digits",
    "judge": "judge --data digits",
    "regularization": "reproduce regularization --data digits",
}
_TINY = {"demo": "demo --n-train 100 --epochs 3"}
_SECONDS_BETWEEN_LOOKS = 0.2


def an_hour(command: str, processes: str, noted: dict[str, dict[str, float]]) -> float:
    """Such commands an hour, by one; notes the most mebibytes that its processes took, and the seconds of CPU."""
    own = noted.setdefault(f"{command} --processes {processes}", {"main": 0, "worker": 0, "cpu_seconds": 0})
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    with tempfile.TemporaryDirectory() as folder:
        arguments = [*command.split(), "--processes", processes, "--device", "cpu", "--out", folder]
        start = time.perf_counter()
        with subprocess.Popen(
            [sys.executable, "-m", "byrote", *arguments], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        ) as process:
            while process.poll() is None:
                own["main"] = max(own["main"], _peak(process.pid))
                own["worker"] = max([own["worker"], *map(_peak, _children(process.pid))])
                time.sleep(_SECONDS_BETWEEN_LOOKS)
        if process.returncode:
            raise RuntimeError(f"byrote {' '.join(arguments)} ended with code {process.returncode}")
        took = time.perf_counter() - start
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    own["cpu_seconds"] = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return 3600 / took


def _children(pid: int) -> list[int]:
    file = Path(f"/proc/{pid}/task/{pid}/children")
    return [int(child) for child in file.read_text().split()] if file.is_file() else []


def _peak(pid: int) -> int:
    """In mebibytes; 0 where the system does not say."""
    try:
        lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    except OSError:
        return 0
    return next((int(line.split()[1]) // 1024 for line in lines if line.startswith("VmHWM")), 0)


def main() -> None:
    parser = measure.arguments(__doc__, data=False)
    parser.add_argument("--commands", nargs="+", choices=COMMANDS, default=["demo"], help="which to measure")
    options = parser.parse_args()
    commands = _TINY if options.quick else {name: COMMANDS[name] for name in options.commands}
    several = "2" if options.quick else "auto"
    noted: dict[str, dict[str, float]] = {}
    contenders = {
        f"{name}, processes {processes}": partial(an_hour, command, processes, noted)
        for name, command in commands.items()
        for processes in ("1", several)
    }
    rates = measure.interleave(contenders, 1 if options.quick else options.rounds)
    median = measure.medians(rates)
    ratios = [
        measure.Ratio(
            f"{name}: {several} / 1",
            median[f"{name}, processes {several}"] / median[f"{name}, processes 1"],
            ">= 2" if name == "demo" else "",
        )
        for name in commands
    ]
    measure.write("processes", rates, ratios, options, unit="commands/h", most_mebibytes_and_cpu=noted)


if __name__ == "__main__":
    main()
