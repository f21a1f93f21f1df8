"""Crop and scaling, as one multiplication and one addition per value, so that pixels can stay 8-bit where they are.

Whitening is the paper's (appendix A): subtract the image's mean, divide by its adjusted standard deviation
max(deviation, 1/sqrt(number of values)), on pixels scaled to [0, 1]. Vectors are standardised instead, column by
column: their values are quantities of different kinds, and what all columns of a row share is no brightness. Token ids
are names, not quantities, and stay the whole numbers that they are. Several inputs reach the network as they come, but
for 8-bit pixels, which are scaled to [0, 1].

Pixels from which an augmentation takes its windows are kept whole, and cropped when they are gathered. So are pixels on
disk (memory-mapped), which stay there and are only ever read in blocks.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np
import torch
from jaxtyping import Float, Float32, Int64, Shaped
from torch import Tensor

from byrote.data.dataset import Dataset, moments
from byrote.data.kinds import Preprocessing, preprocessing_of
from byrote.errors import UserError
from byrote.input_parts import as_networks_get_it

_BLOCK_VALUES = 2**20
"""Values of pixels worked on at a time: 8 MiB in float64."""


class Batch(NamedTuple):
    """Pixels of B examples on the device, and what scales them."""

    pixels: Shaped[Tensor, "B ..."]
    """Images as `[B, C, H, W]`: their window, or whole."""
    scale: Float[Tensor, " ..."]
    shift: Float[Tensor, " ..."]


@dataclass(frozen=True, eq=False)
class Inputs:
    """N examples whose network inputs are `pixels * scale + shift` within the window, computed on gathering."""

    pixels: Shaped[Tensor, "N ..."] | Shaped[np.ndarray, "N ..."]
    """uint8 or float32; images `[N, C, H, W]` (`[N, H, W, C]` where `channels_innermost`), vectors `[N, D]`; int64
    token ids `[N, T]`. An array, instead of a tensor on the device, where they are too many for it or lie on disk."""
    scale: Float[Tensor, " ..."]
    """Broadcasts against pixels `[N, C, H, W]`; its first axis is N or 1."""
    shift: Float[Tensor, " ..."]
    pixel_max: float
    whiten: bool
    """Whether scale and shift are each image's own, so that changed pixels need new ones."""
    crop: int | None = None
    """Side of the window, in the centre of the image; None for all of it."""
    channels_innermost: bool = False
    device: str = "cpu"
    """Where batches are wanted."""
    channels_last: bool = False
    """Whether batches of images are wanted with channels innermost in memory, as convolutions prefer."""

    @property
    def is_on_device(self) -> bool:
        """Whether the pixels lie on the device."""
        return isinstance(self.pixels, Tensor)

    @property
    def home(self) -> str:
        """The device of the pixels, and of the `rows` that are asked of them."""
        return self.device if self.is_on_device else "cpu"

    @property
    def size(self) -> tuple[int, int]:
        """(h, w) of the window of images."""
        height, width = self._whole_size if self.crop is None else (self.crop, self.crop)
        return height, width

    def gather(self, rows: Int64[Tensor, " B"], dtype: torch.dtype) -> Shaped[Tensor, "B ..."]:
        """The network inputs of `rows`; images as `[B, C, h, w]`; token ids as int64, whatever `dtype`."""
        return self.scaled(self.fetch(rows), dtype)

    def fetch(self, rows: Int64[Tensor, " B"], *, whole: bool = False) -> Batch:
        """The pixels of `rows`, in their window or `whole`, moved to the device."""
        if isinstance(self.pixels, np.ndarray):
            pixels = torch.from_numpy(np.asarray(self.pixels[rows.numpy()]))
        else:
            pixels = self.pixels.index_select(0, rows)
        if self.channels_innermost:
            pixels = pixels.permute(0, 3, 1, 2)
        if not whole:
            pixels = pixels[self._window]
        scale, shift = (
            tensor if len(tensor) == 1 else tensor.index_select(0, rows) for tensor in (self.scale, self.shift)
        )
        return Batch(*(self._moved(tensor) for tensor in (pixels, scale, shift)))

    def scaled(self, batch: Batch, dtype: torch.dtype) -> Shaped[Tensor, "B ..."]:
        """A batch as the network gets it; token ids as they are."""
        if batch.pixels.dtype == torch.int64:
            return batch.pixels
        inputs = batch.pixels.to(dtype, memory_format=self._layout)
        return inputs.mul_(batch.scale.to(dtype)).add_(batch.shift.to(dtype))

    def augmented(
        self,
        batch: Batch,
        augment: Callable[[Float[Tensor, "B C H W"]], Float[Tensor, "B C h w"]],
        dtype: torch.dtype,
    ) -> Float[Tensor, "B C h w"]:
        """The network inputs of whole images that `augment` changes, which it is given in [0, 1]."""
        images = augment(batch.pixels.to(dtype).div_(self.pixel_max))
        if self.whiten:
            variance, mean = torch.var_mean(images, dim=(1, 2, 3), correction=0, keepdim=True)
            inputs = (images - mean) / variance.sqrt().clamp(min=_least_deviation(images[0].numel()))
        else:
            inputs = images * (self.pixel_max * batch.scale).to(dtype) + batch.shift.to(dtype)
        return inputs.to(memory_format=self._layout)

    def to(self, device: str, *, channels_last: bool, whole: bool = True, most_bytes: int | None = None) -> Inputs:
        """With batches on `device`, in the layout asked for.

        The pixels go there too, in that layout and, unless `whole` images will be fetched, without what lies outside
        their window: batches are gathered fastest then. Pixels on disk stay there for the CPU, and more than
        `most_bytes` of pixels stay where they are for any other device.
        """
        moved = replace(self, device=device, channels_last=channels_last)
        if device == "cpu" and not self.is_on_device:
            return moved
        images = np.asarray(self.pixels)
        if device != "cpu" and most_bytes is not None and images.nbytes > most_bytes:
            return replace(moved, pixels=images)
        if self.channels_innermost:
            images = np.moveaxis(images, -1, 1)
        if not whole:
            images = images[self._window]
        return replace(
            moved,
            pixels=_placed(np.moveaxis(images, 1, -1) if channels_last else images, device),
            scale=self.scale.to(device),
            shift=self.shift.to(device),
            crop=self.crop if whole else None,
            channels_innermost=channels_last,
        )

    def __len__(self) -> int:
        return len(self.pixels)

    @property
    def _whole_size(self) -> tuple[int, ...]:
        return tuple(self.pixels.shape[1:3] if self.channels_innermost else self.pixels.shape[2:])

    @property
    def _window(self) -> tuple[slice, ...]:
        return _center(self._whole_size, self.crop)

    def _moved(self, tensor: Tensor) -> Tensor:
        if tensor.device.type == self.device.partition(":")[0]:
            return tensor
        pinned = tensor.contiguous().pin_memory() if self.device.startswith("cuda") else tensor
        return pinned.to(self.device, non_blocking=True)

    @property
    def _layout(self) -> torch.memory_format:
        return torch.channels_last if self.channels_last else torch.preserve_format


