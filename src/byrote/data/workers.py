"""Work spread over the cores, in threads or in processes, with few tasks in hand at a time.

The processes are fresh ones. Forked ones would inherit the locks of torch's and pyarrow's threads; those of
`multiprocessing` run the user's script again, which would have to be guarded against it, and live on when this process
is killed. These know nothing of the script, take no part in Ctrl-C, and end with their pipe, hence with this process.
"""

from __future__ import annotations

import os
import pickle
import subprocess
import sys
from collections import deque
from collections.abc import Callable, Generator, Iterable
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from queue import SimpleQueue
from types import TracebackType
from typing import Any, TypeVar

from byrote.errors import UserError

_Task = TypeVar("_Task")
_Result = TypeVar("_Result")

_IN_HAND = 4  # tasks for each core, so that one that takes long does not leave the others idle
_SERVE = "import sys; sys.path[:] = {path!r}; from byrote.data.workers import serve; serve()"
# One process a core needs no further threads; OpenBLAS alone would start one for each core in each of them.
_ONE_THREAD = {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1", "MKL_NUM_THREADS": "1"}


def num_usable_cores() -> int:
    """Those that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def map_in_order(
    function: Callable[[_Task], _Result], tasks: Iterable[_Task], *, processes: bool
) -> Generator[_Result]:
    """`function` of every task, in the order of the tasks, which are taken a few ahead of the results.

    For processes, function and tasks are pickled, the function by the name of its module. Close the generator
    (`contextlib.closing`) where it may not be read to its end: that ends the processes.

    Raises:
        UserError: a process was ended from outside. What `function` raises is raised here.
    """
    cores = num_usable_cores()
    with ExitStack() as stack:
        pool = stack.enter_context(ThreadPoolExecutor(cores))
        idle: SimpleQueue[_Worker] = SimpleQueue()
        if processes:
            for _ in range(cores):
                idle.put(stack.enter_context(_Worker()))

        def call(task: _Task) -> _Result:
            if not processes:
                return function(task)
            worker = idle.get()
            try:
                return worker(function, task)
            finally:
                idle.put(worker)

        # Undone first of all: then the workers end, then the threads that waited for them.
        stack.callback(pool.shutdown, wait=False, cancel_futures=True)
        waiting: deque[Future[_Result]] = deque()
        for task in tasks:
            waiting.append(pool.submit(call, task))
            if len(waiting) == cores * _IN_HAND:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()


@dataclass(frozen=True)
class _Raised:
    error: Exception


class _Worker:
    """A process that calls what it is sent. A context manager: it is ended on leaving."""

    def __enter__(self) -> _Worker:
        self._process = subprocess.Popen(  # noqa: S603 (Python itself)
            [sys.executable, "-c", _SERVE.format(path=sys.path)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env={**os.environ, **_ONE_THREAD},
            start_new_session=True,  # Ctrl-C at the terminal is for this process alone
        )
        return self

    def __call__(self, function: Callable[[_Task], _Result], task: _Task) -> _Result:
        tasks, results = self._process.stdin, self._process.stdout
        if tasks is None or results is None:
            raise RuntimeError("a worker without pipes")
        try:
            pickle.dump((function, task), tasks)
            tasks.flush()
            result: Any = pickle.load(results)  # noqa: S301 (from our own process)
        except (EOFError, BrokenPipeError, pickle.UnpicklingError) as error:
            raise UserError(
                f"a worker process ended too early (code {self._process.wait()}; -9: killed, as happens when memory "
                "runs out): make room and run it again"
            ) from error
        if isinstance(result, _Raised):
            raise result.error
        return result

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._process.kill()
        with suppress(BrokenPipeError):  # a task that it no longer read
            self._process.__exit__(kind, error, trace)


def serve() -> None:
    """What a worker process does: it calls what comes on standard input, and writes the results to standard output."""
    tasks, results = os.fdopen(os.dup(0), "rb"), os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # what a library prints would not be a result
    with suppress(EOFError, BrokenPipeError):
        while True:
            function, task = pickle.load(tasks)  # noqa: S301 (from our own process)
            try:
                result = function(task)
            except Exception as error:
                result = _Raised(error)
            pickle.dump(result, results)
            results.flush()
    os._exit(0)  # nothing is left to flush, least of all into a broken pipe
