from __future__ import annotations

import multiprocessing
import os
import pickle
import random
import sqlite3
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from fake_engine import SmallStudy, assert_equal, fake_key, fake_plan, fake_train, make_outcome, real_points

from byrote.data.dataset import Dataset
from byrote.errors import StoreError, UserError
from byrote.runs.run import RunsFailed, run
from byrote.runs.store import Store
from byrote.studies.study import Planned
from byrote.training.checkpoints import Checkpoints
from byrote.training.outcome import TrainOutcome
from byrote.training.planner import Group
from byrote.training.spec import TrainSpec

STUDY = SmallStudy(7)
KEYS = [fake_key(spec) for spec in STUDY.tasks()]

needs_fork = pytest.mark.skipif(not hasattr(os, "fork"), reason="starts processes by fork")


def expected(study: SmallStudy) -> list[TrainOutcome]:
    return [
        make_outcome(spec, len(group.specs)) for group in fake_plan(study.tasks(), study.data) for spec in group.specs
    ]


def assert_all_equal(got: Sequence[TrainOutcome], want: Sequence[TrainOutcome]) -> None:
    for one, other in zip(got, want, strict=True):
        assert_equal(one, other)


class Recorder:
    """The fake engine, and which groups it was asked for."""

    def __init__(self) -> None:
        self.trained: list[tuple[int, ...]] = []

    def __call__(self, specs: Sequence[TrainSpec], data: Dataset, **options: Any) -> Iterator[TrainOutcome]:
        self.trained.append(tuple(spec.seed for spec in specs))
        return fake_train(specs, data, **options)


@pytest.fixture
def engine(fakes: Callable[..., None]) -> Recorder:
    recorder = Recorder()
    fakes(train=recorder)
    return recorder


def test_all_runs_come_back_in_the_order_of_the_plan(engine, store):
    assert_all_equal(run(STUDY, store), expected(STUDY))
    assert engine.trained == [(0, 1, 2), (3, 4, 5), (6,)]


def test_what_has_been_begun_comes_first(engine, store):
    begun = Checkpoints(store.checkpoints).file(KEYS[6:])
    begun.parent.mkdir()
    begun.touch()
    run(STUDY, store)
    assert engine.trained == [(6,), (0, 1, 2), (3, 4, 5)]


def test_what_is_stored_is_not_trained_again(engine, store):
    first = run(STUDY, store)
    engine.trained.clear()
    assert_all_equal(run(STUDY, store), first)
    assert engine.trained == []


def test_a_larger_study_trains_what_is_new(engine, store):
    run(SmallStudy(6), store)
    engine.trained.clear()
    run(STUDY, store)
    assert engine.trained == [(6,)]


def test_a_group_that_lacks_a_run_is_trained_whole(engine, store):
    for outcome in expected(STUDY)[:4]:
        store.put(outcome)
    assert_all_equal(run(STUDY, store), expected(STUDY))
    assert engine.trained == [(3, 4, 5), (6,)]


def test_groups_may_reorder_the_plan(fakes, store):
    def by_parity(specs: Sequence[TrainSpec], data: Dataset, **options: Any) -> list[Group]:
        return [Group(tuple(spec for spec in specs if spec.seed % 2 == odd), "by parity") for odd in (1, 0)]

    fakes(plan_groups=by_parity)
    assert [outcome.spec.seed for outcome in run(STUDY, store)] == list(range(7))


