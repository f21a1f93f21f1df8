"""How much memory training takes; tests here share modules."""

from __future__ import annotations

import ctypes
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))  # for augmented_stack.py


@pytest.fixture
def anonymous_bytes() -> Callable[[], int]:
    """Memory of this process that no file backs, without what its allocator keeps for later."""
    status = Path("/proc/self/status")
    if not status.is_file():
        pytest.skip("only Linux tells anonymous memory from mapped files")
    trim = getattr(ctypes.CDLL(None), "malloc_trim", lambda _: None)

    def measure() -> int:
        trim(0)
        (line,) = [line for line in status.read_text().splitlines() if line.startswith("RssAnon")]
        return int(line.split()[1]) * 1024

    return measure
