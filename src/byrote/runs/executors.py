"""Where groups of runs are trained: in this process or in others of this machine, or by Ray's workers."""

from __future__ import annotations

import signal
import threading
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Generic, TypeVar, final

from byrote.errors import UserError, WorkerDied

T = TypeVar("T")
E = TypeVar("E", bound="Executor")


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

    @abstractmethod
    def share(self, value: Any) -> Any:
        """Something that stands for `value` as an argument of many calls, sent once."""

    @abstractmethod
    def callback(self, function: Callable[..., None]) -> Callable[..., None] | None:
        """Something that stands for `function` as an argument of calls: what calls it there calls it here, in the
        thread that waits for jobs. None where nothing can be heard of a call before it ends."""

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


@final
class Ray(Executor):
    """On a Ray cluster: the one at `address`, else one on this machine.

    Each call takes `num_cpus` cores and `num_gpus` devices. The store must be one that all machines reach: a
    PostgreSQL URL, or a file if there is one machine.

    Raises:
        UserError: Ray is not installed.
    """

    def __init__(self, address: str | None = None, *, num_cpus: float = 1.0, num_gpus: float = 0.0) -> None:
        try:
            import ray
        except ImportError as error:
            raise UserError(
                "got the executor ray, but Ray is not installed: pip install 'byrote[ray]', or use local"
            ) from error
        self._ray = ray
        # A dead worker is told of; Ray would otherwise try again, after lack of memory for ever.
        self._remote_call = ray.remote(num_cpus=num_cpus, num_gpus=num_gpus, max_retries=0)(_call)
        if not ray.is_initialized():
            on_sigterm = signal.getsignal(signal.SIGTERM)
            ray.init(address=address, include_dashboard=None if address else False, log_to_driver=False)
            if on_sigterm is not None and threading.current_thread() is threading.main_thread():
                signal.signal(signal.SIGTERM, on_sigterm)  # Ray's own ends the process at once

    def share(self, value: Any) -> Any:
        return self._ray.put(value)

    def callback(self, function: Callable[..., None]) -> None:  # noqa: ARG002
        return None

    def side_by_side(self, needs: Sequence[Need]) -> int:  # noqa: ARG002
        return 1

    def submit(
        self,
        function: Callable[..., T],
        *args: Any,
        need: Need = Need(),  # noqa: ARG002
        again: bool = False,  # noqa: ARG002
    ) -> Job[T]:
        return _RayJob(self._ray, self._remote_call.remote(function, *args))

    def as_completed(self, jobs: Sequence[Job[T]]) -> Iterator[Job[T]]:
        by_reference = {job.reference: job for job in jobs if isinstance(job, _RayJob)}
        left = list(by_reference)
        while left:
            ended, left = self._ray.wait(left)
            yield from (by_reference[reference] for reference in ended)

    def cancel(self, jobs: Sequence[Job[Any]]) -> list[Job[Any]]:
        for job in jobs:
            if isinstance(job, _RayJob):
                self._ray.cancel(job.reference)
        return []

    def close(self) -> None:
        """Leaves the cluster as it is."""


def _call(function: Callable[..., T], *args: Any) -> T:
    """Ray takes functions alone, not classes or built-ins."""
    return function(*args)


@final
class _RayJob(Job[T]):
    def __init__(self, ray: Any, reference: Any) -> None:
        self._ray = ray
        self.reference = reference

    def result(self) -> T:
        errors = self._ray.exceptions
        try:
            return self._ray.get(self.reference)
        except (errors.WorkerCrashedError, errors.OutOfMemoryError, errors.NodeDiedError) as error:
            raise WorkerDied(str(error)) from error
