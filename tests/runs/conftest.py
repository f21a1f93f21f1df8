"""The store's and the runner's tests share a fake engine, which some of them also start as a process of its own."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))

from postgres_server import PostgresServer, running_server

from byrote.runs.store import Store


@pytest.fixture(scope="session")
def postgres() -> Iterator[PostgresServer]:
    with running_server() as server:
        yield server


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(tmp_path / "runs.db")


@pytest.fixture
def fakes(monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Replaces the engine of byrote.runs.run; keyword arguments replace single functions."""
    import fake_engine

    import byrote.runs.run
    from byrote.training.spec import TrainSpec

    def install(**functions: Callable[..., object]) -> None:
        for name, function in (fake_engine.FAKES | functions).items():
            monkeypatch.setattr(byrote.runs.run, name, function)
        monkeypatch.setattr(TrainSpec, "key", fake_engine.fake_key)

    install()
    return install
