"""Three replicas whose images are augmented, of which the third has other inputs."""

from __future__ import annotations

import numpy as np
import torch

from byrote.data.augmentations import crop_flip_color
from byrote.data.corruptions.record import Corruption
from byrote.data.dataset import Dataset
from byrote.training.conditions import SplitTensors, make_conditions
from byrote.training.picked import EpochAugmentation
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