def concatenate(parts: Sequence[Inputs]) -> Inputs:
    """The examples of all parts (of equal length), one after another."""
    if len(parts) == 1:
        return parts[0]

    def join(tensors: list[Tensor], length: int) -> Tensor:
        return torch.cat([tensor.expand(length, *tensor.shape[1:]) for tensor in tensors])

    length = len(parts[0])
    pixels = [_as_tensor(part.pixels) for part in parts]
    pixels = [p.permute(0, 3, 1, 2) if part.channels_innermost else p for p, part in zip(pixels, parts, strict=True)]
    return replace(
        parts[0],
        pixels=torch.cat(pixels).contiguous(),
        channels_innermost=False,
        scale=join([part.scale for part in parts], length),
        shift=join([part.shift for part in parts], length),
    )


def preprocess(data: Dataset, kind: Preprocessing, crop: int | None = None) -> tuple[Inputs, Inputs]:
    """The inputs of the training and of the test split. Standardising uses the training split's moments for both; a
    channel or feature that never varies in training is 0 in both.

    Raises:
        UserError: a crop of anything but images, or one larger than they are; what `preprocessing_of` refuses; a test
            value that standardising takes out of the range of float32.
    """
    if crop is not None and (not data.is_images or min(data.input_shape[1:]) < crop):
        raise UserError(
            f"got a centre crop of {crop} for inputs of shape {data.input_shape}, "
            "expected images at least that large; leave the crop out"
        )
    done = preprocessing_of(data, kind)
    splits = [as_networks_get_it(split.inputs, data.parts) for split in (data.train, data.test)]
    if done == "standardize" and not data.is_images:
        splits = _standardized(data)
    if done == "whiten":
        scaling = [_whitening(inputs, data.pixel_max, crop) for inputs in splits]
    elif done == "standardize" and data.is_images:
        scaling = [_standardizing(splits[0], crop)] * 2
    else:
        scaling = [_unit(splits[0].ndim, data.pixel_max if done == "none" else 1.0)] * 2
    train, test = (
        Inputs(pixels, scale, shift, data.pixel_max, done == "whiten", crop, channels_innermost)
        for (pixels, channels_innermost), (scale, shift) in zip(map(_stored, splits), scaling, strict=True)
    )
    return train, test


