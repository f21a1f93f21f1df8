"""byrote in pytest: audits of a test suite are kept in pytest's cache, and only what has changed is made again.

Loaded by pytest wherever byrote is installed, so it imports nothing else that takes time.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from byrote.audits.kept_for_tests import KEPT

if TYPE_CHECKING:
    from byrote.audits.audit import Audit


def pytest_configure(config: pytest.Config) -> None:
    cache = getattr(config, "cache", None)
    KEPT.root = None if cache is None else Path(cache.mkdir("byrote"))


def pytest_unconfigure() -> None:
    KEPT.root = None


def pytest_runtest_setup(item: pytest.Item) -> None:
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
