from __future__ import annotations

import copy
from dataclasses import FrozenInstanceError

import numpy as np
import pytest

from byrote.data.dataset import Dataset
from byrote.training import engine
from byrote.training.course import Course
from byrote.training.group_state import GroupSetup, GroupState
from byrote.training.outcome import TrainOutcome
from byrote.training.replica_run import build_network
from byrote.training.spec import TrainSpec


def started(data: Dataset) -> tuple[GroupSetup, GroupState]:
    specs = [TrainSpec(model="mlp-1x8", seed=seed, epochs=3, batch_size=40) for seed in range(3)]
    built = [build_network(spec, data, "cpu", None) for spec in specs]
    return engine._start(*zip(*built, strict=True), data, "cpu", keep_weights=True, ranks=None)  # type: ignore[misc]


def test_what_a_group_carries_is_declared_and_nothing_else(tiny: Dataset) -> None:
    setup, state = started(tiny)
    assert not hasattr(setup, "__dict__")
    assert not hasattr(state, "__dict__")
    with pytest.raises(FrozenInstanceError):
        state.active = ()  # type: ignore[misc]


def ends(setup: GroupSetup, state: GroupState) -> list[TrainOutcome]:
    return list(engine._outcomes(setup, state, lambda _: None))


def test_a_copy_of_the_state_goes_on_to_the_same_end(tiny: Dataset) -> None:
    """Nothing that later epochs depend on lies elsewhere."""
    setup, state = started(tiny)
    with state.streams.opened("dropout", 1):
        state = engine._next_epoch(engine._train_epoch(setup, state, lambda _: None))
    for one, other in zip(ends(setup, copy.deepcopy(state)), ends(setup, state), strict=True):
        assert one.spec == other.spec
        for name in ("final_state", "curve", "early"):
            for column, found in getattr(one, name).items():
                np.testing.assert_array_equal(found, getattr(other, name)[column])


def test_the_axis_of_replicas_follows_those_who_stay(tiny: Dataset) -> None:
    _, state = started(tiny)
    kept = state.with_course(1, Course(steps_to_fit=7)).keep([1, 2]).keep([0])
    assert kept.active == (1,)
    assert kept.course(0).steps_to_fit == 7
    assert kept.streams.seeds == (1,)
    assert {len(tensor) for tensor in kept.replicas.parameters.values()} == {1}
    assert len(kept.splits.train.labels) == len(kept.splits.unseen["test"].labels) == 1
    assert len(kept.courses) == 3
