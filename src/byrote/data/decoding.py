"""Encoded images -> pixels, on all cores: into memory, or into a file that is larger than that."""

from __future__ import annotations

import warnings
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass, replace
from functools import partial
from itertools import chain
from pathlib import Path
from typing import Protocol, TypeVar, runtime_checkable

import numpy as np
from jaxtyping import Int64, Shaped, UInt8
from PIL import Image

from byrote.data.assembly import NothingLeft, split_labels
from byrote.data.columns import Column
from byrote.data.picture import MAX_PIXELS, MOST_PIXELS, DecodedImage, Missing, decode
from byrote.data.workers import map_in_order
from byrote.errors import UserError

PROCESSES_FROM = 4096
"""So many images are decoded by processes, fewer by threads: starting the processes takes about a second."""
_IMAGES_AT_ONCE = 64
"""Neighbours in the file are written together, up to so many: one by one, 64x64 pixels cost twice as much to write."""


@runtime_checkable
class EncodedBatch(Protocol):
    """Consecutive image files, by content or by path. It is pickled: what it refers to is read where it is decoded."""

    def __len__(self) -> int: ...

    def __iter__(self) -> Iterator[bytes | str | Missing]: ...


@dataclass(frozen=True, eq=False)
class EncodedImages:
    """N image files with their labels, in one split or two after one another."""

    source: Path
    files: Sequence[str]
    """What lies on disk, by names below `source`: other files, or files that changed, are other images."""
    batches: Sequence[EncodedBatch]
    labels: Column
    ends: Sequence[int]
    """Where each split ends."""
    class_names: tuple[str, ...] | None = None
    left_out: tuple[tuple[str, str], ...] = ()
    """What lies there beside the N, and why it is not among them."""
    max_pixels: int = MAX_PIXELS
    """Of each image; larger ones are not decoded."""
    sources: Shaped[np.ndarray, " N"] = None  # type: ignore[assignment]  # by default 0 to N - 1
    """As of Examples."""
    origins: tuple[str, ...] = ("row {}",)
    """As of Examples, for each split."""

    def __post_init__(self) -> None:
        if not 1 <= self.max_pixels <= MOST_PIXELS:
            raise UserError(f"got max_pixels={self.max_pixels}, expected a number from 1 to {MOST_PIXELS:,}")
        if self.sources is None:
            object.__setattr__(self, "sources", np.arange(len(self)))

    def __len__(self) -> int:
        return len(self.labels.values)

    def all_left_out(self, rejected: Sequence[tuple[int, str]]) -> tuple[tuple[str, str], ...]:
        """What was left out before decoding, and then those of the N that could not be decoded."""
        return (*self.left_out, *((self.labels.place(row), reason) for row, reason in rejected))

    def splits(self, rows: Int64[np.ndarray, " M"]) -> list[Int64[np.ndarray, " _"]]:
        """Those of `rows` (ascending) that are in the training and in the test split; what came in one is divided."""
        if len(self.ends) == 1:
            return [rows[part] for part in split_labels(self.labels.take(rows), self.class_names)]
        return np.split(rows, np.searchsorted(rows, self.ends[:-1]))


@dataclass(frozen=True, eq=False)
class Decoded:
    """The M images that could be decoded, split after split: of one channel if all are grayscale, else RGB."""

    pixels: UInt8[np.ndarray, "M C H W"]
    """In memory; or a view of a read-only map, in whose file channels are innermost."""
    rows: Int64[np.ndarray, " M"]
    """Which of the files they are."""
    ends: Sequence[int]
    """Where each split ends."""
    rejected: tuple[tuple[int, str], ...]
    """The others, and why they could not be decoded."""
    changes: Mapping[str, int]
    """What was done to some of them, in words, and to how many."""


@dataclass(frozen=True)
class PixelFile:
    """A file that holds images `[N, H, W, 3]` from byte `offset` on."""

    path: Path
    offset: int
    size: tuple[int, int]
    """(H, W)"""


@dataclass(frozen=True, eq=False)
class WrittenImages:
    """What `write_images` found."""

    rows: Int64[np.ndarray, " M"]
    rejected: tuple[tuple[int, str], ...]
    num_channels: int
    changes: Mapping[str, int]
    highest: int | None
    """The highest value in images of 16 bits; None where there are none."""


def first_size(images: EncodedImages, image_size: int | None) -> tuple[int, int]:
    """(H, W) of the images once decoded: as asked, or of the first that can be decoded."""
    if image_size is not None:
        return image_size, image_size
    rejected = []
    for row, file in enumerate(chain.from_iterable(images.batches)):
        image = decode(file, None, images.max_pixels)
        if isinstance(image, DecodedImage):
            return image.shape[0], image.shape[1]
        rejected.append((row, image))
    raise _none_decoded(images, rejected)


