"""What ends a command early: Ctrl-C; SIGTERM, which schedulers and `docker stop` send; SIGHUP, of a closed terminal."""

from __future__ import annotations

import shlex
import signal
import sys
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from types import FrameType
from typing import NoReturn

from byrote.masking import masked

_SIGNALS = [getattr(signal, name) for name in ("SIGTERM", "SIGHUP") if hasattr(signal, name)]


class Interrupted(KeyboardInterrupt):
    """The user has been told how to go on."""


@contextmanager
def ending_like_ctrl_c() -> Iterator[None]:
    """SIGTERM and SIGHUP raise KeyboardInterrupt in the body, once: what follows must not disturb how it ends.

    A signal that was ignored when the command started, as under nohup, stays so.
    """
    if threading.current_thread() is not threading.main_thread():  # Python takes signals there alone
        yield
        return
    before = {number: signal.getsignal(number) for number in _SIGNALS}
    heeded = [number for number, handler in before.items() if handler == signal.SIG_DFL]

    def interrupt(number: int, frame: FrameType | None) -> NoReturn:  # noqa: ARG001
        for each in heeded:
            signal.signal(each, signal.SIG_IGN)
        raise KeyboardInterrupt

    for number in heeded:
        signal.signal(number, interrupt)
    try:
        yield
    finally:
        for number in heeded:
            signal.signal(number, before[number])


@contextmanager
def told_how_to_go_on(store: str, out: Path, arguments: Sequence[str]) -> Iterator[None]:
    """Of an interrupt of the body, says what is kept in `store` and how to go on.

    Raises:
        Interrupted: instead of KeyboardInterrupt.
    """
    try:
        yield
    except Interrupted:
        raise
    except KeyboardInterrupt as interrupt:
        say(
            f"\nInterrupted. What is finished is kept in {store}; to go on with the rest: {shown(arguments)}\n"
            f"To report on what there is: byrote report {shlex.quote(str(out))}"
        )
        raise Interrupted from interrupt


def shown(arguments: Sequence[str]) -> str:
    """The command as it can be typed again, without passwords."""
    return shlex.join(["byrote", *map(masked, arguments)])


def say(text: str) -> None:
    """On standard error, where there still is one: a closed terminal takes nothing."""
    with suppress(OSError):
        print(text, file=sys.stderr, flush=True)
