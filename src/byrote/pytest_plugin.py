"""byrote in pytest: audits of a test suite are kept in pytest's cache, and only what has changed is made again.

Loaded by pytest wherever byrote is installed, so it imports nothing else that takes time.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from importlib.abc import MetaPathFinder
from importlib.machinery import ModuleSpec, PathFinder
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any

import pytest

from byrote.audits.kept_for_tests import KEPT

if TYPE_CHECKING:
    from byrote.audits.audit import Audit


class _AsWritten(MetaPathFinder):
    """Finds byrote's modules before pytest does, which takes all modules of a package with a plugin for parts of tests,
    and rewrites them: 10 seconds, for the messages of asserts that byrote does not have."""

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        return PathFinder.find_spec(fullname, path, target) if fullname.startswith("byrote.") else None


sys.meta_path.insert(0, _AsWritten())


def pytest_configure(config: pytest.Config) -> None:
    """Keeps audits in pytest's own cache, where there is one."""
    cache = getattr(config, "cache", None)
    KEPT.root = None if cache is None else Path(cache.mkdir("byrote"))


def pytest_unconfigure() -> None:
    """Keeps them no longer."""
    KEPT.root = None


def pytest_runtest_setup(item: pytest.Item) -> None:
    """Keeps what the test that begins will audit under its name."""
    KEPT.begin(item.nodeid)


@pytest.fixture
def byrote_audit() -> Callable[..., Audit]:
    """`byrote.audit`, kept in pytest's cache with its page: a stage is made again where the model, its code or the data
    have changed."""
    import byrote

    def audit(*arguments: Any, **options: Any) -> Audit:
        options = {"out": KEPT.next("audit"), "quiet": True} | options
        found = byrote.audit(*arguments, **options)
        if options["out"] is not None:
            found.write(options["out"])
        return found

    return audit
