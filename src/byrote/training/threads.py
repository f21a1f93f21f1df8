"""How many threads arithmetic takes: part of a group's plan, since sums of several parts round differently."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from functools import lru_cache

import joblib
import torch
from threadpoolctl import threadpool_limits


@lru_cache(maxsize=1)
def num_physical_cores() -> int:
    """Those of this machine that compute, without their second threads; fewer where a container is granted fewer."""
    return int(joblib.cpu_count(only_physical_cores=True))


def most_threads() -> int:
    """For one group: as many as torch has, by the machine, OMP_NUM_THREADS and `torch.set_num_threads`."""
    return min(torch.get_num_threads(), num_physical_cores())


@contextmanager
def limited_threads(num: int) -> Iterator[None]:
    """Torch, NumPy and SciPy take so many, within."""
    before = torch.get_num_threads()
    with threadpool_limits(num, user_api="blas"):
        if num != before:
            torch.set_num_threads(num)
        try:
            yield
        finally:
            if torch.get_num_threads() != before:
                torch.set_num_threads(before)
