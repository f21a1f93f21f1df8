from __future__ import annotations

import numpy as np
import torch

from byrote.data.dataset import Dataset
from byrote.training.conditions import make_conditions
from byrote.training.spec import TrainSpec
from byrote.training.tally import EpochTally


def test_what_is_counted_is_counted_over_the_examples_seen(tiny: Dataset) -> None:
    split = make_conditions([TrainSpec(model="mlp-1x4")] * 2, tiny, device="cpu", channels_last=False).train
    order = torch.stack([torch.arange(121), torch.arange(121).flip(0)])
    tally = EpochTally.of_epoch(split, order)
    assert torch.equal(tally.labels, torch.from_numpy(tiny.train.labels)[order])
    tally.add(torch.tensor([1.0, 2.0]), tally.labels[:, :30])
    tally.add(torch.tensor([2.0, torch.nan]), tally.labels[:, 30:40] + torch.tensor([[0], [1]]))
    assert (tally.seen, tally.sizes) == (40, [30, 10])
    np.testing.assert_allclose(tally.mean_loss(), [1.25, np.nan])
    assert tally.accuracy().tolist() == tally.accuracy_true_labels().tolist() == [1.0, 0.75]
    assert tally.first_non_finite() == [None, 1]
    assert tally.num_wrong() == [0, 10]
    # Those predicted wrongly come first, the latest before the others; then the right ones, the earliest first.
    assert tally.suspects().tolist() == [[*range(40)], [*range(81, 91), *range(120, 90, -1)]]


def test_early_rows_cover_each_step_once(tiny: Dataset) -> None:
    split = make_conditions([TrainSpec(model="mlp-1x4")], tiny, device="cpu", channels_last=False).train
    tally = EpochTally.of_epoch(split, torch.arange(121)[None])
    tally.add(torch.tensor([1.0]), tally.labels[:, :30])
    tally.add(torch.tensor([5.0]), tally.labels[:, 30:40] + 1)
    assert {name: float(value[0]) for name, value in tally.take_early().items()} == {
        "train_loss": 2.0,
        "train_accuracy": 0.75,
    }
    tally.add(torch.tensor([3.0]), tally.labels[:, 40:60] + 1)
    assert {name: float(value[0]) for name, value in tally.take_early().items()} == {
        "train_loss": 3.0,
        "train_accuracy": 0.0,
    }
