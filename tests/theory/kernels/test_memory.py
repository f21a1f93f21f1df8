import os
from pathlib import Path

import pytest

from byrote.theory.kernels.memory import _left_by_container, _meminfo, available_memory


def test_some_but_not_more_than_the_machine_has():
    assert 0 < available_memory() <= os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")


def test_what_the_kernel_says(tmp_path: Path):
    path = tmp_path / "meminfo"
    assert _meminfo(path) is None
    path.write_text("MemTotal:  24 kB\nMemFree:  1 kB\nMemAvailable:  20 kB\n")
    assert _meminfo(path) == 20 * 1024


@pytest.mark.parametrize(("limit", "left"), [(None, 99), ("max", 99), ("50", 50 - 30 + 5), ("10", 0)])
def test_what_a_container_leaves(tmp_path: Path, limit: str | None, left: int):
    (tmp_path / "memory.current").write_text("30\n")
    (tmp_path / "memory.stat").write_text("anon 25\ninactive_file 5\n")
    if limit:
        (tmp_path / "memory.max").write_text(f"{limit}\n")
    assert _left_by_container(tmp_path, 99) == left
