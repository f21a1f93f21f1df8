"""Every finished run and calculation, once, durably: a SQLite file, or a PostgreSQL database.

One row a run, under its key, written in one transaction when the run ends. Leases tell who works on what: a
row a key, with an owner and a time of expiry, so that the runs of a killed process are soon free again.

SQLite keeps its rollback journal: writes are rare here, and unlike a write-ahead log it works on network file
systems and leaves a single file that can be copied, or read from a read-only folder. Every transaction that
writes begins with a write: two processes then wait for each other instead of failing.
"""

from __future__ import annotations

import os
import socket
import threading
import time
import uuid
import warnings
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, suppress
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

import sqlalchemy as sa
from sqlalchemy.schema import CreateTable

from byrote.errors import StoreError, StoreUnreachable, UserError
from byrote.runs.codec import SCALARS, SUMMARY, computed_from_row, computed_to_row, from_row, is_sound, to_row
from byrote.runs.database import connected, explained, is_sqlite, name_of, parsed
from byrote.runs.weights import WeightsFolder
from byrote.theory.calculation import Calculation, Computed
from byrote.training.outcome import TrainOutcome
from byrote.training.spec import TrainSpec

T = TypeVar("T")

SCHEMA = 3
"""Major version of the tables. A store of another one is refused."""
_SECONDS_BETWEEN_TRIES = 1.0
_SECONDS_BETWEEN_WORDS = 20.0
"""Of a server that is away."""

_SQL_TYPES: dict[type, Any] = {str: sa.Text, int: sa.BigInteger, float: sa.Double, bool: sa.Boolean}

_tables = sa.MetaData()
_runs = sa.Table(
    "byrote_runs",
    _tables,
    *(sa.Column(name, _SQL_TYPES[kind], primary_key=name == "key") for name, kind in (SCALARS | SUMMARY).items()),
    sa.Column("created", sa.Text, nullable=False),  # UTC
    *(sa.Column(name, sa.Text, nullable=False) for name in ("spec", "checks", "environment")),  # JSON
    sa.Column("arrays", sa.LargeBinary, nullable=False),  # curve, early steps, predictions: see codec.packed
    sa.Column("weights", sa.Text),  # the checksum of their files, where they were kept
    sa.Column("checksum", sa.Text, nullable=False),
)
_calculations = sa.Table(
    "byrote_calculations",
    _tables,
    sa.Column("key", sa.Text, primary_key=True),
    sa.Column("calculation", sa.Text, nullable=False),  # the name of its class
    sa.Column("fields", sa.Text, nullable=False),  # JSON
    sa.Column("data", sa.Text, nullable=False),
    sa.Column("seconds", sa.Double, nullable=False),
    sa.Column("created", sa.Text, nullable=False),  # UTC
    sa.Column("values", sa.Text, nullable=False),  # JSON
    sa.Column("environment", sa.Text, nullable=False),  # JSON
    sa.Column("arrays", sa.LargeBinary, nullable=False),
    sa.Column("checksum", sa.Text, nullable=False),
)
_leases = sa.Table(
    "byrote_leases",
    _tables,
    sa.Column("key", sa.Text, primary_key=True),
    sa.Column("owner", sa.Text, nullable=False),
    sa.Column("expires", sa.Double, nullable=False),  # seconds since 1970
)
# Written last, so that a version found means that all tables are there.
_meta = sa.Table(
    "byrote_meta",
    _tables,
    sa.Column("name", sa.Text, primary_key=True),
    sa.Column("value", sa.Text, nullable=False),
)


