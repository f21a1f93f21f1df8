from __future__ import annotations

import os
import pickle
import shutil
import sqlite3
import subprocess
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from random import Random
from typing import NoReturn

import numpy as np
import pytest
import sqlalchemy as sa
from fake_engine import assert_equal, fake_key, make_outcome

from byrote.data.check import Check
from byrote.errors import StoreError
from byrote.runs.store import Store
from byrote.runs.tables import LEASES, RUNS
from byrote.studies.study import tabulate
from byrote.training.spec import TrainSpec

SPECS = [TrainSpec(model="mlp-1x8", seed=seed) for seed in range(4)]
KEYS = [fake_key(spec) for spec in SPECS]


def open_store(url: str, tmp_path: Path, lease_seconds: float = 30.0) -> Store:
    return Store(url, weights=tmp_path / "weights", lease_seconds=lease_seconds)


@pytest.fixture
def either(url: str, tmp_path: Path) -> Store:
    return open_store(url, tmp_path)


def integrity(path: Path) -> str:
    connection = sqlite3.connect(path)
    try:
        return connection.execute("PRAGMA integrity_check").fetchone()[0]
    finally:
        connection.close()


# Runs


def test_what_is_put_comes_back_exactly(either, url, tmp_path):
    outcomes = [make_outcome(spec) for spec in SPECS]
    assert all(either.put(outcome) for outcome in outcomes)
    again = open_store(url, tmp_path)
    for got, want in zip(again.outcomes(KEYS), outcomes, strict=True):
        assert_equal(got, want)


def test_a_key_is_stored_once(either):
    assert either.put(make_outcome(SPECS[0]))
    assert not either.put(make_outcome(SPECS[0], steps_run=99))
    assert either.outcomes(KEYS)[0].steps_run == 20


def test_of_simultaneous_puts_one_counts(either):
    with ThreadPoolExecutor(8) as pool:
        stored = list(pool.map(lambda _: either.put(make_outcome(SPECS[0])), range(8)))
    assert stored.count(True) == 1
    assert len(either.outcomes()) == 1


def test_outcomes_follow_the_order_of_the_keys(either):
    for spec in (SPECS[2], SPECS[0]):
        either.put(make_outcome(spec))
    assert [outcome.key for outcome in either.outcomes(KEYS)] == [KEYS[0], KEYS[2]]
    assert [outcome.key for outcome in either.outcomes()] == [KEYS[2], KEYS[0]]
    assert either.outcomes([]) == []
    assert either.finished([]) == set()
    assert either.finished(KEYS) == {KEYS[0], KEYS[2]}


def test_results_of_few_runs_outlive_their_store(tmp_path):
    (tmp_path / "folder").mkdir()
    made = make_outcome(SPECS[0], test_leaked=np.arange(3))
    Store(tmp_path / "folder" / "runs.db").put(made)
    [alone], [of_all] = (Store(tmp_path / "folder" / "runs.db").outcomes(keys) for keys in ([made.key], None))
    shutil.rmtree(tmp_path / "folder")
    for found in (alone, of_all):
        assert_equal(found, replace(made, initial_state=None, final_state=None))


@pytest.mark.parametrize("is_folder_left", [True, False])
def test_of_many_runs_it_is_said_that_their_store_is_gone(is_folder_left, tmp_path, monkeypatch):
    monkeypatch.setattr("byrote.runs.store._MOST_WHOLE", 0)
    file = tmp_path / "folder" / "runs.db"
    file.parent.mkdir()
    store = Store(file)
    store.put(make_outcome(SPECS[0]))
    [found] = store.outcomes()
    for path in file.parent.iterdir():
        path.unlink()
    if not is_folder_left:
        file.parent.rmdir()
    with pytest.raises(StoreError, match="any more, from which its curves and predictions are read"):
        _ = found.curve
    assert not file.exists()