def blocks(inputs: Shaped[np.ndarray, "N ..."] | Shaped[Tensor, "N ..."]) -> Iterator[slice]:
    """The N examples in parts small enough to be worked on in any precision."""
    size = max(1, _BLOCK_VALUES // max(1, math.prod(inputs.shape[1:])))
    return (slice(start, min(start + size, len(inputs))) for start in range(0, len(inputs), size))


def _stored(inputs: Shaped[np.ndarray, "N ..."]) -> tuple[Tensor | np.ndarray, bool]:
    """Pixels in the order in which they lie in memory, and whether that is with channels innermost."""
    channels_innermost = False
    if inputs.ndim == 4 and not inputs.flags.c_contiguous:
        transposed = np.moveaxis(inputs, 1, -1)
        if channels_innermost := transposed.flags.c_contiguous:
            inputs = transposed
    # Torch warns of arrays that it could write to and must not: only data on disk are not worth a copy then.
    return inputs if _is_on_disk(inputs) else _as_tensor(inputs), channels_innermost


def _is_on_disk(array: object) -> bool:
    while array is not None and not isinstance(array, np.memmap):
        array = getattr(array, "base", None)
    return array is not None


def _as_tensor(pixels: Tensor | np.ndarray) -> Tensor:
    return pixels if isinstance(pixels, Tensor) else torch.from_numpy(np.require(pixels, requirements=["C", "W"]))


def _placed(pixels: Shaped[np.ndarray, "N ..."], device: str) -> Shaped[Tensor, "N ..."]:
    """In this order in the memory of `device`: block by block, or as they are where that will do."""
    if device == "cpu" and pixels.flags.c_contiguous:
        return torch.from_numpy(pixels)
    dtype = torch.from_numpy(np.empty(0, pixels.dtype)).dtype
    tensor = torch.empty(pixels.shape, dtype=dtype, device=device)
    for part in blocks(pixels):
        tensor[part] = torch.from_numpy(np.array(pixels[part]))
    return tensor


def _center(size: tuple[int, ...], crop: int | None) -> tuple[slice, ...]:
    """Indexes the window of `[N, C, *size]`; all of any inputs without a crop."""
    if crop is None:
        return (slice(None),)
    return (slice(None), slice(None), *(slice((side - crop) // 2, (side - crop) // 2 + crop) for side in size))


def _whitening(inputs: Shaped[np.ndarray, "N ..."], pixel_max: float, crop: int | None) -> tuple[Tensor, Tensor]:
    window = _center(inputs.shape[2:], crop)
    # What is kept has its place before the blocks come and go: small arrays put between them would keep the allocator
    # from using the memory of one block for the next, and 0.6 GB of images took 5 GB.
    variance, mean = torch.empty(2, len(inputs), dtype=torch.float64)
    for part in blocks(inputs):
        rows = torch.from_numpy(np.array(inputs[part][window], order="C")).flatten(1)
        variance[part], mean[part] = torch.var_mean(rows.double(), dim=1, correction=0)
    # In units of pixels: the lower limit applies to pixels in [0, 1].
    deviation = variance.sqrt().clamp(min=pixel_max * _least_deviation(rows.shape[1]))
    shape = (-1,) + (1,) * (inputs.ndim - 1)
    return (1 / deviation).float().view(shape), (-mean / deviation).float().view(shape)


def _least_deviation(num_values: int) -> float:
    return num_values**-0.5


def _standardizing(inputs: Shaped[np.ndarray, "N ..."], crop: int | None) -> tuple[Tensor, Tensor]:
    window = inputs[_center(inputs.shape[2:], crop)]
    mean, deviation = (torch.from_numpy(moment)[None] for moment in moments(window))
    # A feature that never varies carries nothing: it becomes 0 rather than 0/0.
    scale = torch.where(deviation > 0, 1 / deviation, torch.zeros_like(deviation))
    return scale.float(), (-mean * scale).float()


def _standardized(data: Dataset) -> list[Float32[np.ndarray, "N D"]]:
    """The vectors of both splits, standardised in float64: (x - mean) / deviation, and not x / deviation - mean /
    deviation, which loses all digits of a column that lies far from 0, such as a year or a time."""
    mean, deviation = moments(data.train.inputs)
    scale = np.divide(1.0, deviation, out=np.zeros_like(deviation), where=deviation > 0)
    found = []
    for split in (data.train, data.test):
        inputs = np.empty(split.inputs.shape, np.float32)
        with np.errstate(over="ignore"):
            for part in blocks(inputs):
                inputs[part] = (split.inputs[part] - mean) * scale
        if len(rows := np.flatnonzero(~np.isfinite(inputs).all(axis=1))):
            column = int((~np.isfinite(inputs[rows[0]])).argmax())
            value, usual = split.inputs[rows[0], column], f"{mean[column]:g} ± {deviation[column]:g}"
            raise UserError(
                f"{split.place(int(rows[0]))}: feature {column} (counting from 0) is {value:g}, where the training set "
                f"has {usual}; correct the value, or drop the row"
            )
        found.append(inputs)
    return found


def _unit(num_axes: int, pixel_max: float) -> tuple[Tensor, Tensor]:
    shape = (1,) * num_axes
    return torch.full(shape, 1 / pixel_max), torch.zeros(shape)
