"""A group that is interrupted again and again against the same one without an interruption."""

from __future__ import annotations

import shutil
from collections.abc import Collection, Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from byrote.data.corruptions.record import corruptions_of
from byrote.data.dataset import Dataset
from byrote.data.sources import from_arrays
from byrote.training import checkpoints as training_checkpoints
from byrote.training import engine
from byrote.training.checkpoints import Checkpoints
from byrote.training.engine import train
from byrote.training.outcome import TrainOutcome
from byrote.training.spec import TrainSpec

OWN = """
import numpy as np, torch
from torch import nn

class Drawing(nn.Module):
    def __init__(self, input_shape, num_classes):
        super().__init__()
        self.layer = nn.Linear(input_shape[0] * input_shape[1] * input_shape[2], num_classes)
        self.draws = np.random.default_rng(5)
        self.register_buffer("mean", torch.zeros(num_classes))

    def forward(self, x):
        scores = self.layer(x.flatten(1))
        if not self.training:
            return scores + self.mean
        self.mean = 0.9 * self.mean + 0.1 * scores.detach().mean(0)
        noise = torch.randn_like(scores) + float(self.draws.normal()) + float(np.random.normal())
        return scores + 0.1 * noise

class Several(nn.Module):
    def __init__(self, input_shape, num_classes):
        super().__init__()
        self.image, self.ids = nn.Linear(64, num_classes), nn.Embedding(10, num_classes)

    def forward(self, image, ids):
        return self.image(image.flatten(1)) + self.ids(ids)

class Counting(Drawing):
    def __init__(self, **shapes):
        super().__init__(**shapes)
        self.steps = [0]

    def forward(self, x):
        self.steps[0] += self.training
        return super().forward(x) / (1 + self.steps[0] / 100)
"""


class Killed(Exception):
    pass


def trained(specs: Sequence[TrainSpec], data: Dataset, **options: Any) -> dict[str, TrainOutcome]:
    return {outcome.key: outcome for outcome in train(specs, data, device="cpu", keep_weights=True, **options)}


def killed_and_resumed(
    specs: Sequence[TrainSpec],
    data: Dataset,
    folder: Path,
    monkeypatch: pytest.MonkeyPatch,
    *,
    every: int,
    log: list[str],
    **options: Any,
) -> tuple[dict[str, TrainOutcome], int]:
    """The outcomes as they were first taken, and how often it was killed: before every so many steps."""
    take, number, kills, found = engine._step, 0, 0, dict[str, TrainOutcome]()

    def step(*arguments: Any, **named: Any) -> Any:
        nonlocal number
        number += 1
        if number % every == 0:
            raise Killed
        return take(*arguments, **named)

    monkeypatch.setattr(engine, "_step", step)
    while kills < 100:
        outcomes = train(
            specs,
            data,
            device="cpu",
            keep_weights=True,
            on_log=log.append,
            checkpoints=Checkpoints(folder, 0.0),
            finished=found.keys(),
            **options,
        )
        try:
            for outcome in outcomes:
                found.setdefault(outcome.key, outcome)
        except Killed:
            kills += 1
        else:
            break
    monkeypatch.undo()
    return found, kills


def assert_same(found: dict[str, TrainOutcome], expected: dict[str, TrainOutcome]) -> None:
    assert found.keys() == expected.keys()
    for key, outcome in expected.items():
        for name in TrainOutcome.__dataclass_fields__:
            if name != "seconds":
                assert_equal(getattr(found[key], name), getattr(outcome, name))


def assert_equal(found: Any, expected: Any) -> None:
    if isinstance(expected, dict):
        assert found.keys() == expected.keys()
        for name, value in expected.items():
            assert_equal(found[name], value)
    elif isinstance(expected, tuple):
        assert found == expected
    else:
        np.testing.assert_array_equal(np.asarray(found), np.asarray(expected))


def several(num: int, **fields: Any) -> list[TrainSpec]:
    return [TrainSpec(**({"model": "mlp-1x24", "batch_size": 32} | fields | {"seed": seed})) for seed in range(num)]


GROUPS = {
    "one": (several(1, epochs=3), 5),
    "stack that loses replicas": (
        [*several(1, epochs=40, learning_rate=0.1), *several(2, epochs=40, learning_rate=0.02)],
        17,
    ),
    "adam and dropout": (several(2, epochs=4, optimizer="Adam", momentum=0.0, dropout=0.3, learning_rate=0.003), 5),
    "momentum, two rates of decay": (
        [spec for decay in (0.0, 0.01) for spec in several(1, epochs=3, momentum=0.9, weight_decay=decay)],
        4,
    ),
    "batch norm and crops": (several(1, model="resnet-1x8", epochs=2, augmentation="random-crop"), 3),
    "a stack of convolutions": (several(2, model="conv-small", epochs=2, momentum=0.9), 3),
    "steps": (several(1, stop="at_steps", steps=7, warmup_steps=2), 2),
    "half": (several(2, epochs=4, half=0), 3),
}


