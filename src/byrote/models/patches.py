"""Images folded into a coarse grid of patches: the stem, without weights, of networks that work on positions."""

from __future__ import annotations

import math

from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional as F

_MOST_PER_SIDE = 8


class Patches(nn.Module):
    """Cuts `[B, C, H, W]` into square patches and stacks the pixels of each: `[B, C side², rows, columns]`.

    The side is the smallest of at least 2 pixels that leaves at most 8 patches along the longer side of the image: 4 at
    28 and 32 pixels (7x7 and 8x8 patches), 2 at 8 pixels (4x4). An image that it does not divide is padded evenly with
    zeros, which is the mean of a whitened image, to the next multiple.
    """

    def __init__(self, input_shape: tuple[int, ...]) -> None:
        super().__init__()
        channels, height, width = input_shape
        self.side = max(2, math.ceil(max(height, width) / _MOST_PER_SIDE))
        self.grid = (math.ceil(height / self.side), math.ceil(width / self.side))
        self.channels = channels * self.side**2
        missing = [count * self.side - pixels for count, pixels in zip(self.grid, (height, width), strict=True)]
        (top, bottom), (left, right) = ((part // 2, part - part // 2) for part in missing)
        self.padding = (left, right, top, bottom)

    def forward(self, x: Float[Tensor, "B C H W"]) -> Float[Tensor, "B D rows columns"]:
        return F.pixel_unshuffle(F.pad(x, self.padding), self.side)
