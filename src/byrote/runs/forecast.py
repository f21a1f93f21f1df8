"""What there is to make of a plan, and about how long it takes, before it is made and while it is."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field

from byrote.data.dataset import Dataset
from byrote.studies.study import Planned, Task
from byrote.theory.calculation import Calculation
from byrote.training.cost import demand_of, speed_of
from byrote.training.planner import Compile, seconds_compiled
from byrote.training.spec import TrainSpec

_PROCESS_BYTES = 400e6
"""Of Python and torch."""
_BYTES_A_RUN, _BYTES_A_PREDICTION, _BYTES_A_CALCULATION = 12e3, 0.5, 20e3
"""In the store: curves and early steps, compressed; a class of a test example; and a calculation's arrays."""


@dataclass(frozen=True)
class Forecast:
    """What the store lacks of a plan, and what that takes."""

    plan: Mapping[str, Planned]
    """By the keys of its tasks."""
    stored: AbstractSet[str]
    """Keys of what is there already."""
    seconds: Mapping[Task, float] = field(default_factory=dict)
    """Of each that is to be made and whose cost is known, on cores that do nothing else."""
    at_most: AbstractSet[Task] = frozenset()
    """Those of them that may end earlier: at interpolation, or where a search has found what it seeks."""
    unknown: Sequence[Task] = ()
    """Those that are to be made, of which no cost is known."""
    num_bytes: float = 0.0
    """Of memory, in the largest group."""
    disk_bytes: float = 0.0

    def parts(self) -> dict[str, Forecast]:
        """Of the runs of each model, and of the calculations of each name."""
        kinds: dict[str, dict[str, Planned]] = {}
        for key, planned in self.plan.items():
            kinds.setdefault(kind_of(planned.task), {})[key] = planned
        return {kind: self._of(own) for kind, own in kinds.items()}

    def _of(self, plan: Mapping[str, Planned]) -> Forecast:
        tasks = {planned.task for planned in plan.values()}
        return Forecast(
            plan,
            self.stored & plan.keys(),
            {task: seconds for task, seconds in self.seconds.items() if task in tasks},
            self.at_most & tasks,
            [task for task in self.unknown if task in tasks],
        )

    @property
    def num_runs(self) -> int:
        """Planned, stored or not."""
        return sum(isinstance(planned.task, TrainSpec) for planned in self.plan.values())

    @property
    def num_calculations(self) -> int:
        """How many calculations the plan has."""
        return len(self.plan) - self.num_runs

    @property
    def num_conditions(self) -> int:
        """Runs and calculations that differ in more than their seed."""
        return len({planned.task.model_copy(update={"seed": 0}) for planned in self.plan.values()})

    @property
    def num_left(self) -> int:
        """How many tasks are not stored yet."""
        return len(self.seconds) + len(self.unknown)

    @property
    def total_seconds(self) -> float:
        """The work of those of which it is known, one after another."""
        return math.fsum(self.seconds.values())

    @property
    def is_at_most(self) -> bool:
        """Whether a good part of the time may not be needed."""
        return math.fsum(self.seconds[task] for task in self.at_most) > _GOOD_PART * self.total_seconds

    def sentence(self) -> str:
        """How much there is to make, and how long that takes."""
        kinds = [f"{number:,} {word}{'s' * (number != 1)}" for word, number in self._counts().items() if number]
        less = "; less where networks fit early" if self.is_at_most else ""
        how_long = f", {self.time()}{less}" if self.seconds else "; how long that takes is not known"
        return f"{' and '.join(kinds) or 'nothing'} to make{how_long if self.num_left else ''}"

    def time(self) -> str:
        """In words."""
        if not self.num_left:
            return "no time"
        if not self.seconds:
            return "not known"
        time = about(self.total_seconds, at_most=self.is_at_most)
        return f"{time}, and {len(self.unknown):,} of which it is not known" if self.unknown else time

    def _counts(self) -> dict[str, int]:
        left = [*self.seconds, *self.unknown]
        num_runs = sum(isinstance(task, TrainSpec) for task in left)
        return {"run": num_runs, "calculation": len(left) - num_runs}


_GOOD_PART = 0.1


def kind_of(task: Task) -> str:
    """Tasks that turn out alike: runs of one model, calculations of one name."""
    return task.model if isinstance(task, TrainSpec) else task.name


