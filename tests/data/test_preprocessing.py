"""Crop, whitening and standardising against slow loops over single images."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch

from byrote.data.dataset import Dataset, Split
from byrote.data.preprocessing import Inputs, concatenate, preprocess
from byrote.errors import UserError

KINDS = ["whiten", "standardize", "none"]


def dataset(shape: tuple[int, ...], *, scale: float = 255.0, n: int = 7) -> Dataset:
    generator = np.random.default_rng(0)
    parts = []
    for seed_n in (n, n + 2):
        values = generator.random((seed_n, *shape)) * scale
        values[0] = scale / 3  # constant
        values[1:2] = 0
        values[2:3] = scale / 2
        values[2:3].flat[:1] += scale / 128  # nearly constant
        dtype = np.uint8 if scale == 255 and len(shape) == 3 else np.float32
        parts.append(Split.clean(values.astype(dtype), np.arange(seed_n) % 2))
    return Dataset("random", parts[0], parts[1], ("a", "b"), pixel_max=scale)


def gathered(inputs: Inputs) -> np.ndarray:
    return inputs.gather(torch.arange(len(inputs)), torch.float64).numpy()


def slow(data: Dataset, kind: str, crop: int | None) -> list[np.ndarray]:
    """One image and one value after another, as the paper's appendix says it."""
    cropped = []
    for split in (data.train, data.test):
        inputs = split.inputs.astype(np.float64) / data.pixel_max
        if crop:
            top, left = (inputs.shape[2] - crop) // 2, (inputs.shape[3] - crop) // 2
            inputs = inputs[:, :, top : top + crop, left : left + crop]
        cropped.append(inputs)
    if kind == "whiten":
        return [
            np.stack([(image - image.mean()) / max(image.std(), 1 / math.sqrt(image.size)) for image in inputs])
            for inputs in cropped
        ]
    if kind == "none":
        return cropped
    result = [inputs.copy() for inputs in cropped]
    for channel in range(cropped[0].shape[1]):
        values = cropped[0][:, channel]
        deviation = values.std()
        for inputs in result:
            inputs[:, channel] = (inputs[:, channel] - values.mean()) / (deviation if deviation > 1e-9 else 1)
    return result


@pytest.mark.parametrize("channels_last", [False, True])
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(
    ("shape", "scale", "crop"),
    [((3, 6, 5), 255.0, None), ((3, 7, 6), 255.0, 4), ((1, 4, 4), 1.0, 4), ((9,), 1.0, None), ((2, 1, 1), 255.0, 1)],
)
def test_preprocessing_is_the_slow_loop(
    shape: tuple[int, ...], scale: float, crop: int | None, kind: str, channels_last: bool
) -> None:
    data = dataset(shape, scale=scale)
    for inputs, expected in zip(preprocess(data, kind, crop), slow(data, kind, crop), strict=True):
        if channels_last and len(shape) == 3:
            inputs = inputs.to("cpu", channels_last=True)
            batch = inputs.gather(torch.arange(3), torch.float32)
            assert batch.is_contiguous(memory_format=torch.channels_last)
        np.testing.assert_allclose(gathered(inputs), expected, rtol=2e-6, atol=5e-6)


def test_a_constant_image_becomes_zeros(tiny: Dataset) -> None:
    images = np.full((2, 1, 8, 8), 9, np.uint8)
    data = Dataset("constant", Split.clean(images, np.array([0, 1])), tiny.test, tiny.class_names, pixel_max=16.0)
    assert abs(gathered(preprocess(data, "whiten")[0])).max() < 1e-6


def test_pixels_stay_8_bit_and_are_gathered_in_any_order(tiny: Dataset) -> None:
    inputs, _ = preprocess(tiny, "whiten")
    assert inputs.pixels.dtype == torch.uint8
    rows = torch.tensor([5, 0, 5])
    np.testing.assert_array_equal(inputs.gather(rows, torch.float64).numpy(), gathered(inputs)[[5, 0, 5]])
    assert (inputs.pixels.numpy() == tiny.train.inputs).all()


@pytest.mark.parametrize("kind", KINDS)
def test_concatenated_inputs_are_gathered_as_apart(tiny: Dataset, kind: str) -> None:
    noise = np.random.default_rng(0).normal(5, 3, tiny.train.inputs.shape).astype(np.float32)
    other = Dataset("noise", Split.clean(noise, tiny.train.labels), tiny.test, tiny.class_names, pixel_max=16.0)
    parts = [preprocess(data, kind)[0] for data in (tiny, other)]
    joined = concatenate(parts)
    np.testing.assert_array_equal(gathered(joined), np.concatenate([gathered(part) for part in parts]))
    assert concatenate(parts[:1]) is parts[0]


@pytest.mark.parametrize(("shape", "crop"), [((3, 6, 5), 6), ((9,), 3)])
def test_a_crop_that_does_not_fit_is_refused(shape: tuple[int, ...], crop: int) -> None:
    with pytest.raises(UserError) as error:
        preprocess(dataset(shape), "whiten", crop)
    assert f"got a centre crop of {crop} for inputs of shape {shape}" in str(error.value)