def test_a_path_will_do_for_a_store(engine, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    run(STUDY)
    run(STUDY, tmp_path / "runs.db")
    run(STUDY, f"sqlite:///{tmp_path / 'runs.db'}")
    assert len(engine.trained) == 3


def test_an_unusable_store_is_refused_before_any_training(engine, tmp_path):
    with pytest.raises(StoreError, match="there is no folder"):
        run(STUDY, tmp_path / "none" / "runs.db")
    assert engine.trained == []


def test_an_empty_plan_is_no_error(engine, store):
    assert run(SmallStudy(0), store) == []


def test_the_log_says_what_is_done(engine, store):
    run(SmallStudy(3), store)
    lines: list[str] = []
    run(STUDY, store, on_log=lines.append)
    assert lines[0] == "3 of 7 runs are in the store already"
    assert lines[1].startswith("4 runs to make, ")
    assert lines[2:] == ["in threes", "in threes"]


def test_new_runs_are_announced_once(engine, store):
    run(SmallStudy(3), store)
    new: list[TrainOutcome] = []
    run(STUDY, store, on_result=new.append)
    assert_all_equal(new, expected(STUDY)[3:])


def test_a_damaged_run_is_trained_again(engine, store, tmp_path):
    first = run(STUDY, store)
    engine.trained.clear()
    with closing(sqlite3.connect(tmp_path / "runs.db")) as connection, connection:
        connection.execute("UPDATE byrote_runs SET test_accuracy = 0.9 WHERE key = ?", (KEYS[4],))
    lines: list[str] = []
    assert_all_equal(run(STUDY, store, on_log=lines.append), first)
    assert engine.trained == [(3, 4, 5)]
    assert lines[:2] == [
        "1 damaged run in the store: made again",
        "6 of 7 runs are in the store already",
    ]


# Weights


def test_runs_without_weights_are_trained_again_for_them(engine, store):
    run(SmallStudy(3), store, keep_weights=True)
    run(STUDY, store)
    engine.trained.clear()
    lines: list[str] = []
    assert_all_equal(run(STUDY, store, keep_weights=True, on_log=lines.append), expected(STUDY))
    assert engine.trained == [(3, 4, 5), (6,)]
    assert "4 runs are in the store without weights: they are trained again" in lines
    assert store.finished(KEYS, weights=True) == set(KEYS)
    engine.trained.clear()
    run(STUDY, store)
    assert engine.trained == []


# Failures


def failing(at: int, error: BaseException) -> Callable[..., Iterator[TrainOutcome]]:
    def train(specs: Sequence[TrainSpec], data: Dataset, **options: Any) -> Iterator[TrainOutcome]:
        for outcome in fake_train(specs, data, **options):
            if outcome.spec.seed == at:
                raise error
            yield outcome

    return train


@pytest.mark.parametrize("error", [ValueError("no such thing"), UserError("no such thing")], ids=["bug", "input"])
def test_a_failed_group_leaves_the_rest(fakes, store, error):
    fakes(train=failing(4, error))
    lines: list[str] = []
    with pytest.raises(
        RunsFailed, match=r"2 of 7 runs failed, the rest is kept; the first, mlp-1x8.*: no such thing"
    ) as e:
        run(STUDY, store, on_log=lines.append)
    assert [failure.task.seed for failure in e.value.failures] == [4, 5]
    assert [outcome.spec.seed for outcome in e.value.results] == [0, 1, 2, 3, 6]
    assert all("Traceback" in failure.trace for failure in e.value.failures)
    assert any(line.startswith("a group of 3 runs failed") for line in lines)
    assert str(pickle.loads(pickle.dumps(e.value))) == str(e.value)
    fakes()
    assert_all_equal(run(STUDY, store), expected(STUDY))


def test_an_engine_that_forgets_a_run_is_found_out(fakes, store):
    fakes(train=lambda specs, data, **options: iter(()))
    with pytest.raises(RunsFailed, match=r"7 of 7 runs failed.*it ended without a result"):
        run(STUDY, store)


def test_an_interrupt_ends_everything_and_frees_the_runs(fakes, store, tmp_path):
    fakes(train=failing(4, KeyboardInterrupt()))
    with pytest.raises(KeyboardInterrupt):
        run(STUDY, store)
    assert store.finished(KEYS) == set(KEYS[:4])
    assert Store(tmp_path / "runs.db").claim(KEYS)


def test_a_store_that_fails_ends_everything(engine, store, monkeypatch):
    def full(outcome: TrainOutcome) -> bool:
        raise StoreError("the disk is full")

    monkeypatch.setattr(store, "put", full)
    with pytest.raises(StoreError, match="the disk is full"):
        run(STUDY, store)
    assert engine.trained == [(0, 1, 2)]


# Several processes


def test_leases_of_the_dead_expire(engine, tmp_path):
    Store(tmp_path / "runs.db").claim(KEYS[:3])
    lines: list[str] = []

    def log(line: str) -> None:
        lines.append(line)
        if line.startswith("waiting"):  # its time is up
            with closing(sqlite3.connect(tmp_path / "runs.db")) as connection, connection:
                connection.execute("UPDATE byrote_leases SET expires = 0")

    store = Store(tmp_path / "runs.db", lease_seconds=0.6)
    assert_all_equal(run(STUDY, store, on_log=log), expected(STUDY))
    assert engine.trained == [(3, 4, 5), (6,), (0, 1, 2)]
    assert sum(line.startswith("waiting for 1 group of runs that other processes have leased") for line in lines) == 1


def test_what_another_process_finishes_meanwhile_is_not_trained(engine, tmp_path):
    store, other = Store(tmp_path / "runs.db", lease_seconds=0.6), Store(tmp_path / "runs.db")
    waiting = threading.Event()

    def finish() -> None:
        with other.lease(KEYS[:3]):
            claimed.set()
            waiting.wait()
            for outcome in expected(STUDY)[:3]:
                other.put(outcome)

    claimed = threading.Event()
    thread = threading.Thread(target=finish)
    thread.start()
    claimed.wait()
    outcomes = run(STUDY, store, on_log=lambda line: waiting.set() if line.startswith("waiting") else None)
    thread.join()
    assert_all_equal(outcomes, expected(STUDY))
    assert engine.trained == [(3, 4, 5), (6,)]


def start(study: SmallStudy, path: Path, *, lease_seconds: float) -> Any:
    """A process that runs the study with the fakes of this one."""

    def work() -> None:
        run(study, Store(path, lease_seconds=lease_seconds), keep_weights=True)

    process = multiprocessing.get_context("fork").Process(target=work)
    process.start()
    return process


def logging_to(log: Path, num_processes: int) -> Callable[..., Iterator[TrainOutcome]]:
    """A fake engine that writes down who trained what; each process has a group before any goes on."""
    barrier, has_met = multiprocessing.get_context("fork").Barrier(num_processes), False

    def train(specs: Sequence[TrainSpec], data: Dataset, **options: Any) -> Iterator[TrainOutcome]:
        nonlocal has_met
        if not has_met:
            barrier.wait()
            has_met = True
        for outcome in fake_train(specs, data, **options):
            with log.open("a") as file:
                file.write(f"{os.getpid()} {outcome.key}\n")
            yield outcome

    return train


@needs_fork
def test_processes_share_the_work(fakes, tmp_path):
    study = SmallStudy(30)
    fakes(train=logging_to(tmp_path / "log", 2))
    Store(tmp_path / "runs.db")
    processes = [start(study, tmp_path / "runs.db", lease_seconds=30.0) for _ in range(2)]
    for process in processes:
        process.join()
    assert [process.exitcode for process in processes] == [0, 0]
    lines = [line.split() for line in (tmp_path / "log").read_text().splitlines()]
    assert sorted(key for _, key in lines) == sorted(fake_key(spec) for spec in study.tasks())
    assert len({pid for pid, _ in lines}) == 2
    assert_all_equal(run(study, tmp_path / "runs.db"), expected(study))


@needs_fork
def test_kill_9_at_any_moment_loses_and_repeats_nothing(fakes, tmp_path):
    """Each process some milliseconds after a run that is drawn; none makes more than ten."""
    study, path = SmallStudy(60), tmp_path / "runs.db"
    want = {outcome.key: outcome for outcome in expected(study)}
    made: list[str] = []

    def train(specs: Sequence[TrainSpec], data: Dataset, **options: Any) -> Iterator[TrainOutcome]:
        for outcome in fake_train(specs, data, seconds=0.001, **options):
            made.append(outcome.key)
            if len(made) > 10:
                time.sleep(600)
            os.write(tell, b".")
            yield outcome

    fakes(train=train)
    moments = random.Random(0)
    num_stored = num_kills = 0
    while num_stored < len(want) and num_kills < 15:
        told, tell = os.pipe()
        process = start(study, path, lease_seconds=0.2)
        os.close(tell)
        for _ in range(moments.randint(0, 9)):
            os.read(told, 1)
        time.sleep(moments.uniform(0.0, 0.02))
        process.kill()
        process.join()
        os.close(told)
        num_kills += process.exitcode != 0
        store = Store(path)
        stored = store.finished(want, weights=True)
        assert stored == store.finished(want)
        assert len(stored) >= num_stored
        num_stored = len(stored)
        with closing(sqlite3.connect(path)) as connection:
            assert connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)
    assert num_kills > 5
    fakes()
    assert_all_equal(store.outcomes(), [want[outcome.key] for outcome in store.outcomes()])
    assert_all_equal(run(study, Store(path, lease_seconds=0.2), keep_weights=True), expected(study))
    assert len(store.outcomes()) == len(want)
    for spec in study.tasks():
        kept = make_outcome(spec, 3, keep_weights=True)
        for got, state in zip(store.weights(kept.key), (kept.initial_state, kept.final_state), strict=True):
            assert_equal(got, state)


