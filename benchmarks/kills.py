"""Studies whose processes are killed (SIGKILL) again and again, against the same study without a kill.

    python benchmarks/kills.py                      # 200 kills
    python benchmarks/kills.py --kills 12 --seconds 80

A study of small networks (a stack whose replicas leave one after another, Adam and dropout, batch norm and crops,
momentum) is run by a process of its own, or by one with two workers, with checkpoints every 0.4 s, or more often where
the machine is so fast that there would be few. It is killed once its first checkpoint is written; then at random
moments, or as soon as a checkpoint or a transaction of the store is seen to be under way: the process, one of its
workers, or all of them; and started again each time, until the study is complete. Asked for: no run lost, doubled or
changed in any bit, weights included, and no more work repeated than the checkpoints allow. What a kill has cost is
counted from the newest checkpoint of the group in training to the kill. Needs Linux: processes are forked, and found in
/proc.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import signal
import sqlite3
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any

import numpy as np

import byrote
from byrote.data.dataset import Dataset
from byrote.evidence.finding import Finding
from byrote.runs.local import Local
from byrote.runs.run import run
from byrote.runs.store import Store
from byrote.studies.study import Planned, Study, tabulate
from byrote.training.checkpoints import Keeper
from byrote.training.outcome import TrainOutcome
from byrote.training.spec import TrainSpec

_CHECKPOINT = 0.4
_CHECKPOINTS_A_STUDY = 40.0
_LEASE_SECONDS = 1.0
_MOST_SECONDS_A_START = 120.0
_MODES = ("driver", "all", "all", "worker")
_MOMENTS = ("any", "any", "checkpoint", "store")


@dataclass(frozen=True)
class Killed(Study):
    """Some groups of each kind."""

    data: Dataset
    epochs: int = 60

    name = "killed"
    title = "A study that is killed"

    def plan(self) -> list[Planned]:
        small: dict[str, Any] = {"n_train": 300, "batch_size": 32, "epochs": self.epochs}
        fewer = small | {"epochs": -(-self.epochs // 8), "learning_rate": 0.02}
        specs = [
            *(TrainSpec(model="mlp-2x64", learning_rate=0.05, seed=seed, **small) for seed in range(4)),
            TrainSpec(model="mlp-2x64", optimizer="Adam", momentum=0.0, dropout=0.3, learning_rate=0.002, **small),
            TrainSpec(model="resnet-1x8", augmentation="random-crop", **fewer),
            TrainSpec(model="conv-small", momentum=0.9, **fewer),
        ]
        return [Planned(spec) for spec in specs]

    def summarise(self, outcomes: Sequence[TrainOutcome]) -> Any:
        return tabulate(self.name, outcomes)

    def verdict(self, table: Any) -> list[Finding]:  # noqa: ARG002
        return []


def driven(study: Study, folder: Path, processes: int, checkpoint: float) -> int:
    """The id of a process that runs the study; it has ended well if its exit code is 0."""
    process = os.fork()
    if process:
        return process
    code = 1
    try:
        os.setsid()
        log = os.open(folder / "log", os.O_WRONLY | os.O_CREAT | os.O_APPEND)
        os.dup2(log, 1)
        os.dup2(log, 2)
        _note_beginnings(folder)
        with Store(folder / "runs.db", lease_seconds=_LEASE_SECONDS) as store:
            executor = Local(processes=processes)
            with executor:
                run(
                    study,
                    store,
                    executor,
                    device="cpu",
                    keep_weights=True,
                    checkpoint=checkpoint,
                    quiet=True,
                    on_log=lambda line: os.write(log, f"{line}\n".encode()),
                )
        code = 0
    finally:
        os._exit(code)


def _note_beginnings(folder: Path) -> None:
    """When a group begins, and when it has ended; of groups in this process."""
    start, remove = Keeper.__init__, Keeper.remove

    def began(self: Keeper, *arguments: Any) -> None:
        start(self, *arguments)
        (folder / f"{self.path.name}.began").touch()

    def ended(self: Keeper) -> bool:
        (folder / f"{self.path.name}.began").unlink(missing_ok=True)
        return remove(self)

    Keeper.__init__, Keeper.remove = began, ended  # type: ignore[method-assign]


def descendants(process: int) -> list[int]:
    """Of the process, with itself last."""
    children = Path(f"/proc/{process}/task/{process}/children")
    with suppress(OSError):
        return [each for child in children.read_text().split() for each in descendants(int(child))] + [process]
    return [process]


def killed(process: int, folder: Path, mode: str, moment: str, seconds: float) -> tuple[bool, str]:
    """Kills at that moment, or at least after so many seconds; gives whether the process still ran, and what was under
    way."""
    until, kept = time.monotonic() + seconds, folder / "runs.db.checkpoints"
    while time.monotonic() < until:
        if os.waitpid(process, os.WNOHANG)[0]:
            return False, ""
        if moment == "checkpoint" and kept.is_dir() and any(name.startswith(".") for name in os.listdir(kept)):
            break
        if moment == "kept" and any(kept.glob("*.checkpoint")):
            break
        if moment == "store" and (folder / "runs.db-journal").exists():
            break
        time.sleep(0.0005 if moment != "any" else 0.02)
    family = descendants(process)
    victims = {"driver": family[-1:], "all": family[::-1], "worker": family[:1]}[mode]
    for victim in victims:
        with suppress(ProcessLookupError):
            os.kill(victim, signal.SIGKILL)
    half = kept.is_dir() and any(name.startswith(".") for name in os.listdir(kept))
    under_way = "checkpoint" if half else "store" if (folder / "runs.db-journal").exists() else "training"
    if process in victims:
        os.waitpid(process, 0)
    return True, under_way


def repeated(folder: Path, started: float, now: float) -> float | None:
    """Seconds of work that a kill has cost, of the group that was in training."""
    marks = sorted(folder.glob("*.began"), key=lambda mark: mark.stat().st_mtime)
    if not marks or marks[-1].stat().st_mtime < started:
        return None  # it had not begun to train
    file = folder / "runs.db.checkpoints" / marks[-1].stem
    written = file.stat().st_mtime if file.exists() else 0.0
    return max(now - max(marks[-1].stat().st_mtime, written), 0.0)


def content(folder: Path) -> dict[str, Any]:
    """All that the store has, but for what took how long."""
    with Store(folder / "runs.db") as store:
        found = {}
        for outcome in store.outcomes():
            names = {field.name for field in fields(outcome)} - {"seconds"}
            own = {name: getattr(outcome, name) for name in names}
            found[outcome.key] = own | {"weights": store.weights(outcome.key)}
    return found


def same(a: Any, b: Any) -> bool:
    if isinstance(a, dict):
        return a.keys() == b.keys() and all(same(a[name], b[name]) for name in a)
    if isinstance(a, tuple) and any(isinstance(each, dict) for each in a):
        return len(a) == len(b) and all(map(same, a, b))
    if isinstance(a, np.ndarray) or hasattr(a, "numpy"):
        return np.asarray(a).tobytes() == np.asarray(b).tobytes()
    return a == b or a != a


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--kills", type=int, default=200)
    parser.add_argument("--seconds", type=float, default=float("inf"), help="no further study is begun after so many")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--workers", type=float, default=0.25, help="share of studies that two workers make")
    given = parser.parse_args()
    draw, study, started = random.Random(given.seed), Killed(byrote.load("digits")), time.monotonic()
    counts: Counter[str] = Counter()
    costs: list[float] = []
    with tempfile.TemporaryDirectory() as place:
        # All that is imported late, before the first fork.
        run(replace(study, epochs=1), Path(place) / "first.db", Local(processes=1), device="cpu", quiet=True)
        expected: dict[str, Any] = {}
        number, checkpoint = 0, _CHECKPOINT
        while counts["kills"] < given.kills and time.monotonic() - started < given.seconds:
            folder = Path(place) / str(number)
            folder.mkdir()
            processes = 2 if number and draw.random() < given.workers else 1
            moment = "kept"
            while True:
                mode = draw.choice(_MODES) if processes > 1 else "all"
                started_now = time.time()
                process = driven(study, folder, processes, checkpoint)
                is_over = not number or counts["kills"] >= given.kills
                seconds = draw.uniform(0.5, 4.0) + 8.0 * (processes - 1)
                if is_over or moment == "kept":
                    seconds = _MOST_SECONDS_A_START
                elif moment != "any":
                    time.sleep(draw.uniform(0.3, 2.0) + 6.0 * (processes - 1))
                was_running, under_way = killed(process, folder, mode, "any" if is_over else moment, seconds)
                now = time.time()
                if not was_running:
                    break
                if is_over:
                    print((folder / "log").read_text(), file=sys.stderr)
                    raise SystemExit("a study does not end")
                counts |= {"kills": counts["kills"] + 1}
                counts[f"of {mode if processes > 1 else 'the only process'}"] += 1
                counts[f"in {under_way}"] += 1
                if processes == 1 and (cost := repeated(folder, started_now, now)) is not None:
                    costs.append(cost)
                if mode == "worker":
                    _end(process)
                moment = draw.choice(_MOMENTS)
            found = content(folder)
            with sqlite3.connect(folder / "runs.db") as database:
                rows = [key for (key,) in database.execute("SELECT key FROM byrote_runs")]
            if not number:
                expected = found
                checkpoint = min(_CHECKPOINT, (time.time() - started_now) / _CHECKPOINTS_A_STUDY)
            counts["lost"] += len(expected.keys() - found.keys())
            counts["doubled"] += len(rows) - len(set(rows)) + len(found.keys() - expected.keys())
            counts["changed"] += sum(not same(found[key], expected[key]) for key in found.keys() & expected.keys())
            counts["resumed"] += (folder / "log").read_text().count("goes on from its checkpoint")
            counts["started over"] += (folder / "log").read_text().count("starts over")
            counts["left behind"] += len(list((folder / "runs.db.checkpoints").glob("*.checkpoint")))
            counts["studies"] += 1
            print(f"{number}: {dict(counts)} {time.monotonic() - started:.0f} s", file=sys.stderr, flush=True)
            number += 1
    figures = {
        **counts,
        "repeated_seconds": {"most": max(costs, default=0.0), "mean": float(np.mean(costs or [0.0])), "of": len(costs)},
        "seconds": time.monotonic() - started,
    }
    print(json.dumps(figures, indent=2))
    return int(any(counts[what] for what in ("lost", "doubled", "changed")))


def _end(process: int) -> None:
    """Whoever goes on without the worker that was killed is left to do so, until the study is complete."""
    until = time.monotonic() + _MOST_SECONDS_A_START
    while time.monotonic() < until:
        if os.waitpid(process, os.WNOHANG)[0]:
            return
        time.sleep(0.05)
    raise SystemExit("a study does not end after a worker was killed")


if __name__ == "__main__":
    sys.exit(main())
