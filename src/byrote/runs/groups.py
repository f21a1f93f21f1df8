"""Groups of work under one lease each, handed to an executor until every group is done, here or by another process."""

from __future__ import annotations

import re
import time
import traceback
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Protocol, TypeVar, runtime_checkable

from byrote.errors import StoreError
from byrote.runs.executors import Job
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
    log: list[str] = field(default_factory=list)
    """Lines that could not be sent while they were new."""
    stored: list[str] = field(default_factory=list)
    """Keys of the results that could not be announced while they were new."""


def work_off(
    groups: Sequence[W],
    submit: Callable[[W], Job[GroupReport]],
    store: Store,
    log: OnLog,
    announce: Callable[[list[str]], None],
) -> dict[str, str]:
    """Submits the groups, or waits for the processes that have them; gives the traceback for each key that failed.

    `announce` is called with the keys of results that an executor could not announce itself.
    """
    traces: dict[str, str] = {}
    num_waiting = 0
    while groups:
        jobs = [(group, submit(group)) for group in groups]
        left: list[W] = []
        try:
            for group, job in jobs:
                report = _report_of(job)
                for line in report.log:
                    log(line)
                announce(report.stored)
                if not report.held:
                    left.append(group)
                if report.trace:
                    log(f"a group of {len(group.keys)} runs failed: {what_happened(report.trace)}")
                    traces |= dict.fromkeys(group.keys, report.trace)
        finally:
            for _, job in jobs:
                job.cancel()
        groups = left
        if groups:
            if num_waiting != len(groups):
                num_waiting = len(groups)
                plural = "s" if num_waiting > 1 else ""
                log(f"waiting for {num_waiting} group{plural} of runs that other processes have leased")
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


def _report_of(job: Job[GroupReport]) -> GroupReport:
    try:
        return job.result()
    except StoreError:
        raise
    except Exception:  # not the work itself, but what should have done it: a worker that died
        return GroupReport(trace=traceback.format_exc())
