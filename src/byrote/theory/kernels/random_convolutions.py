"""A layer of random convolutions, and the Gram matrix of its features, which are too many to be in memory.

Source     Coates & Ng, The importance of encoding versus training with sparse coding and vector quantization (ICML
           2011), and Coates, Ng & Lee, An analysis of single-layer networks (AISTATS 2011): patches of 6 x 6 pixels,
           each with its mean subtracted and divided by its deviation, whitened together (ZCA); filters that are
           randomly chosen such patches; soft thresholds of both signs; average pooling over the image's quadrants.
Assumed    That this is the paper's "random conv net with 32,000 filters" (17% on CIFAR-10, 15% with l2), which gives no
           details. The threshold was chosen on training images; see `LOG.md`.

Whitening and the filters are one matrix: <f, W (q - m)> = <W f, q - m> with the symmetric W. The filters come in pairs
f and -f, so one product gives the responses of two.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import torch
from jaxtyping import Float, Float32
from torch import Tensor
from torch.nn import functional as F

from byrote.errors import UserError
from byrote.randomness import permutation, stream
from byrote.training.planner import resolve_precision

PATCH_SIZE = 6
_PATCHES_TO_WHITEN = 100_000
_FLAT = 10 / 255**2
"""Added to the variance of a patch (Coates, Ng & Lee: 10 on pixels up to 255), so that flat ones stay small."""
_DAMPING = 0.1
"""Added to the variance of each principal component before whitening (Coates, Ng & Lee)."""
_TILE = 2048
"""Rows of the Gram matrix that one product adds to."""


@dataclass(frozen=True, eq=False)
class RandomConvFeatures:
    """max(r - bias, 0) of the responses r of random filters at all places, averaged over the cells of a grid.

    Called with images `[N, C, H, W]` in [0, 1], gives `[N, D]`, D = num_filters * grid^2; `of_filters` a part of that.
    """

    filters: Float32[Tensor, "M P"]
    """One of each pair, for the P = side^2 C values of a normalised patch, channels innermost; whitening included."""
    mean: Float32[Tensor, " P"]
    """Of normalised patches."""
    patch_size: int
    precision: str
    """Of the products of patches and filters: "bfloat16" or "float32"."""
    grid: int = 2
    bias: float = 0.5

    @classmethod
    def draw(
        cls,
        images: Float[Tensor, "N C H W"],
        num_filters: int,
        *,
        patch_size: int = PATCH_SIZE,
        seed: int = 0,
        precision: str = "auto",
    ) -> RandomConvFeatures:
        """Filters for images like these training images, whose labels play no part; on the device of `images`. They are
        whitened patches of random images, scaled to length 1.

        Args:
            num_filters: even: filters come in pairs of opposite sign.
            precision: "auto" is bfloat16 where the hardware multiplies it natively.

        Raises:
            UserError: an odd number of filters, patches larger than the images, or more cells than places for patches.
        """
        places = min(images.shape[2:]) - patch_size + 1
        if num_filters < 2 or num_filters % 2:
            raise UserError(f"got {num_filters} filters, expected an even number: they come in pairs of opposite sign")
        if places < cls.grid:
            raise UserError(
                f"got patches of {patch_size} pixels and a grid of {cls.grid} cells for images of shape "
                f"{tuple(images.shape[1:])}, expected at least one place for a patch in each cell"
            )
        patches = _normalized(_random_patches(images, patch_size, _PATCHES_TO_WHITEN, seed))
        mean, whitening = _zca(patches)
        rows = torch.from_numpy(permutation(stream(seed, "filters"), len(patches))[: num_filters // 2])
        if len(rows) < num_filters // 2:
            raise UserError(f"got {num_filters} filters, expected at most {2 * len(patches)} of these patches")
        drawn = (patches[rows.to(patches.device)] - mean) @ whitening
        return cls(
            filters=(F.normalize(drawn, dim=1) @ whitening).contiguous(),
            mean=mean,
            patch_size=patch_size,
            precision=resolve_precision(precision, images.device.type),
        )

    @property
    def num_filters(self) -> int:
        """M, both of each filter and its opposite."""
        return 2 * len(self.filters)

    @property
    def num_features(self) -> int:
        """Of an image."""
        return self.num_filters * self.grid**2

    def __call__(self, images: Float[Tensor, "N C H W"], *, block_images: int = 16) -> Float32[Tensor, "N D"]:
        """All features, in blocks of images; those of a filter and its opposite are side by side, cell by cell."""
        return self.of_filters(images, slice(None), block_images=block_images)

    def of_filters(
        self, images: Float[Tensor, "N C H W"], pairs: slice, *, block_images: int = 16
    ) -> Float32[Tensor, "N _"]:
        """The features of some of the M pairs. Beside the result a block of images' responses is in memory."""
        filters = self.filters[pairs]
        found = filters.new_empty(len(images), len(filters), self.grid**2, 2)
        weights = filters.T.to(torch.bfloat16 if self.precision == "bfloat16" else torch.float32)
        for part, out in zip(images.split(block_images), found.split(block_images), strict=True):
            for cell, patches in enumerate(self._cells(part.to(filters))):
                responses = patches.flatten(0, 1).to(weights.dtype) @ weights
                # s = max(r - b, 0) - max(-r - b, 0); of its mean and that of |s| both signs' means follow.
                soft = F.softshrink(responses, self.bias).unflatten(0, patches.shape[:2])
                difference = soft.mean(1, dtype=torch.float32)
                total = soft.abs_().mean(1, dtype=torch.float32)
                out[:, :, cell, 0] = (total + difference) / 2
                out[:, :, cell, 1] = (total - difference) / 2
        return found.flatten(1)

    def _cells(self, images: Float32[Tensor, "B C H W"]) -> Iterator[Float32[Tensor, "B L P"]]:
        """The normalised patches of each cell."""
        for rows in _windows(images, self.patch_size).tensor_split(self.grid, 1):
            for cell in rows.tensor_split(self.grid, 2):
                yield _normalized(cell.flatten(3).flatten(1, 2)).sub_(self.mean)


