"""Where groups of runs are trained: in this process, or by Ray's workers."""

from __future__ import annotations

import signal
import threading
from abc import ABC, abstractmethod
from collections.abc import Callable
from functools import partial
from typing import Any, ClassVar, Generic, TypeVar, final

from byrote.errors import UserError

T = TypeVar("T")


class Job(ABC, Generic[T]):
    """A call that was submitted, with the verbs of concurrent.futures."""

    @abstractmethod
    def result(self) -> T:
        """Waits for the call; returns what it returned, or raises what it raised."""

    @abstractmethod
    def done(self) -> bool:
        """Whether the call has ended, in whatever way; asking starts nothing."""

    @abstractmethod
    def cancel(self) -> None:
        """Ends the call early, if it has not ended yet."""


class Executor(ABC):
    """Runs functions somewhere."""

    in_process: ClassVar[bool]
    """Whether functions run in this process, so that callbacks reach the caller while they run."""

    @abstractmethod
    def share(self, value: Any) -> Any:
        """Something that stands for `value` as an argument of many calls, sent once."""

    @abstractmethod
    def submit(self, function: Callable[..., T], *args: Any) -> Job[T]:
        """Calls `function(*args)`."""


@final
class Local(Executor):
    """In this process, one call after another, each when its job is first asked for: so an interrupt, or an
    error that ends everything, leaves the rest unstarted."""

    in_process = True

    def share(self, value: Any) -> Any:
        return value

    def submit(self, function: Callable[..., T], *args: Any) -> Job[T]:
        return _LocalJob(partial(function, *args))


@final
class Ray(Executor):
    """On a Ray cluster: the one at `address`, else one on this machine.

    Each call takes `num_cpus` cores and `num_gpus` devices. The store must be one that all machines reach: a
    PostgreSQL URL, or a file if there is one machine.

    Raises:
        UserError: Ray is not installed.
    """

    in_process = False

    def __init__(self, address: str | None = None, *, num_cpus: float = 1.0, num_gpus: float = 0.0) -> None:
        try:
            import ray
        except ImportError as error:
            raise UserError(
                "got the executor ray, but Ray is not installed: pip install 'byrote[ray]', or use local"
            ) from error
        self._ray = ray
        # A dead worker is reported; Ray would otherwise try again, after lack of memory for ever.
        self._remote_call = ray.remote(num_cpus=num_cpus, num_gpus=num_gpus, max_retries=0)(_call)
        if not ray.is_initialized():
            on_sigterm = signal.getsignal(signal.SIGTERM)
            ray.init(address=address, include_dashboard=None if address else False, log_to_driver=False)
            if on_sigterm is not None and threading.current_thread() is threading.main_thread():
                signal.signal(signal.SIGTERM, on_sigterm)  # Ray's own ends the process at once

    def share(self, value: Any) -> Any:
        return self._ray.put(value)

    def submit(self, function: Callable[..., T], *args: Any) -> Job[T]:
        return _RayJob(self._ray, self._remote_call.remote(function, *args))


def _call(function: Callable[..., T], *args: Any) -> T:
    """Ray takes functions alone, not classes or built-ins."""
    return function(*args)


@final
class _LocalJob(Job[T]):
    def __init__(self, call: Callable[[], T]) -> None:
        self._call: Callable[[], T] | None = call
        self._value: Any = None
        self._error: Exception | None = None

    def result(self) -> T:
        self._run()
        if self._error is not None:
            raise self._error
        return self._value

    def done(self) -> bool:
        return self._call is None

    def cancel(self) -> None:
        """Nothing to do: a call that has started has ended before anybody can ask."""

    def _run(self) -> None:
        if self._call is None:
            return
        call, self._call = self._call, None
        try:
            self._value = call()
        except Exception as error:
            self._error = error


@final
class _RayJob(Job[T]):
    def __init__(self, ray: Any, reference: Any) -> None:
        self._ray = ray
        self._reference = reference

    def result(self) -> T:
        return self._ray.get(self._reference)

    def done(self) -> bool:
        return bool(self._ray.wait([self._reference], timeout=0)[0])

    def cancel(self) -> None:
        self._ray.cancel(self._reference)
