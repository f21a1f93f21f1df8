from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest
from fake_engine import assert_equal, fake_key, make_outcome
from squares import DATA, Square

import byrote.runs.codec
from byrote.errors import UserError
from byrote.runs.merge import merge
from byrote.runs.store import Store
from byrote.runs.tables import RUNS
from byrote.theory.calculation import compute
from byrote.training.spec import TrainSpec

SPECS = [TrainSpec(model="mlp-1x8", seed=seed) for seed in range(6)]
KEYS = [fake_key(spec) for spec in SPECS]


@pytest.fixture
def one(tmp_path: Path) -> Store:
    return filled(tmp_path / "one.db", *map(make_outcome, SPECS[:4]), compute(Square(number=3), DATA))


def filled(path: Path, *results) -> Store:
    store = Store(path)
    assert all(store.put(result) for result in results)
    return store


def test_what_is_merged_is_as_it_was_put_and_the_sources_stay(one, url, tmp_path):
    two = filled(tmp_path / "two.db", *map(make_outcome, SPECS[2:]), compute(Square(number=4), DATA))
    before = [Path(store.name).read_bytes() for store in (one, two)]
    into, looked_at = Store(url), []
    first, second = merge(one, into, looked_at.append), merge(two, into)
    assert (first.num_added, first.num_there, second.num_added, second.num_there) == (5, 0, 3, 2)
    assert first.is_whole
    assert second.is_whole
    assert sum(looked_at) == 5
    assert [Path(store.name).read_bytes() for store in (one, two)] == before
    for got, want in zip(into.outcomes(KEYS), map(make_outcome, SPECS), strict=True):
        assert_equal(got, want)
    tasks = {Square(number=number).key(DATA): Square(number=number) for number in (3, 4)}
    assert [each.values["square"] for each in into.results(tasks).values()] == [9, 16]
    assert not into.discard_damaged()
    back = Store(tmp_path / "back.db")
    assert merge(into, back).num_added == 8
    assert len(back.outcomes()) == 6


def test_equal_numbers_made_elsewhere_are_no_conflict_and_others_keep_the_first(one, tmp_path):
    curve = {name: values + 1e-12 for name, values in make_outcome(SPECS[1]).curve.items()}
    two = filled(
        tmp_path / "two.db",
        make_outcome(SPECS[0], seconds=7.0, environment={"hardware": "another"}),
        make_outcome(SPECS[1], curve=curve),
        make_outcome(SPECS[2], test_loss=0.5),
    )
    merged = merge(two, one)
    assert (merged.num_added, merged.num_there, merged.is_whole) == (0, 1, False)
    assert [each.key for each in merged.conflicts] == KEYS[1:3]
    assert merged.conflicts[0].label == "mlp-1x8, true-labels, seed 1"
    assert_equal(one.outcomes([KEYS[1]])[0], make_outcome(SPECS[1]))


def test_arrays_that_are_compressed_otherwise_are_equal(one, tmp_path, monkeypatch):
    two = Store(tmp_path / "two.db")
    monkeypatch.setattr(byrote.runs.codec, "_padded", lambda part: part.ljust(-(-len(part) // 16) * 16, b"\1"))
    two.put(make_outcome(SPECS[0]))
    monkeypatch.undo()
    assert next(two.rows(RUNS))["checksum"] != next(one.rows(RUNS, [KEYS[0]]))["checksum"]
    assert merge(two, one).num_there == 1


def test_what_is_damaged_is_left_out_and_what_the_target_has_damaged_is_mended(one, tmp_path):
    two = filled(tmp_path / "two.db", *map(make_outcome, SPECS))
    for path, seed in (("two.db", 5), ("one.db", 0)):
        with closing(sqlite3.connect(tmp_path / path)) as database, database:
            database.execute("UPDATE byrote_runs SET test_loss = 9, checksum = 'x' WHERE seed = ?", (seed,))
    merged = merge(two, one)
    assert ([each.key for each in merged.damaged], merged.num_added) == ([KEYS[5]], 2)
    assert one.finished(KEYS) == set(KEYS[:5])
    assert_equal(one.outcomes([KEYS[0]])[0], make_outcome(SPECS[0]))


def test_weights_are_copied_with_their_runs(one, tmp_path):
    outcomes = [make_outcome(spec, keep_weights=True) for spec in SPECS[3:]]
    two = filled(tmp_path / "two.db", *outcomes)
    lost = two.folder().files(KEYS[5])[1]
    lost.write_bytes(lost.read_bytes()[:-1] + b"x")
    merged = merge(two, one)
    assert (merged.num_added, merged.num_there) == (2, 1)
    assert [each.key for each in merged.without_weights] == [KEYS[5]]
    assert one.finished(KEYS, weights=True) == {KEYS[3], KEYS[4]}  # the first was there without weights
    for got, want in zip(one.weights(KEYS[4]), two.weights(KEYS[4]), strict=True):
        assert_equal(got, want)
    assert not one.discard_damaged()


def test_a_store_is_not_merged_into_itself(one, tmp_path):
    (tmp_path / "link.db").symlink_to(one.name)
    with pytest.raises(UserError, match=r"got .*one\.db as what is merged and as the store of the result"):
        merge(Store(tmp_path / "link.db"), one)
