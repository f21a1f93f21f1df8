"""Augmentations against a loop over single images and pixels, and the distribution of what they draw."""

from __future__ import annotations

import colorsys
from collections.abc import Callable

import numpy as np
import pytest
import torch
from scipy import stats

from byrote.data.augmentations import AUGMENTATIONS, crop_flip_color, draws, find_augmentation, random_crop
from byrote.errors import UserError
from byrote.references import name_of

MASK = 2**64 - 1


def slow_bits(state: int, number: int) -> int:
    z = (state + number * 0x9E3779B97F4A7C15) & MASK
    z = ((z ^ (z >> 30)) * 0xBF58476D1CE4E5B9) & MASK
    z = ((z ^ (z >> 27)) * 0x94D049BB133111EB) & MASK
    return z ^ (z >> 31)


class SlowDraw:
    """The numbers of one image, one after another."""

    def __init__(self, key: int, example: int) -> None:
        self.state, self.calls = slow_bits(key, example), 0

    def __call__(self) -> float:
        self.calls += 1
        return (slow_bits(self.state, self.calls) >> 40) / 2**24


def slow_crop(image: np.ndarray, draw: SlowDraw, size: tuple[int, int]) -> np.ndarray:
    if image.shape[1:] == size:
        down, right = (max(1, side // 8) for side in size)
        image = np.pad(image, ((0, 0), (down, down), (right, right)))
    top, left = (int(draw() * (side - part + 1)) for side, part in zip(image.shape[1:], size, strict=True))
    return image[:, top : top + size[0], left : left + size[1]]


def slow_color(image: np.ndarray, draw: SlowDraw, size: tuple[int, int]) -> np.ndarray:
    image = slow_crop(image, draw, size)
    if draw() < 0.5:
        image = image[:, :, ::-1]
    image = image + 32 / 255 * (2 * draw() - 1)
    if len(image) == 3:
        saturation, turns = 0.5 + draw(), 0.2 * (2 * draw() - 1)
        image = image.copy()
        for y in range(size[0]):
            for x in range(size[1]):
                image[:, y, x] = recolored(image[:, y, x], saturation, turns)
    mean = image.mean((1, 2), keepdims=True)
    return np.clip(mean + (0.5 + draw()) * (image - mean), 0, 1)


def recolored(pixel: np.ndarray, saturation: float, turns: float) -> np.ndarray:
    if pixel.max() <= 0:  # brightness may have taken it below black, where HSV says nothing
        return np.full(3, pixel.max())
    h, s, v = colorsys.rgb_to_hsv(*pixel)
    return np.array(colorsys.hsv_to_rgb((h + turns) % 1, min(1, s * saturation), v))


def images(num: int, shape: tuple[int, ...], seed: int = 0) -> torch.Tensor:
    """Random colours, and among them greys, black, white, and the six pure colours."""
    x = np.random.default_rng(seed).random((num, *shape))
    x[0] = x[0, :1]
    x[1] = 0
    x[2] = 1
    x[3] = x[3].round()
    return torch.from_numpy(x)


def draw_of(num: int, key: int = 7, dtype: torch.dtype = torch.float64) -> Callable[[], torch.Tensor]:
    return draws(torch.full((num,), key), torch.arange(num), dtype)


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32])
@pytest.mark.parametrize(("shape", "size"), [((3, 9, 12), (6, 6)), ((3, 9, 12), (9, 12)), ((1, 8, 8), (8, 8))])
@pytest.mark.parametrize(("fast", "slow"), [(random_crop, slow_crop), (crop_flip_color, slow_color)])
def test_a_batch_is_the_loop_over_its_images(fast, slow, shape, size, dtype) -> None:
    x = images(30, shape)
    found = fast(x.to(dtype), draw_of(30, key=2**63 - 1, dtype=dtype), size)
    assert found.dtype == dtype
    for example, (image, got) in enumerate(zip(x.numpy(), found, strict=True)):
        expected = slow(image, SlowDraw(2**63 - 1, example), size)
        np.testing.assert_allclose(got, expected, rtol=0, atol=1e-12 if dtype == torch.float64 else 2e-6)


def test_numbers_do_not_depend_on_the_batch() -> None:
    whole = [draw_of(9)() for _ in range(1)] + [draw_of(9)()]
    assert torch.equal(whole[0], whole[1])
    part = draws(torch.full((3,), 7), torch.tensor([8, 2, 5]), torch.float64)
    every = draw_of(9)
    for _ in range(4):
        assert torch.equal(part(), every()[[8, 2, 5]])


def test_numbers_are_uniform_and_independent_of_example_key_and_call() -> None:
    num = 2000
    columns = []
    for key in (0, 1, 2**62):
        draw = draw_of(num, key)
        columns += [draw().numpy() for _ in range(3)]
    for column in columns:
        assert column.min() >= 0
        assert column.max() < 1
        assert stats.kstest(column, "uniform").pvalue > 1e-4
        assert abs(np.corrcoef(column[1:], column[:-1])[0, 1]) < 5 / num**0.5
    correlation = np.corrcoef(columns) - np.eye(len(columns))
    assert abs(correlation).max() < 5 / num**0.5