def test_curves_predictions_and_checks_of_many_are_read_when_they_are_asked_for(either, monkeypatch):
    monkeypatch.setattr("byrote.runs.store._MOST_WHOLE", 2)
    specs = [TrainSpec(model="mlp-1x8", seed=seed) for seed in range(5)]
    checks = (Check("labels fixed", True, "same digest"),)
    made = [make_outcome(spec, test_leaked=np.arange(spec.seed), checks=checks) for spec in specs]
    for outcome in made:
        either.put(outcome)
    found = either.outcomes([outcome.key for outcome in made])
    read = []
    monkeypatch.setattr(either, "rows", lambda *given: read.append(given) or Store.rows(either, *given))
    tabulate("a study", found)
    assert [outcome.check_results for outcome in found] == [outcome.check_results for outcome in made]
    assert not read
    assert [outcome.checks for outcome in found] == [checks] * 5
    assert read
    for got, put in zip(found, made, strict=True):
        kept = replace(put, initial_state=None, final_state=None)
        assert_equal(got, kept)
        assert_equal(replace(got, seconds=1.0), replace(kept, seconds=1.0))
        assert_equal(pickle.loads(pickle.dumps(got)), kept)
    *_, gone = either.outcomes([outcome.key for outcome in made[:3]])
    either.delete(RUNS, [gone.key])
    with pytest.raises(StoreError, match="any more, from which its curves and predictions are read"):
        _ = gone.early


def test_runs_have_the_specs_that_they_are_asked_for_by(either):
    spec = TrainSpec(model="mlp-1x8", preprocessing="standardize")
    outcome = make_outcome(spec)
    either.put(outcome)
    (found,) = either.results({outcome.key: spec}).values()
    assert found.spec is spec
    (found,) = either.results({outcome.key: spec.model_copy(update={"preprocessing": "auto"})}).values()
    assert found.spec == spec


def test_weights_lie_beside_the_row(either):
    outcome = make_outcome(SPECS[0], keep_weights=True)
    assert either.put(outcome)
    assert either.finished(KEYS, weights=True) == {KEYS[0]}
    for got, want in zip(either.weights(KEYS[0]), (outcome.initial_state, outcome.final_state), strict=True):
        assert_equal(got, want)
    assert either.outcomes(KEYS)[0].initial_state is None


def test_weights_can_be_added_later_and_bring_their_figures(either):
    either.put(make_outcome(SPECS[0]))
    assert either.finished(KEYS, weights=True) == set()
    assert either.put(make_outcome(SPECS[0], keep_weights=True, steps_run=99))
    assert not either.put(make_outcome(SPECS[0], keep_weights=True, steps_run=100))
    assert [outcome.steps_run for outcome in either.outcomes()] == [99]
    assert either.finished(KEYS, weights=True) == {KEYS[0]}


def test_the_default_folder_of_weights_is_beside_the_file(store, tmp_path):
    store.put(make_outcome(SPECS[0], keep_weights=True))
    assert (tmp_path / "runs.db.weights" / f"{KEYS[0]}.final.safetensors").is_file()


def test_a_failed_write_of_weights_stores_no_row(store, tmp_path):
    (tmp_path / "runs.db.weights").write_text("in the way")
    with pytest.raises(StoreError, match=r"cannot write the weights of a run to .*runs\.db\.weights"):
        store.put(make_outcome(SPECS[0], keep_weights=True))
    assert store.outcomes() == []


# Leases


def test_a_claim_is_all_or_nothing(either, url, tmp_path):
    other = open_store(url, tmp_path)
    assert either.claim(KEYS[:2])
    assert not other.claim(KEYS[1:])
    assert not either.claim(KEYS[:1])
    assert other.claim(KEYS[2:])
    either.release(KEYS)
    assert not either.claim(KEYS[1:3])
    assert other.claim(KEYS[:2])


def test_of_simultaneous_claims_one_counts(either, url, tmp_path):
    stores = [open_store(url, tmp_path) for _ in range(8)]
    with ThreadPoolExecutor(8) as pool:
        won = list(pool.map(lambda index: stores[index].claim(KEYS[index % 2 : index % 2 + 3]), range(8)))
    assert won.count(True) == 1


def test_an_expired_lease_can_be_taken_over(either, url, tmp_path):
    brief = open_store(url, tmp_path, lease_seconds=0.02)
    assert brief.claim(KEYS)
    time.sleep(0.05)
    assert brief.heartbeat(KEYS), "nobody took it: it goes on"
    time.sleep(0.05)
    assert either.claim(KEYS[:2])
    assert not brief.heartbeat(KEYS)
    brief.release(KEYS)
    assert not brief.claim(KEYS), "only its own leases are released"


def test_the_leases_of_a_process_that_has_ended_are_taken_over(either, url, tmp_path, monkeypatch):
    living, dead = open_store(url, tmp_path), open_store(url, tmp_path)
    monkeypatch.setattr("byrote.runs.store.has_ended", lambda owner: owner == dead.owner)
    assert living.claim(KEYS[:1])
    assert dead.claim(KEYS[1:])
    assert not either.claim(KEYS), "one is of a process that lives"
    assert either.claim(KEYS[1:])
    assert not dead.heartbeat(KEYS[1:])
    assert living.heartbeat(KEYS[:1])


