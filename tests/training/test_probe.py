from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import nn

from byrote.data.corruptions.contract import InputCorruption, LabelCorruption
from byrote.data.corruptions.record import Corruption
from byrote.data.dataset import Dataset, Split
from byrote.errors import UserError
from byrote.references import name_of
from byrote.training.probe import probe_corruptions, probe_models, refuse_batches_of_one, refuse_without_batch_norm
from byrote.training.spec import TrainSpec

BUILT: list[str] = []
DRAWN: list[int] = []


def net(n_classes: int) -> nn.Module:
    BUILT.append("net")
    return nn.Sequential(nn.Flatten(), nn.Linear(64, n_classes))


def words(num_classes: int) -> nn.Module:
    return nn.Sequential(nn.Embedding(9, 4), nn.Flatten(), nn.LazyLinear(num_classes), nn.Softmax(1))


def test_each_model_is_tried_once(tiny: Dataset) -> None:
    specs = [TrainSpec(model=name_of(net), seed=seed) for seed in range(3)]
    assert probe_models([*specs, TrainSpec(model="mlp-1x4")], tiny, "cpu") == []
    assert probe_models(specs, replace(tiny, name="other"), "cpu") == []
    assert len(BUILT) == 1
    with pytest.raises(UserError, match=r"on 2 inputs of shape \(1, 5, 5\) failed: .*2x25 and 64x"):
        probe_models([specs[0].model_copy(update={"crop": 5})], tiny, "cpu")


class AddsAtPlaces(nn.Module):
    def __init__(self, n_classes: int) -> None:
        super().__init__()
        self.out = nn.Linear(64, n_classes)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        scores = self.out(x.flatten(1))
        return torch.zeros(scores.shape).index_add(0, torch.arange(len(x)), scores)


def test_a_model_that_bfloat16_does_not_suit_is_told_of_float32(tiny: Dataset) -> None:
    spec = TrainSpec(model=name_of(AddsAtPlaces), precision="bfloat16")
    with pytest.raises(UserError, match=r"same scalar type .*; that is in bfloat16, .*: train in float32, .*computes"):
        probe_models([spec], tiny, "cpu")
    fine = [spec.model_copy(update={"precision": "float32"}), TrainSpec(model=name_of(net), precision="bfloat16")]
    assert probe_models(fine, tiny, "cpu") == []


class Raises(LabelCorruption):
    def redraw(self, labels, uniform, context):  # type: ignore[no-untyped-def]
        return labels[context.data.num_classes / 0]


class Narrower(InputCorruption):
    def redraw(self, inputs, generator, context):  # type: ignore[no-untyped-def]
        DRAWN.append(len(inputs))
        return inputs[..., 1:]


class Ones(LabelCorruption):
    def redraw(self, labels, uniform, context):  # type: ignore[no-untyped-def]
        DRAWN.append(len(labels))
        return np.ones_like(labels)


def test_corruptions_of_the_users_own_are_drawn_before_anything_is_trained(tiny: Dataset) -> None:
    specs = [TrainSpec(model="mlp-1x4", corruptions=(Corruption(name="random-labels"),))]

    def of(method: type, **fields: object) -> TrainSpec:
        return TrainSpec(model="mlp-1x4", corruptions=(Corruption(name=name_of(method), **fields),), n_train=60)  # type: ignore[arg-type]

    DRAWN.clear()
    probe_corruptions([*specs, of(Ones), of(Ones), of(Ones, rate=0.5)], tiny)
    assert DRAWN == [60, 60]
    with pytest.raises(UserError, match=r"Raises' failed: ZeroDivisionError: division by zero"):
        probe_corruptions([*specs, of(Raises)], tiny)
    with pytest.raises(UserError, match=r"got inputs of shape \(60, 1, 8, 7\) from .*Narrower, expected"):
        probe_corruptions([*specs, of(Narrower)], tiny)


def test_token_ids_stay_whole_and_what_is_found_is_said() -> None:
    split = Split.clean(np.arange(40).reshape(8, 5) % 9, np.arange(8) % 2)
    data = Dataset("words", split, split, ("a", "b"))
    (note,) = probe_models([TrainSpec(model=name_of(words), preprocessing="none")], data, "cpu")
    assert note.startswith(f"{name_of(words)} gives probabilities")


def test_quantities_for_a_model_of_token_ids_are_told_how_to_be_read() -> None:
    split = Split.clean(np.float32(np.arange(40).reshape(8, 5)), np.arange(8) % 2)
    with pytest.raises(UserError, match=r"failed: .*; if the inputs are token ids, .* \(`--kind tokens`\)"):
        probe_models([TrainSpec(model=name_of(words))], Dataset("words", split, split, ("a", "b")), "cpu")


def test_constants_of_batch_norm_want_a_model_that_has_it(tiny: Dataset) -> None:
    plain = TrainSpec(model="mlp-1x4", batch_norm_epsilon=1e-4)
    with pytest.raises(UserError, match=r"got batch_norm_epsilon=0.0001, but no batch norm in mlp-1x4: leave it out"):
        refuse_without_batch_norm([plain, plain], tiny)
    refuse_without_batch_norm([plain, TrainSpec(model="resnet-1x4", batch_norm_epsilon=1e-4)], tiny)
    refuse_without_batch_norm([TrainSpec(model="mlp-1x4")], tiny)


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"n_train": 1}, "as a training set of one example makes it"),
        ({"n_train": 2, "validation": 0.5}, "as a training set of one example makes it"),
        ({"batch_size": 1}, "as batch_size=1 makes it"),
    ],
)
def test_batch_norm_on_one_example_is_refused(tiny: Dataset, fields: dict, words: str) -> None:
    with pytest.raises(UserError, match=f"batch norm is undefined on a batch of one example, {words}"):
        refuse_batches_of_one([TrainSpec(model=name_of(_normed), **fields)], tiny, "cpu")
    refuse_batches_of_one([TrainSpec(model="mlp-1x4", **fields)], tiny, "cpu")


def test_batch_norm_on_two_examples_or_three_is_not(tiny: Dataset) -> None:
    specs = [TrainSpec(model=name_of(_normed), n_train=n, batch_size=2) for n in (2, 3)]
    refuse_batches_of_one(specs, tiny, "cpu")


def _normed(input_shape, num_classes):
    size = int(np.prod(input_shape))
    return nn.Sequential(nn.Flatten(), nn.Linear(size, 4), nn.BatchNorm1d(4), nn.Linear(4, num_classes))
