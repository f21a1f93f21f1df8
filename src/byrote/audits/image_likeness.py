"""How alike two images are, whichever way they were shifted, mirrored, brightened or compressed.

Candidates are found by the logarithms of the lowest Fourier magnitudes of the windowed grey image, which a shift leaves
almost as they are. Mirrored at its vertical axis, an image has the magnitudes of the vertical frequencies exchanged:
their sums stay, their differences change sign. Each candidate is then aligned by the cross-correlation of gradients,
over both mirrorings and all small shifts, and compared where the two overlap: by the correlation of the gradients of
all channels, slightly blurred. Gradients, because smooth images are alike in all but these; blurred, because
compression takes the finest."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import torch
from jaxtyping import Float32, Int64, Shaped, UInt8

from byrote.audits.neighbours import threaded

SIDE = 32
"""Larger images are brought to this side before they are compared."""
_FREQUENCIES = 5
_BLOCK = 1024
_LEAST_VARIANCE = 1e-4
"""Of a principal component, against the largest: below it, rounding."""
_SHIFTS = 10
"""Shifts of up to a tenth of the side are tried."""


def small(images: Shaped[np.ndarray, "N C H W"], pixel_max: float) -> UInt8[np.ndarray, "N C h w"]:
    """Images of SIDE pixels or less, in 8 bits."""
    height, width = images.shape[2:]
    size = (min(height, SIDE), min(width, SIDE))
    if size == (height, width) and images.dtype == np.uint8 and pixel_max == 255:
        return np.asarray(images)
    found = np.empty((len(images), images.shape[1], *size), np.uint8)
    for start in range(0, len(images), _BLOCK):
        part = torch.from_numpy(np.ascontiguousarray(images[start : start + _BLOCK], dtype=np.float32))
        if size != (height, width):
            part = torch.nn.functional.adaptive_avg_pool2d(part, size)
        found[start : start + _BLOCK] = np.clip(np.rint(part.numpy() * (255.0 / pixel_max)), 0, 255)
    return found


def descriptors(
    images: UInt8[np.ndarray, "N C h w"],
) -> tuple[Float32[np.ndarray, "N A"], Float32[np.ndarray, "N B"]]:
    """The parts that mirroring leaves and those whose sign it changes, on principal components of half their deviation,
    of length 1 together."""
    found: list[np.ndarray] = []
    for start, magnitudes in zip(range(0, len(images), _BLOCK), map(_magnitudes, _blocks(images)), strict=True):
        # Before the second block: smaller arrays between blocks would keep their memory from the next ones.
        found = found or [np.empty((len(images), part.shape[1]), np.float32) for part in magnitudes]
        for whole, part in zip(found, magnitudes, strict=True):
            whole[start : start + _BLOCK] = part
    even, odd = found
    even -= even.mean(axis=0)
    even, odd = even @ _whitener(even), odd @ _whitener(odd)
    length = np.sqrt((even**2).sum(axis=1) + (odd**2).sum(axis=1))[:, None] + np.float32(1e-6)
    return even / length, odd / length


def likeness(
    images: UInt8[np.ndarray, "N C h w"], first: Int64[np.ndarray, " P"], second: Int64[np.ndarray, " P"]
) -> Float32[np.ndarray, " P"]:
    """-log(1 - correlation) of each pair, at its best alignment: 0 of unrelated gradients, 13.8 of equal ones."""

    def of_block(start: int) -> Float32[np.ndarray, " B"]:
        part = slice(start, start + _BLOCK)
        return _aligned(images[first[part]].astype(np.float32), images[second[part]].astype(np.float32))

    parts = list(threaded(of_block, range(0, len(first), _BLOCK)))
    return np.concatenate(parts) if parts else np.zeros(0, np.float32)


def _blocks(images: UInt8[np.ndarray, "N C h w"]) -> Iterator[Float32[np.ndarray, "B C h w"]]:
    return (images[start : start + _BLOCK].astype(np.float32) for start in range(0, len(images), _BLOCK))


def _grey(images: Float32[np.ndarray, "B C h w"]) -> Float32[np.ndarray, "B h w"]:
    if images.shape[1] == 3:
        return images[:, 0] * np.float32(0.299) + images[:, 1] * np.float32(0.587) + images[:, 2] * np.float32(0.114)
    return images.mean(axis=1)


def _magnitudes(
    images: Float32[np.ndarray, "B C h w"],
) -> tuple[Float32[np.ndarray, "B A"], Float32[np.ndarray, "B B2"]]:
    grey = _grey(images)
    height, width = grey.shape[1:]
    most = max(1, min(_FREQUENCIES, (min(height, width) - 1) // 2))
    window = np.outer(np.hanning(height + 2)[1:-1], np.hanning(width + 2)[1:-1]).astype(np.float32)
    centred = grey - (grey * window).sum(axis=(1, 2), keepdims=True) / window.sum()
    deviation = np.sqrt((centred**2).mean(axis=(1, 2), keepdims=True)) + 1
    found = np.abs(np.fft.rfft2(centred * window / deviation)).astype(np.float32)
    low = np.log1p(np.concatenate([found[:, -most:, : most + 1], found[:, : most + 1, : most + 1]], axis=1))
    mirrored = low[:, ::-1]
    even, odd = ((low + mirrored) / 2)[:, : most + 1], ((low - mirrored) / 2)[:, :most]
    return even.reshape(len(grey), -1), odd.reshape(len(grey), -1)


def _whitener(part: Float32[np.ndarray, "N A"]) -> Float32[np.ndarray, "A B"]:
    values, vectors = np.linalg.eigh((part.T @ part).astype(np.float64) / max(len(part), 1))
    kept = values > _LEAST_VARIANCE * max(values.max(), 1e-12)
    return (vectors[:, kept] * values[kept] ** -0.25).astype(np.float32)


def _gradients(images: Float32[np.ndarray, "B C h w"]) -> Float32[np.ndarray, "B C 2 u v"]:
    blurred = (images[..., :-1, :-1] + images[..., 1:, :-1] + images[..., :-1, 1:] + images[..., 1:, 1:]) / 4
    return np.stack([np.diff(blurred, axis=-2)[..., :-1], np.diff(blurred, axis=-1)[..., :-1, :]], axis=-3)


def _aligned(x: Float32[np.ndarray, "B C h w"], y: Float32[np.ndarray, "B C h w"]) -> Float32[np.ndarray, " B"]:
    height, width = x.shape[2:]
    reach = max(1, round(min(height, width) / _SHIFTS))
    down, right, mirrored = _best_shift(_grey(x)[:, None], _grey(y)[:, None], reach)
    y = np.where(mirrored[:, None, None, None], y[..., ::-1], y)
    found = np.empty(len(x), np.float32)
    for key in np.unique(down * 1000 + right):
        rows = np.flatnonzero(down * 1000 + right == key)
        dy, dx = int(down[rows[0]]), int(right[rows[0]])
        own = x[rows][:, :, max(dy, 0) : height + min(dy, 0), max(dx, 0) : width + min(dx, 0)]
        other = y[rows][:, :, max(-dy, 0) : height + min(-dy, 0), max(-dx, 0) : width + min(-dx, 0)]
        found[rows] = _correlation(_gradients(own).reshape(len(rows), -1), _gradients(other).reshape(len(rows), -1))
    return -np.log(np.maximum(1 - found, np.float32(1e-6)))


def _best_shift(
    x: Float32[np.ndarray, "B 1 h w"], y: Float32[np.ndarray, "B 1 h w"], reach: int
) -> tuple[Int64[np.ndarray, " B"], Int64[np.ndarray, " B"], Shaped[np.ndarray, " B"]]:
    """By how many pixels y has to move down and right to lie on x, and whether mirrored, by their gradients."""
    own = torch.from_numpy(_gradients(x)[:, 0])
    height, width = own.shape[2:]
    size = (height + reach, width + reach)
    spectrum = torch.fft.rfft2(own, s=size)
    rows = torch.cat([torch.arange(reach + 1), torch.arange(height, height + reach)])
    columns = torch.cat([torch.arange(reach + 1), torch.arange(width, width + reach)])
    best = []
    for other in (y, y[..., ::-1]):
        spectra = torch.fft.rfft2(torch.from_numpy(np.ascontiguousarray(_gradients(other)[:, 0])), s=size)
        correlation = torch.fft.irfft2((spectrum * spectra.conj()).sum(1), s=size)
        best.append(correlation[:, rows][:, :, columns].flatten(1).max(1))
    mirrored = (best[1].values > best[0].values).numpy()
    place = np.where(mirrored, best[1].indices.numpy(), best[0].indices.numpy()).astype(np.int64)
    num = 2 * reach + 1
    down, right = place // num, place % num
    return np.where(down > reach, down - num, down), np.where(right > reach, right - num, right), mirrored


def _correlation(x: Float32[np.ndarray, "B M"], y: Float32[np.ndarray, "B M"]) -> Float32[np.ndarray, " B"]:
    x, y = x - x.mean(axis=1, keepdims=True), y - y.mean(axis=1, keepdims=True)
    return (x * y).sum(axis=1) / (np.sqrt((x**2).sum(axis=1) * (y**2).sum(axis=1)) + np.float32(1e-6))
