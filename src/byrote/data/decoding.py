"""Image files -> pixels. One decoder, run on all cores: into memory, or into a file that is larger than that."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from functools import partial
from itertools import chain
from pathlib import Path
from typing import Protocol, TypeVar, runtime_checkable

import numpy as np
from jaxtyping import Int64, UInt8
from PIL import Image, ImageOps, UnidentifiedImageError

from byrote.data.assembly import split_labels
from byrote.data.columns import Column
from byrote.data.workers import map_in_order
from byrote.errors import UserError

_FORMATS = ("JPEG", "PNG", "BMP", "GIF", "PPM", "TIFF", "WEBP")
PROCESSES_FROM = 4096
"""So many images are decoded by processes, fewer by threads: starting the processes takes about a second."""
_IMAGES_AT_ONCE = 64
"""Neighbours in the file are written together, up to so many: one by one, 64x64 pixels cost twice as much to write."""


@runtime_checkable
class Batch(Protocol):
    """Consecutive image files, by content or by path. It is pickled: what it refers to is read where it is decoded."""

    def __len__(self) -> int: ...

    def __iter__(self) -> Iterator[bytes | str]: ...


@dataclass(frozen=True, eq=False)
class EncodedImages:
    """N image files with their labels, in one split or two after one another."""

    source: Path
    files: Sequence[str]
    """What lies on disk below `source`: other files, or files that changed, are other images."""
    batches: Sequence[Batch]
    labels: Column
    ends: Sequence[int]
    """Where each split ends."""
    class_names: tuple[str, ...] | None = None

    def __len__(self) -> int:
        return len(self.labels.values)

    def splits(self, rows: Int64[np.ndarray, " M"]) -> list[Int64[np.ndarray, " _"]]:
        """Those of `rows` (ascending) that are in the training and in the test split; what came in one is divided."""
        if len(self.ends) == 1:
            return [rows[part] for part in split_labels(self.labels.take(rows), self.class_names)]
        return np.split(rows, np.searchsorted(rows, self.ends[:-1]))


@dataclass(frozen=True, eq=False)
class Decoded:
    """The M images that could be decoded: of one channel if all are grayscale, else RGB."""

    pixels: UInt8[np.ndarray, "M C H W"]
    rows: Int64[np.ndarray, " M"]
    """Which of the files they are."""
    rejected: tuple[tuple[int, str], ...]
    """The others, and why they could not be decoded."""


@dataclass(frozen=True)
class PixelFile:
    """A file that holds images `[N, H, W, 3]` from byte `offset` on."""

    path: Path
    offset: int
    size: tuple[int, int]
    """(H, W)"""


@dataclass(frozen=True, eq=False)
class Written:
    """What `write_images` found."""

    rows: Int64[np.ndarray, " M"]
    rejected: tuple[tuple[int, str], ...]
    num_channels: int


def first_size(images: EncodedImages, image_size: int | None) -> tuple[int, int]:
    """(H, W) of the images once decoded: as asked, or of the first that can be decoded."""
    if image_size is not None:
        return image_size, image_size
    rejected = []
    for row, file in enumerate(chain.from_iterable(images.batches)):
        image = _decode(file, None)
        if not isinstance(image, str):
            return image.shape[0], image.shape[1]
        rejected.append((row, image))
    raise _none_decoded(images, rejected)


def decode_images(images: EncodedImages, image_size: int | None) -> Decoded:
    """All images in memory, in the order of the files.

    EXIF rotation is applied, transparency laid on white, and 16-bit grayscale cut to 8 bits. `image_size` scales the
    shorter side to that many pixels and crops the longer one centrally.

    Raises:
        UserError: sizes differ and no image_size is given; no file could be decoded; one could not be read.
    """
    pixels = np.empty((0, 1, 0, 0), np.uint8)

    def keep(index: int, image: UInt8[np.ndarray, "H W C"]) -> None:
        nonlocal pixels
        if index == 0:
            pixels = np.empty((len(images), image.shape[2], *image.shape[:2]), np.uint8)
        if image.shape[2] > pixels.shape[1]:
            pixels = np.repeat(pixels, image.shape[2], axis=1)
        pixels[index] = image.transpose(2, 0, 1)

    written = _decode_all(images, iter(images.batches), partial(_decode_batch, image_size=image_size), keep)
    return Decoded(pixels[: len(written.rows)], written.rows, written.rejected)


def write_images(
    images: EncodedImages, image_size: int | None, file: PixelFile, places: Int64[np.ndarray, " N"]
) -> Written:
    """Writes image i, in colour, to row `places[i]` of `file`; zeros where it cannot be decoded.

    The pixels do not pass through this process. They are written, not stored through a memory map: on a full disk that
    would be a bus error.

    Raises:
        UserError: as for `decode_images`; or writing failed.
    """
    ends = np.cumsum([len(batch) for batch in images.batches])
    tasks = zip(images.batches, np.split(places, ends[:-1]), strict=True)
    return _decode_all(images, tasks, partial(_write_batch, image_size=image_size, file=file))


# What became of one file: its pixels, their shape if they were written elsewhere, or why there are none.
_Outcome = UInt8[np.ndarray, "H W C"] | tuple[int, ...] | str
_Task = TypeVar("_Task")


def _decode_all(
    images: EncodedImages,
    tasks: Iterator[_Task],
    function: Callable[[_Task], list[_Outcome]],
    keep: Callable[[int, UInt8[np.ndarray, "H W C"]], None] | None = None,
) -> Written:
    rows: list[int] = []
    rejected: list[tuple[int, str]] = []
    size: tuple[int, ...] = ()
    num_channels, first = 1, 0
    processes = len(images) >= PROCESSES_FROM
    with closing(map_in_order(function, tasks, processes=processes)) as results, _bar(len(images), processes) as show:
        for outcomes in results:
            for row, outcome in enumerate(outcomes, first):
                if isinstance(outcome, str):
                    rejected.append((row, outcome))
                    continue
                shape = outcome if isinstance(outcome, tuple) else outcome.shape
                size = size or shape[:2]
                if shape[:2] != size:
                    raise UserError(
                        f"images have different sizes: {images.labels.place(rows[0])} is {_named(size)}, "
                        f"{images.labels.place(row)} is {_named(shape)}; choose one size for all with --image-size N"
                    )
                num_channels = max(num_channels, shape[2])
                if keep is not None and not isinstance(outcome, tuple):
                    keep(len(rows), outcome)
                rows.append(row)
            first += len(outcomes)
            show(first)
    if not rows:
        raise _none_decoded(images, rejected)
    return Written(np.array(rows, np.int64), tuple(rejected), num_channels)


def _none_decoded(images: EncodedImages, rejected: Sequence[tuple[int, str]]) -> UserError:
    why = f"the first: {images.labels.place(rejected[0][0])}: {rejected[0][1]}" if rejected else "there is none"
    return UserError(f"none of {len(images)} images could be read ({why}); check the folder")


def _named(shape: tuple[int, ...]) -> str:
    return f"{shape[1]}x{shape[0]}"


@contextmanager
def _bar(total: int, shown: bool) -> Iterator[Callable[[int], None]]:
    """How many images are done, with rate and time left, on a terminal; nothing in a file or a pipe."""
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, ProgressColumn, Task, TimeRemainingColumn
    from rich.text import Text

    class Rate(ProgressColumn):
        def render(self, task: Task) -> Text:
            return Text(f"{task.finished_speed or task.speed or 0:,.0f} images/s, left")

    console = Console(stderr=True)
    if not shown or not console.is_terminal or console.is_dumb_terminal:
        yield lambda _: None
        return
    columns = ("decoding", BarColumn(), MofNCompleteColumn(), Rate(), TimeRemainingColumn())
    with Progress(*columns, console=console, transient=True) as progress:
        task = progress.add_task("", total=total)
        yield lambda done: progress.update(task, completed=done)


def _decode_batch(batch: Batch, image_size: int | None) -> list[_Outcome]:
    return [_decode(file, image_size) for file in batch]


def _write_batch(
    task: tuple[Batch, Int64[np.ndarray, " B"]], image_size: int | None, file: PixelFile
) -> list[_Outcome]:
    batch, places = task
    outcomes: list[_Outcome] = []
    encoded = iter(batch)
    in_one_write = (np.diff(places) == 1) & (np.arange(1, len(places)) % _IMAGES_AT_ONCE > 0)
    try:
        with file.path.open("r+b") as opened:
            for run in np.split(places, np.flatnonzero(~in_one_write) + 1):
                # Zeros where there is no image: a hole in the file would be filled when the disk may be full.
                pixels = np.zeros((len(run), *file.size, 3), np.uint8)
                for row in pixels:
                    image = _decode(next(encoded), image_size)
                    if not isinstance(image, str) and image.shape[:2] == file.size:
                        row[:] = image
                    outcomes.append(image if isinstance(image, str) else image.shape)
                opened.seek(file.offset + int(run[0]) * pixels[0].nbytes)
                opened.write(pixels.data)
    except OSError as error:
        raise UserError(f"cannot write {file.path} ({error.strerror}): make room, or name another folder") from error
    return outcomes


def _decode(file: bytes | str, image_size: int | None) -> UInt8[np.ndarray, "H W C"] | str:
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
        # What the system says of a file is no matter of the image, and must not cost an example unseen.
        if isinstance(error, OSError) and error.errno is not None:
            raise UserError(f"cannot read {file!r} ({error.strerror}): make it readable, or remove it") from error
        return str(error) or type(error).__name__
    return array[..., None] if array.ndim == 2 else array


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
