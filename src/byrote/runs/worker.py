"""A process of this machine that calls what it is sent, and tells what comes of it while it is new.

It is a fresh one, as those of `data/workers.py` are and for the same reasons: it knows nothing of the user's script,
takes no part in Ctrl-C, and ends with its pipe, hence with the process that started it.
"""

from __future__ import annotations

import _thread
import io
import os
import pickle
import shutil
import signal
import subprocess
import sys
import threading
import time
import traceback
from collections.abc import Callable, Sequence
from contextlib import suppress
from functools import partial
from pathlib import Path
from queue import SimpleQueue
from typing import Any, NamedTuple, NoReturn, final

import cloudpickle

from byrote.isolation import current_settings, restore_settings

_SERVE = "import sys; sys.path[:] = {path!r}; from byrote.runs.worker import serve; serve({folder!r})"
_KEEPS_FREED_MEMORY = {"MALLOC_TRIM_THRESHOLD_": str(2**29), "MALLOC_MMAP_THRESHOLD_": str(2**25)}
"""For glibc: arrays of one step take the place of those of the step before. Given back to the system each time, they
are a million page faults a minute."""
_SECONDS_TO_TIDY_UP = 2.0
"""That a process is given when it is to end, to free what it holds."""
_SECONDS_BETWEEN_MESSAGES = 0.1


class Called(NamedTuple):
    """A callback was called."""

    number: int
    arguments: tuple[Any, ...]


class Said(NamedTuple):
    """The user's code wrote to standard output or error."""

    text: str


class Returned(NamedTuple):
    """The call that was sent has ended."""

    value: Any


class Raised(NamedTuple):
    """The call that was sent has raised."""

    error: Exception


class Unread(NamedTuple):
    """What the call consists of cannot be read in that process: a module that was made in this one, say."""

    error: Exception


class Ended(NamedTuple):
    """The process has ended, or is about to."""


Message = Called | Said | Returned | Raised | Unread | Ended


@final
class Worker:
    """The process, as who started it has it.

    Args:
        folder: what it removes, if it finds that this process has ended without doing so.
        inbox: takes its messages, each with this worker.
    """

    def __init__(self, folder: Path, inbox: SimpleQueue[tuple[Worker, Message]]) -> None:
        self._inbox = inbox
        self._process = subprocess.Popen(  # noqa: S603 (Python itself)
            [sys.executable, "-c", _SERVE.format(path=sys.path, folder=str(folder))],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            start_new_session=True,  # Ctrl-C at the terminal is for this process alone
            env=_KEEPS_FREED_MEMORY | os.environ,
        )
        threading.Thread(target=self._read, name="worker's messages", daemon=True).start()

    def send(self, function: Callable[..., Any], arguments: Sequence[Any]) -> None:
        """Has it call `function(*arguments)`, in this folder, with the paths of imports and the settings of torch here.

        Raises:
            Exception: whatever says that they cannot be pickled; then nothing is sent.
        """
        here = pickle.dumps((str(Path.cwd()), sys.path, current_settings()))
        call = cloudpickle.dumps((function, *arguments))
        tasks = self._process.stdin
        with suppress(BrokenPipeError):  # its end is told by a message
            pickle.dump((here, call), tasks)  # type: ignore[arg-type]
            tasks.flush()  # type: ignore[union-attr]

    @property
    def pid(self) -> int:
        """The number of its process."""
        return self._process.pid

    @property
    def exit_code(self) -> int | None:
        """None while it lives."""
        return self._process.poll()

    def _read(self) -> None:
        messages = self._process.stdout
        with suppress(Exception):  # of its pipe, which has ended or is of no use any more
            while True:
                for message in pickle.load(messages):  # type: ignore[arg-type]  # noqa: S301 (from our own process)
                    self._inbox.put((self, message))
        self._inbox.put((self, Ended()))


def end(workers: Sequence[Worker]) -> list[Worker]:
    """Ends the processes, and all that these have started; gives those that did not do so by themselves in time."""
    for worker in workers:
        with suppress(OSError):
            worker._process.stdin.close()  # type: ignore[union-attr]
    until = time.monotonic() + 0.5 + _SECONDS_TO_TIDY_UP
    late = []
    for worker in workers:
        try:
            worker._process.wait(max(0.0, until - time.monotonic()))
        except subprocess.TimeoutExpired:
            late.append(worker)
    for worker in late:
        _kill(worker.pid)
        worker._process.wait()
    return late


def callback(number: int) -> Callable[..., None]:
    """In a worker: what tells of its calls to who started it."""
    return lambda *arguments: _outbox.put(Called(number, arguments))


