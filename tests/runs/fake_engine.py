"""A stand-in for the engine: outcomes that are a pure function of the spec and of its group, without training."""

from __future__ import annotations

import time
import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, fields, replace
from typing import Any

import numpy as np
import torch

from byrote.data.check import Check
from byrote.data.dataset import Dataset, Split
from byrote.evidence.finding import Finding
from byrote.studies.study import Planned, Study, tabulate
from byrote.training.outcome import CURVE_COLUMNS, EARLY_COLUMNS, TrainOutcome
from byrote.training.planner import Group
from byrote.training.spec import Corruption, TrainSpec

GROUP_SIZE = 3
NOISE = (Corruption(name="partial-labels", rate=0.3),)
LABELS = np.zeros(4, dtype=np.int64)
DATA = Dataset(
    "four points",
    *(Split.clean(np.zeros((4, 2), np.float32), LABELS) for _ in range(2)),
    class_names=("a", "b"),
)


def real_points() -> Dataset:
    """40 points that the real engine can learn."""
    generator = np.random.default_rng(0)
    inputs = generator.normal(size=(40, 6)).astype(np.float32)
    labels = (inputs[:, 0] > 0).astype(np.int64)
    return Dataset(
        "40 points", Split.clean(inputs[:30], labels[:30]), Split.clean(inputs[30:], labels[30:]), ("left", "right")
    )


def fake_key(spec: TrainSpec, data: Dataset = DATA) -> str:
    return f"{spec.model}-{spec.seed}"


def make_outcome(spec: TrainSpec, replicas: int = 1, *, keep_weights: bool = False, **fields: Any) -> TrainOutcome:
    """An outcome with NaN, infinities, missing counts and empty arrays in it."""
    generator = np.random.default_rng([zlib.crc32(spec.model.encode()), spec.seed, replicas])
    curve = {name: generator.normal(size=5) for name in CURVE_COLUMNS}
    curve["train_accuracy"][[1, 3]] = np.nan
    curve["epoch"] = np.arange(5)
    state = {"w": torch.from_numpy(generator.normal(size=(3, 2))), "count": torch.tensor(7)}
    outcome = TrainOutcome(
        key=fake_key(spec),
        spec=spec,
        data="four points",
        n_train=4,
        n_test=4,
        num_classes=2,
        parameters=12,
        batch_norm=bool(spec.seed % 2),
        train_loss=float(generator.normal()),
        train_accuracy=1 / 3,
        train_accuracy_true_labels=0.1 + 0.2,
        train_top5_accuracy=1.0,
        test_loss=float("nan"),
        test_accuracy=float(generator.uniform()),
        test_top5_accuracy=2 / 3,
        ceiling=1.0,
        epochs_to_fit=3,
        steps_to_fit=None,
        epochs_to_interpolate=None,
        steps_to_interpolate=2**40,
        epochs_run=5,
        steps_run=20,
        stop_reason="non-finite loss",
        replicas=replicas,
        seconds=float("inf"),
        curve=curve,
        early={name: np.empty(0, dtype=np.float32) for name in EARLY_COLUMNS},
        train_predictions=generator.integers(0, 2, 4),
        test_predictions=generator.integers(0, 2, 4).astype(np.int16),
        test_leaked=np.array([1, 3]),
        test_leaked_correct=1,
        checks=(
            Check("labels fixed", True, "same digest"),
            Check("rate", False, "0.4 is outside [0.1, 0.2]"),
        ),
        initial_weights="c0ffee",
        environment={"device": "cpu", "hardware": "Ω \"quoted\" 'CPU'", "threads": "1"},
        initial_state=state if keep_weights else None,
        final_state={name: tensor + 1 for name, tensor in state.items()} if keep_weights else None,
    )
    return replace(outcome, **fields)


def assert_equal(one: Any, other: Any) -> None:
    """Bit for bit, types included; NaN equals NaN."""
    assert type(one) is type(other)
    if isinstance(one, TrainOutcome):
        names = [field.name for field in fields(one)]
        one, other = ({name: getattr(each, name) for name in names} for each in (one, other))
    if isinstance(one, dict):
        assert one.keys() == other.keys()
        for name in one:
            assert_equal(one[name], other[name])
    elif isinstance(one, np.ndarray):
        assert (one.dtype, one.shape, one.tobytes()) == (other.dtype, other.shape, other.tobytes())
    elif isinstance(one, torch.Tensor):
        assert_equal(one.numpy(), other.numpy())
    elif isinstance(one, float):
        assert_equal(np.array(one), np.array(other))
    else:
        assert one == other


@dataclass(frozen=True)
class SmallStudy(Study):
    num_runs: int = 7
    data: Dataset = DATA
    models: tuple[str, ...] = ("mlp-1x8",)

    name = "small"
    title = "A small study"

    def plan(self) -> list[Planned]:
        return [
            Planned(
                TrainSpec(
                    model=model, seed=seed, corruptions=NOISE, preprocessing="standardize", batch_size=8, epochs=6
                )
            )
            for model in self.models
            for seed in range(self.num_runs)
        ]

    def summarise(self, outcomes: Sequence[TrainOutcome]) -> Any:
        return tabulate(self.name, outcomes)

    def verdict(self, table: Any) -> list[Finding]:
        return []


def fake_plan(specs: Sequence[TrainSpec], data: Dataset, **_: Any) -> list[Group]:
    return [Group(tuple(specs[i : i + GROUP_SIZE]), "in threes") for i in range(0, len(specs), GROUP_SIZE)]


def fake_train(
    specs: Sequence[TrainSpec], data: Dataset, *, keep_weights: bool = False, seconds: float = 0.0, **_: Any
) -> Iterator[TrainOutcome]:
    for spec in specs:
        time.sleep(seconds)
        yield make_outcome(spec, len(specs), keep_weights=keep_weights)


FAKES = {"plan_groups": fake_plan, "train": fake_train}
