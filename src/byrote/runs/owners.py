"""Who holds a lease: a process, named so that others on its machine can tell whether it has ended.

The number of a process is given again to later ones, and means another in each container. So a name has the kernel's
boot, the namespace of numbers, and when the process began, as Linux tells them (proc(5), pid_namespaces(7)). Where it
does not, or a name is of another machine or container, nothing is known of its process.
"""

from __future__ import annotations

import os
import socket
import uuid
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

_PROC = Path("/proc")
_STATE, _STARTED = 0, 19
"""Places in /proc/PID/stat behind the name of the program, which may hold anything."""


def new_owner() -> str:
    """A name that no other lease is held in, of this process."""
    pid = os.getpid()
    place = _place_of_numbers()
    began = _began(pid)
    known = () if place is None or began is None else (*place, str(began.ticks))
    return ":".join((socket.gethostname(), str(pid), uuid.uuid4().hex[:8], *known))


def has_ended(owner: str) -> bool:
    """Whether it is known that the process of a name has ended.

    >>> has_ended(new_owner()), has_ended("elsewhere:12:3456abcd")
    (False, False)
    """
    match owner.split(":"):
        case [host, pid, _, boot, namespace, ticks] if pid.isdecimal():
            if host != socket.gethostname() or (boot, namespace) != _place_of_numbers():
                return False
        case _:
            return False
    try:
        os.kill(int(pid), 0)  # unlike /proc, it tells of the processes of other users too, however that is mounted
    except ProcessLookupError:
        return True
    except (PermissionError, OverflowError):
        pass
    began = _began(int(pid))
    return began is not None and (began.state in "ZX" or str(began.ticks) != ticks)


class _Began(NamedTuple):
    state: str
    """Z of one that has ended, and that nobody has asked for its exit code yet."""
    ticks: int
    """Of the clock, from the boot to its start."""


def _began(pid: int) -> _Began | None:
    with suppress(OSError, ValueError, IndexError):
        _, _, rest = (_PROC / str(pid) / "stat").read_text(errors="replace").rpartition(")")
        fields = rest.split()
        return _Began(fields[_STATE], int(fields[_STARTED]))
    return None


def _place_of_numbers() -> tuple[str, str] | None:
    """The boot and the namespace in which numbers of processes mean what they do here."""
    with suppress(OSError):
        if (_PROC / "self").readlink().name != str(os.getpid()):
            return None  # /proc is that of another namespace
        boot = (_PROC / "sys/kernel/random/boot_id").read_text().strip()
        return boot, str((_PROC / "self/ns/pid").stat().st_ino)
    return None
