"""Copies of examples as they get into data: mirrored, shifted, compressed, brightened; of rows, rounded and
jittered."""

from __future__ import annotations

import io
from collections.abc import Callable, Mapping

import numpy as np
from jaxtyping import Float64, UInt8
from PIL import Image

PIXELS = 2
QUALITY = 50
BRIGHTER = 1.2
_ROUNDED, _JITTER = 0.05, 0.01
"""Of a column's deviation."""


def mirrored(image: UInt8[np.ndarray, "C H W"]) -> UInt8[np.ndarray, "C H W"]:
    """The image with its columns in reverse."""
    return image[:, :, ::-1]


def shifted(image: UInt8[np.ndarray, "C H W"], draw: np.random.Generator) -> UInt8[np.ndarray, "C H W"]:
    """By PIXELS (of 32, in proportion) along one axis or both; what comes in repeats the border."""
    height, width = image.shape[1:]
    reach = max(1, round(PIXELS * min(height, width) / 32))
    down, right = [(1, 0), (0, 1), (-1, 0), (0, -1), (1, 1), (-1, -1)][int(draw.integers(6))]
    padded = np.pad(image, ((0, 0), (reach, reach), (reach, reach)), mode="edge")
    top, left = reach * (1 - down), reach * (1 - right)
    return padded[:, top : top + height, left : left + width]


def compressed(image: UInt8[np.ndarray, "C H W"]) -> UInt8[np.ndarray, "C H W"]:
    """By JPEG at QUALITY; channels one by one where they are not three."""
    if len(image) == 3:
        return _jpeg(image.transpose(1, 2, 0)).transpose(2, 0, 1)
    return np.stack([_jpeg(channel) for channel in image])


def brightened(image: UInt8[np.ndarray, "C H W"]) -> UInt8[np.ndarray, "C H W"]:
    """Times BRIGHTER, clipped."""
    return np.clip(np.rint(image * BRIGHTER), 0, 255).astype(np.uint8)


def _jpeg(pixels: UInt8[np.ndarray, "H W *C"]) -> UInt8[np.ndarray, "H W *C"]:
    buffer = io.BytesIO()
    Image.fromarray(np.ascontiguousarray(pixels)).save(buffer, "JPEG", quality=QUALITY)
    return np.asarray(Image.open(buffer))


IMAGE_COPIES: Mapping[str, Callable[[np.ndarray, np.random.Generator], np.ndarray]] = {
    "mirrored": lambda image, _: mirrored(image),
    "shifted": shifted,
    "JPEG quality 50": lambda image, _: compressed(image),
    "brightness +20%": lambda image, _: brightened(image),
}


def copied_images(
    images: UInt8[np.ndarray, "M C h w"], draw: np.random.Generator
) -> tuple[UInt8[np.ndarray, "M C h w"], list[str]]:
    """One copy of each, by each way in turn, and which that was."""
    ways = [list(IMAGE_COPIES)[place % len(IMAGE_COPIES)] for place in range(len(images))]
    return np.stack([IMAGE_COPIES[way](image, draw) for way, image in zip(ways, images, strict=True)]), ways


def copied_rows(
    vectors: Float64[np.ndarray, "M D"], draw: np.random.Generator
) -> tuple[Float64[np.ndarray, "M D"], list[str]]:
    """One copy of each standardised row, rounded or jittered in turn, and which that was."""
    ways = ["rounded" if place % 2 else "jittered" for place in range(len(vectors))]
    is_rounded = np.array([way == "rounded" for way in ways], dtype=bool)[:, None]
    rounded = np.rint(vectors / _ROUNDED) * _ROUNDED
    jittered = vectors + _JITTER * draw.standard_normal(vectors.shape)
    return np.where(is_rounded, rounded, jittered), ways
