"""A PostgreSQL server of the tests' own, which can be ended and started."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest


def _programs() -> Path:
    found = shutil.which("pg_ctl")
    installed = [Path(found)] if found else sorted(Path("/usr/lib/postgresql").glob("*/bin/pg_ctl"))
    if not installed:
        pytest.skip("no PostgreSQL server is installed (Debian: apt-get install postgresql)")
    return installed[-1].parent


def _free_port() -> int:
    """One that no connection is given by chance, neither now nor while the server is down for a while; other processes
    of tests begin their search elsewhere."""
    first = 10_000 + os.getpid() * 7 % 20_000
    for port in range(first, first + 1000):
        with socket.socket() as free, suppress(OSError):
            free.bind(("127.0.0.1", port))
            return port
    raise OSError("no free port")


class PostgresServer:
    """Trusts whoever connects from this machine."""

    def __init__(self, folder: Path) -> None:
        self._programs, self._folder = _programs(), folder
        # Its programs refuse to run as root.
        self._user = ["runuser", "-u", "postgres", "--"] if os.getuid() == 0 else []
        if self._user:
            shutil.chown(folder, "postgres")
        self._port = _free_port()
        self._run("initdb", "-A", "trust", "-U", "byrote", "--no-sync")

    @property
    def url(self) -> str:
        return f"postgresql://byrote@127.0.0.1:{self._port}/postgres"

    def start(self) -> None:
        options = f"-c listen_addresses=127.0.0.1 -c port={self._port} -c unix_socket_directories={self._folder}"
        self._run("pg_ctl", "-w", "-o", options, "-l", f"{self._folder}/log", "start")

    def stop(self) -> None:
        """At once, as when a machine goes."""
        self._run("pg_ctl", "-w", "-m", "immediate", "stop")

    def _run(self, program: str, *arguments: str) -> None:
        command = [*self._user, str(self._programs / program), "-D", str(self._folder / "data"), *arguments]
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL, cwd="/")


@contextmanager
def running_server() -> Iterator[PostgresServer]:
    pytest.importorskip("psycopg")
    folder = Path(tempfile.mkdtemp(prefix="byrote-postgres-"))
    try:
        server = PostgresServer(folder)
        server.start()
        yield server
        server.stop()
    finally:
        shutil.rmtree(folder, ignore_errors=True)