def num_patches(images: Float[Tensor, "N C H W"], patch_size: int = PATCH_SIZE) -> int:
    """At all places of all images."""
    return len(images) * math.prod(max(0, side - patch_size + 1) for side in images.shape[2:])


def gram_of_features(
    features: RandomConvFeatures,
    images: Float[Tensor, "N C H W"],
    *,
    block_images: int = 16,
    block_filters: int = 512,
    out: Float32[Tensor, "N N"] | None = None,
    on_progress: Callable[[float], None] | None = None,
) -> Float32[Tensor, "N N"]:
    """The linear kernel of the features of all pairs of images.

    The features of `block_filters` filters at a time are in memory, N * block_filters * grid^2 numbers, beside `out`
    and what `RandomConvFeatures.of_filters` takes; of all filters together they need not fit. One half of the matrix is
    computed and mirrored at the end. It takes 2 P operations for each filter and place of an image, and N^2 D for the
    products.

    Args:
        out: where to write it, on the device of the filters; else new memory.
        on_progress: called with the share that is done after each block of filters.
    """
    values = features.filters.new_empty(len(images), len(images)) if out is None else out
    values.zero_()
    bounds = [*range(0, len(features.filters), max(1, block_filters // 2)), len(features.filters)]
    for first, last in pairwise(bounds):
        found = features.of_filters(images, slice(first, last), block_images=block_images)
        for i in range(0, len(found), _TILE):
            columns = slice(0, min(i + _TILE, len(found)))
            values[i : i + _TILE, columns].addmm_(found[i : i + _TILE], found[columns].T)
        if on_progress:
            on_progress(last / len(features.filters))
    for i in range(0, len(values), _TILE):
        rows = slice(i, min(i + _TILE, len(values)))
        square = values[rows, rows]
        square.copy_(square.tril() + square.tril(-1).T)
        values[: rows.start, rows] = values[rows, : rows.start].T
    return values


def _random_patches(images: Float[Tensor, "N C H W"], size: int, most: int, seed: int) -> Float32[Tensor, "L P"]:
    """Up to `most` patches of random images at random places, and never more than there are."""
    windows = _windows(images, size)
    counts = windows.shape[:3]
    draws = stream(seed, "patches").random((3, min(most, math.prod(counts))))
    index, top, left = (
        torch.from_numpy((draw * count).astype(np.int64)).to(images.device)
        for draw, count in zip(draws, counts, strict=True)
    )
    return windows[index, top, left].flatten(1).float()


def _windows(images: Float[Tensor, "N C H W"], size: int) -> Float[Tensor, "N h w size size C"]:
    """All patches, as a view. Channels are innermost in memory, which lets them be copied four times as fast."""
    innermost = images.contiguous(memory_format=torch.channels_last)
    return innermost.unfold(2, size, 1).unfold(3, size, 1).permute(0, 2, 3, 4, 5, 1)


def _normalized(patches: Float32[Tensor, "... P"]) -> Float32[Tensor, "... P"]:
    # torch.var_mean would take five times as long as all the rest on a CPU (torch 2.13).
    centered = patches - patches.mean(-1, keepdim=True)
    return centered.mul_(centered.square().mean(-1, keepdim=True).add_(_FLAT).rsqrt_())


def _zca(patches: Float32[Tensor, "L P"]) -> tuple[Float32[Tensor, " P"], Float32[Tensor, "P P"]]:
    """Their mean, and the symmetric root of the inverse of their damped covariance."""
    mean = patches.mean(0)
    values, vectors = torch.linalg.eigh(torch.cov(patches.T.double()))
    return mean, ((vectors * (values + _DAMPING).rsqrt()) @ vectors.T).float()
