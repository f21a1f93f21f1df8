"""How far a study is: a bar with rate and time left on a terminal, one plain line a finished task elsewhere."""

from __future__ import annotations

import math
import time
from collections import Counter, defaultdict
from collections.abc import Sequence
from typing import NamedTuple

from byrote.runs.display import Display
from byrote.studies.study import Finished, Task
from byrote.theory.calculation import Calculation
from byrote.training.outcome import Progress as Standing
from byrote.training.outcome import TrainOutcome
from byrote.training.spec import TrainSpec


class Stage(NamedTuple):
    """Where a calculation stands."""

    calculation: Calculation
    name: str
    share: float
    """Of this stage, what is done."""


class ProgressDisplay(Display):
    """Takes the callbacks of `run`; its bar has rate and time left.

    Args:
        tasks: those still to do.
        num_done: how many more the store has already.
    """

    def __init__(self, tasks: Sequence[Task], num_done: int = 0) -> None:
        super().__init__(len(tasks) + num_done, num_done, left="")
        self._left = Counter(_kind(task) for task in tasks)
        self._seconds: defaultdict[str, list[float]] = defaultdict(list)
        self._last = time.monotonic()
        self._last_line = ""
        self._stage = ("", "")

    def log(self, line: str) -> None:
        """Shows a line, unless the one before said the same."""
        if line == self._last_line:
            return
        self._last_line = line
        self.print(line)

    def update(self, standing: Standing | Stage) -> None:
        """Where the group in training stands, or the calculation; where there is no bar, each stage is a line."""
        if isinstance(standing, Stage):
            what = f"{standing.calculation.label}: {standing.name}"
            self.describe(f"{what}, {standing.share:.0%}", left=self._time_left())
            if not self.has_bar and (standing.calculation.label, standing.name) != self._stage:
                self._stage = (standing.calculation.label, standing.name)
                self.print(what)
            return
        what = standing.specs[0].label if len(standing.specs) == 1 else f"{len(standing.specs)} networks"
        description = (
            f"{what}: epoch {standing.epoch + math.ceil(standing.fraction):,}, "
            f"loss {standing.train_loss.mean():.3g}, accuracy {standing.running_accuracy.mean():.3f}, "
            f"{standing.examples_per_second:,.0f} examples/s"
        )
        self.describe(description, left=self._time_left())

    def finish(self, result: Finished) -> None:
        """A task has ended and is stored."""
        now, kind = time.monotonic(), _kind(result.task)
        self._seconds[kind].append(now - self._last)
        self._last = now
        self._left[kind] -= 1
        end = describe_end(result) if isinstance(result, TrainOutcome) else f"{result.seconds:.1f} s"
        self.count(f"{result.task.label}: {end}", left=self._time_left())

    def _time_left(self) -> str:
        """From the mean time between ends, of tasks of the same kind where there are any."""
        every = [seconds for own in self._seconds.values() for seconds in own]
        if not every:
            return ""
        expected = sum(count * _mean(self._seconds.get(kind, every)) for kind, count in self._left.items() if count > 0)
        left = max(0.0, expected - (time.monotonic() - self._last))
        return f"about {left / 60:.0f} min left," if left > 90 else f"about {left:.0f} s left,"


def describe_end(outcome: TrainOutcome) -> str:
    if outcome.fitted:
        end = f"fitted after {outcome.steps_to_fit:,} steps"
    else:
        end = f"not fitted after {outcome.steps_run:,} steps ({outcome.stop_reason})"
    return (
        f"{end}, train accuracy {outcome.train_accuracy:.3f}, test accuracy {outcome.test_accuracy:.3f}, "
        f"{outcome.seconds:.1f} s"
    )


def _kind(task: Task) -> str:
    """Tasks that take about as long: runs of one model, calculations of one name."""
    return task.model if isinstance(task, TrainSpec) else task.name


def _mean(values: Sequence[float]) -> float:
    return sum(values) / len(values)
