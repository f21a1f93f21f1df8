"""On this machine: in this process, or in several that work side by side."""

from __future__ import annotations

import itertools
import shutil
import sys
import tempfile
import weakref
from collections import OrderedDict, deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from functools import partial
from pathlib import Path
from queue import Empty, SimpleQueue
from typing import Any, Literal, TypeVar, final

from byrote.data.memory import total_memory
from byrote.errors import UserError, WorkerDied, warn
from byrote.references import said
from byrote.runs.executors import Executor, Job, Need
from byrote.runs.shared_values import SharedValue
from byrote.runs.worker import Called, Ended, Message, Raised, Returned, Said, Unread, Worker, callback, end
from byrote.training.planner import PROCESS_BYTES, SECONDS_WORTH_PROCESSES, SHARE_OF_MEMORY_AT_ONCE
from byrote.training.threads import num_physical_cores

T = TypeVar("T")


@final
class Local(Executor):
    """On this machine.

    Calls run side by side in worker processes, as many as the machine has cores and memory for, each with the threads
    that it needs. They run in this process, one after another, each when its job is first waited for, where that is one
    process, where a single call is waited for, or where there is too little to do for processes to be started.

    >>> with Local(processes=1) as executor:
    ...     executor.submit(pow, 2, 10).result()
    1024

    Args:
        processes: the most that work side by side; "auto" is one for each core.

    Raises:
        UserError: anything else.
    """

    most_tries = 2

    def __init__(self, processes: int | Literal["auto"] = "auto") -> None:
        if processes != "auto" and (isinstance(processes, bool) or not isinstance(processes, int) or processes < 1):
            raise UserError(f"got processes={processes!r}, expected auto, or a number from 1 on")
        self.processes = processes
        self._folder: Path | None = None
        self._callbacks: weakref.WeakValueDictionary[int, _Callback] = weakref.WeakValueDictionary()
        self._numbers = itertools.count()
        self._waiting: OrderedDict[_LocalJob[Any], None] = OrderedDict()
        self._running: dict[Worker, _LocalJob[Any]] = {}
        self._idle: list[Worker] = []
        self._inbox: SimpleQueue[tuple[Worker, Message]] = SimpleQueue()
        weakref.finalize(self, _end_all, self._idle, self._running)

    def share(self, value: Any) -> Any:
        return value if self.processes == 1 else SharedValue(value, self._open_folder)

    def callback(self, function: Callable[..., None]) -> Callable[..., None]:
        number = next(self._numbers)
        self._callbacks[number] = standing = _Callback(number, function)
        return standing

    def submit(
        self,
        function: Callable[..., T],
        *args: Any,
        need: Need = Need(),  # noqa: B008
        again: bool = False,
    ) -> Job[T]:
        job = _LocalJob(self, function, args, need, elsewhere=True if again else None)
        self._waiting[job] = None
        return job

    def as_completed(self, jobs: Sequence[Job[T]]) -> Iterator[Job[T]]:
        undecided = [job for job in self._waiting if job.elsewhere is None]
        worth = self.side_by_side([job.need for job in undecided]) > 1
        for job in undecided:
            job.elsewhere = worth
        ended: deque[_LocalJob[Any]] = deque()
        left = OrderedDict((job, None) for job in jobs if isinstance(job, _LocalJob))
        for job in left:
            job.tell_once_ended(ended)
        while left:
            while ended:
                del left[job := ended.popleft()]
                yield job
            if left and any(job.elsewhere for job in itertools.chain(self._running.values(), self._waiting)):
                self._advance()
            elif left:
                self._run_here(next(iter(left)))

    def cancel(self, jobs: Sequence[Job[Any]]) -> list[Job[Any]]:
        for job in jobs:
            if isinstance(job, _LocalJob):
                self._waiting.pop(job, None)
        ending = {worker: job for worker, job in self._running.items() if job in jobs}
        for worker in ending:
            del self._running[worker]
        return [ending[worker] for worker in end(list(ending))]

    def close(self) -> None:
        _end_all(self._idle, self._running)
        if self._folder is not None:
            shutil.rmtree(self._folder, ignore_errors=True)
            self._folder = None

    @property
    def _most(self) -> int:
        return num_physical_cores() if self.processes == "auto" else self.processes

    def side_by_side(self, needs: Sequence[Need]) -> int:
        first: list[Need] = []
        for need in needs:
            if self._fits([*first, need]):
                first.append(need)
        is_worth_it = self.processes != "auto" or self._idle or sum(n.seconds for n in needs) > SECONDS_WORTH_PROCESSES
        return max(len(first), 1) if is_worth_it else 1

    def _fits(self, needs: Sequence[Need]) -> bool:
        """Whether such calls can run side by side; one always can."""
        threads = sum(need.threads for need in needs)
        num_bytes = sum(need.num_bytes + PROCESS_BYTES for need in needs)
        room = len(needs) <= self._most and threads <= max(self._most, num_physical_cores())
        together = room and not any(need.alone for need in needs)
        return len(needs) < 2 or (together and num_bytes <= SHARE_OF_MEMORY_AT_ONCE * total_memory())

    def _advance(self) -> None:
        """Sends what can be sent, and takes in one message."""
        for job in self._to_send():
            del self._waiting[job]
            self._send(job)
        try:
            worker, message = self._inbox.get(timeout=1.0)
        except Empty:
            # A process that this one has started may keep its pipe open.
            for worker in [worker for worker in self._running if worker.exit_code is not None]:
                self._lose(worker)
            return
        match message:
            case Called(number, arguments):
                if (standing := self._callbacks.get(number)) is not None:
                    standing(*arguments)
            case Said(text):
                sys.stderr.write(text)
            case Returned() | Raised():
                if worker in self._running:
                    self._running.pop(worker).end(message)
                    self._idle.append(worker)
            case Unread(error):
                if worker in self._running:
                    self._idle.append(worker)
                    self._keep_here(self._running.pop(worker), error)
            case Ended():
                self._lose(worker)

    def _to_send(self) -> list[_LocalJob[Any]]:
        """The waiting jobs that there is room for now, beside those that run."""
        running, taken = [job.need for job in self._running.values()], list[_LocalJob[Any]]()
        for job in self._waiting:
            if len(running) + len(taken) >= self._most:
                break
            if job.elsewhere and self._fits([*running, *(each.need for each in taken), job.need]):
                taken.append(job)
        return taken

    def _send(self, job: _LocalJob[Any]) -> None:
        worker = self._idle.pop() if self._idle else Worker(self._open_folder(), self._inbox)
        try:
            worker.send(job.function, job.arguments)
        except UserError:
            self._idle.append(worker)
            raise
        except Exception as error:  # whatever the user's objects raise
            self._idle.append(worker)
            self._keep_here(job, error)
        else:
            self._running[worker] = job

    def _lose(self, worker: Worker) -> None:
        with suppress(ValueError):
            self._idle.remove(worker)
        if worker in self._running:
            end([worker])
            self._running.pop(worker).end(Raised(WorkerDied(_of_death(worker.exit_code))))

    def _keep_here(self, job: _LocalJob[Any], error: Exception) -> None:
        warn(f"what cannot be sent to worker processes is made in this one: {said(error)}")
        job.elsewhere = False
        self._waiting[job] = None

    def _run_here(self, job: _LocalJob[Any]) -> None:
        self._waiting.pop(job, None)
        try:
            job.end(Returned(job.function(*map(_here, job.arguments))))
        except Exception as error:
            job.end(Raised(error))

    def _open_folder(self) -> Path:
        if self._folder is None:
            self._folder = Path(tempfile.mkdtemp(prefix="byrote-"))
            weakref.finalize(self, partial(shutil.rmtree, ignore_errors=True), self._folder)
        return self._folder


