"""What network inputs are made of, augmented alone or in a stack: the same numbers."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from augmented_stack import SPECS, augmentation, orders, train_split

from byrote.data.augmentations import crop_flip_color, draws, random_crop
from byrote.data.dataset import Dataset
from byrote.errors import UserError
from byrote.randomness import stream_seed
from byrote.training.picked import EpochAugmentation, Picked


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
