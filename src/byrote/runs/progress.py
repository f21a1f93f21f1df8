"""How far a study is: a bar with rate and time left on a terminal, one plain line a finished task elsewhere."""

from __future__ import annotations

import math
from typing import NamedTuple

from byrote.runs.display import Display
from byrote.runs.time_left import TimeLeft
from byrote.studies.study import Finished
from byrote.theory.calculation import Calculation
from byrote.training.outcome import Progress as Standing
from byrote.training.outcome import TrainOutcome


class CalculationProgress(NamedTuple):
    """Where a calculation stands."""

    calculation: Calculation
    name: str
    share: float
    """Of this stage, what is done."""
    time_left: str = ""
    """Of the whole plan, in words; "" where it is not known."""


class ProgressDisplay(Display):
    """Takes the callbacks of `run`; its bar has rate and time left.

    Args:
        num_all: how many tasks there are.
        num_done: how many of them the store has already.
        time_left: which is told elsewhere what has ended.
    """

    def __init__(self, num_all: int, num_done: int, time_left: TimeLeft) -> None:
        super().__init__(num_all, num_done, left="")
        self._time_left = time_left
        self._last_line = ""
        self._stage = ("", "")

    def log(self, line: str) -> None:
        """Shows a line, unless the one before said the same."""
        if line == self._last_line:
            return
        self._last_line = line
        self.print(line)

    def update(self, standing: Standing | CalculationProgress) -> None:
        """Where the group in training stands, or the calculation; where there is no bar, each stage is a line."""
        if isinstance(standing, CalculationProgress):
            what = f"{standing.calculation.label}: {standing.name}"
            self.describe(f"{what}, {standing.share:.0%}", left=_with_comma(standing.time_left))
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
        self.describe(description, left=_with_comma(standing.time_left))

    def finish(self, result: Finished) -> None:
        """A task has ended and is stored."""
        end = describe_end(result) if isinstance(result, TrainOutcome) else f"{result.seconds:.1f} s"
        self.count(f"{result.task.label}: {end}", left=_with_comma(self._time_left.words()))


def describe_end(outcome: TrainOutcome) -> str:
    """How a run has ended, in words."""
    if outcome.fitted:
        end = f"fitted after {outcome.steps_to_fit:,} steps"
    else:
        why = {"epochs": " (its limit of epochs)", "non-finite loss": " (non-finite loss)"}.get(outcome.stop_reason, "")
        end = f"not fitted after {outcome.steps_run:,} steps{why}"
    # Studies that test nothing have one example there, since there must be one.
    tested = f", test accuracy {outcome.test_accuracy:.3f}" if outcome.n_test > 1 else ""
    return f"{end}, train accuracy {outcome.train_accuracy:.3f}{tested}, {outcome.seconds:.1f} s"


def _with_comma(words: str) -> str:
    return words and f"{words},"
