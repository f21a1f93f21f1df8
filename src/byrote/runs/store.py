"""Every finished run and calculation, once, durably: a SQLite file, or a PostgreSQL database.

One row a run, under its key, written in one transaction when the run ends. Leases tell who works on what: a
row a key, with an owner and a time of expiry, so that the runs of a killed process are soon free again: at once for
processes of its own machine.

SQLite keeps its rollback journal: writes are rare here, and unlike a write-ahead log it works on network file
systems and leaves a single file that can be copied, or read from a read-only folder. Every transaction that
writes begins with a write: two processes then wait for each other instead of failing.
"""

from __future__ import annotations

import threading
import time
import warnings
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, suppress
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

import sqlalchemy as sa
from sqlalchemy.schema import CreateTable

from byrote.errors import StoreError, StoreUnreachable, UserError
from byrote.runs.codec import computed_from_row, computed_to_row, from_row, is_sound, large_fields, to_row
from byrote.runs.database import connected, explained, is_sqlite, parsed, store_name
from byrote.runs.owners import has_ended, new_owner
from byrote.runs.read_ahead import ReadAhead
from byrote.runs.tables import CALCULATIONS, LEASES, META, RUNS, SCHEMA, TABLES
from byrote.runs.weights import WeightsFolder
from byrote.theory.calculation import Calculation, Computed
from byrote.training.outcome import TrainOutcome
from byrote.training.spec import TrainSpec

T = TypeVar("T")

_MOST_KEYS = 10_000
"""Of one statement: SQLite allows for 32,766 values, PostgreSQL for 65,535."""
_MOST_ROWS = 500
"""With their arrays, of one statement: what is in memory at a time."""
_MOST_WHOLE, _MOST_BYTES_WHOLE = 256, 32 * 2**20
"""Of runs that are read together, so many hold all that the store has of them (compressed, so many bytes)."""
_SECONDS_BETWEEN_TRIES = 1.0
_SECONDS_BETWEEN_WORDS = 20.0
"""Of a server that is away."""