def test_a_lease_is_kept_alive(either, url, tmp_path, monkeypatch):
    """Each time that the clock moves on, the next beat makes it last from then."""
    now = 1e9
    monkeypatch.setattr(Store, "_now", lambda _: now)
    brief = open_store(url, tmp_path, lease_seconds=0.6)
    with brief.lease(KEYS) as held:
        assert held
        for _ in range(3):
            now += 0.5
            while min(ends(brief)) < now + 0.6:
                time.sleep(0.01)
            with either.lease(KEYS[:1]) as also:
                assert not also
    assert either.claim(KEYS)


def ends(store: Store) -> list[float]:
    with store._engine.connect() as connection:
        return list(connection.scalars(sa.select(LEASES.c.expires)))


@pytest.mark.parametrize("error", [RuntimeError(), KeyboardInterrupt(), StoreError("trouble")])
def test_a_lease_ends_with_its_body(either, url, tmp_path, error):
    with pytest.raises(type(error)), either.lease(KEYS):
        raise error
    assert open_store(url, tmp_path).claim(KEYS)


# Where it is


def test_a_store_can_be_pickled(url, tmp_path):
    store = open_store(url, tmp_path, lease_seconds=7.0)
    copy = pickle.loads(pickle.dumps(store))
    copy.put(make_outcome(SPECS[0], keep_weights=True))
    assert store.finished(KEYS, weights=True) == {KEYS[0]}
    assert copy.lease_seconds == 7.0
    assert copy.owner != store.owner


def test_stores_are_created_simultaneously(url, tmp_path):
    with ThreadPoolExecutor(8) as pool:
        stores = list(pool.map(lambda _: open_store(url, tmp_path), range(8)))
    assert sum(store.put(make_outcome(SPECS[0])) for store in stores) == 1


def _text(folder: Path) -> Path:
    (folder / "runs.db").write_text("not a database\n" * 100)
    return folder / "runs.db"


def _folder(folder: Path) -> Path:
    (folder / "runs.db").mkdir()
    return folder / "runs.db"


def _later(folder: Path) -> Path:
    Store(folder / "runs.db")
    with sqlite3.connect(folder / "runs.db") as connection:
        connection.execute("UPDATE byrote_meta SET value = '4'")
    return folder / "runs.db"


REFUSED = {
    "text file": (_text, r"runs\.db: the file is no SQLite database: move it away or name another store"),
    "folder": (_folder, r"runs\.db: the file cannot be opened or created"),
    "no folder": (
        lambda folder: folder / "none" / "runs.db",
        r"there is no folder .*none for the store .*: make it",
    ),
    "later format": (
        _later,
        r"runs\.db has format 4, this byrote reads and writes format 3: name another store",
    ),
}


@pytest.mark.parametrize(("make", "message"), REFUSED.values(), ids=REFUSED)
def test_an_unusable_store_is_refused_with_a_remedy(make, message, tmp_path):
    with pytest.raises(StoreError, match=message):
        Store(make(tmp_path))


def test_a_database_without_a_folder_keeps_no_weights():
    store = Store.__new__(Store)
    vars(store).update(_url=sa.make_url("postgresql://host/db"), _weights=None)
    with pytest.raises(StoreError, match=r"no folder for weights, .*: give one, as in Store\(URL, weights=FOLDER\)"):
        store.finished([], weights=True)


def test_no_server_is_one_sentence():
    pytest.importorskip("psycopg")
    with pytest.raises(
        StoreError, match=r"cannot use the store postgresql.*check its address and that the database runs"
    ):
        Store("postgresql://nobody@127.0.0.1:1/none")


def test_a_file_of_something_else_gets_no_tables(tmp_path):
    with closing(sqlite3.connect(tmp_path / "theirs.db")) as connection:
        connection.execute("CREATE TABLE customers (name TEXT)")
    before = (tmp_path / "theirs.db").read_bytes()
    with pytest.raises(
        StoreError, match=r"theirs\.db is a database of something else, .*'customers': name another file"
    ):
        Store(tmp_path / "theirs.db")
    assert (tmp_path / "theirs.db").read_bytes() == before


def test_so_does_one_with_views_alone(tmp_path):
    with closing(sqlite3.connect(tmp_path / "theirs.db")) as connection:
        connection.execute("CREATE VIEW latest AS SELECT 1")
    with pytest.raises(StoreError, match=r"is a database of something else, .*'latest'"):
        Store(tmp_path / "theirs.db")


