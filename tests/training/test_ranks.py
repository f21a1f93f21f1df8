from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import torch
from in_ranks import BatchNormNet, CentersBatch, DrawsByTorch, Processes, loses, processes, refusal, sums, trained
from torch import nn

from byrote.references import name_of
from byrote.training.outcome import TrainOutcome
from byrote.training.ranks import BatchPart, Ranks
from byrote.training.spec import TrainSpec


@pytest.fixture(scope="module")
def two(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Processes]:
    with processes(tmp_path_factory.mktemp("ranks"), 2) as found:
        yield found


def specs(number: int, **changes: object) -> list[TrainSpec]:
    recipe = {"model": "mlp-2x16", "n_train": 103, "batch_size": 26, "steps": 200, "stop": "at_steps"}
    shared = {"precision": "float64", "learning_rate": 0.02, "dense_steps": 20, **recipe}
    corruptions = [{"name": "partial-labels", "rate": 0.5}]
    return [TrainSpec(**shared | changes, seed=seed, corruptions=corruptions) for seed in range(number)]


def assert_equal(one: TrainOutcome, shared: TrainOutcome, within: float = 1e-10) -> None:
    """All figures of one process and of several, with which float64 rounds alone."""
    for name, weights in one.final_state.items():
        torch.testing.assert_close(shared.final_state[name], weights, rtol=0, atol=within)
    for of_one, of_shared in ((one.curve, shared.curve), (one.early, shared.early)):
        for name, values in of_one.items():
            np.testing.assert_allclose(of_shared[name], values, rtol=within, atol=within, err_msg=name)
    assert np.array_equal(one.train_predictions, shared.train_predictions)
    assert np.array_equal(one.test_predictions, shared.test_predictions)
    assert (one.steps_to_fit, one.key, one.checks) == (shared.steps_to_fit, shared.key, shared.checks)
    assert (one.environment["processes"], shared.environment["processes"]) == ("1", "2")


def assert_same_as_alone(two: Processes, specs: list[TrainSpec]) -> None:
    first, second = two(trained, specs)
    for one, *shared in zip(trained(None, specs), first, second, strict=True):
        assert_equal(one, shared[0])
        for name, weights in shared[0].final_state.items():
            assert weights.equal(shared[1].final_state[name])


def test_a_part_of_everything_is_for_one() -> None:
    parts = [Ranks(rank, 3).part(10) for rank in range(3)]
    assert parts == [BatchPart(0, 3, 10), BatchPart(3, 6, 10), BatchPart(6, 10, 10)]
    assert sum(part.share for part in parts) == pytest.approx(1)


@pytest.mark.slow
def test_sums_are_those_of_all_in_place_and_by_type(two: Processes) -> None:
    for found in two(sums):
        real, whole, complex_, strided, joined = found
        assert real.equal(torch.full((2, 3), 3.0))
        assert whole == 1
        assert complex_.equal(torch.full((2,), 1j, dtype=torch.complex64))
        assert strided.equal(torch.full((4,), 2.0))
        assert joined.equal(torch.tensor([[0.0, 1.0, 1.0]] * 2))


@pytest.mark.parametrize("number", [pytest.param(1, marks=pytest.mark.slow), 3])
def test_two_processes_train_what_one_does(two: Processes, number: int) -> None:
    assert_same_as_alone(two, specs(number, dropout=0.2))


@pytest.mark.parametrize("number", [pytest.param(1, marks=pytest.mark.slow), 2])
def test_batch_norm_has_the_statistics_of_the_whole_batch(two: Processes, number: int) -> None:
    assert_same_as_alone(two, specs(number, model=name_of(BatchNormNet), augmentation="random-crop"))


@pytest.mark.slow
@pytest.mark.parametrize(
    ("model", "changes"),
    [
        ("conv-small", {"augmentation": "crop-flip-color", "weight_decay": 5e-4}),
        ("alexnet", {}),
        ("inception", {"steps": 40}),
        ("resnet-1x8", {}),
        ("vit", {"steps": 60, "dropout": 0.1, "optimizer": "AdamW", "learning_rate": 1e-3}),
        ("switchboard-2x8+norm", {}),
        ("switchboard-2x8+attention+shared", {"loss": "squared-error"}),
    ],
)
def test_models_in_the_box_do_too(two: Processes, model: str, changes: dict[str, object]) -> None:
    assert_same_as_alone(two, specs(1, model=model, **changes))


@pytest.mark.parametrize("network", [CentersBatch, DrawsByTorch])
def test_what_parts_of_a_batch_cannot_give_is_refused(two: Processes, network: type[nn.Module]) -> None:
    for sentence in two(refusal, specs(1, model=name_of(network))):
        assert sentence.startswith("got 2 processes that share each batch of model")
        assert "which has other outputs on parts of one than on all of it: it computes over the batch" in sentence


def test_more_processes_than_examples_of_a_batch_are_refused(two: Processes) -> None:
    for sentence in two(refusal, specs(1, batch_size=1, n_train=20)):
        assert "whose smallest batch has 1 examples: start 1 processes at most, or choose a larger batch" in sentence


def test_whoever_waits_for_a_dead_process_is_told(tmp_path: Path) -> None:
    with processes(tmp_path, 2) as found:
        told = found.start(loses)[0].result(timeout=300)
    assert told.startswith("one of the 2 processes that share the batches has ended: what is finished is kept")


def test_rounding_is_no_reason_to_refuse(two: Processes) -> None:
    # In deep networks it turns some ReLU on or off, and gradients then differ by more.
    recipe = {"model": "inception", "precision": "float32", "n_train": 20, "batch_size": 10, "steps": 1}
    for (outcome,) in two(trained, specs(1, **recipe)):
        assert outcome.steps_run == 1