@pytest.mark.parametrize("name", GROUPS)
def test_resumed_as_if_never_interrupted(
    name: str, tiny: Dataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (specs, every), log = GROUPS[name], list[str]()
    found, kills = killed_and_resumed(specs, tiny, tmp_path / "kept", monkeypatch, every=every, log=log)
    assert kills >= 2
    assert_same(found, trained(specs, tiny))
    assert sum("goes on from its checkpoint" in line for line in log) == kills
    assert list((tmp_path / "kept").iterdir()) == []


@pytest.mark.skipif(shutil.which("g++") is None, reason="needs g++")
@pytest.mark.slow
def test_compiled_steps_are_resumed_by_the_same_graphs(
    tiny: Dataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    specs, log = GROUPS["stack that loses replicas"][0], list[str]()
    found, kills = killed_and_resumed(specs, tiny, tmp_path, monkeypatch, every=40, log=log, compile="on")
    assert kills >= 2
    assert_same(found, trained(specs, tiny, compile="on"))
    assert {outcome.environment["compiled"] for outcome in found.values()} == {"yes"}


def own_model(folder: Path, name: str) -> str:
    (folder / "own.py").write_text(OWN)
    return f"{folder / 'own.py'}:{name}"


@pytest.mark.slow
def test_a_network_that_draws_and_replaces_its_buffers(
    tiny: Dataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Such are trained one by one: those that are stored are not trained again."""
    specs, log = several(2, model=own_model(tmp_path, "Drawing"), epochs=3), list[str]()
    found, kills = killed_and_resumed(specs, tiny, tmp_path / "kept", monkeypatch, every=5, log=log)
    assert kills >= 2
    assert_same(found, trained(specs, tiny))
    assert sum("goes on" in line for line in log) + 1 >= kills


def test_a_stack_of_networks_with_several_inputs(
    tiny: Dataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    inputs = {"image": tiny.train.inputs, "ids": tiny.train.labels % 7}
    data = from_arrays(inputs, tiny.train.labels, kind={"ids": "tokens"})
    specs, log = (
        several(2, model=own_model(tmp_path, "Several"), epochs=3, corruptions=corruptions_of("gaussian")),
        list[str](),
    )
    found, kills = killed_and_resumed(specs, data, tmp_path / "kept", monkeypatch, every=4, log=log)
    assert kills >= 2
    assert_same(found, trained(specs, data))
    assert sum("goes on from its checkpoint" in line for line in log) == kills
    assert not any(outcome.failed_checks for outcome in found.values())


def test_what_a_checkpoint_cannot_hold_has_none(tiny: Dataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    specs, log = several(1, model=own_model(tmp_path, "Counting"), epochs=2), list[str]()
    found = trained(specs, tiny, checkpoints=Checkpoints(tmp_path / "kept", 0.0), on_log=log.append)
    assert_same(found, trained(specs, tiny))
    assert sum("no checkpoints, which cannot hold what its modules" in line for line in log) == 1


def begun(specs: Sequence[TrainSpec], data: Dataset, folder: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The checkpoint after three steps."""
    take, number = engine._step, 0

    def step(*arguments: Any, **named: Any) -> Any:
        nonlocal number
        number += 1
        if number == 4:
            raise Killed
        return take(*arguments, **named)

    monkeypatch.setattr(engine, "_step", step)
    with pytest.raises(Killed):
        trained(specs, data, checkpoints=Checkpoints(folder, 0.0))
    monkeypatch.undo()
    (file,) = folder.iterdir()
    return file


def resumed_log(
    specs: Sequence[TrainSpec], data: Dataset, folder: Path, finished: Collection[str] = (), **options: Any
) -> list[str]:
    log: list[str] = []
    found = trained(specs, data, checkpoints=Checkpoints(folder, 0.0), finished=finished, on_log=log.append, **options)
    assert_same(found, trained(specs, data, **options))
    assert list(folder.iterdir()) == []
    return [line for line in log if "checkpoint" in line]


def test_a_damaged_one_is_told_and_the_run_starts_over(
    tiny: Dataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    specs = several(1, epochs=2)
    file = begun(specs, tiny, tmp_path / "kept", monkeypatch)
    content = bytearray(file.read_bytes())
    content[-5] ^= 1
    file.write_bytes(content)
    (line,) = resumed_log(specs, tiny, tmp_path / "kept")
    assert line.startswith("mlp-1x24: starts over, since its checkpoint")
    assert line.endswith("is damaged: its content does not match its checksum")


def test_one_of_other_runs_is_told(tiny: Dataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    specs, others = several(1, epochs=2), several(1, epochs=3)
    file = begun(others, tiny, tmp_path / "kept", monkeypatch)
    file.rename(Checkpoints(tmp_path / "kept").file([specs[0].key(tiny)]))
    (line,) = resumed_log(specs, tiny, tmp_path / "kept")
    assert line.endswith("is of other runs, or of others together")


def test_one_of_other_versions_is_told(tiny: Dataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    specs, here = several(1, epochs=2), training_checkpoints.environment
    with monkeypatch.context() as patch:
        patch.setattr(training_checkpoints, "environment", lambda device: here(device) | {"numpy": "1.0"})
        begun(specs, tiny, tmp_path / "kept", pytest.MonkeyPatch())
    (line,) = resumed_log(specs, tiny, tmp_path / "kept")
    assert "was made with numpy 1.0, and this is " in line


@pytest.mark.slow
def test_one_of_compiled_steps_is_told(tiny: Dataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    specs = several(1, epochs=2)
    begun(specs, tiny, tmp_path / "kept", monkeypatch)
    log: list[str] = []
    trained(specs, tiny, checkpoints=Checkpoints(tmp_path / "kept", 0.0), compile="on", on_log=log.append)
    assert any(line.endswith("was made with compiled steps off, and this is on") for line in log)


@pytest.mark.slow
def test_runs_that_have_left_and_are_not_stored_are_trained_again(
    tiny: Dataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As where a damaged run was removed from the store."""
    specs = GROUPS["stack that loses replicas"][0]

    def until_one_has_left(outcomes: Iterable[TrainOutcome]) -> None:
        found = next(iter(outcomes), None)
        assert found is not None
        take, number = engine._step, 0

        def step(*arguments: Any, **named: Any) -> Any:
            nonlocal number
            number += 1
            if number == 2:
                raise Killed
            return take(*arguments, **named)

        monkeypatch.setattr(engine, "_step", step)
        with pytest.raises(Killed):
            list(outcomes)
        monkeypatch.undo()

    until_one_has_left(train(specs, tiny, device="cpu", checkpoints=Checkpoints(tmp_path / "kept", 0.0)))
    (line,) = resumed_log(specs, tiny, tmp_path / "kept")
    assert line.endswith("lacks runs that had ended and are not stored")


def test_a_folder_that_cannot_be_written_is_told_once(tiny: Dataset, tmp_path: Path) -> None:
    specs, log = several(1, epochs=2), list[str]()
    (tmp_path / "file").touch()
    trained(specs, tiny, checkpoints=Checkpoints(tmp_path / "file" / "kept", 0.0), on_log=log.append)
    (line,) = [line for line in log if "checkpoints" in line]
    assert line == (
        f"mlp-1x24: no checkpoints any more, since {tmp_path / 'file' / 'kept'} cannot be written (Not a directory): "
        "a kill costs the work since the last one"
    )


def test_written_as_often_as_asked_for(tiny: Dataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of steps of 1 s and evaluations of 5 s, none of more than 10 s of work is at stake."""
    now, kept, at_stake = 0.0, 0.0, list[float]()
    monkeypatch.setattr(training_checkpoints.time, "monotonic", lambda: now)
    take, evaluate = engine._step, engine.evaluate_epoch

    def step(*arguments: Any, **named: Any) -> Any:
        nonlocal now
        now += 1.0
        at_stake.append(now - kept)
        return take(*arguments, **named)

    def evaluation(*arguments: Any) -> Any:
        nonlocal now
        now += 5.0
        at_stake.append(now - kept)
        return evaluate(*arguments)

    def write(*_: Any) -> None:
        nonlocal kept, now
        kept = now
        now += 0.25

    monkeypatch.setattr(engine, "_step", step)
    monkeypatch.setattr(engine, "evaluate_epoch", evaluation)
    monkeypatch.setattr(training_checkpoints, "write_checkpoint", write)
    specs = several(1, epochs=8, stop="at_interpolation", batch_size=16)
    trained(specs, tiny, checkpoints=Checkpoints(tmp_path, 10.0))
    assert 8 < max(at_stake[10:]) <= 10