@pytest.mark.parametrize(
    "change",
    [
        "DROP TABLE byrote_runs",
        "ALTER TABLE byrote_runs RENAME COLUMN ceiling TO floor",
        "ALTER TABLE byrote_meta RENAME COLUMN value TO x",
    ],
)
def test_tables_that_are_not_as_they_should_be_have_their_remedy(either, url, tmp_path, change):
    with either._engine.begin() as connection:
        connection.execute(sa.text(change))
    with pytest.raises(StoreError, match="its tables are not those of byrote: restore a copy, or name another store"):
        open_store(url, tmp_path).outcomes(KEYS)


def test_any_number_of_keys_can_be_asked_for(either):
    either.put(make_outcome(SPECS[0]))
    many = [
        *(f"{number:064x}" for number in range(70_000 if either.name.startswith("postgresql") else 33_000)),
        KEYS[0],
    ]
    assert either.finished(many) == {KEYS[0]}
    assert [outcome.key for outcome in either.outcomes(many)] == [KEYS[0]]
    assert either.discard_damaged(many) == set()
    assert either.claim(many[-20_000:])
    assert not either.claim(many)
    assert either.heartbeat(many[-20_000:])
    either.release(many)
    assert either.claim(many[-1:])


# What comes to harm


def test_files_that_came_to_harm_are_refused(store, tmp_path):
    store.put(make_outcome(SPECS[0]))
    content = (tmp_path / "runs.db").read_bytes()
    (tmp_path / "runs.db").write_bytes(content[:100] + bytes(len(content) - 100))
    with pytest.raises(StoreError, match="the file is a damaged database: restore a copy"):
        store.outcomes()


def test_a_flipped_bit_in_any_column_is_found(store, tmp_path):
    """In the value's bytes, whatever they then are to the database."""
    store.put(make_outcome(SPECS[0], key="0" * 64))
    random = Random(0)
    with closing(sqlite3.connect(tmp_path / "runs.db", isolation_level=None)) as connection:
        connection.text_factory = lambda text: text.decode(errors="replace")
        connection.execute("PRAGMA synchronous = OFF")
        for _, column, *_ in connection.execute("PRAGMA table_info(byrote_runs)").fetchall():
            (value,) = connection.execute(f"SELECT {column} FROM byrote_runs").fetchone()
            for _ in range(4):
                flip(connection, column, value, random)
                with pytest.raises(StoreError, match="is damaged: its values do not match their checksum; restore a"):
                    store.outcomes()
            connection.execute(f"UPDATE byrote_runs SET {column} = ?", (value,))
            assert len(store.outcomes()) == 1


def flip(connection: sqlite3.Connection, column: str, value: object, random: Random) -> None:
    raw = bytearray(value if isinstance(value, bytes) else str(1 if value is None else value).encode())
    raw[random.randrange(len(raw))] ^= 1 << random.randrange(8)
    kind = {bytes: "BLOB", str: "TEXT"}.get(type(value), "NUMERIC")
    connection.execute(f"UPDATE byrote_runs SET {column} = CAST(? AS {kind})", (bytes(raw),))
    if connection.execute(f"SELECT {column} FROM byrote_runs").fetchone() == (value,):  # "07" is 7
        flip(connection, column, value, random)


def test_a_flipped_bit_of_the_file_is_found_or_harmless(store, tmp_path):
    outcomes = [make_outcome(spec, key=str(seed) * 64) for seed, spec in enumerate(SPECS)]
    for outcome in outcomes:
        store.put(outcome)
    content = (tmp_path / "runs.db").read_bytes()
    random, num_found = Random(0), 0
    for _ in range(100):
        damaged = bytearray(content)
        damaged[random.randrange(len(damaged))] ^= 1 << random.randrange(8)
        (tmp_path / "runs.db").write_bytes(damaged)
        try:
            got = Store(tmp_path / "runs.db").outcomes([outcome.key for outcome in outcomes])
        except StoreError:
            num_found += 1
            continue
        for one in got:  # or it is missing, and will be trained again
            assert_equal(one, outcomes[int(one.key[0])])
    assert num_found > 10


