"""What network inputs are made of, augmented alone or in a stack: the same numbers."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from byrote.data.augmentations import crop_flip_color, draws, random_crop
from byrote.data.corruptions.record import Corruption
from byrote.data.dataset import Dataset
from byrote.errors import UserError
from byrote.randomness import stream_seed
from byrote.training.conditions import SplitTensors, make_conditions
from byrote.training.picked import EpochAugmentation, Picked
from byrote.training.spec import TrainSpec

SPECS = [
    TrainSpec(model="mlp-1x4", crop=5, augmentation="crop-flip-color"),
    TrainSpec(model="mlp-1x4", crop=5, augmentation="crop-flip-color", seed=1),
    TrainSpec(
        model="mlp-1x4",
        crop=5,
        augmentation="crop-flip-color",
        seed=1,
        corruptions=(Corruption(name="shuffled-pixels"),),
    ),
]


def train_split(data: Dataset, specs: list[TrainSpec] = SPECS) -> SplitTensors:
    return make_conditions(specs, data, device="cpu", channels_last=False).train


def augmentation(specs: list[TrainSpec] = SPECS, epoch: int = 3) -> EpochAugmentation:
    return EpochAugmentation.of_epoch("color", crop_flip_color, [spec.seed for spec in specs], epoch, "cpu")


def orders(num_replicas: int = 3) -> torch.Tensor:
    return torch.from_numpy(np.stack([np.random.default_rng(i).permutation(121) for i in range(num_replicas)]))


def test_examples_that_all_replicas_have_are_fetched_once(tiny: Dataset) -> None:
    split, rows = train_split(tiny, SPECS[:2]), torch.tensor([[3, 1, 4, 1, 5]])
    shared = Picked(split.inputs, rows.expand(2, -1), torch.float64).between(1, 4)
    assert len(shared.fetch().pixels) == 3
    expected = Picked(split.inputs, rows.repeat(2, 1), torch.float64).between(1, 4)
    assert len(expected.fetch().pixels) == 6
    assert torch.equal(shared.network_inputs(), expected.network_inputs())


def test_a_stack_is_augmented_as_each_replica_alone_and_in_any_batches(tiny: Dataset) -> None:
    whole = train_split(tiny).picked(orders(), torch.float64, augmentation()).network_inputs()
    for replica, each in enumerate(SPECS):
        own = train_split(tiny, [each]).picked(orders()[replica : replica + 1], torch.float64, augmentation([each]))
        alone = [own.between(first, min(first + 7, 121)).network_inputs() for first in range(0, 121, 7)]
        torch.testing.assert_close(torch.cat(alone, dim=1)[0], whole[replica], rtol=0, atol=0)


def test_an_example_is_drawn_for_by_seed_epoch_and_index(tiny: Dataset) -> None:
    split = train_split(tiny, SPECS[:2])
    examples = torch.tensor([[4, 9], [9, 100]])
    found = split.picked(examples, torch.float64, augmentation(SPECS[:2], epoch=6)).network_inputs()
    for replica in range(2):
        for position, example in enumerate(examples[replica].tolist()):
            key = torch.tensor([stream_seed(replica, "augmentation", 6)])
            image = torch.from_numpy(tiny.train.inputs[example][None]).double() / 16
            changed = crop_flip_color(image, draws(key, torch.tensor([example]), torch.float64), (5, 5))
            white = (changed - changed.mean()) / max(changed.std(correction=0), 1 / 5)
            torch.testing.assert_close(found[replica, position], white[0])
    again = split.picked(examples, torch.float64, augmentation(SPECS[:2], epoch=7)).network_inputs()
    assert not torch.isclose(found, again).flatten(2).all(2).any()


def test_a_crop_is_verified_to_fit(tiny: Dataset) -> None:
    split, examples = train_split(tiny), torch.zeros(3, 2, dtype=torch.int64)
    good = EpochAugmentation.of_epoch("random-crop", random_crop, [0, 1, 1], 0, "cpu")
    split.picked(examples, torch.float32, good).verify()
    with pytest.raises(UserError, match=r"augmentation 'flat' gave images of shape \(6, 64\) from \(6, 1, 8, 8\)"):
        split.picked(
            examples, torch.float32, replace(good, name="flat", function=lambda images, draw, size: images.flatten(1))
        ).verify()
