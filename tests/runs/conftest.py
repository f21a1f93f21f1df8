"""The store's and the runner's tests share a fake engine, which some of them also start as a process of its own."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import sqlalchemy as sa

sys.path.insert(0, str(Path(__file__).parent))

from postgres_server import PostgresServer, running_server

from byrote.runs.store import Store


@pytest.fixture(scope="session")
def postgres() -> Iterator[PostgresServer]:
    with running_server() as server:
        yield server


@pytest.fixture(params=["sqlite", "postgresql"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """An empty database of each kind."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path / 'runs.db'}"
    address = request.getfixturevalue("postgres").url
    engine = sa.create_engine(address.replace("postgresql:", "postgresql+psycopg:"))
    with engine.begin() as connection:
        for table in ("runs", "calculations", "leases", "meta"):
            connection.execute(sa.text(f"DROP TABLE IF EXISTS byrote_{table}"))
    return address


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(tmp_path / "runs.db")


@pytest.fixture
def fakes(monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Replaces the engine of byrote.runs and its planner; keyword arguments replace single functions."""
    import fake_engine

    import byrote.runs.run
    import byrote.runs.workloads
    from byrote.training.spec import TrainSpec

    def install(**functions: Callable[..., object]) -> None:
        for name, function in (fake_engine.FAKES | functions).items():
            module = byrote.runs.run if name == "train" else byrote.runs.workloads
            monkeypatch.setattr(module, name, function)
        monkeypatch.setattr(TrainSpec, "key", fake_engine.fake_key)

    install()
    return install