def test_damaged_runs_are_discarded_and_leave_the_others(store, tmp_path):
    for spec in SPECS:
        store.put(make_outcome(spec))
    with sqlite3.connect(tmp_path / "runs.db") as connection:
        connection.execute("UPDATE byrote_runs SET test_accuracy = 0.9 WHERE key = ?", (KEYS[1],))
        connection.execute("UPDATE byrote_runs SET key = CAST(x'ff' AS TEXT) WHERE key = ?", (KEYS[2],))
    assert store.discard_damaged(KEYS[:1]) == set()
    assert store.discard_damaged(KEYS) == {KEYS[1]}
    assert len(store.discard_damaged()) == 1
    assert [outcome.key for outcome in store.outcomes()] == [KEYS[0], KEYS[3]]
    assert store.put(make_outcome(SPECS[1]))


@pytest.mark.parametrize("part", ["initial", "final"])
def test_damaged_weights_are_refused_until_they_are_kept_again(store, tmp_path, part):
    outcome = make_outcome(SPECS[0], keep_weights=True)
    store.put(outcome)
    file = tmp_path / "runs.db.weights" / f"{KEYS[0]}.{part}.safetensors"
    content = bytearray(file.read_bytes())
    content[-3] ^= 4
    file.write_bytes(content)
    with pytest.raises(
        StoreError, match=r"not those that were kept with it: remove the files .*, run it again and keep"
    ):
        store.weights(KEYS[0])
    file.unlink()
    assert store.finished(KEYS, weights=True) == set()
    assert store.put(outcome)
    assert_equal(store.weights(KEYS[0])[1], outcome.final_state)


def test_files_of_weights_are_not_those_of_a_run_that_kept_none(store, tmp_path):
    """As a process leaves them that was killed before it wrote the row."""
    store.put(make_outcome(SPECS[0]))
    for part in ("initial", "final"):
        (tmp_path / "runs.db.weights").mkdir(exist_ok=True)
        (tmp_path / "runs.db.weights" / f"{KEYS[0]}.{part}.safetensors").write_bytes(b"")
    assert store.finished(KEYS, weights=True) == set()


def test_very_many_runs_are_read_at_once_without_their_curves(store, tmp_path, monkeypatch):
    """They are copied, for training them would take longer."""
    store.put(make_outcome(SPECS[0], key="0" * 64))
    with closing(sqlite3.connect(tmp_path / "runs.db")) as connection:
        names = [name for _, name, *_ in connection.execute("PRAGMA table_info(byrote_runs)")]
        others = ", ".join(f'"{name}"' for name in names if name != "key")
        connection.execute(
            "CREATE TEMP TABLE copies AS "
            "WITH RECURSIVE n(i) AS (SELECT 1 UNION SELECT i + 1 FROM n WHERE i < 2999) SELECT i FROM n"
        )
        connection.execute(
            f"INSERT INTO byrote_runs (key, {others}) SELECT key || '-' || i, {others} FROM byrote_runs, copies"
        )
        connection.commit()
    asked: list[str] = []
    sa.event.listen(store._engine, "before_cursor_execute", lambda _, __, statement, *___: asked.append(statement))
    monkeypatch.setattr(store, "_large_fields", pytest.fail)
    assert len(store.outcomes()) == 3000
    (statement,) = asked
    assert "byrote_runs.arrays," not in statement


