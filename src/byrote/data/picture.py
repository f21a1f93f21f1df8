"""One encoded image -> 8-bit pixels, gray or RGB, and what had to be done to it."""

from __future__ import annotations

import io
import sys
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from jaxtyping import UInt8, UInt16
from PIL import ExifTags, Image, ImageOps, UnidentifiedImageError

from byrote.errors import UserError

FORMATS = ("JPEG", "PNG", "BMP", "GIF", "PPM", "TIFF", "WEBP")
MAX_PIXELS = 89_478_485
"""Pillow's own default: a quarter of a GiB in three channels of 8 bits."""
MOST_PIXELS = 2 * MAX_PIXELS
"""Pillow opens no larger ones."""

TURNED = "{} were turned as their EXIF tag says"
TRANSPARENT = "{} had their transparency laid on white"
FIRST_FRAME = "{} have several frames or pages, of which the first is kept"
FROM_PALETTE = "{} with a palette became RGB"
FROM_OTHER_COLOURS = "{} were converted to RGB from CMYK or another space"

# How files begin that are not read, or no images at all: at which byte, with what, and what to say.
_CONVERT = f"which is not among the formats that are read ({', '.join(FORMATS)}): convert it to JPEG or PNG"
_SIGNATURES = (
    *((8, brand, f"HEIC, {_CONVERT}") for brand in (b"heic", b"heix", b"hevc", b"hevx", b"heim", b"mif1", b"msf1")),
    *((8, brand, f"AVIF, {_CONVERT}") for brand in (b"avif", b"avis")),
    (4, b"ftyp", f"a film, or an image as phones store them, {_CONVERT}"),
    (0, b"\xff\x0a", f"JPEG XL, {_CONVERT}"),
    (4, b"JXL ", f"JPEG XL, {_CONVERT}"),
    (4, b"jP  ", f"JPEG 2000, {_CONVERT}"),
    (0, b"\xff\x4f\xff\x51", f"JPEG 2000, {_CONVERT}"),
    (0, b"8BPS", f"Photoshop, {_CONVERT}"),
    (0, b"%PDF", f"PDF, {_CONVERT}"),
    (0, b"<svg", f"SVG, {_CONVERT}"),
    (0, b"\0\0\1\0", f"an icon, {_CONVERT}"),
    (128, b"DICM", f"DICOM, {_CONVERT}"),
    (0, b"\x93NUMPY", f"a NumPy array, {_CONVERT}"),
    (0, b"PK\3\4", "a zip archive: unpack it"),
    (0, b"<!doctype html", "a web page, not an image: fetch it again"),
    (0, b"<html", "a web page, not an image: fetch it again"),
    (0, b"version https://git-lfs", "a pointer of Git LFS, not the image itself: run git lfs pull"),
)


@dataclass(frozen=True)
class Missing:
    """Stands for a file that is not there."""

    reason: str


class DecodedImage(NamedTuple):
    """One image as pixels, and what was done to get them."""

    pixels: UInt8[np.ndarray, "H W C"] | None
    """None: they are written elsewhere."""
    shape: tuple[int, ...]
    """(H, W, C), C = 1 or 3"""
    changes: tuple[str, ...]
    """What was done to it, in words with {} for the number of images."""
    highest: int | None
    """The highest value before scaling to 8 bits, of an image of 16 bits."""


def decode(
    file: bytes | str | Missing, image_size: int | None, max_pixels: int = MAX_PIXELS, bits: int = 16
) -> DecodedImage | str:
    """The picture in a file or its content, or why there is none.

    It is turned as its EXIF tag says; transparency is laid on white; of several frames the first is taken; a palette,
    CMYK and other colours become RGB; 1 bit becomes 0 and 255; 16 bits are divided by 2^(`bits` - 8). `image_size`
    scales the shorter side to that many pixels and crops the longer one centrally.

    Raises:
        UserError: the system does not let the file be read, or memory runs out: no matter of the image, which must not
            cost an example unseen.
    """
    if isinstance(file, Missing):
        return file.reason
    try:
        with _opened(file) as opened:
            width, height = opened.size
            if width * height > max_pixels:
                return f"{width}x{height} are {width * height:,} pixels, more than --max-pixels {max_pixels:,} allows"
            changes = [FIRST_FRAME] * (getattr(opened, "is_animated", False) and opened.format != "MPO")
            highest = _scale_colours_of_16_bits(opened, file, bits)
            if image_size is not None:
                opened.draft(None, (image_size, image_size))  # JPEG: decodes at a fraction of the size
            if opened.getexif().get(ExifTags.Base.Orientation) in range(2, 9):
                changes.append(TURNED)
            ImageOps.exif_transpose(opened, in_place=True)
            if opened.mode == "F" or opened.mode.startswith("I"):
                image, highest = _scaled_gray_of_16_bits(opened, bits)
            else:
                image = _gray_or_rgb(opened, changes)
            if image_size is not None:
                image = ImageOps.fit(image, (image_size, image_size))
            array = np.asarray(image)
    except UnidentifiedImageError:
        return _what_it_is(file)
    except Image.DecompressionBombError:
        return f"its header claims more pixels than --max-pixels {max_pixels:,} allows"
    except MemoryError as error:
        name = file if isinstance(file, str) else "an image"
        raise UserError(f"memory ran out while {name} was decoded: make room, or lower --max-pixels") from error
    except Exception as error:  # a damaged file can raise nearly anything
        if isinstance(error, OSError) and error.errno is not None:
            raise UserError(f"cannot read {file!r} ({error.strerror}): make it readable, or remove it") from error
        return str(error) or type(error).__name__
    array = array[..., None] if array.ndim == 2 else array
    return DecodedImage(array, array.shape, tuple(changes), highest)


