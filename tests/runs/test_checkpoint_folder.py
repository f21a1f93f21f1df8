from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from fake_engine import SmallStudy, assert_equal, make_outcome, real_points

from byrote.errors import UserError
from byrote.runs.checkpoint_folder import tidy
from byrote.runs.local import Local
from byrote.runs.run import run
from byrote.runs.store import Store
from byrote.training import engine
from byrote.training.checkpoint_file import write_checkpoint
from byrote.training.checkpoints import Checkpoints
from byrote.training.spec import TrainSpec


def test_what_is_stored_is_removed_and_what_is_of_no_use_is_said(tmp_path: Path) -> None:
    store = Store(tmp_path / "runs.db")
    stored = make_outcome(TrainSpec(model="mlp-1x8", seed=0))
    store.put(stored)
    folder = tmp_path / "kept"
    folder.mkdir()

    def checkpoint(*keys: str) -> Path:
        file = Checkpoints(folder).file(keys)
        write_checkpoint(file, {"keys": keys}, None)
        return file

    own, alone, done = checkpoint("a", "b"), checkpoint("c"), checkpoint(stored.key)
    regrouped, other = checkpoint("a", "c"), checkpoint("z")
    (folder / "damaged.checkpoint").write_bytes(b"x")
    log: list[str] = []
    tidy(folder, [("a", "b"), ("c", "d")], store, log.append)
    assert not done.exists()
    assert all(file.exists() for file in (own, alone, regrouped, other))
    unused, elsewhere = log
    assert unused == f"1 checkpoint is not used: in {folder}, of runs that the plan has in other groups now"
    assert elsewhere.startswith(f"1 checkpoint is not of these runs: in {folder}, of a search, of another study, or of")


@pytest.mark.parametrize("given", ["soon", 0, "-1s"])
def test_an_interval_is_a_time(given: Any, tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"got checkpoint=.*expected a time such as"):
        run(SmallStudy(), tmp_path / "runs.db", checkpoint=given)


@pytest.mark.parametrize("checkpoint", [0.0001, "off"])
def test_a_run_goes_on_from_its_checkpoint(checkpoint: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    study, take, number = SmallStudy(num_runs=2, data=real_points()), engine._step, 0

    def step(*arguments: Any, **named: Any) -> Any:
        nonlocal number
        number += 1
        if number == 6:
            raise KeyboardInterrupt
        return take(*arguments, **named)

    def made(**options: Any) -> list[str]:
        log: list[str] = []
        run(study, executor=Local(processes=1), device="cpu", checkpoint=checkpoint, on_log=log.append, **options)
        return [line for line in log if "checkpoint" in line]

    monkeypatch.setattr(engine, "_step", step)
    with pytest.raises(KeyboardInterrupt):
        made(store=tmp_path / "runs.db")
    monkeypatch.undo()
    assert len(made(store=tmp_path / "runs.db")) == (checkpoint != "off")
    made(store=tmp_path / "other.db")
    found, expected = (Store(tmp_path / name).outcomes() for name in ("runs.db", "other.db"))
    for one, other in zip(found, expected, strict=True):
        assert_equal(one, replace(other, seconds=one.seconds))
    assert not list(tmp_path.glob("*.checkpoints"))


def test_a_store_on_a_server_has_a_folder_where_one_is_given(tmp_path: Path) -> None:
    assert Store(tmp_path / "runs.db").checkpoints == tmp_path / "runs.db.checkpoints"
    assert Store(tmp_path / "runs.db", checkpoints=tmp_path / "kept").checkpoints == tmp_path / "kept"


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="processes are forked, and found in /proc")
@pytest.mark.slow
def test_kills_at_random_moments_lose_double_and_change_nothing() -> None:
    script = Path(__file__).parents[2] / "benchmarks" / "kills.py"
    command = [sys.executable, str(script), "--kills", "12", "--seconds", "60", "--workers", "0.3"]
    ended = subprocess.run(command, capture_output=True, text=True, check=False)
    assert ended.returncode == 0, ended.stderr
    found = json.loads(ended.stdout)
    assert found["kills"] > 3
    assert found["resumed"] > 0
    assert (found["lost"], found["doubled"], found["changed"]) == (0, 0, 0)