# What disks do


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 256 KiB."""
    folder = tmp_path / "disk"
    folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=256k", "tmpfs", str(folder)]
    if os.name != "posix" or subprocess.run(mount, capture_output=True, check=False).returncode:
        pytest.skip("mounting a small file system takes root")
    yield folder
    subprocess.run(["umount", "-l", str(folder)], check=True)


def fill(store: Store, *, keep_weights: bool = False) -> None:
    for seed in range(1000):
        store.put(make_outcome(TrainSpec(model="mlp-1x8", seed=seed), keep_weights=keep_weights))


def assert_whole(store: Store) -> int:
    """The first runs of `fill`, without a gap; returns how many."""
    stored = store.outcomes()
    assert stored
    for seed, outcome in enumerate(stored):
        assert_equal(outcome, make_outcome(TrainSpec(model="mlp-1x8", seed=seed)))
    return len(stored)


@pytest.mark.parametrize("keep_weights", [False, True])
def test_a_full_disk_loses_nothing(small_disk, keep_weights):
    store = Store(small_disk / "runs.db")
    with pytest.raises(StoreError, match=r"/runs\.db.*room.* finished runs are kept"):
        fill(store, keep_weights=keep_weights)
    stored = assert_whole(store)
    assert integrity(small_disk / "runs.db") == "ok"
    subprocess.run(["mount", "-o", "remount,size=4m", str(small_disk)], check=True)
    assert store.put(make_outcome(TrainSpec(model="mlp-1x8", seed=stored), keep_weights=keep_weights))


def fill_up(folder: Path) -> NoReturn:
    disk = os.statvfs(folder)
    (folder / "ballast").write_bytes(bytes(disk.f_bavail * disk.f_bsize))
    raise KeyError("trouble")


def test_a_lease_on_a_full_disk_ends_with_the_error_of_its_body(small_disk):
    """Its release needs room too."""
    store = Store(small_disk / "runs.db")
    with pytest.raises(KeyError, match="trouble"), store.lease(KEYS):
        fill_up(small_disk)


def test_a_limit_on_file_size_loses_nothing(tmp_path):
    """What a quota does, without root: in a process of its own, as the limit cannot be lifted again."""
    resource = pytest.importorskip("resource")
    store = Store(tmp_path / "runs.db")
    child = os.fork()
    if child == 0:
        resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000))
        try:
            fill(store)
        except StoreError as error:
            os._exit(7 if "finished runs are kept" in str(error) else 8)
        os._exit(9)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 7
    assert_whole(store)
    assert integrity(tmp_path / "runs.db") == "ok"
    assert store.put(make_outcome(TrainSpec(model="mlp-1x8", seed=1000)))


@pytest.fixture
def read_only(small_disk: Path) -> Path:
    """A folder with a finished run that nobody, root included, may write to."""
    Store(small_disk / "runs.db").put(make_outcome(SPECS[0]))
    subprocess.run(["mount", "-o", "remount,ro", str(small_disk)], check=True)
    return small_disk


def test_a_read_only_store_can_be_read_and_refuses_writes(read_only):
    store = Store(read_only / "runs.db")
    assert_equal(store.outcomes(KEYS)[0], make_outcome(SPECS[0]))
    for write in (lambda: store.claim(KEYS), lambda: store.put(make_outcome(SPECS[1]))):
        with pytest.raises(StoreError, match=r"runs\.db: the file or its folder is read-only: allow writing there"):
            write()


def test_a_new_store_in_a_read_only_folder_is_refused(read_only):
    with pytest.raises(StoreError, match=r"new\.db: the file cannot be opened or created: .* you may write to"):
        Store(read_only / "new.db")


def test_a_killed_writer_leaves_a_lock_nobody_waits_for(store, tmp_path):
    child = os.fork()
    if child == 0:
        connection = sqlite3.connect(tmp_path / "runs.db")
        connection.execute("BEGIN EXCLUSIVE")
        connection.execute("DELETE FROM byrote_meta")
        os.kill(os.getpid(), 9)
    os.waitpid(child, 0)
    assert Store(tmp_path / "runs.db").put(make_outcome(SPECS[0]))


# A PostgreSQL server that goes away.


def test_a_server_that_goes_away_is_waited_for(postgres, tmp_path):
    store = Store(postgres.url, weights=tmp_path / "weights")
    told: list[str] = []

    def start(line: str) -> None:
        told.append(line)
        postgres.start()

    store.on_wait = start
    outcome = make_outcome(TrainSpec(model="mlp-1x8", seed=int(time.time())))
    elsewhere = pickle.dumps(store)
    postgres.stop()
    sent = pickle.loads(elsewhere)  # a worker that begins meanwhile
    sent.on_wait = start
    assert sent.claim([outcome.key])
    postgres.stop()
    assert store.put(outcome)
    assert store.finished([outcome.key]) == {outcome.key}
    assert len(told) == 2
    assert all("that the database runs" in line and "waiting for it for 600 s more" in line for line in told)


def test_patience_ends(postgres, tmp_path):
    store = Store(postgres.url, weights=tmp_path / "weights", patience=1.5)
    store.on_wait = lambda _: None
    postgres.stop()
    try:
        with pytest.raises(StoreError, match="check its address and that the database runs"):
            store.finished(KEYS)
        with pytest.raises(StoreError):
            store.release(KEYS)
    finally:
        postgres.start()


def test_a_machine_whose_clock_is_wrong_takes_nothing_over(postgres, tmp_path, monkeypatch):
    first, second = (Store(postgres.url, weights=tmp_path / "weights") for _ in range(2))
    key = f"clock {time.time()}"
    assert first.claim([key])
    monkeypatch.setattr(time, "time", lambda: 4e9)
    assert not second.claim([key])
    assert first.heartbeat([key])
    first.release([key])
    assert second.claim([key])
