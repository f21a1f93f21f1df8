"""On a Ray cluster."""

from __future__ import annotations

import importlib
import itertools
import logging
import math
import pickle
import signal
import threading
import time
import weakref
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from typing import Any, TypeVar, final

from byrote.errors import UserError, WorkerDied
from byrote.runs.executors import Executor, Job, Need

T = TypeVar("T")

_SECONDS_BETWEEN_MESSAGES = 0.5
"""Of one worker, and between two looks for those of all: what is called more often waits so long."""
_PATIENCE_A_CALL = 2e-5
"""Seconds between two looks for what has ended, for each call that is left: ten times what it adds to a look."""


@final
class Ray(Executor):
    """On a Ray cluster: the one at `address`, else one on this machine.

    Each call takes as many cores as it needs threads, `num_cpus` at least, and `num_gpus` devices. The store must be
    one that all machines reach: a PostgreSQL URL, or a file if there is one machine. A call whose worker or machine
    dies is made again elsewhere, three times at most.

    >>> import byrote
    >>> byrote.run(study, "postgresql://me@host/runs", executor=byrote.Ray("10.0.0.1:6379"))  # doctest: +SKIP

    Args:
        address: HOST:PORT, ray://HOST:PORT, or auto for the cluster that this machine belongs to.

    Raises:
        UserError: Ray is not installed, or there is no cluster at `address`.
    """

    most_tries = 4

    def __init__(self, address: str | None = None, *, num_cpus: float = 1.0, num_gpus: float = 0.0) -> None:
        try:
            ray: Any = importlib.import_module("ray")
        except ImportError as error:
            raise UserError(
                "got the executor ray, but Ray is not installed: pip install 'byrote[ray]', or use local"
            ) from error
        self._ray = ray
        self._num_cpus, self._num_gpus = num_cpus, num_gpus
        # A dead worker is told of; Ray would otherwise try again, after lack of memory for ever.
        self._remote_call = ray.remote(max_retries=0)(_call)
        if not ray.is_initialized():
            on_sigterm = signal.getsignal(signal.SIGTERM)
            try:
                ray.init(
                    address=address,
                    include_dashboard=None if address else False,
                    log_to_driver=False,
                    logging_level=logging.ERROR,
                )
            except (ConnectionError, ValueError) as error:
                raise UserError(
                    f"got the address {address!r}, where no Ray cluster answers ({error}): give HOST:PORT of a running "
                    "one, or none for one on this machine"
                ) from error
            if on_sigterm is not None and threading.current_thread() is threading.main_thread():
                signal.signal(signal.SIGTERM, on_sigterm)  # Ray's own ends the process at once
        self._calls: dict[float, Any] = {}
        self._inbox: Any = None
        self._heard = 0.0
        self._looked, self._most = -math.inf, 0.0
        self._callbacks: weakref.WeakValueDictionary[int, _Callback] = weakref.WeakValueDictionary()
        self._numbers = itertools.count()

    @property
    def num_machines(self) -> int:
        return len({node["NodeManagerHostname"] for node in self._nodes()})

    def share(self, value: Any) -> Any:
        return self._ray.put(value)

    def callback(self, function: Callable[..., None]) -> Callable[..., None]:
        if self._inbox is None:
            # Beside this process, so that both end together.
            strategies = importlib.import_module("ray.util.scheduling_strategies")
            here = strategies.NodeAffinitySchedulingStrategy(self._ray.get_runtime_context().get_node_id(), soft=True)
            inbox = self._ray.remote(num_cpus=0, scheduling_strategy=here, max_restarts=-1)(_Inbox)
            self._inbox = inbox.remote()
        number = next(self._numbers)
        self._callbacks[number] = standing = _Callback(number, function, self._inbox)
        return standing

    def side_by_side(self, needs: Sequence[Need]) -> int:
        cores = sum(node["Resources"].get("CPU", 0.0) for node in self._nodes())
        number = 0
        for need in needs:
            cores -= self._cores(need)
            if cores < 0:
                break
            number += 1
        return max(number, 1)

    def submit(
        self,
        function: Callable[..., T],
        *args: Any,
        need: Need = Need(),  # noqa: B008
        again: bool = False,  # noqa: ARG002
    ) -> Job[T]:
        cores = self._cores(need)
        if cores not in self._calls:  # making one costs as much as a call
            self._calls[cores] = self._remote_call.options(num_cpus=cores, num_gpus=self._num_gpus)
        return _RayJob(self._ray, self._calls[cores].remote(function, *args))

    def as_completed(self, jobs: Sequence[Job[T]]) -> Iterator[Job[T]]:
        by_reference = {job.reference: job for job in jobs if isinstance(job, _RayJob)}
        left = list(by_reference)
        while left:
            # A look costs time for each that is left, so all that have ended meanwhile are taken at one.
            ended, _ = self._ray.wait(left, timeout=_SECONDS_BETWEEN_MESSAGES)
            if ended:
                time.sleep(min(_PATIENCE_A_CALL * len(left), _SECONDS_BETWEEN_MESSAGES / 2))
            ended, left = self._ray.wait(left, num_returns=len(left), timeout=0)
            if ended or time.monotonic() - self._heard > _SECONDS_BETWEEN_MESSAGES:
                self._hear()
            told = [by_reference[reference] for reference in ended]
            with suppress(Exception):  # each then says what became of it itself
                for job, value in zip(told, self._ray.get(ended), strict=True):  # at once, as each look costs time
                    job.value = value
            yield from told

    def cancel(self, jobs: Sequence[Job[Any]]) -> list[Job[Any]]:
        references = [job.reference for job in jobs if isinstance(job, _RayJob)]
        if references:
            # Ray aborts this process where it is asked to cancel a call whose result it has but has not yet booked.
            _, running = self._ray.wait(references, num_returns=len(references), timeout=0)
            for reference in running:
                self._ray.cancel(reference)
        return []

    def close(self) -> None:
        """Leaves the cluster as it is."""
        if self._inbox is not None:
            self._ray.kill(self._inbox)
            self._inbox = None

    def _nodes(self) -> list[dict[str, Any]]:
        return [node for node in self._ray.nodes() if node["Alive"]]

    def _cores(self, need: Need) -> float:
        """No more than the largest machine has: a call that asks for more would wait for ever."""
        if time.monotonic() - self._looked > _SECONDS_BETWEEN_MESSAGES:  # asking costs as much as a call
            self._most = max((node["Resources"].get("CPU", 0.0) for node in self._nodes()), default=0.0)
            self._looked = time.monotonic()
        most = self._most
        return min(max(float(need.threads), self._num_cpus), most) if most else self._num_cpus

    def _hear(self) -> None:
        if self._inbox is None:
            return
        self._heard = time.monotonic()
        try:
            batches = self._ray.get(self._inbox.take.remote())
        except self._ray.exceptions.RayActorError:
            return  # its machine died: what it had not handed on is not told, and it begins anew elsewhere
        for batch in batches:
            for number, arguments in pickle.loads(batch):  # noqa: S301 (of this run's own workers)
                if (standing := self._callbacks.get(number)) is not None:
                    standing(*arguments)


