"""Commands that compute instead of training: an analysis -> store and executor -> results -> report."""

from __future__ import annotations

import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from byrote.cli.flags import TrainingFlags
from byrote.cli.interruption import told_how_to_go_on
from byrote.cli.writing import write
from byrote.errors import UserError
from byrote.runs.calculate import CalculationsFailed
from byrote.runs.calculate import calculate as run_calculations
from byrote.runs.executors import Executor
from byrote.runs.store import Store
from byrote.studies.analysis import Analysis


def calculate(
    analysis: Analysis,
    command: TrainingFlags,
    arguments: Sequence[str],
    out: Path,
    executor: Executor,
    device: str,
) -> int:
    """Computes what the store lacks, and writes the report. Returns the exit code."""
    started = time.monotonic()
    failures: Sequence[Any] = ()
    with (
        Store(out / "runs.db" if command.store is None else command.store) as store,
        told_how_to_go_on(store.name, out, arguments),
    ):
        try:
            results = run_calculations(analysis, store, executor, device=device)
        except CalculationsFailed as failed:
            results, failures = failed.results, failed.failures
            print(f"byrote: {failed}", file=sys.stderr)
        if results:
            write(analysis, results, out, arguments, failures, command.style, command.formats)
    print(f"{len(results)} of {len(results) + len(failures)} calculations, {time.monotonic() - started:.0f} s in all.")
    return 3 if failures else 0


def refuse_training_flags(command: TrainingFlags, name: str, *given: str) -> None:
    """Raises UserError for flags that what is called `name` would not heed: those given, and those of networks kept."""
    refused = [*given, *(flag for flag in ("keep_weights", "live") if getattr(command, flag))]
    if refused:
        flags = ", ".join("--" + flag.replace("_", "-") for flag in refused)
        raise UserError(f"got {flags}, which {name} has no use for: leave it out")