def decode_images(images: EncodedImages, image_size: int | None) -> Decoded:
    """All images in memory, in the order of the files, as `decode` makes them.

    Images of 16 bits are all divided by the power of two that brings the highest value among them to 8 bits.

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

    def decode_all(bits: int) -> WrittenImages:
        how = partial(_decode_batch, image_size=image_size, max_pixels=images.max_pixels, bits=bits)
        return _decode_all(images, iter(images.batches), how, keep)

    written = _with_bits_of_highest(decode_all)
    rows = written.rows
    ends = np.searchsorted(rows, images.ends).tolist()
    return Decoded(pixels[: len(rows)], rows, ends, written.rejected, written.changes)


def write_images(
    images: EncodedImages, image_size: int | None, file: PixelFile, places: Int64[np.ndarray, " N"]
) -> WrittenImages:
    """Writes image i, in colour, to row `places[i]` of `file`; zeros where it cannot be decoded.

    The pixels do not pass through this process. They are written, not stored through a memory map: on a full disk that
    would be a bus error.

    Raises:
        UserError: as for `decode_images`; or writing failed.
    """
    ends = np.cumsum([len(batch) for batch in images.batches])

    def decode_all(bits: int) -> WrittenImages:
        tasks = zip(images.batches, np.split(places, ends[:-1]), strict=True)
        how = partial(_write_batch, image_size=image_size, max_pixels=images.max_pixels, bits=bits, file=file)
        return _decode_all(images, tasks, how)

    return _with_bits_of_highest(decode_all)


# What became of one file: its pixels, or why there are none.
_Outcome = DecodedImage | str
_Task = TypeVar("_Task")
_OF_16_BITS = "16 bits"


def _with_bits_of_highest(decode_all: Callable[[int], WrittenImages]) -> WrittenImages:
    """Images of 16 bits often hold 8, 10 or 12 of them, which is known when all were seen: then once more."""
    written = decode_all(16)
    if written.highest is None:
        return written
    bits = max(written.highest.bit_length(), 8)
    divided = f"divided by {2 ** (bits - 8)} to fit 8 bits" if bits > 8 else "kept, as they fit 8 bits"
    deep = f"{{}} have 16 bits, and their values (the highest is {written.highest:,}) were {divided}"
    many = written if bits == 16 else decode_all(bits)
    return replace(many, changes={deep if what == _OF_16_BITS else what: n for what, n in many.changes.items()})


def _decode_all(
    images: EncodedImages,
    tasks: Iterator[_Task],
    function: Callable[[_Task], list[_Outcome]],
    keep: Callable[[int, UInt8[np.ndarray, "H W C"]], None] | None = None,
) -> WrittenImages:
    rows: list[int] = []
    rejected: list[tuple[int, str]] = []
    changes: Counter[str] = Counter()
    highest: int | None = None
    size: tuple[int, ...] = ()
    num_gray, first = 0, 0
    processes = len(images) >= PROCESSES_FROM
    with (
        warnings.catch_warnings(),
        closing(map_in_order(function, tasks, processes=processes)) as results,
        _bar(len(images), processes) as show,
    ):
        warnings.simplefilter("ignore", Image.DecompressionBombWarning)  # our own limit is the one that is said
        for outcomes in results:
            for row, outcome in enumerate(outcomes, first):
                if isinstance(outcome, str):
                    rejected.append((row, outcome))
                    continue
                shape = outcome.shape
                size = size or shape[:2]
                if shape[:2] != size:
                    raise UserError(
                        f"images have different sizes: {images.labels.place(rows[0])} is {_named(size)}, "
                        f"{images.labels.place(row)} is {_named(shape)}; choose one size for all with --image-size N"
                    )
                if keep is not None and outcome.pixels is not None:
                    keep(len(rows), outcome.pixels)
                rows.append(row)
                changes.update(outcome.changes)
                num_gray += shape[2] == 1
                if outcome.highest is not None:
                    changes[_OF_16_BITS] += 1
                    highest = max(highest or 0, outcome.highest)
            first += len(outcomes)
            show(first)
    if not rows:
        raise _none_decoded(images, rejected)
    is_gray = num_gray == len(rows)
    if num_gray and not is_gray:
        changes["{} gray ones got three equal channels"] = num_gray
    return WrittenImages(np.array(rows, np.int64), tuple(rejected), 1 if is_gray else 3, changes, highest)


def _none_decoded(images: EncodedImages, rejected: Sequence[tuple[int, str]]) -> NothingLeft:
    why = f"the first: {images.labels.place(rejected[0][0])}: {rejected[0][1]}" if rejected else "there is none"
    return NothingLeft(
        f"none of {len(images)} images could be read ({why}); check {images.source}", images.all_left_out(rejected)
    )


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


def _decode_batch(batch: EncodedBatch, image_size: int | None, max_pixels: int, bits: int) -> list[_Outcome]:
    return [decode(file, image_size, max_pixels, bits) for file in batch]


def _write_batch(
    task: tuple[EncodedBatch, Int64[np.ndarray, " B"]],
    image_size: int | None,
    max_pixels: int,
    bits: int,
    file: PixelFile,
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
                    image = decode(next(encoded), image_size, max_pixels, bits)
                    if isinstance(image, DecodedImage):
                        if image.pixels is not None and image.shape[:2] == file.size:
                            row[:] = image.pixels
                        image = image._replace(pixels=None)
                    outcomes.append(image)
                opened.seek(file.offset + int(run[0]) * pixels[0].nbytes)
                opened.write(pixels.data)
    except OSError as error:
        raise UserError(f"cannot write {file.path} ({error.strerror}): make room, or name another folder") from error
    return outcomes
