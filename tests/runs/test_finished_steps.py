"""Steps of a calculation, in a process after the one that finished them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pytest
import torch
from squares import Squares

from byrote.runs.run import run
from byrote.runs.store import Store
from byrote.studies.study import Planned
from byrote.theory.calculation import Calculation, Context, Result

made: list[str] = []
stopped_in = ""


def step(name: str, value: Any) -> Callable[[], Any]:
    def make() -> Any:
        if name == stopped_in:
            raise KeyboardInterrupt
        made.append(name)
        return value

    return make


class InSteps(Calculation):
    name: ClassVar[str] = "in-steps"

    @property
    def label(self) -> str:
        return "three steps"

    def compute(self, data: object, context: Context) -> Result:
        number, (text, array), tensors = (
            context.steps("one", step("one", 1 / 3)),
            context.steps("two", step("two", ("word", np.array([1, np.nan])))),
            context.steps("three", step("three", [{"t": torch.arange(3.0)}])),
        )
        return Result({"number": number, "text": text}, {"array": array, "tensor": tensors[0]["t"].numpy()})


class Stepwise(Squares):
    def plan(self) -> list[Planned]:
        return [Planned(InSteps())]


def ran(store: Path, **options: Any) -> list[str]:
    log: list[str] = []
    made.clear()
    run(Stepwise([]), store, quiet=True, device="cpu", on_log=log.append, **options)
    return [line for line in log if "checkpoint" in line]


@pytest.mark.parametrize(
    ("stopped", "options", "again", "told"),
    [
        ("one", {"checkpoint": 1e-9}, ["one", "two", "three"], []),
        ("three", {"checkpoint": 1e-9}, ["three"], ["three steps: goes on from its checkpoint, after one, two"]),
        ("three", {"checkpoint": "1h"}, ["one", "two", "three"], []),
        ("three", {"checkpoint": "off"}, ["one", "two", "three"], []),
    ],
)
def test_finished_steps_are_not_made_again(
    stopped: str, options: dict[str, Any], again: list[str], told: list[str], tmp_path: Path, monkeypatch: Any
) -> None:
    monkeypatch.setitem(globals(), "stopped_in", stopped)
    with pytest.raises(KeyboardInterrupt):
        ran(tmp_path / "runs.db", **options)
    monkeypatch.setitem(globals(), "stopped_in", "")
    assert ran(tmp_path / "runs.db", **options) == told
    assert made == again
    [found] = Store(tmp_path / "runs.db").results({InSteps().key(Stepwise([]).data): InSteps()}).values()
    assert found.values == {"number": 1 / 3, "text": "word"}
    np.testing.assert_array_equal(found.arrays["array"], [1, np.nan])
    np.testing.assert_array_equal(found.arrays["tensor"], [0, 1, 2])
    assert not list(tmp_path.glob("*.checkpoints"))


def test_what_is_damaged_or_of_another_version_is_made_anew_and_said(tmp_path: Path, monkeypatch: Any) -> None:
    for name, harm in (
        ("damaged", lambda file: file.write_bytes(file.read_bytes()[:-9])),
        ("other versions", lambda _: monkeypatch.setattr("byrote.training.checkpoints._VERSIONS", ("byrote",))),
    ):
        monkeypatch.setitem(globals(), "stopped_in", "three")
        with pytest.raises(KeyboardInterrupt):
            ran(tmp_path / f"{name}.db", checkpoint=1e-9)
        monkeypatch.setitem(globals(), "stopped_in", "")
        [file] = (tmp_path / f"{name}.db.checkpoints").iterdir()
        harm(file)
        [line] = ran(tmp_path / f"{name}.db", checkpoint=1e-9)
        assert line.startswith(f"three steps: starts over, since its checkpoint {file} ")
        assert name in line
        assert made == ["one", "two", "three"]
        assert not file.exists()