def test_shards_make_whole_groups_each_once_and_together_all(tmp_path, fakes):
    study = SmallStudy(20)
    shards = [run(study, tmp_path / f"{number}.db", shard=f"{number}/3", quiet=True) for number in (1, 2, 3)]
    keys = [{outcome.key for outcome in shard} for shard in shards]
    assert sorted(map(len, keys)) == [6, 6, 8]
    assert set().union(*keys) == {fake_key(spec) for spec in study.tasks()}
    assert run(study, tmp_path / "1.db", shard="1/3", quiet=True, on_result=pytest.fail)
    whole = {outcome.key: outcome for outcome in run(study, tmp_path / "whole.db", quiet=True)}
    for outcome in shards[2]:
        assert_equal(outcome, whole[outcome.key])
    assert not run(SmallStudy(2), tmp_path / "1.db", shard="2/2", quiet=True)


# With the real engine


def test_resuming_is_bit_equal(tmp_path):
    """Interrupted inside a stack, after some of its runs are stored; then resumed."""
    study = SmallStudy(5, real_points(), ("mlp-1x6",))
    whole = run(study, tmp_path / "whole.db", device="cpu", keep_weights=True)

    class Interrupted(Store):
        def put(self, outcome: TrainOutcome) -> bool:
            if len(self.outcomes()) == 2:
                raise KeyboardInterrupt
            return super().put(outcome)

    with pytest.raises(KeyboardInterrupt):
        run(study, Interrupted(tmp_path / "resumed.db"), device="cpu", keep_weights=True)
    assert len(Store(tmp_path / "resumed.db").outcomes()) == 2
    resumed = run(study, tmp_path / "resumed.db", device="cpu", keep_weights=True)
    assert {outcome.replicas for outcome in resumed} == {5}
    for one, other in zip(resumed, whole, strict=True):
        assert_equal(replace(one, seconds=0.0), replace(other, seconds=0.0))
        states = (Store(tmp_path / f"{name}.db").weights(one.key) for name in ("resumed", "whole"))
        for state, want in zip(*states, strict=True):
            assert_equal(state, want)


def test_other_data_are_other_runs(tmp_path):
    data = real_points()
    other = replace(data, train=replace(data.train, inputs=np.negative(data.train.inputs)))
    first = run(SmallStudy(1, data), tmp_path / "runs.db", device="cpu")
    second = run(SmallStudy(1, other), tmp_path / "runs.db", device="cpu")
    assert first[0].key != second[0].key
    assert len(Store(tmp_path / "runs.db").outcomes()) == 2


def test_constants_of_batch_norm_that_no_model_heeds_are_refused_before_any_run(tmp_path):
    class Asks(SmallStudy):
        def plan(self):
            return [Planned(planned.task.model_copy(update={"batch_norm_epsilon": 1e-4})) for planned in super().plan()]

    with pytest.raises(UserError, match=r"got batch_norm_epsilon=0.0001, but no batch norm in mlp-1x4: leave it out"):
        run(Asks(1, real_points(), ("mlp-1x4",)), tmp_path / "runs.db", device="cpu", quiet=True)
    assert Store(tmp_path / "runs.db").num_stored() == 0