class Store:
    """The finished runs of any number of studies.

    `url_or_path` is a file, or a URL as SQLAlchemy takes it (sqlite:///FILE, postgresql://USER@HOST/DATABASE). A
    new file is created in an existing folder. Weights are kept in the folder `weights`: FILE.weights unless
    given. A lease lasts `lease_seconds` from its last heartbeat, by the clock of the server where there is one. Of a
    server that goes away, once the store was opened, the return is waited for, `patience` seconds at most.

    Stores can be pickled and used from several threads and processes; no connection stays open between calls.
    Every method raises StoreError when the store cannot be read or written.
    """

    def __init__(
        self,
        url_or_path: str | Path,
        *,
        weights: str | Path | None = None,
        lease_seconds: float = 30.0,
        patience: float = 600.0,
    ) -> None:
        self._prepare(parsed(url_or_path), weights, lease_seconds, patience)
        with self._explained():
            version = self._version() or self._create()
        if version != str(SCHEMA):
            raise StoreError(
                f"the store {self.name} has format {version}, this byrote reads and writes format {SCHEMA}: "
                "name another store, or use the byrote that wrote this one"
            )

    def _prepare(self, url: sa.URL, weights: str | Path | None, lease_seconds: float, patience: float) -> None:
        self._url = url
        self.lease_seconds = lease_seconds
        self.patience = patience
        self.on_wait: Callable[[str], None] = warnings.warn
        """Called with how long it will go on waiting for the server."""
        self.owner = f"{socket.gethostname()}:{os.getpid()}:{uuid.uuid4().hex[:8]}"
        folder = weights or (f"{self._url.database}.weights" if is_sqlite(self._url) else None)
        self._weights = None if folder is None else WeightsFolder(Path(folder).absolute())
        self._engine = connected(self._url)

    @classmethod
    def existing(cls, url_or_path: str | Path) -> Store | None:
        """The store, unless it has yet to be created, which this leaves so."""
        url = parsed(url_or_path)
        if is_sqlite(url) and not Path(str(url.database)).is_file():
            return None
        with explained(name_of(url)):
            is_there = sa.inspect(connected(url)).has_table(_meta.name)
        return cls(url_or_path) if is_there else None

    @property
    def name(self) -> str:
        """The file, or the URL without its secrets."""
        return name_of(self._url)

    def refuse_machines(self, number: int) -> None:
        """Raises UserError where so many machines cannot all reach it."""
        if number > 1 and is_sqlite(self._url):
            raise UserError(
                f"got the file {self.name} as the store of {number} machines, each of which would make one of its own: "
                "give the URL of a PostgreSQL database, postgresql://USER@HOST/DATABASE"
            )

    def finished(self, keys: Iterable[str], *, weights: bool = False) -> set[str]:
        """Which of `keys` are stored; with `weights`, which are stored together with their weights."""
        keys = list(keys)
        if not weights:
            return {
                row["key"]
                for table in (_runs, _calculations)
                for row in self._rows(sa.select(table.c.key), table, keys)
            }
        folder, kept = self._folder(), sa.select(_runs.c.key).where(_runs.c.weights.is_not(None))
        return {row["key"] for row in self._rows(kept, _runs, keys) if folder.holds(row["key"])}

    def results(self, tasks: Mapping[str, TrainSpec | Calculation]) -> dict[str, TrainOutcome | Computed]:
        """What the store has of `tasks`, which are given by their keys, in that order. Weights are not loaded."""
        runs = [key for key, task in tasks.items() if isinstance(task, TrainSpec)]
        others = {key: task for key, task in tasks.items() if isinstance(task, Calculation)}
        found: dict[str, TrainOutcome | Computed] = {outcome.key: outcome for outcome in self.outcomes(runs)}
        found |= {computed.key: computed for computed in self._computed(others)}
        return {key: found[key] for key in tasks if key in found}

    def outcomes(self, keys: Sequence[str] | None = None) -> list[TrainOutcome]:
        """The stored runs among `keys`, in that order; all runs, oldest first, without `keys`.

        Weights are not loaded: see `weights`.
        """
        query = _raw(_runs).order_by(_runs.c.created, _runs.c.key)
        found = {row["key"]: row for row in self._rows(query, _runs, keys)}
        return [self._decoded(found[key], from_row) for key in (found if keys is None else keys) if key in found]

    def weights(self, key: str) -> tuple[dict[str, Any], dict[str, Any]]:
        """The weights and buffers of a run, by name: initial and final."""
        kept = [row["weights"] for row in self._rows(sa.select(_runs.c.weights), _runs, [key])]
        return self._folder().load(key, kept[0] if kept else None)

    def put(self, result: TrainOutcome | Computed) -> bool:
        """Stores a run, with its weights where it has them, or a calculation. False if it was there: then nothing
        changes.

        A run that is stored without weights is replaced by one with weights, so that its figures are theirs.
        """
        return self._put_outcome(result) if isinstance(result, TrainOutcome) else self._put_computed(result)

    def _put_outcome(self, outcome: TrainOutcome) -> bool:
        initial, final = outcome.initial_state, outcome.final_state
        with_weights = initial is not None and final is not None
        if self.finished([outcome.key], weights=with_weights):
            return False
        kept = None
        if initial is not None and final is not None:
            kept = self._folder().save(outcome.key, initial, final)

        def put() -> bool:
            try:
                with self._engine.begin() as connection:
                    if with_weights:
                        connection.execute(sa.delete(_runs).where(_runs.c.key == outcome.key))
                    connection.execute(sa.insert(_runs), to_row(outcome, kept))
            except sa.exc.IntegrityError:
                if not self.finished([outcome.key]):
                    raise
                return False
            return True

        return self._patiently(put)

    def _computed(self, calculations: Mapping[str, Calculation]) -> list[Computed]:
        found = {row["key"]: row for row in self._rows(_raw(_calculations), _calculations, calculations)}
        return [
            self._decoded(found[key], partial(computed_from_row, calculation=calculation))
            for key, calculation in calculations.items()
            if key in found
        ]

    def _put_computed(self, computed: Computed) -> bool:
        def put() -> bool:
            try:
                with self._engine.begin() as connection:
                    connection.execute(sa.insert(_calculations), computed_to_row(computed))
            except sa.exc.IntegrityError:
                return False
            return True

        return self._patiently(put)

    def discard_damaged(self, keys: Iterable[str] | None = None) -> set[str]:
        """Removes the runs and calculations among `keys`, or among all, that are not as they were written; gives their
        keys. `run` then makes them again.
        """
        keys = keys if keys is None else list(keys)
        discarded = set()
        for table in (_runs, _calculations):
            damaged = [row for row in self._rows(_raw(table), table, keys) if not is_sound(row)]
            discarded |= {row["key"] for row in damaged}
            if damaged:
                # A key that is no text any more cannot be asked for.
                lost = [row["checksum"] for row in damaged if "\N{REPLACEMENT CHARACTER}" in str(row["key"])]
                with self._explained(), self._engine.begin() as connection:
                    for column, values in ((table.c.key, [row["key"] for row in damaged]), (table.c.checksum, lost)):
                        for some in _batches(values):
                            connection.execute(sa.delete(table).where(column.in_(some)))
        return discarded

    def claim(self, keys: Iterable[str]) -> bool:
        """Leases all of `keys` to this store, or none if somebody's lease on one of them has not expired."""
        keys = sorted(set(keys))  # in one order everywhere: no two processes wait for each other

        def claimed() -> bool:
            now = self._now()
            try:
                with self._engine.begin() as connection:
                    for some in _batches(keys):
                        expired = sa.and_(_leases.c.key.in_(some), _leases.c.expires < now)
                        connection.execute(sa.delete(_leases).where(expired))
                    lease = sa.insert(_leases).values(owner=self.owner, expires=now + self.lease_seconds)
                    connection.execute(lease, [{"key": key} for key in keys])
            except sa.exc.IntegrityError:
                return False
            return True

        return self._patiently(claimed)

    def heartbeat(self, keys: Sequence[str]) -> bool:
        """Renews the leases; False if one of them had expired and was taken over."""
        renewal = sa.update(_leases).values(expires=self._now() + self.lease_seconds)
        return self._change_own(renewal, keys) == len(set(keys))

    def release(self, keys: Sequence[str]) -> None:
        """Ends the leases that this store holds on `keys`."""
        self._change_own(sa.delete(_leases), keys)

    @contextmanager
    def lease(self, keys: Sequence[str]) -> Iterator[bool]:
        """Claims `keys` for the body, with a heartbeat in a thread; gives whether they were free."""
        held: bool | None = None  # unknown: an interrupt may come between a claim and its answer
        ended = threading.Event()
        beating = threading.Thread(target=self._beat, args=(keys, ended), name="lease", daemon=True)
        try:
            held = self.claim(keys)
            if held:
                beating.start()
            yield held
        finally:
            ended.set()
            if beating.ident is not None:
                beating.join()
            if held is not False:
                with suppress(StoreError):  # it then expires by itself, and an error of the body is not hidden
                    self.release(keys)

    def close(self) -> None:
        self._engine.dispose()

    def __enter__(self) -> Store:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def __reduce__(self) -> tuple[Any, ...]:
        folder = None if self._weights is None else self._weights.path
        url = self._url.render_as_string(hide_password=False)
        return _reopened, (url, folder, self.lease_seconds, self.patience)

    def _beat(self, keys: Sequence[str], ended: threading.Event) -> None:
        while not ended.wait(self.lease_seconds / 6):
            with suppress(StoreError):  # a lost beat costs at most that another process repeats the work
                self.heartbeat(keys)

    def _change_own(self, change: Any, keys: Sequence[str]) -> int:
        """Applies `change` to the leases of this store on `keys`; gives how many there were."""
        with self._explained(), self._engine.begin() as connection:
            return sum(
                connection.execute(change.where(_leases.c.key.in_(some), _leases.c.owner == self.owner)).rowcount
                for some in _batches(sorted(set(keys)))
            )

    def _rows(self, query: Any, table: sa.Table, keys: Iterable[str] | None) -> list[dict[str, Any]]:
        """What `query` finds of `table` among `keys`, or of all of it."""
        queries = [query] if keys is None else [query.where(table.c.key.in_(some)) for some in _batches(list(keys))]

        def rows() -> list[dict[str, Any]]:
            with self._engine.connect() as connection:
                return [row._asdict() for each in queries for row in connection.execute(each)]

        return self._patiently(rows)

    def _decoded(self, row: Any, decode: Callable[[Any], T]) -> T:
        try:
            return decode(row)
        except ValueError as error:
            raise StoreError(
                f"run {row['key']} in the store {self.name} is damaged: {error}; restore a copy of it, or run its "
                "study again, which trains it anew (Store.discard_damaged removes all that is damaged)"
            ) from error

    def _folder(self) -> WeightsFolder:
        if self._weights is None:
            raise StoreError(
                f"the store {self.name} has no folder for weights, which are kept in files: "
                "give one, as in Store(URL, weights=FOLDER)"
            )
        return self._weights

    def _version(self) -> str | None:
        if not sa.inspect(self._engine).has_table(_meta.name):
            return None
        with self._engine.connect() as connection:
            return connection.scalar(sa.select(_meta.c.value).where(_meta.c.name == "format"))

    def _create(self) -> str | None:
        """Makes the tables; not in a file that somebody else's are in already."""
        if is_sqlite(self._url):
            found = sa.inspect(self._engine)
            names = [*found.get_table_names(), *found.get_view_names()]
            others = [name for name in names if name not in _tables.tables]
            if others:
                raise StoreError(
                    f"the file {self.name} is a database of something else, with tables such as {others[0]!r}: "
                    "name another file, which is then created"
                )
        try:
            with self._engine.begin() as connection:
                for table in _tables.tables.values():
                    connection.execute(CreateTable(table, if_not_exists=True))
                connection.execute(sa.insert(_meta), {"name": "format", "value": str(SCHEMA)})
        except sa.exc.DBAPIError:
            if self._version() is None:  # else another process created it in the same moment
                raise
        return self._version()

    def _now(self) -> Any:
        """Seconds since 1970, by the one clock that all who share the store have: the server's, or this machine's."""
        if is_sqlite(self._url):
            return time.time()
        return sa.cast(sa.extract("epoch", sa.func.clock_timestamp()), sa.Double)

    def _patiently(self, action: Callable[[], T]) -> T:
        """What `action` gives, of a server that goes away for a while too."""
        started, told = time.monotonic(), 0.0
        while True:
            try:
                with self._explained():
                    return action()
            except StoreUnreachable as error:
                waited = time.monotonic() - started
                if waited >= self.patience:
                    raise
                if not told or waited - told >= _SECONDS_BETWEEN_WORDS:
                    told = waited or 1e-9
                    self.on_wait(f"{error}; waiting for it for {self.patience - waited:.0f} s more")
                time.sleep(min(_SECONDS_BETWEEN_TRIES, self.patience - waited))

    def _explained(self) -> AbstractContextManager[None]:
        return explained(self.name)


def _reopened(url: str, weights: Path | None, lease_seconds: float, patience: float) -> Store:
    """The store as another process had it open: that its tables are there need not be asked again, of a server that may
    be away for a while."""
    store = Store.__new__(Store)
    store._prepare(parsed(url), weights, lease_seconds, patience)
    return store


def _raw(table: sa.Table) -> Any:
    """All columns as the driver gives them: SQLAlchemy's own conversions fail in many ways on damaged values."""
    return sa.select(*(sa.type_coerce(column, sa.types.NullType()).label(column.name) for column in table.c))


def _batches(keys: list[str]) -> Iterator[list[str]]:
    """As many keys as one statement takes: SQLite allows for 32,766 values, PostgreSQL for 65,535."""
    yield from (keys[first : first + 10_000] for first in range(0, len(keys), 10_000))
