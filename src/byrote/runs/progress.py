"""How far training is: a bar with rate and time left on a terminal, one plain line a finished run elsewhere."""

from __future__ import annotations

import math
import time
from collections import Counter, defaultdict
from collections.abc import Sequence

from byrote.data.corruptions.catalog import TRUE_LABELS
from byrote.references import short_name
from byrote.runs.display import Display
from byrote.training.outcome import Progress as Standing
from byrote.training.outcome import TrainOutcome
from byrote.training.spec import TrainSpec


class ProgressDisplay(Display):
    """Takes the callbacks of `run`; its bar has rate and time left.

    Args:
        specs: the runs still to do.
        num_done: how many more the store has already.
    """

    def __init__(self, specs: Sequence[TrainSpec], num_done: int = 0) -> None:
        super().__init__(len(specs) + num_done, num_done, left="")
        self._left = Counter(spec.model for spec in specs)
        self._seconds: defaultdict[str, list[float]] = defaultdict(list)
        self._last = time.monotonic()
        self._last_line = ""

    def log(self, line: str) -> None:
        """Shows a line, unless the one before said the same."""
        if line == self._last_line:
            return
        self._last_line = line
        self.print(line)

    def update(self, standing: Standing) -> None:
        """Where the group in training stands."""
        what = describe(standing.specs[0]) if len(standing.specs) == 1 else f"{len(standing.specs)} networks"
        description = (
            f"{what}: epoch {standing.epoch + math.ceil(standing.fraction):,}, "
            f"loss {standing.train_loss.mean():.3g}, accuracy {standing.running_accuracy.mean():.3f}, "
            f"{standing.examples_per_second:,.0f} examples/s"
        )
        self.describe(description, left=self._time_left())

    def finish(self, outcome: TrainOutcome) -> None:
        """A run has ended and is stored."""
        now = time.monotonic()
        self._seconds[outcome.spec.model].append(now - self._last)
        self._last = now
        self._left[outcome.spec.model] -= 1
        self.count(f"{describe(outcome.spec)}: {describe_end(outcome)}", left=self._time_left())

    def _time_left(self) -> str:
        """From the mean time between ends, of runs of the same model where there are any."""
        every = [seconds for own in self._seconds.values() for seconds in own]
        if not every:
            return ""
        expected = sum(
            count * _mean(self._seconds.get(model, every)) for model, count in self._left.items() if count > 0
        )
        left = max(0.0, expected - (time.monotonic() - self._last))
        return f"about {left / 60:.0f} min left," if left > 90 else f"about {left:.0f} s left,"


def describe(spec: TrainSpec) -> str:
    corruption = "+".join(short_name(each.label) for each in spec.corruptions) or TRUE_LABELS
    rate = f" {spec.corruption_rate:g}" if 0 < spec.corruption_rate < 1 else ""
    return f"{short_name(spec.model)}, {corruption}{rate}, seed {spec.seed}"


def describe_end(outcome: TrainOutcome) -> str:
    if outcome.fitted:
        end = f"fitted after {outcome.steps_to_fit:,} steps"
    else:
        end = f"not fitted after {outcome.steps_run:,} steps ({outcome.stop_reason})"
    return (
        f"{end}, train accuracy {outcome.train_accuracy:.3f}, test accuracy {outcome.test_accuracy:.3f}, "
        f"{outcome.seconds:.1f} s"
    )


def _mean(values: Sequence[float]) -> float:
    return sum(values) / len(values)