def places(num: int, size: int, crop: int) -> tuple[np.ndarray, np.ndarray]:
    """The top and the left of the windows, read off images whose pixels hold their own positions."""
    y, x = np.mgrid[:size, :size]
    coded = torch.from_numpy(np.stack([y, x]) + 1.0).expand(num, 2, size, size)
    found = random_crop(coded, draw_of(num), (crop, crop))
    # The last pixel of a window is never padding.
    return found[:, 0, -1, -1].numpy() - crop, found[:, 1, -1, -1].numpy() - crop


def test_windows_are_uniform_over_the_original_image() -> None:
    top, left = places(5000, 32, 28)
    counts = np.histogram2d(top, left, bins=5, range=[(-0.5, 4.5)] * 2)[0]
    assert counts.sum() == 5000
    assert stats.chisquare(counts.ravel()).pvalue > 1e-4


@pytest.mark.parametrize(("side", "padding"), [(4, 1), (8, 1), (28, 3), (32, 4)])
def test_without_a_crop_images_are_padded_by_an_eighth(side: int, padding: int) -> None:
    ones = torch.ones(400, 1, side, side)
    found = random_crop(ones, draw_of(400, dtype=torch.float32), (side, side))
    assert found.shape == ones.shape
    rows = found.amax((1, 3)).sum(1)
    shift = side - rows
    assert shift.min() == 0
    assert shift.max() == padding
    first_row_is_padding = (found[:, 0, 0] == 0).all(1).double().mean()
    assert abs(first_row_is_padding - padding / (2 * padding + 1)) < 0.1


def test_every_other_image_is_flipped_and_colours_keep_their_place() -> None:
    """Dark to the left, bright to the right: brightness and contrast keep the order, a flip turns it."""
    ramp = torch.linspace(0.3, 0.7, 16).expand(4000, 3, 16, 16)
    found = crop_flip_color(ramp, draw_of(4000, dtype=torch.float32), (12, 12))
    falls = (found[..., 0] > found[..., -1]).flatten(1)
    assert (falls.all(1) | ~falls.any(1)).all()
    assert abs(falls[:, 0].double().mean() - 0.5) < 5 * 0.5 / 4000**0.5


def test_colours_stay_within_the_unit_interval_and_greys_stay_grey() -> None:
    x = images(200, (3, 6, 6), seed=1)
    found = crop_flip_color(x, draw_of(200), (6, 6))
    assert found.min() >= 0
    assert found.max() <= 1
    grey = crop_flip_color(x[:, :1].expand(-1, 3, -1, -1), draw_of(200), (5, 5))
    torch.testing.assert_close(grey, grey[:, :1].expand(-1, 3, -1, -1))


def test_whitening_cancels_brightness_and_contrast_of_one_channel() -> None:
    """As the documentation says: only the window and the flip are left, where nothing was clipped."""
    x = 0.4 + 0.2 * images(50, (1, 10, 10))[4:]
    colored = crop_flip_color(x, draw_of(46), (8, 8))
    draw = draw_of(46)
    plain = random_crop(x, draw, (8, 8))
    plain = torch.where(draw()[:, None, None, None] < 0.5, plain.flip(3), plain)

    def whitened(batch: torch.Tensor) -> torch.Tensor:
        deviation, mean = torch.std_mean(batch, dim=(1, 2, 3), correction=0, keepdim=True)
        return (batch - mean) / deviation

    torch.testing.assert_close(whitened(colored), whitened(plain))


def halved(images: torch.Tensor, draw: Callable[[], torch.Tensor], size: tuple[int, int]) -> torch.Tensor:
    return images / 2


NUMBER = 3


def test_names_lead_to_functions() -> None:
    assert find_augmentation("none", (64,)) is None
    assert find_augmentation("random-crop", (1, 8, 8)) is random_crop
    assert find_augmentation("crop-flip-color", (3, 8, 8)) is crop_flip_color
    assert find_augmentation(name_of(halved), (3, 8, 8)) is halved
    assert {"none", "random-crop", "crop-flip-color"} < AUGMENTATIONS.keys()


@pytest.mark.parametrize(
    ("name", "shape", "message"),
    [
        ("random-corp", (3, 8, 8), "got augmentation 'random-corp', expected one of none, random-crop, crop-flip"),
        ("random-crop", (64,), r"takes images of shape \(C, H, W\), got inputs of shape \(64,\); use none"),
        (f"{__file__}:NUMBER", (3, 8, 8), r"is an int, expected a function: NAME\(images \[M, C, H, W\]"),
        (f"{__file__}:nothing", (3, 8, 8), "defines no 'nothing'"),
    ],
)
def test_what_is_no_augmentation_is_refused(name: str, shape: tuple[int, ...], message: str) -> None:
    with pytest.raises(UserError, match=message):
        find_augmentation(name, shape)
