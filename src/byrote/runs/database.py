"""From the address of a store to its database: SQLite in a file, or what else SQLAlchemy has a driver for."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import sqlalchemy as sa

from byrote.errors import StoreError, StoreUnreachable
from byrote.masking import MASK, masked

_OTHERS = "its tables are not those of byrote: restore a copy, or name another store"
_REMEDIES = {
    "SQLITE_FULL": "the disk is full: make room and run it again, finished runs are kept",
    "SQLITE_IOERR": "the disk refuses the file or its journal: make sure that there is room and that neither "
    "is removed, then run it again, finished runs are kept",
    "SQLITE_NOTADB": "the file is no SQLite database: move it away or name another store",
    "SQLITE_CORRUPT": "the file is a damaged database: restore a copy or name another store",
    "SQLITE_CANTOPEN": "the file cannot be opened or created: name a file in a folder that you may write to",
    "SQLITE_READONLY": "the file or its folder is read-only: allow writing there or name another store",
    "SQLITE_BUSY": "another process has kept it locked for a minute: end that process and run it again",
    "SQLITE_ERROR": _OTHERS,
}
_DRIVERS = {
    "sqlite": "sqlite",
    "sqlite+pysqlite": "sqlite",
    "postgres": "postgresql+psycopg",
    "postgresql": "postgresql+psycopg",
    "postgresql+psycopg": "postgresql+psycopg",
}
_EXPECTED = (
    "expected a file or a URL such as sqlite:///runs.db or postgresql://USER@HOST/DATABASE, with special characters of "
    "a password as %40 for @"
)
_AWAY = ("57P01", "57P02", "57P03", "53300")
"""SQLSTATE of a server that shuts down, has crashed, cannot take connections yet, or has too many."""
_ENDING_OR_STARTING = re.compile(
    "starting up|shutting down|in recovery|not yet accepting|too many|administrator command"
)
_UNREACHABLE = "check its address and that the database runs"
_LIBPQ = re.compile(r"(?:^|\s)(?:host|hostaddr|dbname|user|password|service)\s*=")


def parsed(url_or_path: str | Path) -> sa.URL:
    """An absolute address, so that it means the same in every process.

    A password that is a mask, as in commands that byrote prints, is left out: the driver then looks for one itself.

    Raises:
        StoreError: an address that is none, or leads to a folder that is not there.
    """
    if not isinstance(url_or_path, str | Path):
        raise StoreError(f"got the store {url_or_path!r}, expected a file or a URL")
    if isinstance(url_or_path, Path) or not (":/" in url_or_path or _LIBPQ.search(url_or_path)):
        url = sa.URL.create("sqlite", database=str(url_or_path))
    else:
        try:
            url = sa.make_url(url_or_path)
        except (sa.exc.ArgumentError, ValueError):
            # Not from that error, which quotes the address with its password.
            raise StoreError(f"got the store {masked(url_or_path)!r}, {_EXPECTED}") from None
    if url.drivername not in _DRIVERS:
        raise StoreError(f"got a store of {url.drivername}, which byrote does not use: {_EXPECTED}")
    url = url.set(drivername=_DRIVERS[url.drivername])
    if not is_sqlite(url):
        query = {name: value for name, value in url.query.items() if value != MASK}
        password = None if url.password == MASK else url.password
        return sa.URL.create(url.drivername, url.username, password, url.host, url.port, url.database, query)
    if url.host:
        raise StoreError(
            f"got the store {masked(str(url_or_path))!r}, whose file comes after three slashes: sqlite:///FILE"
        )
    if url.database == ":memory:" or (not url.database and str(url_or_path).startswith("sqlite:")):
        raise StoreError("got a store in memory, which would be lost with the process: name a file")
    if not str(url.database or "").strip() or "\0" in str(url.database):
        raise StoreError(f"got the store {str(url_or_path)!r}, which is no name of a file: {_EXPECTED}")
    file = Path(str(url.database)).expanduser().absolute()
    if not file.parent.is_dir():
        raise StoreError(f"there is no folder {file.parent} for the store {file}: make it, or name another store")
    return url.set(database=str(file))


def connected(url: sa.URL) -> sa.Engine:
    """Connections to the database; none is made yet.

    Raises:
        StoreError: its driver is not installed.
    """
    try:
        # No pool: connections are then never shared between threads, or with the children of a fork.
        engine = sa.create_engine(url, poolclass=sa.NullPool)
    except ModuleNotFoundError as error:
        raise StoreError(
            f"cannot use the store {store_name(url)}: {error}; pip install 'byrote[postgres]', or name a file"
        ) from error
    if is_sqlite(url):
        sa.event.listen(engine, "connect", _prepare_sqlite)
    return engine


def is_sqlite(url: sa.URL) -> bool:
    """Whether the database is a file."""
    return url.drivername.partition("+")[0] == "sqlite"


def store_name(url: sa.URL) -> str:
    """The file, or the URL without its secrets."""
    if is_sqlite(url):
        return str(url.database)
    return masked(url.set(query={}).render_as_string(hide_password=True))


@contextmanager
def explained(name: str) -> Iterator[None]:
    """Turns errors of the database `name` into one sentence with a remedy.

    Raises:
        StoreUnreachable: its server does not answer.
        StoreError: anything else.
    """
    try:
        yield
    except UnicodeDecodeError as error:  # SQLite quotes what it finds in a file
        raise StoreError(f"cannot use the store {name}: {_REMEDIES['SQLITE_CORRUPT']} ({error})") from error
    except sa.exc.DBAPIError as error:
        cause = error.orig
        code = getattr(cause, "sqlite_errorname", "")
        remedy = next((text for prefix, text in _REMEDIES.items() if code.startswith(prefix)), None)
        message = " ".join(str(cause).split())
        if remedy is None and _is_away(error):
            raise StoreUnreachable(f"cannot use the store {name}: {_UNREACHABLE} ({message})") from error
        if remedy is None:
            message, remedy = _server_remedy(message), message
        raise StoreError(f"cannot use the store {name}: {remedy} ({message})") from error


def _is_away(error: sa.exc.DBAPIError) -> bool:
    """Whether a server is down, is just starting or ending, or has ended a connection: not one that refuses."""
    if not isinstance(error, sa.exc.OperationalError | sa.exc.InterfaceError):
        return False
    state = getattr(error.orig, "sqlstate", None)
    if state is not None:
        return state[:2] == "08" or state in _AWAY
    message = str(error.orig)
    if "password" in message:
        return False
    return "FATAL" not in message or _ENDING_OR_STARTING.search(message) is not None


def _server_remedy(message: str) -> str:
    if re.search(r"(relation|column) .* does not exist", message):
        return _OTHERS
    if "password" in message:
        return "commands are kept without passwords: put it into PGPASSWORD or ~/.pgpass, or give --store again"
    return _UNREACHABLE


def _prepare_sqlite(connection: Any, _: object) -> None:
    connection.text_factory = lambda text: text.decode(errors="replace")  # a damaged text is for the checksum to find
    connection.execute("PRAGMA busy_timeout = 60000")
    connection.execute("PRAGMA synchronous = EXTRA")  # a committed run also outlives a loss of power