def _end_all(idle: list[Worker], running: dict[Worker, Any]) -> None:
    end([*idle, *running])
    idle.clear()
    running.clear()


def _here(argument: Any) -> Any:
    return argument.value if isinstance(argument, SharedValue) else argument


def _of_death(code: int | None) -> str:
    return (
        f"the worker process that made it ended too early (code {code}; -9: killed, as happens when memory runs out): "
        "make room, or take fewer processes (--processes 1), and run it again"
    )


class _Callback:
    def __init__(self, number: int, function: Callable[..., None]) -> None:
        self._number = number
        self._function = function

    def __call__(self, *arguments: Any) -> None:
        self._function(*arguments)

    def __reduce__(self) -> tuple[Any, ...]:
        return callback, (self._number,)


@final
class _LocalJob(Job[T]):
    def __init__(
        self,
        executor: Local,
        function: Callable[..., T],
        arguments: tuple[Any, ...],
        need: Need,
        *,
        elsewhere: bool | None,
    ) -> None:
        self._executor = executor
        self.function = function
        self.arguments = arguments
        self.need = need
        self.elsewhere = elsewhere
        """Whether another process makes it; None before that is decided."""
        self._ended: Returned | Raised | None = None
        self._to_tell: list[deque[_LocalJob[Any]]] = []

    def result(self) -> T:
        for _ in self._executor.as_completed([self]):
            pass
        if isinstance(self._ended, Raised):
            raise self._ended.error
        if self._ended is None:
            raise RuntimeError("a job without a result")
        return self._ended.value

    def tell_once_ended(self, jobs: deque[_LocalJob[Any]]) -> None:
        """Appends itself to them, at once if it has ended."""
        if self._ended is None:
            self._to_tell.append(jobs)
        else:
            jobs.append(self)

    def end(self, ended: Returned | Raised) -> None:
        self._ended = ended
        for jobs in self._to_tell:
            jobs.append(self)
        self._to_tell = []
