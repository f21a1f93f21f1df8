"""What rows are compared by, where the question is whether they have the same label: principal components.

Of images, of the directions of their gradients, blurred over cells of four pixels: strokes and outlines may move by a
pixel or two and be lighter or darker. Beside them the mean of each channel of a colour image over wide cells. Of tables
and vectors, of their standardised columns. Of several inputs, of these of each, side by side.

Source     Dalal & Triggs, Histograms of oriented gradients for human detection (CVPR 2005); the square root of the
           normalised histogram: Arandjelović & Zisserman, Three things everyone should know to improve object retrieval
           (CVPR 2012)."""

from __future__ import annotations

import numpy as np
import torch
from jaxtyping import Float32, Shaped, UInt8
from sklearn.decomposition import PCA

from byrote.audits.image_likeness import small
from byrote.audits.material import Material, Rows
from byrote.audits.row_likeness import row_vectors
from byrote.randomness import stream_seed

COMPONENTS = 100
"""The error of ridge votes on MNIST falls up to here, and by 0.1 points beyond."""
_DIRECTIONS = 9
_CELL = 4
_COLOURS = 8
"""Pixels of a cell over which colours are averaged."""
_BLOCK = 2048


def label_features(material: Material, rows: Rows) -> Float32[np.ndarray, "N D"] | None:
    """None of token ids, which have no distances; of several inputs, those of all others, one counting as much as
    another."""
    if material.look.kind == "tokens":
        return None
    if material.kind == "images":
        vectors: Shaped[np.ndarray, "N V"] = gradient_histograms(small(np.asarray(rows.inputs), material.pixel_max))
    elif material.kind == "dict":
        vectors = _of_parts(material, np.asarray(rows.inputs))
    else:
        vectors = row_vectors(material.columns(rows))
    most = min(COMPONENTS, vectors.shape[1], len(vectors) - 1)
    if vectors.shape[1] <= most:
        return vectors.astype(np.float32)
    made = PCA(most, svd_solver="randomized", random_state=stream_seed(0, "label features") % 2**32)
    return made.fit_transform(vectors).astype(np.float32)


def _of_parts(material: Material, rows: Shaped[np.ndarray, "N W"]) -> Float32[np.ndarray, "N V"]:
    """Images and quantities side by side, each with a total variance of 1."""
    found: list[np.ndarray] = []
    for part in material.parts:
        if part.kind == "images":
            found.append(gradient_histograms(small(part.alone(rows), part.pixel_max)))
        elif part.kind == "vectors":
            found.append(row_vectors(part.alone(rows)))
    centred = [block - block.mean(axis=0) for block in found]
    spreads = [float(np.sqrt((block**2).sum() / len(block))) for block in centred]
    scaled = [block / spread for block, spread in zip(centred, spreads, strict=True) if spread > 0]
    return np.concatenate(scaled or centred, axis=1).astype(np.float32)


def gradient_histograms(images: UInt8[np.ndarray, "N C h w"]) -> Float32[np.ndarray, "N V"]:
    """Of length 1 each, but for the colours beside them."""
    return np.concatenate([_of_block(images[start : start + _BLOCK]) for start in range(0, len(images), _BLOCK)])


def _of_block(images: UInt8[np.ndarray, "B C h w"]) -> Float32[np.ndarray, "B V"]:
    pixels = torch.from_numpy(np.ascontiguousarray(images, dtype=np.float32)) / 255
    padded = torch.nn.functional.pad(pixels, (1, 1, 1, 1), mode="replicate")
    down = padded[..., 2:, 1:-1] - padded[..., :-2, 1:-1]
    right = padded[..., 1:-1, 2:] - padded[..., 1:-1, :-2]
    strength, channel = torch.hypot(down, right).max(dim=1)  # of the channel in which it is strongest
    down, right = (part.gather(1, channel[:, None])[:, 0] for part in (down, right))
    turn = torch.remainder(torch.atan2(down, right), torch.pi) * (_DIRECTIONS / torch.pi)
    below = turn.floor()
    share = turn - below
    first = torch.remainder(below.long(), _DIRECTIONS)
    maps = torch.zeros(len(pixels), _DIRECTIONS, *strength.shape[1:])
    maps.scatter_add_(1, first[:, None], (strength * (1 - share))[:, None])
    maps.scatter_add_(1, torch.remainder(first + 1, _DIRECTIONS)[:, None], (strength * share)[:, None])
    flat = _blurred(maps)[:, :, _CELL // 2 :: _CELL, _CELL // 2 :: _CELL].flatten(1)
    histograms = (flat / (flat.sum(dim=1, keepdim=True) + 1e-6)).sqrt()
    if images.shape[1] < 3:
        return histograms.numpy()
    colours = torch.nn.functional.avg_pool2d(pixels, min(_COLOURS, *pixels.shape[2:])).flatten(1)
    return torch.cat([histograms, colours - colours.mean(dim=0)], dim=1).numpy()


def _blurred(maps: Float32[torch.Tensor, "B A h w"]) -> Float32[torch.Tensor, "B A h w"]:
    """By a Gaussian of half a cell."""
    reach = 2 * _CELL
    steps = torch.arange(-reach, reach + 1, dtype=torch.float32)
    kernel = torch.exp(-((steps / (_CELL / 2)) ** 2) / 2)
    kernel /= kernel.sum()
    single = maps.flatten(0, 1)[:, None]
    single = torch.nn.functional.conv2d(single, kernel[None, None, :, None], padding=(reach, 0))
    single = torch.nn.functional.conv2d(single, kernel[None, None, None, :], padding=(0, reach))
    return single[:, 0].reshape(maps.shape)