class _Inbox:
    """An actor: what workers have said, until it is taken. It reads none of it, as it has no code of the user's."""

    def __init__(self) -> None:
        self._batches: list[bytes] = []

    def put(self, batch: bytes) -> None:
        self._batches.append(batch)

    def take(self) -> list[bytes]:
        batches, self._batches = self._batches, []
        return batches


class _Callback:
    def __init__(self, number: int, function: Callable[..., None], inbox: Any) -> None:
        self._number = number
        self._function = function
        self._inbox = inbox

    def __call__(self, *arguments: Any) -> None:
        self._function(*arguments)

    def __reduce__(self) -> tuple[Any, ...]:
        return _Teller, (self._number, self._inbox)


class _Teller:
    """In a worker: what tells of its calls to who started it."""

    def __init__(self, number: int, inbox: Any) -> None:
        self._number = number
        self._inbox = inbox

    def __call__(self, *arguments: Any) -> None:
        _outbox.put(self._inbox, self._number, arguments)


class _Outbox:
    """Of a worker: sends messages together, as what they share, as the specs of a group, is then sent once."""

    def __init__(self) -> None:
        self._messages: list[tuple[int, tuple[Any, ...]]] = []
        self._inbox: Any = None
        self._sent = 0.0

    def put(self, inbox: Any, number: int, arguments: tuple[Any, ...]) -> None:
        self._inbox = inbox
        self._messages.append((number, arguments))
        if time.monotonic() - self._sent > _SECONDS_BETWEEN_MESSAGES:
            self.send()

    def send(self) -> Any:
        """A reference to the last call of the inbox; None where nothing was to be sent."""
        if not self._messages:
            return None
        messages, self._messages, self._sent = self._messages, [], time.monotonic()
        return self._inbox.put.remote(pickle.dumps(messages))


_outbox = _Outbox()


def _call(function: Callable[..., T], *args: Any) -> T:
    """Ray takes functions alone, not classes or built-ins. What was said arrives before the result does."""
    try:
        return function(*args)
    finally:
        if (last := _outbox.send()) is not None:
            importlib.import_module("ray").wait([last], timeout=10.0)


@final
class _RayJob(Job[T]):
    def __init__(self, ray: Any, reference: Any) -> None:
        self._ray = ray
        self.reference = reference
        self.value: T | None = None
        """What it returned, where that was fetched with others."""

    def result(self) -> T:
        if self.value is not None:
            return self.value
        errors = self._ray.exceptions
        try:
            return self._ray.get(self.reference)
        except (errors.WorkerCrashedError, errors.OutOfMemoryError, errors.NodeDiedError) as error:
            raise WorkerDied(str(error)) from error
