"""Groups of work under one lease each, handed to an executor until every group is done, here or by another process."""

from __future__ import annotations

import re
import time
import traceback
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, Protocol, TypeVar, runtime_checkable

from byrote.errors import RankLost, StoreError, WorkerDied
from byrote.runs.executors import Executor, Job
from byrote.runs.store import Store

OnLog = Callable[[str], None]


@runtime_checkable
class Workload(Protocol):
    """What is worked on together, whichever part of it is missing: resuming then gives the same bits."""

    @property
    def keys(self) -> Sequence[str]: ...


W = TypeVar("W", bound=Workload)


@dataclass(frozen=True)
class GroupReport:
    """What became of a group in the hands of an executor."""

    held: bool = True
    """False: another process has leased it."""
    trace: str = ""
    """Empty if nothing was raised."""


@runtime_checkable
class Submit(Protocol):
    """Has an executor work on a group; `again` after a process has ended in it."""

    def __call__(self, group: Any, /, *, again: bool = False) -> Job[GroupReport]: ...


def work_off(
    groups: Sequence[W],
    submit: Submit,
    executor: Executor,
    store: Store,
    log: OnLog,
) -> dict[str, str]:
    """Submits the groups, or waits for the processes that have them; gives the traceback for each key that failed.

    A group in which a worker has died is submitted again, as often as the executor says.
    """
    traces: dict[str, str] = {}
    num_waiting = 0
    while groups:
        left = {submit(group): group for group in groups}
        tries = dict.fromkeys(left, 1)
        leased: list[W] = []
        try:
            ended: Iterator[Job[GroupReport]] = iter(())
            while left:
                job = next(ended, None) or next(ended := executor.as_completed(list(left)))
                group = left.pop(job)
                try:
                    report = job.result()
                except (RankLost, StoreError):
                    raise
                except WorkerDied:
                    store.release(group.keys)  # else the lease of the dead would have to expire
                    number = tries[job] + 1
                    if number <= executor.most_tries:
                        log(
                            f"a worker died in a group of {len(group.keys)} runs: try {number} of {executor.most_tries}"
                        )
                        job = submit(group, again=True)
                        left[job], tries[job] = group, number
                        ended = iter(())  # this one is waited for with the others
                        continue
                    report = GroupReport(trace=traceback.format_exc())
                except Exception:  # not the work itself, but what should have done it
                    report = GroupReport(trace=traceback.format_exc())
                if not report.held:
                    leased.append(group)
                if report.trace:
                    log(f"a group of {len(group.keys)} runs failed: {what_happened(report.trace)}")
                    traces |= dict.fromkeys(group.keys, report.trace)
        finally:
            for job in executor.cancel(list(left)):
                with suppress(StoreError):  # they then expire by themselves
                    store.release(left[job].keys)
        groups = leased
        if groups:
            if num_waiting != len(groups):
                num_waiting = len(groups)
                plural = "s" if num_waiting > 1 else ""
                log(
                    f"waiting for {num_waiting} group{plural} of runs that other processes have leased; what one holds "
                    f"that was killed elsewhere is free after {store.lease_seconds:.0f} s"
                )
            time.sleep(min(store.lease_seconds / 6, 1.0))
    return traces


def what_happened(trace: str) -> str:
    """What a traceback says happened: the first line of its last exception's words, which may have several; a sentence
    for the user as it is.
    """
    lines = trace.strip().splitlines()
    frames = [number for number, line in enumerate(lines) if line.startswith('  File "')]
    after = lines[frames[-1] + 1 :] if frames else lines[-1:]
    last = next((line for line in after if line and not line.startswith(" ")), lines[-1])
    return re.sub(r"^byrote\.errors\.\w+: ", "", last)
