"""The inputs of a data set as vectors: scaled, or as Gabor wavelets see them."""

from __future__ import annotations

from typing import Literal

import numpy as np
import torch
from jaxtyping import Float, Shaped
from torch import Tensor

from byrote.data.dataset import Dataset, moments
from byrote.errors import UserError
from byrote.input_parts import names_in_words
from byrote.theory.kernels.gabor import GaborFeatures

Features = Literal["inputs", "gabor", "random-convolutions"]


def scaled_inputs(data: Dataset, device: str) -> tuple[Float[Tensor, "N ..."], Float[Tensor, "M ..."]]:
    """Training and test inputs in float32: images in [0, 1], vectors with each feature standardised on the training set
    (constant ones are 0).

    Raises:
        UserError: see `refuse_without_features`.
    """
    refuse_without_features(data)
    splits = (data.train, data.test)
    if data.is_images:
        train, test = (_moved(split.inputs, device).div_(data.pixel_max) for split in splits)
        return train, test
    mean, deviation = moments(data.train.inputs)
    scale = np.divide(1.0, deviation, out=np.zeros_like(deviation), where=deviation > 0)
    train, test = (_moved((split.inputs - mean) * scale, device) for split in splits)
    return train, test


def refuse_without_features(data: Dataset) -> None:
    """Raises UserError where inputs are no vectors of quantities: token ids, or several inputs."""
    if data.kind == "dict":
        raise UserError(
            f"got {data.name}, whose inputs are {names_in_words(data.parts)}: kernels and features take one input; "
            "give one of them alone"
        )
    if data.kind == "tokens":
        raise UserError(
            f"got {data.name}, whose inputs are token ids: kernels and features take quantities; load the data with "
            "kind='vectors' if these are quantities"
        )


def mapped_inputs(
    features: Literal["inputs", "gabor"], data: Dataset, device: str
) -> tuple[Float[Tensor, "N D"], Float[Tensor, "M D"]]:
    """Training and test examples as vectors: the scaled inputs themselves, or the Gabor features of images."""
    train, test = scaled_inputs(data, device)
    if features == "gabor":
        wavelets = GaborFeatures()
        train, test = wavelets(train), wavelets(test)
    return train.flatten(1), test.flatten(1)


def _moved(inputs: Shaped[np.ndarray, "N ..."], device: str) -> Float[Tensor, "N ..."]:
    return torch.tensor(np.ascontiguousarray(inputs), dtype=torch.float32, device=device)
