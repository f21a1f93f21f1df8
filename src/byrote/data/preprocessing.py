"""Crop and scaling, as one multiplication and one addition per value, so that pixels can stay 8-bit in memory.

Whitening is the paper's (appendix A): subtract the image's mean, divide by its adjusted standard deviation
max(deviation, 1/sqrt(number of values)), on pixels scaled to [0, 1].
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import torch
from jaxtyping import Float, Int64, Shaped
from torch import Tensor

from byrote.data.dataset import Dataset, moments
from byrote.errors import UserError

Preprocessing = Literal["whiten", "standardize", "none"]
_BLOCK = 4096


@dataclass(frozen=True, eq=False)
class Inputs:
    """N examples whose network inputs are `pixels * scale + shift`, computed on gathering."""

    pixels: Shaped[Tensor, "N ..."]
    """uint8 or float32; images `[N, C, H, W]` (`[N, H, W, C]` where `channels_last`), vectors `[N, D]`."""
    scale: Float[Tensor, ...]
    """Broadcasts against pixels; its first axis is N or 1."""
    shift: Float[Tensor, ...]
    channels_last: bool = False

    def gather(self, rows: Int64[Tensor, " B"], dtype: torch.dtype) -> Float[Tensor, "B ..."]:
        """The network inputs of `rows`; images as `[B, C, H, W]`, in memory as they are stored."""
        batch = self.pixels.index_select(0, rows).to(dtype)
        scale, shift = self.scale, self.shift
        if len(scale) > 1:
            scale, shift = scale.index_select(0, rows), shift.index_select(0, rows)
        batch.mul_(scale.to(dtype)).add_(shift.to(dtype))
        return batch.permute(0, 3, 1, 2) if self.channels_last else batch

    def to(self, device: str, *, channels_last: bool) -> Inputs:
        """On `device`; images with channels innermost where asked, which convolutions on CPUs and GPUs prefer."""

        def move(tensor: Tensor) -> Tensor:
            return (tensor.permute(0, 2, 3, 1).contiguous() if channels_last else tensor).to(device)

        return Inputs(move(self.pixels), move(self.scale), move(self.shift), channels_last)

    def __len__(self) -> int:
        return len(self.pixels)


def concatenate(parts: Sequence[Inputs]) -> Inputs:
    """The examples of all parts (of equal length), one after another."""
    if len(parts) == 1:
        return parts[0]

    def join(tensors: list[Tensor], length: int) -> Tensor:
        return torch.cat([tensor.expand(length, *tensor.shape[1:]) for tensor in tensors])

    length = len(parts[0])
    return Inputs(
        torch.cat([part.pixels for part in parts]),
        join([part.scale for part in parts], length),
        join([part.shift for part in parts], length),
    )


def preprocess(data: Dataset, kind: Preprocessing, crop: int | None = None) -> tuple[Inputs, Inputs]:
    """The inputs of the training and of the test split. Standardising uses the training split's moments for both.

    Raises:
        UserError: a crop of vectors, or one larger than the images.
    """
    train, test = (_center_crop(split.inputs, crop) for split in (data.train, data.test))
    if kind == "whiten":
        return _whiten(train, data.pixel_max), _whiten(test, data.pixel_max)
    scale, shift = _standardize(train) if kind == "standardize" else _unit(train, data.pixel_max)
    return Inputs(train, scale, shift), Inputs(test, scale, shift)


def _center_crop(inputs: Shaped[np.ndarray, "N ..."], crop: int | None) -> Shaped[Tensor, "N ..."]:
    if crop is not None:
        if inputs.ndim != 4 or min(inputs.shape[2:]) < crop:
            raise UserError(
                f"got a centre crop of {crop} for inputs of shape {inputs.shape[1:]}, "
                "expected images at least that large; leave the crop out"
            )
        top, left = ((side - crop) // 2 for side in inputs.shape[2:])
        inputs = inputs[:, :, top : top + crop, left : left + crop]
    return torch.from_numpy(np.ascontiguousarray(inputs))


def _whiten(pixels: Shaped[Tensor, "N ..."], pixel_max: float) -> Inputs:
    rows = pixels.flatten(1)
    moments = [torch.var_mean(block.double(), dim=1, correction=0) for block in rows.split(_BLOCK)]
    variance, mean = (torch.cat(parts) for parts in zip(*moments, strict=True))
    # In units of pixels: the lower limit 1/sqrt(number of values) applies to pixels in [0, 1].
    deviation = variance.sqrt().clamp(min=pixel_max / rows.shape[1] ** 0.5)
    shape = (-1,) + (1,) * (pixels.ndim - 1)
    return Inputs(pixels, (1 / deviation).float().view(shape), (-mean / deviation).float().view(shape))


def _standardize(pixels: Shaped[Tensor, "N ..."]) -> tuple[Tensor, Tensor]:
    mean, deviation = (torch.from_numpy(moment)[None] for moment in moments(pixels.numpy()))
    # A feature that never varies carries nothing: it becomes 0 rather than 0/0.
    deviation = torch.where(deviation > 0, deviation, torch.ones_like(deviation))
    return (1 / deviation).float(), (-mean / deviation).float()


def _unit(pixels: Shaped[Tensor, "N ..."], pixel_max: float) -> tuple[Tensor, Tensor]:
    shape = (1,) * pixels.ndim
    return torch.full(shape, 1 / pixel_max), torch.zeros(shape)