def foresee(
    plan: Mapping[str, Planned],
    groups: Iterable[tuple[Mapping[str, TrainSpec], Dataset]],
    stored: AbstractSet[str],
    data: Dataset,
    device: str,
    *,
    compile: Compile = "auto",  # noqa: A002
    num_with_weights: int = 0,
    num_workers: int = 1,
) -> Forecast:
    """What it takes to make all of a plan that is not stored.

    Args:
        plan: by the keys of its tasks.
        groups: of runs by their keys, all groups that the store does not have whole: these are trained whole.
        data: of the study.
        compile: whether steps of runs are compiled.
        num_with_weights: runs whose weights are kept.
        num_workers: processes that work side by side.
    """
    seconds: dict[Task, float] = {}
    at_most: set[Task] = set()
    unknown: list[Task] = []
    largest, weights = 0.0, 0
    for runs, own in groups:
        specs = list(runs.values())
        missing = [spec for key, spec in runs.items() if key not in stored]
        try:
            demand = demand_of(specs, own)
        except Exception:  # of the user's own model, which says so itself when it is trained
            unknown += missing
            continue
        stepwise = speed_of(device, specs[0].precision).seconds(demand.work)
        whole = seconds_compiled(stepwise, specs, own, device, compile)
        each = whole / len(missing) / num_workers
        seconds |= dict.fromkeys(missing, each)
        if demand.work.is_most:
            at_most |= set(missing)
        largest, weights = max(largest, demand.num_bytes), max(weights, demand.num_weights)
    for key, planned in plan.items():
        if isinstance(planned.task, Calculation) and key not in stored:
            try:
                work = planned.task.work(planned.data or data)
            except Exception:  # likewise
                work = None
            if work is None:
                unknown.append(planned.task)
                continue
            seconds[planned.task] = speed_of(device).seconds(work) / num_workers
            if work.is_most:
                at_most.add(planned.task)
    num_runs = sum(isinstance(task, TrainSpec) for task in seconds)
    disk = num_runs * (_BYTES_A_RUN + _BYTES_A_PREDICTION * len(data.test)) + num_with_weights * 8.0 * weights
    disk += (len(seconds) + len(unknown) - num_runs) * _BYTES_A_CALCULATION
    memory = _PROCESS_BYTES + largest
    return Forecast(plan, stored, seconds, at_most, unknown, memory, disk)


def together(forecasts: Sequence[Forecast]) -> Forecast:
    """Of all of them; what two of them plan is there once."""
    if len(forecasts) == 1:
        return forecasts[0]
    plan = {key: planned for each in forecasts for key, planned in each.plan.items()}
    seconds = {task: own for each in forecasts for task, own in each.seconds.items()}
    unknown = [task for each in forecasts for task in each.unknown]
    made = {*seconds, *unknown}
    return Forecast(
        plan,
        {key for key, planned in plan.items() if planned.task not in made},
        seconds,
        set().union(*(each.at_most for each in forecasts)),
        unknown,
        max((each.num_bytes for each in forecasts), default=0.0),
        sum(each.disk_bytes for each in forecasts),
    )


def about(seconds: float, *, at_most: bool = False) -> str:
    """A length of time, to one or two digits: it is an estimate."""
    words = _about(seconds)
    return f"at most {words}" if at_most else words


def _about(seconds: float) -> str:
    if seconds < 7.5:
        return "a few seconds"
    if seconds < 90:
        return f"about {_rounded(seconds, 5 if seconds < 30 else 10)} s"
    if seconds < 90 * 60:
        minutes = seconds / 60
        return f"about {_rounded(minutes, 1 if minutes < 10 else 5)} min"
    hours = seconds / 3600
    return f"about {_rounded(hours, 1 if hours < 10 else 5)} h" if hours < 48 else f"about {hours / 24:.0f} days"


def _rounded(value: float, step: int) -> int:
    return max(step, step * round(value / step))


def size(num_bytes: float) -> str:
    """Of memory or a disk, in the unit that fits."""
    for unit, amount in (("GB", 1e9), ("MB", 1e6)):
        if num_bytes >= amount:
            return f"{num_bytes / amount:.1f} {unit}" if num_bytes < 10 * amount else f"{num_bytes / amount:.0f} {unit}"
    return f"{max(num_bytes / 1e3, 1):.0f} kB"
