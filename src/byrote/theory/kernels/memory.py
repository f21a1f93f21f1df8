"""How much memory is free: a matrix of n x n is better refused before it is filled than after."""

from __future__ import annotations

from pathlib import Path

import torch

from byrote.training.planner import device_memory


def available_memory(device: str | torch.device = "cpu") -> int:
    """Bytes that can be allocated now on the device.

    On Linux what the kernel says, or less where a container is allowed less; elsewhere all memory of the machine, as no
    standard call tells what is free of it.
    """
    device = torch.device(device)
    if device.type == "cuda":
        return torch.cuda.mem_get_info(device)[0]
    free = _meminfo(Path("/proc/meminfo"))
    if free is None:
        return device_memory("cpu")
    return min(free, _left_by_container(Path("/sys/fs/cgroup"), free))


def _meminfo(path: Path) -> int | None:
    lines = path.read_text().splitlines() if path.is_file() else []
    found = [line.split()[1] for line in lines if line.startswith("MemAvailable:")]
    return int(found[0]) * 1024 if found else None


def _left_by_container(folder: Path, free: int) -> int:
    """By the limit of control groups (version 2), `free` without one. Files cached in memory are no obstacle."""
    limit, used, kinds = (folder / name for name in ("memory.max", "memory.current", "memory.stat"))
    if not limit.is_file() or not limit.read_text().strip().isdecimal():
        return free
    cached = [int(line.split()[1]) for line in kinds.read_text().splitlines() if line.startswith("inactive_file ")]
    return max(0, int(limit.read_text()) - int(used.read_text()) + sum(cached))
