from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
from in_ranks import (
    EndsFirst,
    EndsSecond,
    FailsInFirst,
    FailsInSecond,
    Processes,
    processes,
    refused,
    studied,
    study,
)

from byrote.references import name_of
from byrote.runs.run import run
from byrote.runs.store import Store


@pytest.fixture(scope="module")
def two(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Processes]:
    with processes(tmp_path_factory.mktemp("ranks"), 2) as found:
        yield found


@pytest.mark.slow
def test_all_train_what_the_first_stores(two: Processes, tmp_path: Path) -> None:
    shared, nothing = two.meet(studied, str(tmp_path / "shared.db"), "mlp-1x16")
    assert nothing == []
    for one, other in zip(run(study("mlp-1x16"), tmp_path / "one.db", quiet=True).outcomes, shared, strict=True):
        assert (one.key, one.steps_to_fit, one.test_accuracy) == (other.key, other.steps_to_fit, other.test_accuracy)
        assert other.environment["processes"] == "2"
    assert len(Store(tmp_path / "shared.db").outcomes()) == 2


def test_what_is_stored_is_not_made_again(two: Processes, tmp_path: Path) -> None:
    run(study("mlp-1x16"), tmp_path / "runs.db", quiet=True)
    first, _ = two.meet(studied, str(tmp_path / "runs.db"), "mlp-1x16")
    assert {outcome.environment["processes"] for outcome in first} == {"1"}


def test_one_that_cannot_follow_says_why(two: Processes, tmp_path: Path) -> None:
    first, _ = two.meet(refused, str(tmp_path / "runs.db"))
    assert first.startswith("process 1 of 2 on ")
    assert first.endswith(": got the data there, which are not there")


@pytest.mark.parametrize("model", [FailsInFirst, FailsInSecond])
def test_a_failure_in_one_process_is_one_of_the_group(two: Processes, tmp_path: Path, model: type) -> None:
    first, second = two.meet(studied, str(tmp_path / "runs.db"), name_of(model))
    assert first.startswith("2 of 2 runs failed, the rest is kept; the first, ")
    assert f"ArithmeticError: not in process {model.rank}" in first
    assert second == []


@pytest.mark.slow
def test_a_death_ends_the_others_with_a_sentence(tmp_path: Path) -> None:
    models = (EndsFirst, EndsSecond)
    folders = [tmp_path / model.__name__ for model in models]
    with ExitStack() as stack:  # both deaths at once: whoever is left waits some seconds for a word
        called = []
        for folder, model in zip(folders, models, strict=True):
            folder.mkdir()
            found = stack.enter_context(processes(folder, 2))
            called.append(found.start_meeting(studied, str(folder / "runs.db"), name_of(model)))
        for futures, model in zip(called, models, strict=True):
            told = futures[1 - model.rank].result(timeout=300)
            assert told.startswith("one of the 2 processes that share the batches has ended: what is finished is kept")