def _opened(file: bytes | str) -> Image.Image:
    return Image.open(io.BytesIO(file) if isinstance(file, bytes) else file, formats=FORMATS)


def _what_it_is(file: bytes | str) -> str:
    if isinstance(file, str):
        with open(file, "rb") as opened:
            start = opened.read(256)
    else:
        start = file[:256]
    if not start:
        return "the file is empty"
    for place, signature, what in _SIGNATURES:
        if start[place:].lower().startswith(signature.lower()):
            return what
    return f"not an image, or in none of the formats {', '.join(FORMATS)}"


def _scaled_gray_of_16_bits(image: Image.Image, bits: int) -> tuple[Image.Image, int]:
    values = np.asarray(image)
    if image.mode == "F" or values.min() < 0 or values.max() > 0xFFFF:
        raise ValueError("pixels of more than 16 bits have no fixed scale")
    return Image.fromarray((values >> (bits - 8)).astype(np.uint8)), int(values.max())


def _scale_colours_of_16_bits(image: Image.Image, file: bytes | str, bits: int) -> int | None:
    """In place. Pillow keeps the upper byte of each value; the lower one comes from reading it in the other order."""
    if image.format not in ("PNG", "TIFF"):
        return None
    tiles: list[Any] = image.tile  # type: ignore[attr-defined]  # of all images that are read from files
    orders = [_other_order(tile[3] if isinstance(tile[3], str) else tile[3][0]) for tile in tiles]
    if not orders or None in orders:
        return None
    with _opened(file) as again:
        again.tile = [  # type: ignore[attr-defined]
            # Of whichever class it is: a tuple in older versions of Pillow.
            type(tile)._make(args) if hasattr(tile, "_make") else args
            for tile, order in zip(tiles, orders, strict=True)
            for args in [(*tile[:3], order if isinstance(tile[3], str) else (order, *tile[3][1:]))]
        ]
        again.load()
        low = np.asarray(again).astype(np.uint16)
    values: UInt16[np.ndarray, "H W C"] = np.asarray(image).astype(np.uint16) << 8 | low
    if orders[0] == "RGBA":  # gray and alpha, two bytes each
        values = (low[..., ::2] << 8 | low[..., 1::2])[..., [0, 0, 0, 1]]
    scaled = (values >> (bits - 8)).clip(max=255).astype(np.uint8)
    image.paste(Image.fromarray(scaled, image.mode))
    return int(values[..., :3].max())


def _other_order(raw_mode: str) -> str | None:
    """The raw mode that gives the lower bytes where this one gives the upper ones of 16; None if it is of 8 bits."""
    if raw_mode == "LA;16B":
        return "RGBA"
    other = "B" if sys.byteorder == "little" else "L"
    swapped = {"B": "L", "L": "B", "N": other}
    mode, found, order = raw_mode.partition(";16")
    if not found or mode == "I" or order not in swapped:
        return None
    return f"{mode};16{swapped[order]}"


def _gray_or_rgb(image: Image.Image, changes: list[str]) -> Image.Image:
    mode = "L" if image.mode in ("1", "L", "LA", "La") else "RGB"
    if image.mode == "P":
        changes.append(FROM_PALETTE)
    elif image.mode not in ("1", "L", "LA", "La", "RGB", "RGBA", "RGBa", "RGBX"):
        changes.append(FROM_OTHER_COLOURS)
    if image.has_transparency_data:
        seen = image.convert("RGBA")
        if np.asarray(seen)[..., 3].min() < 255:
            changes.append(TRANSPARENT)
        image = Image.new("RGBA", image.size, "white")
        image.alpha_composite(seen)
    return image if image.mode == mode else image.convert(mode)
