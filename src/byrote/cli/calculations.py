"""Commands that compute instead of training: an analysis -> store and executor -> results -> report."""

from __future__ import annotations

import sys
import time
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import Any

from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn

from byrote.cli.flags import TrainingFlags
from byrote.cli.writing import interrupted, write
from byrote.errors import UserError
from byrote.runs.calculate import CalculationsFailed
from byrote.runs.calculate import calculate as run_calculations
from byrote.runs.executors import Executor
from byrote.runs.store import Store
from byrote.studies.analysis import Analysis
from byrote.theory.calculation import Calculation, Computed


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
    planned = {calculation.key(analysis.data): calculation for calculation in analysis.plan()}
    failures: Sequence[Any] = ()
    with Store(command.store or out / "runs.db") as store:
        display = CalculationDisplay(len(planned), len(store.computed(planned)))
        try:
            with display:
                results = run_calculations(
                    analysis,
                    store,
                    executor,
                    device=device,
                    on_stage=display.update,
                    on_log=display.log,
                    on_computed=display.finish,
                )
        except CalculationsFailed as failed:
            results, failures = failed.results, failed.failures
            print(f"byrote: {failed}", file=sys.stderr)
        except KeyboardInterrupt:
            return interrupted(store.name, out, arguments)
    if results:
        write(analysis, results, out, arguments, failures, command.style, command.formats)
    print(f"{len(results)} of {len(planned)} calculations, {time.monotonic() - started:.0f} s in all.")
    return 3 if failures else 0


def refuse_training_flags(command: TrainingFlags, name: str, *given: str) -> None:
    """Raises UserError for flags that what is called `name` would not heed: those given, and those of networks kept."""
    refused = [*given, *(flag for flag in ("keep_weights", "live") if getattr(command, flag))]
    if refused:
        flags = ", ".join("--" + flag.replace("_", "-") for flag in refused)
        raise UserError(f"got {flags}, which {name} has no use for: leave it out")


class CalculationDisplay:
    """Takes the callbacks of `calculate` and shows them on standard error; a context manager.

    A terminal gets a bar with the stage; a file, a pipe or a dumb terminal a line a stage and a line a result.
    """

    def __init__(self, num_calculations: int, num_done: int) -> None:
        self._num_calculations = num_calculations
        self._num_done = num_done
        self._stage = ("", "")
        console = Console(stderr=True, highlight=False)
        self._bar: Progress | None = None
        if console.is_terminal and not console.is_dumb_terminal:
            columns = (BarColumn(bar_width=20), MofNCompleteColumn(), TextColumn("{task.description}"))
            self._bar = Progress(*columns, console=console, transient=True)
            self._task = self._bar.add_task("", total=num_calculations, completed=num_done)

    def __enter__(self) -> CalculationDisplay:
        if self._bar is not None:
            self._bar.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._bar is not None:
            self._bar.stop()

    def log(self, line: str) -> None:
        if self._bar is not None:
            self._bar.console.print(escape(line))
        else:
            print(line, file=sys.stderr, flush=True)

    def update(self, calculation: Calculation, stage: str, share: float) -> None:
        """Where the calculation stands."""
        if self._bar is not None:
            self._bar.update(self._task, description=escape(f"{calculation.label}: {stage}, {share:.0%}"))
        elif (calculation.label, stage) != self._stage:
            self._stage = (calculation.label, stage)
            self.log(f"{calculation.label}: {stage}")

    def finish(self, computed: Computed) -> None:
        """A calculation has ended and is stored."""
        self._num_done += 1
        self.log(f"{self._num_done}/{self._num_calculations}  {computed.calculation.label}: {computed.seconds:.1f} s")
        if self._bar is not None:
            self._bar.update(self._task, completed=self._num_done)
