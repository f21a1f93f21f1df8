"""Where groups of runs are trained: in this process or in others of this machine, or by Ray's workers."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from types import TracebackType
from typing import Any, ClassVar, Generic, TypeVar

from byrote.training.outcome import TrainOutcome

T = TypeVar("T")
E = TypeVar("E", bound="Executor")
Train = Callable[..., Iterator[TrainOutcome]]
"""`engine.train`, or what is called in its place with its arguments."""


@dataclass(frozen=True)
class Need:
    """What a call takes."""

    threads: int = 1
    num_bytes: int = 0
    seconds: float = 0.0
    """As the planner counts them: about how much there is to do."""
    alone: bool = False
    """Whether nothing else may run beside it, as where it has a device or the machine to itself."""


class Job(ABC, Generic[T]):
    """A call that was submitted."""

    @abstractmethod
    def result(self) -> T:
        """Waits for the call; returns what it returned, or raises what it raised.

        Raises:
            WorkerDied: the process that made it has ended.
        """


class Executor(ABC):
    """Runs functions somewhere. A context manager, which ends what it has started."""

    most_tries: ClassVar[int]
    """How often a call is made, at most, of which process after process dies."""

    @property
    def num_machines(self) -> int:
        """How many machines calls are made on, all of which have to reach the store."""
        return 1

    @property
    def num_cores(self) -> int | None:
        """That groups are planned for; None is all of this machine."""
        return None

    @property
    def trains(self) -> Train | None:
        """What trains a group in place of the engine."""
        return None

    @abstractmethod
    def share(self, value: Any) -> Any:
        """Something that stands for `value` as an argument of many calls, sent once."""

    @abstractmethod
    def callback(self, function: Callable[..., None]) -> Callable[..., None]:
        """Something that stands for `function` as an argument of calls: what calls it there calls it here, in the
        thread that waits for jobs."""

    @abstractmethod
    def side_by_side(self, needs: Sequence[Need]) -> int:
        """How many such calls are made at once, as far as that is known."""

    @abstractmethod
    def submit(
        self,
        function: Callable[..., T],
        *args: Any,
        need: Need = Need(),
        again: bool = False,
    ) -> Job[T]:
        """Calls `function(*args)`.

        Args:
            again: a process has ended in this call, which is therefore not made in this one.
        """

    @abstractmethod
    def as_completed(self, jobs: Sequence[Job[T]]) -> Iterator[Job[T]]:
        """The jobs, each when it has ended."""

    @abstractmethod
    def cancel(self, jobs: Sequence[Job[Any]]) -> list[Job[Any]]:
        """Ends those early that have not ended yet; gives those that it had to end by force."""

    @abstractmethod
    def close(self) -> None:
        """Ends what it has started; it may be used again."""

    def __enter__(self: E) -> E:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()
