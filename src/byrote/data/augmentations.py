"""Augmentations: random changes of the training images, drawn anew in every epoch, for whole batches on the device.

Source     Zhang et al. (ICLR 2017), table 1: random crops of CIFAR-10 (28 of 32 pixels), and the same with random flips
           and colours for ImageNet, as in the Inception of the time.
Assumed    The strengths of the colours, which the paper does not state: those of the public Inception preprocessing
           (brightness +-32/255, saturation and contrast 0.5 to 1.5, hue +-0.2 of a turn, in this order).

They act on pixels scaled to [0, 1], before whitening. Whitening each image afterwards cancels its brightness and, on
images of one channel, its contrast (by the mean of each channel, so on colours only a part), but for what was clipped.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeAlias

import torch
from jaxtyping import Float, Int64
from torch import Tensor
from torch.nn import functional as F

from byrote.errors import UserError, kind_of, suggestion
from byrote.randomness import splitmix
from byrote.references import is_reference, load_object

AUGMENTATIONS: dict[str, str] = {
    "none": "training images as they are",
    "random-crop": "a window at a random place: of the recipe's crop in the whole image, or else of the image's own "
    "size after padding by an eighth of it",
    "crop-flip-color": "random-crop, a flip of left and right for every other image, random brightness, saturation, "
    "hue and contrast",
    "FILE.py:NAME": "your own: a function called as NAME(images [M, C, H, W] in [0, 1], draw, (h, w)) -> [M, C, h, w], "
    "where draw() gives a uniform random number for each image",
    "package.module:NAME": "the same, from an installed package",
}

Draw: TypeAlias = Callable[[], Float[Tensor, " M"]]
Augmentation: TypeAlias = Callable[[Float[Tensor, "M C H W"], Draw, tuple[int, int]], Float[Tensor, "M C h w"]]

_BRIGHTNESS = 32 / 255
_SATURATION = (0.5, 1.5)
_HUE_TURNS = 0.2
_CONTRAST = (0.5, 1.5)


def find_augmentation(name: str, input_shape: tuple[int, ...]) -> Augmentation | None:
    """The function behind a spec's `augmentation`; None for "none".

    Raises:
        UserError: no such augmentation, one that is no function, or any of inputs that are not images.
    """
    if name == "none":
        return None
    built_in: dict[str, Augmentation] = {"random-crop": random_crop, "crop-flip-color": crop_flip_color}
    if not is_reference(name) and name not in built_in:
        known = ", ".join(AUGMENTATIONS)
        raise UserError(f"got augmentation {name!r}, expected one of {known}{suggestion(name, built_in)}")
    if len(input_shape) != 3:
        raise UserError(
            f"augmentation {name!r} takes images of shape (C, H, W), got inputs of shape {input_shape}; use none"
        )
    found = load_object(name) if is_reference(name) else built_in[name]
    if not callable(found):
        raise UserError(f"augmentation {name!r} is {kind_of(found)}, expected a function: {_CALLED_AS}")
    return found


_CALLED_AS = AUGMENTATIONS["FILE.py:NAME"].partition("called as ")[2]


def draws(keys: Int64[Tensor, " M"], examples: Int64[Tensor, " M"], dtype: torch.dtype) -> Draw:
    """A `draw` whose c-th call gives numbers in [0, 1) that are a hash of (key, example, c) and of nothing else.

    They are multiples of 2^-24, and so the same in float32 and in float64.
    """
    state = splitmix(keys, examples)
    num_calls = torch.zeros((), dtype=torch.int64, device=keys.device)

    def draw() -> Float[Tensor, " M"]:
        bits = splitmix(state, num_calls.add_(1))
        return ((bits >> 40) & (2**24 - 1)).to(dtype) * 2.0**-24

    return draw


def random_crop(images: Float[Tensor, "M C H W"], draw: Draw, size: tuple[int, int]) -> Float[Tensor, "M C h w"]:
    """A window of `size` at a uniformly drawn place of each image; of images that are no larger, after padding them
    with zeros by an eighth of each side (at least a pixel). Draws twice: top, left."""
    if tuple(images.shape[2:]) == size:
        down, right = (max(1, side // 8) for side in size)
        images = F.pad(images, (right, right, down, down))
    windows = images.unfold(2, size[0], 1).unfold(3, size[1], 1)
    top, left = ((draw() * count).long() for count in windows.shape[2:4])
    return windows[torch.arange(len(images), device=images.device), :, top, left]


def crop_flip_color(images: Float[Tensor, "M C H W"], draw: Draw, size: tuple[int, int]) -> Float[Tensor, "M C h w"]:
    """`random_crop`, a flip of left and right with chance 1/2, then colours, clipped to [0, 1].

    Saturation and hue take three channels (RGB); images of another number skip them. Draws up to seven times.
    """
    images = random_crop(images, draw, size)
    flipped = _each(draw() < 0.5)
    images = torch.where(flipped, images.flip(3), images)
    images = images + _BRIGHTNESS * (2 * _each(draw()) - 1)
    if images.shape[1] == 3:
        images = _recolored(images, _between(_SATURATION, draw), _HUE_TURNS * (2 * _each(draw()) - 1))
    mean = images.mean((2, 3), keepdim=True)
    return torch.lerp(mean, images, _between(_CONTRAST, draw)).clamp(0, 1)


def _recolored(
    images: Float[Tensor, "M 3 H W"], saturation: Float[Tensor, "M 1 1 1"], turns: Float[Tensor, "M 1 1 1"]
) -> Float[Tensor, "M 3 H W"]:
    """Saturation times a factor (at most full saturation), and hue turned, in one way to HSV and back.

    With value v (the largest channel), chroma c = v * saturation and hue h in sixths of a turn, the channels are
    v - c * max(0, min(k, 4 - k, 1)), where k = (n + h) mod 6 with n = 5 for red, 3 for green and 1 for blue.
    """
    value, largest = images.max(1, keepdim=True)
    chroma = value - images.amin(1, keepdim=True)
    # Of the two other channels, the one after the largest minus the one before it; 0 for greys.
    difference = (images.roll(-1, 1) - images.roll(-2, 1)).gather(1, largest)
    hue = 2 * largest + difference / chroma.clamp(min=torch.finfo(images.dtype).tiny)
    chroma = torch.minimum(saturation * chroma, value).clamp(min=0)
    n = torch.arange(5, 0, -2, dtype=images.dtype, device=images.device).view(3, 1, 1)
    k = (n + (hue + 6 * turns)) % 6
    return value - chroma * torch.minimum(k, 4 - k).clamp(0, 1)


def _between(limits: tuple[float, float], draw: Draw) -> Float[Tensor, "M 1 1 1"]:
    return limits[0] + (limits[1] - limits[0]) * _each(draw())


def _each(values: Tensor) -> Tensor:
    return values[:, None, None, None]