class _Outbox:
    """Sends messages together, a few times a second: what they share, as the specs of a group, is sent once."""

    def __init__(self) -> None:
        self._messages: list[Message] = []
        self._lock = threading.Lock()
        self._filled = threading.Event()

    def open(self, results: Any) -> None:
        self._results = results
        threading.Thread(target=self._send_now_and_then, name="messages", daemon=True).start()

    def put(self, message: Message) -> None:
        self._messages.append(message)
        self._filled.set()

    def send(self, *last: Message) -> None:
        with self._lock:
            messages, self._messages = [*self._messages, *last], []
            self._filled.clear()
            if messages:
                with suppress(OSError):  # nobody is there any more
                    pickle.dump(messages, self._results)
                    self._results.flush()

    def _send_now_and_then(self) -> None:
        while True:
            self._filled.wait()
            time.sleep(_SECONDS_BETWEEN_MESSAGES)
            self.send()


_outbox = _Outbox()


def serve(folder: str) -> NoReturn:
    """What a worker does: it calls what comes on standard input, and sends what comes of it to standard output."""
    tasks, results = os.fdopen(os.dup(0), "rb"), os.fdopen(os.dup(1), "wb")
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    os.dup2(2, 1)  # what a library prints would not be a message
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, _interrupt)
    _outbox.open(results)
    sys.stdout = sys.stderr = voice = _Voice()
    calls: SimpleQueue[tuple[bytes, bytes] | None] = SimpleQueue()
    leave = partial(_leave, folder, os.getppid())
    threading.Thread(target=_take, args=(tasks, calls, leave), name="calls", daemon=True).start()
    try:
        while (call := calls.get()) is not None:
            result = _result_of(*call)
            voice.finish()
            _outbox.send(result)
    except KeyboardInterrupt:
        voice.finish()
        _outbox.send()
    finally:
        leave()


def _result_of(here: bytes, call: bytes) -> Returned | Raised | Unread:
    folder, path, settings = pickle.loads(here)  # noqa: S301 (from our own process)
    os.chdir(folder)
    sys.path[:] = path
    try:
        restore_settings(settings)
        function, *arguments = pickle.loads(call)  # noqa: S301
    except Exception as error:
        return Unread(_sendable(error))
    try:
        result = Returned(function(*arguments))
        pickle.dumps(result)
    except Exception as error:
        return Raised(_sendable(error))
    return result


def _sendable(error: Exception) -> Exception:
    """With its trace; in its words alone, where it cannot be sent as it is."""
    trace = traceback.format_exc()
    error.add_note(f"In a worker process:\n{trace}")
    try:
        return pickle.loads(pickle.dumps(error))  # noqa: S301
    except Exception:
        return RuntimeError(trace)


def _take(tasks: Any, calls: SimpleQueue[tuple[bytes, bytes] | None], leave: Callable[[], NoReturn]) -> NoReturn:
    """Takes in calls, until there is nobody to send them: then the one that runs is interrupted, and all ends."""
    with suppress(EOFError, pickle.UnpicklingError, OSError):
        while True:
            calls.put(pickle.load(tasks))  # noqa: S301 (from our own process)
    calls.put(None)
    _thread.interrupt_main()
    time.sleep(_SECONDS_TO_TIDY_UP)
    leave()


def _leave(folder: str, parent: int) -> NoReturn:
    """With all that this process has started; the folder goes where the parent cannot see to it any more."""
    if os.getppid() != parent:
        shutil.rmtree(folder, ignore_errors=True)
    _kill(os.getpid())
    os._exit(0)


def _interrupt(number: int, frame: Any) -> NoReturn:  # noqa: ARG001
    """Once: what follows must not disturb how it ends."""
    for each in (signal.SIGINT, signal.SIGTERM):
        signal.signal(each, signal.SIG_IGN)
    raise KeyboardInterrupt


def _kill(pid: int) -> None:
    """A worker and what it has started."""
    with suppress(ProcessLookupError, PermissionError):
        if hasattr(os, "killpg"):
            os.killpg(pid, signal.SIGKILL)
        else:
            os.kill(pid, signal.SIGTERM)


class _Voice(io.TextIOBase):
    """Standard output and error of the user's code, line by line."""

    def __init__(self) -> None:
        self._text = ""

    encoding = "utf-8"

    def writable(self) -> bool:
        return True

    def write(self, text: str) -> int:
        whole, newline, self._text = (self._text + text).rpartition("\n")
        if newline:
            _outbox.put(Said(whole + newline))
        return len(text)

    def flush(self) -> None:
        """Part of a line waits for the rest."""

    def finish(self) -> None:
        if self._text:
            self.write("\n")
