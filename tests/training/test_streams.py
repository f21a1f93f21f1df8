from __future__ import annotations

import numpy as np
import torch

from byrote.data.augmentations import random_crop
from byrote.training.streams import Streams

THREE = Streams((5, 6, 5), "cpu")


def test_an_order_is_of_a_seed_and_an_epoch() -> None:
    first, second = (THREE.batch_order(epoch, 50) for epoch in (1, 2))
    assert torch.equal(first[0], first[2])
    assert not torch.equal(first[0], first[1])
    assert not torch.equal(first[0], second[0])
    assert torch.equal(first.sort().values, torch.arange(50).expand(3, -1))
    assert torch.equal(THREE.keep([1, 2]).batch_order(1, 50), first[1:])


def test_global_generators_are_opened_by_the_first_seed_and_left_as_they_were() -> None:
    torch.manual_seed(1)
    expected = torch.rand(2)
    torch.manual_seed(1)
    drawn = []
    for streams, purpose, epoch in ((THREE, "dropout", 1), (THREE.keep([2]), "dropout", 1), (THREE, "dropout", 2)):
        with streams.opened(purpose, epoch):
            drawn.append((float(torch.rand(())), np.random.rand()))  # noqa: NPY002
    assert drawn[0] == drawn[1] != drawn[2]
    torch.testing.assert_close(torch.rand(2), expected, rtol=0, atol=0)


def test_augmentation_has_a_key_for_each_seed() -> None:
    assert THREE.augmentation("none", None, 1) is None
    found = THREE.augmentation("random-crop", random_crop, 1)
    assert found is not None
    assert len(found.keys.unique()) == 2