class Store:
    """The finished runs of any number of studies.

    `url_or_path` is a file, or a URL as SQLAlchemy takes it (sqlite:///FILE, postgresql://USER@HOST/DATABASE). A
    new file is created in an existing folder. Weights are kept in the folder `weights`, what runs in training carry in
    the folder `checkpoints`: FILE.weights and FILE.checkpoints unless given, none for a server. A lease lasts
    `lease_seconds` from its last heartbeat, by the clock of the server where there is one. Of a server that goes away,
    once the store was opened, the return is waited for, `patience` seconds at most.

    Stores can be pickled and used from several threads and processes; no connection stays open between calls.
    Every method raises StoreError when the store cannot be read or written.

    >>> import byrote
    >>> store = byrote.Store("mine.db")
    >>> store.num_stored(), store.is_file
    (0, True)
    """

    def __init__(
        self,
        url_or_path: str | Path,
        *,
        weights: str | Path | None = None,
        checkpoints: str | Path | None = None,
        lease_seconds: float = 30.0,
        patience: float = 600.0,
    ) -> None:
        self._prepare(parsed(url_or_path), weights, checkpoints, lease_seconds, patience)
        with self._explained():
            version = self._version() or self._create()
        if version != str(SCHEMA):
            raise StoreError(
                f"the store {self.name} has format {version}, this byrote reads and writes format {SCHEMA}: "
                "name another store, or use the byrote that wrote this one"
            )

    def _prepare(
        self,
        url: sa.URL,
        weights: str | Path | None,
        checkpoints: str | Path | None,
        lease_seconds: float,
        patience: float,
    ) -> None:
        self._url = url
        self.lease_seconds = lease_seconds
        self.patience = patience
        self.on_wait: Callable[[str], None] = warnings.warn
        """Called with how long it will go on waiting for the server."""
        self.owner = new_owner()
        if is_sqlite(url):
            weights, checkpoints = weights or f"{url.database}.weights", checkpoints or f"{url.database}.checkpoints"
        self._weights = None if weights is None else WeightsFolder(Path(weights).absolute())
        self.checkpoints = None if checkpoints is None else Path(checkpoints).absolute()
        """The folder for those of runs that have not ended."""
        self._engine = connected(self._url)

    @classmethod
    def existing(cls, url_or_path: str | Path) -> Store | None:
        """The store, unless it has yet to be created, which this leaves so."""
        url = parsed(url_or_path)
        if is_sqlite(url) and not Path(str(url.database)).is_file():
            return None
        with explained(store_name(url)):
            is_there = sa.inspect(connected(url)).has_table(META.name)
        return cls(url_or_path) if is_there else None

    @property
    def name(self) -> str:
        """The file, or the URL without its secrets."""
        return store_name(self._url)

    @property
    def is_file(self) -> bool:
        """Whether it is a file, and no database of a server."""
        return is_sqlite(self._url)

    @property
    def keeps_weights(self) -> bool:
        """Whether it has a folder for them."""
        return self._weights is not None

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
            return {row["key"] for table in (RUNS, CALCULATIONS) for row in self.rows(table, keys, ("key",))}
        folder, found = self.folder(), self.rows(RUNS, keys, ("key", "weights"))
        return {row["key"] for row in found if row["weights"] is not None and folder.holds(row["key"])}

    def num_stored(self) -> int:
        """How many runs and calculations there are."""
        counts = [sa.select(sa.func.count().label("number")).select_from(table) for table in (RUNS, CALCULATIONS)]
        return sum(row["number"] for row in self._patiently(lambda: self._found(counts)))

    def results(self, tasks: Mapping[str, TrainSpec | Calculation]) -> dict[str, TrainOutcome | Computed]:
        """What the store has of `tasks`, which are given by their keys, in that order.

        Of runs as `outcomes` gives them.
        """
        runs = {key: task for key, task in tasks.items() if isinstance(task, TrainSpec)}
        others = {key: task for key, task in tasks.items() if isinstance(task, Calculation)}
        found: dict[str, TrainOutcome | Computed] = {outcome.key: outcome for outcome in self._outcomes(runs)}
        for row in self.rows(CALCULATIONS, others):
            found[row["key"]] = self._decoded(row, partial(computed_from_row, calculation=others[row["key"]]))
        return {key: found[key] for key in tasks if key in found}

    def outcomes(self, keys: Sequence[str] | None = None) -> list[TrainOutcome]:
        """The stored runs among `keys`, in that order; all runs, oldest first, without `keys`.

        Of more than 256 runs, or 32 MiB, the curves, predictions and checks of the rest are read from the store when
        they are asked for; all that is stored is compared with its checksums at once. Weights are not loaded: see
        `weights`.
        """
        if keys is not None:
            return self._outcomes(dict.fromkeys(keys))
        created, found = {}, []
        load = ReadAhead(self._large_fields)
        for row, is_whole in _first_whole(self.rows(RUNS)):
            created[row["key"]] = row["created"]
            found.append(self._decoded(row, partial(from_row, load=None if is_whole else load)))
        found.sort(key=lambda outcome: (created[outcome.key], outcome.key))
        load.keys = [outcome.key for outcome in found]
        return found

    def _outcomes(self, specs: Mapping[str, TrainSpec | None]) -> list[TrainOutcome]:
        """Of these keys, with what they were made of, where that is known."""
        load = ReadAhead(self._large_fields)
        found = {
            row["key"]: self._decoded(row, partial(from_row, load=None if is_whole else load, spec=specs[row["key"]]))
            for row, is_whole in _first_whole(self.rows(RUNS, specs))
        }
        load.keys = [key for key in specs if key in found]
        return [found[key] for key in load.keys]

    def _large_fields(self, keys: Sequence[str]) -> tuple[dict[str, dict[str, Any]], int]:
        """Of runs that were read before, and how many bytes the store has of them."""
        is_gone = self.is_file and not Path(str(self._url.database)).exists()  # to ask it would make an empty one
        rows = {} if is_gone else {row["key"]: row for row in self.rows(RUNS, keys)}
        if lost := [key for key in keys if key not in rows]:
            raise StoreError(
                f"run {lost[0]} is not in the store {self.name} any more, from which its curves and predictions are "
                "read when they are asked for: run its study again"
            )
        found = {key: self._decoded(rows[key], large_fields) for key in keys}
        return found, sum(len(rows[key]["arrays"]) for key in keys)

    def weights(self, key: str) -> tuple[dict[str, Any], dict[str, Any]]:
        """The weights and buffers of a run, by name: initial and final."""
        kept = [row["weights"] for row in self.rows(RUNS, [key], ("weights",))]
        return self.folder().load(key, kept[0] if kept else None)

    def put(self, result: TrainOutcome | Computed) -> bool:
        """Stores a run, with its weights where it has them, or a calculation. False if it was there: then nothing
        changes.

        A run that is stored without weights is replaced by one with weights, so that its figures are theirs.
        """
        if isinstance(result, Computed):
            return self.insert(CALCULATIONS, [computed_to_row(result)])
        return self._put_outcome(result)

    def _put_outcome(self, outcome: TrainOutcome) -> bool:
        initial, final = outcome.initial_state, outcome.final_state
        with_weights = initial is not None and final is not None
        if self.finished([outcome.key], weights=with_weights):
            return False
        kept = None
        if initial is not None and final is not None:
            kept = self.folder().save(outcome.key, initial, final)
        return self.insert(RUNS, [to_row(outcome, kept)], replacing=with_weights)

    def rows(
        self, table: sa.Table, keys: Iterable[str] | None = None, columns: Sequence[str] = ()
    ) -> Iterator[dict[str, Any]]:
        """The rows under `keys`, or all, with these columns, or all: as the driver gives them, and in no certain order.

        The column size is the number of bytes of the arrays. SQLAlchemy's own conversions fail in many ways on damaged
        values.
        """
        names = columns or tuple(table.c.keys())
        values = {name: sa.func.length(table.c.arrays) if name == "size" else table.c[name] for name in names}
        query = sa.select(*(sa.type_coerce(each, sa.types.NullType()).label(name) for name, each in values.items()))
        is_light = "arrays" not in names
        if keys is None:
            yield from self._patiently(lambda: self._found([query])) if is_light else self._streamed(query)
            return
        for some in _batches(list(keys), _MOST_KEYS if is_light else _MOST_ROWS):
            yield from self._patiently(lambda some=some: self._found([query.where(table.c.key.in_(some))]))  # type: ignore[misc]

    def _found(self, queries: Iterable[Any]) -> list[dict[str, Any]]:
        with self._engine.connect() as connection:
            return [row._asdict() for query in queries for row in connection.execute(query)]

    def _streamed(self, query: Any) -> Iterator[dict[str, Any]]:
        """Some at a time; the store cannot be written to in between."""
        with self._explained(), self._engine.connect().execution_options(yield_per=_MOST_ROWS) as connection:
            for row in connection.execute(query):
                yield row._asdict()

    def insert(self, table: sa.Table, rows: Sequence[Mapping[str, Any]], *, replacing: bool = False) -> bool:
        """Adds rows as `rows` gives them, all or none: False if one of them was there, and is not to be replaced."""
        keys = [row["key"] for row in rows]

        def inserted() -> bool:
            try:
                with self._engine.begin() as connection:
                    if replacing:
                        connection.execute(sa.delete(table).where(table.c.key.in_(keys)))
                    connection.execute(sa.insert(table), [dict(row) for row in rows])
            except sa.exc.IntegrityError:
                if not self.finished(keys):
                    raise
                return False
            return True

        return self._patiently(inserted)

    def delete(self, table: sa.Table, keys: Iterable[str], *, by: str = "key") -> None:
        """Removes the rows that have one of these keys."""
        with self._explained(), self._engine.begin() as connection:
            for some in _batches(list(keys), _MOST_KEYS):
                connection.execute(sa.delete(table).where(table.c[by].in_(some)))

    def compact(self) -> None:
        """Gives the disk what removed rows have left; a server does so by itself."""
        if is_sqlite(self._url):
            with self._explained(), self._engine.connect() as connection:
                connection.execution_options(isolation_level="AUTOCOMMIT").execute(sa.text("VACUUM"))

    def discard_damaged(self, keys: Iterable[str] | None = None) -> set[str]:
        """Removes the runs and calculations among `keys`, or among all, that are not as they were written; gives their
        keys. `run` then makes them again.
        """
        keys = keys if keys is None else list(keys)
        discarded: set[str] = set()
        for table in (RUNS, CALCULATIONS):
            damaged = {row["key"]: row["checksum"] for row in self.rows(table, keys) if not is_sound(row)}
            # A key that is no text any more cannot be asked for.
            lost = [checksum for key, checksum in damaged.items() if "\N{REPLACEMENT CHARACTER}" in str(key)]
            self.delete(table, damaged)
            self.delete(table, lost, by="checksum")
            discarded |= damaged.keys()
        return discarded

    def claim(self, keys: Iterable[str]) -> bool:
        """Leases all of `keys` to this store, or none if somebody holds a lease on one of them: one that has not
        expired, and whose process is not known to have ended.
        """
        keys = sorted(set(keys))  # in one order everywhere: no two processes wait for each other

        def claimed() -> bool:
            now = self._now()
            try:
                with self._engine.begin() as connection:
                    for some in _batches(keys, _MOST_KEYS):
                        expired = sa.and_(LEASES.c.key.in_(some), LEASES.c.expires < now)
                        connection.execute(sa.delete(LEASES).where(expired))
                    lease = sa.insert(LEASES).values(owner=self.owner, expires=now + self.lease_seconds)
                    connection.execute(lease, [{"key": key} for key in keys])
            except sa.exc.IntegrityError:
                return self._free_of_the_dead(keys) and claimed()
            return True

        return self._patiently(claimed)

    def heartbeat(self, keys: Sequence[str]) -> bool:
        """Renews the leases; False if one of them had expired and was taken over."""
        renewal = sa.update(LEASES).values(expires=self._now() + self.lease_seconds)
        return self._change_own(renewal, keys) == len(set(keys))

    def release(self, keys: Sequence[str]) -> None:
        """Ends the leases that this store holds on `keys`."""
        self._change_own(sa.delete(LEASES), keys)

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
        """Closes the connections of this process."""
        self._engine.dispose()

    def __enter__(self) -> Store:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def __reduce__(self) -> tuple[Any, ...]:
        folder = None if self._weights is None else self._weights.path
        url = self._url.render_as_string(hide_password=False)
        return _reopened, (url, folder, self.checkpoints, self.lease_seconds, self.patience)

    def _beat(self, keys: Sequence[str], ended: threading.Event) -> None:
        while not ended.wait(self.lease_seconds / 6):
            with suppress(StoreError):  # a lost beat costs at most that another process repeats the work
                self.heartbeat(keys)

    def _free_of_the_dead(self, keys: Sequence[str]) -> bool:
        """Ends all leases of those among the owners of `keys` whose processes have ended; False if there are none."""
        owners = sa.select(LEASES.c.owner).distinct()
        found = self._found(owners.where(LEASES.c.key.in_(some)) for some in _batches(list(keys), _MOST_KEYS))
        ended = [owner for owner in {row["owner"] for row in found} if has_ended(owner)]
        self.delete(LEASES, ended, by="owner")
        return bool(ended)

    def _change_own(self, change: Any, keys: Sequence[str]) -> int:
        """Applies `change` to the leases of this store on `keys`; gives how many there were."""
        with self._explained(), self._engine.begin() as connection:
            return sum(
                connection.execute(change.where(LEASES.c.key.in_(some), LEASES.c.owner == self.owner)).rowcount
                for some in _batches(sorted(set(keys)), _MOST_KEYS)
            )

    def _decoded(self, row: Any, decode: Callable[[Any], T]) -> T:
        try:
            return decode(row)
        except ValueError as error:
            raise StoreError(
                f"run {row['key']} in the store {self.name} is damaged: {error}; restore a copy of it, or run its "
                "study again, which trains it anew; `byrote runs STORE --unreadable` lists all that is damaged, and "
                "removes it with --prune --yes"
            ) from error

    def folder(self) -> WeightsFolder:
        """Of the weights that are kept.

        Raises:
            StoreError: it has none.
        """
        if self._weights is None:
            raise StoreError(
                f"the store {self.name} has no folder for weights, which are kept in files: "
                "give one, as in Store(URL, weights=FOLDER)"
            )
        return self._weights

    def _version(self) -> str | None:
        if not sa.inspect(self._engine).has_table(META.name):
            return None
        with self._engine.connect() as connection:
            return connection.scalar(sa.select(META.c.value).where(META.c.name == "format"))

    def _create(self) -> str | None:
        """Makes the tables; not in a file that somebody else's are in already."""
        if is_sqlite(self._url):
            found = sa.inspect(self._engine)
            names = [*found.get_table_names(), *found.get_view_names()]
            others = [name for name in names if name not in TABLES.tables]
            if others:
                raise StoreError(
                    f"the file {self.name} is a database of something else, with tables such as {others[0]!r}: "
                    "name another file, which is then created"
                )
        try:
            with self._engine.begin() as connection:
                for table in TABLES.tables.values():
                    connection.execute(CreateTable(table, if_not_exists=True))
                connection.execute(sa.insert(META), {"name": "format", "value": str(SCHEMA)})
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


def _reopened(url: str, weights: Path | None, checkpoints: Path | None, lease_seconds: float, patience: float) -> Store:
    """The store as another process had it open: that its tables are there need not be asked again, of a server that may
    be away for a while."""
    store = Store.__new__(Store)
    store._prepare(parsed(url), weights, checkpoints, lease_seconds, patience)
    return store


def _first_whole(rows: Iterable[dict[str, Any]]) -> Iterator[tuple[dict[str, Any], bool]]:
    """Rows, and whether each is to be read whole: so the results of most studies outlive a store that is removed."""
    num_bytes = 0
    for place, row in enumerate(rows):
        num_bytes += len(row["arrays"]) if isinstance(row["arrays"], bytes) else 0
        yield row, place < _MOST_WHOLE and num_bytes <= _MOST_BYTES_WHOLE


def _batches(keys: list[str], most: int) -> Iterator[list[str]]:
    yield from (keys[first : first + most] for first in range(0, len(keys), most))
