from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from byrote.data.corruptions import Corruption, apply_corruptions
from byrote.data.dataset import Dataset, Split
from byrote.data.preprocessing import preprocess
from byrote.data.subsets import subset
from byrote.training.conditions import labels_digest, make_conditions
from byrote.training.spec import TrainSpec

RANDOM = Corruption(name="random-labels")
NOISE = Corruption(name="gaussian", rate=0.5)
OWN = Corruption(name="random-pixels")


def spec(*corruptions: Corruption, **fields: object) -> TrainSpec:
    return TrainSpec(model="mlp-1x4", corruptions=corruptions, n_train=50, **fields)


SPECS = [
    spec(),
    spec(RANDOM, seed=1),
    spec(RANDOM, OWN, seed=1),
    spec(OWN, seed=1),
    spec(OWN, seed=2),
    spec(NOISE),
    spec(data_seed=4),
]


@pytest.mark.parametrize("channels_last", [False, True])
@pytest.mark.parametrize("preprocessing", ["whiten", "standardize"])
def test_every_replica_sees_its_own_data(tiny: Dataset, preprocessing: str, channels_last: bool) -> None:
    specs = [s.model_copy(update={"preprocessing": preprocessing}) for s in SPECS]
    found = make_conditions(specs, tiny, device="cpu", channels_last=channels_last)
    # True and random labels share their inputs, as do equal input corruptions of equal seeds.
    assert len(found.train.inputs) == 5 * 50
    examples = torch.stack([torch.randperm(50)[:20] for _ in specs])
    batch = found.train.gather(examples, torch.float32)
    for replica, each in enumerate(specs):
        data = apply_corruptions(subset(tiny, 50, each.data_seed), each.corruptions, each.seed)
        pair = preprocess(data, each.preprocessing)
        torch.testing.assert_close(batch[replica], pair[0].gather(examples[replica], torch.float32))
        assert torch.equal(found.train.labels[replica], torch.from_numpy(data.train.labels))
        assert torch.equal(found.train.true_labels[replica], torch.from_numpy(data.train.true_labels))
        everything = found.test.gather(torch.arange(60).expand(len(specs), -1), torch.float32)
        torch.testing.assert_close(everything[replica], pair[1].gather(torch.arange(60), torch.float32))
        assert torch.equal(found.test.labels[replica], torch.from_numpy(tiny.test.labels))
        assert all(check.passed for check in found.checks[replica])


def test_kept_replicas_keep_their_data(tiny: Dataset) -> None:
    train = make_conditions(SPECS, tiny, device="cpu", channels_last=False).train
    kept = train.keep([5, 2])
    rows = torch.arange(50).expand(7, -1)
    assert torch.equal(kept.gather(rows[:2], torch.float32), train.gather(rows, torch.float32)[[5, 2]])
    assert labels_digest(kept, 1) == labels_digest(train, 2) != labels_digest(train, 0)


def test_equal_inputs_are_stored_once_and_gathered_once(tiny: Dataset) -> None:
    train = make_conditions(SPECS[:2], tiny, device="cpu", channels_last=False).train
    assert len(train.inputs) == 50
    batch = train.gather(torch.arange(9).expand(2, -1), torch.float32)
    assert batch.stride(0) == 0
    assert torch.equal(batch[0], train.gather(torch.arange(9).repeat(2, 1), torch.float32)[1])


@pytest.mark.parametrize(
    ("labels", "most"), [([0, 0, 0, 0], 4), ([0, 1, 0, 0], 3), ([0, 1, 1, 0], 3), ([0, 1, 2, 3], 2), ([3, 3, 3, 1], 4)]
)
def test_what_any_function_can_get_right(tiny: Dataset, labels: list[int], most: int) -> None:
    """Three images that whitening makes equal (all constant), and another."""
    images = np.stack([np.full((1, 8, 8), value, np.uint8) for value in (3, 3, 9)] + [tiny.train.inputs[0]])
    data = replace(tiny, train=Split.clean(images, np.array(labels)))
    found = make_conditions([TrainSpec(model="mlp-1x4")], data, device="cpu", channels_last=False)
    assert found.most_correct == (most,)
