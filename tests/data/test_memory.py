import os
import subprocess
import sys
from pathlib import Path

import pytest

from byrote.data import memory
from byrote.errors import UserError


def test_memory_is_that_of_the_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    assert 2**28 < memory.total_memory() < 2**50
    assert 0 < memory.free_memory() <= memory.total_memory()
    monkeypatch.delattr(os, "sysconf")
    assert memory.total_memory() <= 8 * 2**30


def test_a_container_may_be_allowed_less(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(memory, "_CGROUP", tmp_path)
    (tmp_path / "memory.max").write_text("max\n")
    whole = memory.total_memory()
    (tmp_path / "memory.max").write_text("1000000\n")
    (tmp_path / "memory.current").write_text("999000\n")
    assert memory.total_memory() == 1_000_000 < whole
    assert memory.free_memory() == 1000
    (tmp_path / "memory.stat").write_text("anon 25\ninactive_file 5\n")
    assert memory.free_memory() == 1005
    (tmp_path / "memory.stat").unlink()
    with pytest.raises(UserError, match=r"^a.npy says that it holds 1,001 bytes, and 1,000 bytes of memory are free: "):
        memory.refuse_too_large(1001, "a.npy")
    memory.refuse_too_large(1000, "a.npy")


@pytest.mark.skipif(sys.platform != "linux", reason="macOS does not heed the limit")
def test_a_limit_of_the_process_counts() -> None:
    code = (
        "import resource; from byrote.data.memory import free_memory;"
        "resource.setrlimit(resource.RLIMIT_AS, (2**30, 2**30)); print(free_memory())"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert 0 < int(done.stdout) < 2**30
