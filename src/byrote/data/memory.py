"""How many bytes there are, of this machine or a device, asked before arrays are made that might not fit."""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path

from byrote.errors import UserError

_CGROUP = Path("/sys/fs/cgroup")


def total_memory(device: str = "cpu") -> int:
    """Bytes of a CUDA device, or of this machine, or fewer where a container is allowed fewer; the same tomorrow."""
    if device.startswith("cuda"):
        import torch

        return torch.cuda.get_device_properties(device).total_memory
    try:
        machine = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (ValueError, OSError, AttributeError):
        machine = 8 * 2**30
    allowed = _number(_CGROUP / "memory.max")
    return machine if allowed is None else min(machine, allowed)


def free_memory(device: str = "cpu") -> int:
    """Bytes that can be taken now: of a CUDA device; or by this process of the machine, of its container, of its own
    limit (`ulimit -v`). Files that are cached in memory are no obstacle."""
    if device.startswith("cuda"):
        import torch

        return torch.cuda.mem_get_info(device)[0]
    free = [_lines_of_kib(Path("/proc/meminfo")).get("MemAvailable", total_memory())]
    allowed, taken = _number(_CGROUP / "memory.max"), _number(_CGROUP / "memory.current")
    if allowed is not None and taken is not None:
        free.append(allowed - taken + _cached_files(_CGROUP / "memory.stat"))
    with suppress(ImportError):  # not on Windows
        import resource

        limit = resource.getrlimit(resource.RLIMIT_AS)[0]
        if limit != resource.RLIM_INFINITY:
            free.append(limit - _lines_of_kib(Path("/proc/self/status")).get("VmSize", 0))
    return max(min(free), 0)


def refuse_too_large(num_bytes: int, place: str) -> None:
    """
    Raises:
        UserError: so many bytes, which `place` says it holds, are more than the memory that is free.
    """
    free = free_memory()
    if num_bytes > free:
        raise UserError(
            f"{place} says that it holds {num_bytes:,} bytes, and {free:,} bytes of memory are free: the file is "
            "damaged or made to fill memory, or else needs a larger machine or fewer rows"
        )


def _number(file: Path) -> int | None:
    try:
        text = file.read_text().strip()
    except OSError:
        return None
    return int(text) if text.isdecimal() else None


def _lines_of_kib(file: Path) -> dict[str, int]:
    """One "Name:   123 kB" a line, in bytes; nothing where there is no such file."""
    try:
        lines = [line.split() for line in file.read_text().splitlines()]
    except OSError:
        return {}
    return {words[0].rstrip(":"): 1024 * int(words[1]) for words in lines if len(words) == 3 and words[2] == "kB"}


def _cached_files(stat: Path) -> int:
    try:
        lines = stat.read_text().splitlines()
    except OSError:
        return 0
    return sum(int(line.split()[1]) for line in lines if line.startswith("inactive_file "))
