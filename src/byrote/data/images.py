"""Image files -> pixels; and folders of them."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import chain, pairwise
from pathlib import Path

import numpy as np
from jaxtyping import Int64, UInt8
from PIL import Image, ImageOps, UnidentifiedImageError

from byrote.data.assembly import Column, Examples, Reading
from byrote.errors import UserError

_FORMATS = ("JPEG", "PNG", "BMP", "GIF", "PPM", "TIFF", "WEBP")
BLOCK = 512
"""Files in flight at a time: bounds memory, and the wait for what is under way when something is wrong."""
_TASK = 32  # files per task of the thread pool
HELD_OUT = ("test", "validation", "valid", "val")
"""Names of the split to test on, the first that is there."""


@dataclass(frozen=True, eq=False)
class Decoded:
    """The N images that could be decoded: of one channel if all are grayscale, else RGB."""

    pixels: UInt8[np.ndarray, "N C H W"]
    rows: Int64[np.ndarray, " N"]
    """Which of the files they are."""
    rejected: tuple[tuple[str, str], ...]
    """Place and reason of each that could not be decoded."""

    def examples(self, labels: Column, first: int, last: int) -> Examples:
        """Those from files `first` to `last`, of which `labels` has one for each file."""
        begin, end = np.searchsorted(self.rows, (first, last))
        kept = labels.take(self.rows[begin:end])
        return Examples(Column(self.pixels[begin:end], labels.name, kept.place), kept)


def decode_images(
    blocks: Iterable[Sequence[bytes | str]], num_files: int, place: Callable[[int], str], image_size: int | None
) -> Decoded:
    """Decodes files, given by content or by path in blocks of about BLOCK, in a pool of threads.

    EXIF rotation is applied, transparency laid on white, and 16-bit grayscale cut to 8 bits. `image_size` scales the
    shorter side to that many pixels and crops the longer one centrally.

    Raises:
        UserError: sizes differ and no image_size is given; or no file could be decoded.
    """
    pixels = np.empty((0, 1, 0, 0), np.uint8)
    kept: list[int] = []
    rejected: list[tuple[str, str]] = []

    def decode_all(files: Sequence[bytes | str]) -> list[UInt8[np.ndarray, "C H W"] | str]:
        return [_decode(file, image_size) for file in files]

    with ThreadPoolExecutor() as pool:
        results = chain.from_iterable(
            chain.from_iterable(pool.map(decode_all, [block[at : at + _TASK] for at in range(0, len(block), _TASK)]))
            for block in blocks
        )
        for row, image in enumerate(results):
            if isinstance(image, str):
                rejected.append((place(row), image))
                continue
            if not kept:
                pixels = np.empty((num_files, *image.shape), np.uint8)
            if image.shape[1:] != pixels.shape[2:]:
                raise UserError(
                    f"images have different sizes: {place(kept[0])} is {_size(pixels)}, "
                    f"{place(row)} is {_size(image)}; choose one size for all with --image-size N"
                )
            if len(image) > pixels.shape[1]:
                pixels = np.repeat(pixels, len(image), axis=1)
            pixels[len(kept)] = image
            kept.append(row)
    if not kept:
        why = f"the first: {rejected[0][0]}: {rejected[0][1]}" if rejected else "there is none"
        raise UserError(f"none of {num_files} images could be read ({why}); check the folder")
    return Decoded(pixels[: len(kept)], np.array(kept, np.int64), tuple(rejected))


def _size(image: UInt8[np.ndarray, "... H W"]) -> str:
    return f"{image.shape[-1]}x{image.shape[-2]}"


def _decode(file: bytes | str, image_size: int | None) -> UInt8[np.ndarray, "C H W"] | str:
    """The pixels, or why there are none."""
    try:
        with Image.open(io.BytesIO(file) if isinstance(file, bytes) else file, formats=_FORMATS) as opened:
            if image_size is not None:
                opened.draft(None, (image_size, image_size))  # JPEG: decodes at a fraction of the size
            ImageOps.exif_transpose(opened, in_place=True)
            image = _gray_or_rgb(opened)
            if image_size is not None:
                image = ImageOps.fit(image, (image_size, image_size))
            array = np.asarray(image)
    except UnidentifiedImageError:
        return f"not an image, or in none of the formats {', '.join(_FORMATS)}"
    except Exception as error:  # a damaged file can raise nearly anything
        return str(error) or type(error).__name__
    return array[None] if array.ndim == 2 else array.transpose(2, 0, 1)


def _gray_or_rgb(image: Image.Image) -> Image.Image:
    if image.mode == "F" or image.mode.startswith("I"):
        values = np.asarray(image)
        if image.mode == "F" or values.min() < 0 or values.max() > 0xFFFF:
            raise ValueError("pixels of more than 16 bits have no fixed scale")
        return Image.fromarray((values >> 8).astype(np.uint8))
    mode = "L" if image.mode in ("1", "L", "LA", "La") else "RGB"
    if image.has_transparency_data:
        opaque = Image.new("RGBA", image.size, "white")
        opaque.alpha_composite(image.convert("RGBA"))
        image = opaque
    return image if image.mode == mode else image.convert(mode)


def read_image_folder(folder: Path, image_size: int | None) -> Reading:
    """FOLDER/CLASS/image; or train/ and test/ (or val/) with that below them."""
    if not folder.is_dir():
        raise UserError(f"no folder {folder}; expected one with a folder of images for each class")
    below = {path.name.lower(): path for path in _visible(folder) if path.is_dir()}
    parts = [folder]
    # Only splits: a class may be called "train" as well.
    if "train" in below and below.keys() <= {"train", *HELD_OUT}:
        parts = [below["train"], *(below[name] for name in HELD_OUT if name in below)][:2]
    found = [_labelled_files(part) for part in parts]
    files = [file for part_files, _ in found for file in part_files]
    labels = Column(np.concatenate([labels for _, labels in found]), str(folder), files.__getitem__)
    blocks = (files[at : at + BLOCK] for at in range(0, len(files), BLOCK))
    decoded = decode_images(blocks, len(files), labels.place, image_size)
    ends = np.cumsum([0] + [len(part_files) for part_files, _ in found]).tolist()
    splits = tuple(decoded.examples(labels, first, last) for first, last in pairwise(ends))
    return Reading(splits, channels="first", rejected=decoded.rejected)


def _labelled_files(folder: Path) -> tuple[list[str], np.ndarray]:
    """The files one folder further down, and the name of that folder for each."""
    classes = [path for path in _visible(folder) if path.is_dir()]
    if not classes:
        raise UserError(f"{folder} has no folders, expected one for each class with its images in it")
    files = {path.name: [str(file) for file in _visible(path) if file.is_file()] for path in classes}
    for name, of_class in files.items():
        if not of_class:
            raise UserError(
                f"{folder / name} has no images, expected {folder}/CLASS/image; fill the folder or remove it"
            )
    return list(chain(*files.values())), np.repeat(list(files), [len(of_class) for of_class in files.values()])


def _visible(folder: Path) -> Iterator[Path]:
    return (path for path in sorted(folder.iterdir()) if not path.name.startswith((".", "__")))
