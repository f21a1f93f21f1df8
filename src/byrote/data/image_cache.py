"""Images that are too many for memory, decoded once into a file in the user's cache, which is then mapped.

A cache is a folder, `SOURCE-DIGEST`, whose digest is over the path of the source, the path, size and time of every file
in it, the size asked for, and the order of the rows. In it lie

    pixels.npy   uint8 [M, H, W, C], the images that could be decoded: the training split, then the test split
    index.npz    which files they are, where the splits end, which files could not be decoded and why, and what was done
                 to how many of the others

It is built in `SOURCE-DIGEST.part` by the one process that holds the lock on `SOURCE-DIGEST.lock`, and renamed when
it is whole. What a killed process leaves is removed by the next that builds the same.

What decoded an image is not part of the digest: another version of Pillow may round differently, but the images of the
runs so far remain the better choice than hours of decoding them again.
"""

from __future__ import annotations

import hashlib
import math
import os
import shutil
import sys
import time
from pathlib import Path
from zipfile import BadZipFile

import numpy as np
from filelock import FileLock, Timeout
from jaxtyping import Int64, UInt8

from byrote.data.decoding import Decoded, EncodedImages, PixelFile, write_images
from byrote.data.download import cache_folder
from byrote.data.memory import total_memory
from byrote.errors import UserError

_VERSION = 2
"""Raised when the content of a cache changes, or how images are decoded."""
_PIXELS, _INDEX = "pixels.npy", "index.npz"
_BLOCK = 256  # images moved at a time


def are_too_large(num_images: int, size: tuple[int, int]) -> bool:
    """Whether so many colour images of (H, W) take more than a quarter of the memory of this machine."""
    return num_images * size[0] * size[1] * 3 > total_memory() / 4


def find_or_build(images: EncodedImages, image_size: int | None, size: tuple[int, int], folder: Path | None) -> Decoded:
    """The decoded images from the cache in `folder` (the user's cache if None), built if it is not there.

    Raises:
        UserError: the disk is too small or cannot be written to; sizes differ; nothing could be decoded.
    """
    folder = cache_folder("images") if folder is None else folder.expanduser()
    every = images.splits(np.arange(len(images)))
    cache = folder / f"{images.source.resolve().name or 'images'}-{_digest(images, image_size, every)}"
    if not cache.is_dir():
        try:
            folder.mkdir(parents=True, exist_ok=True)
            _build_alone(cache, images, image_size, size, every)
        except OSError as error:
            raise UserError(
                f"the cache of images cannot be built in {folder} ({error.strerror or error}): make it writable, or "
                "name another folder with --cache DIR"
            ) from error
    return _open(cache)


def _digest(images: EncodedImages, image_size: int | None, every: list[Int64[np.ndarray, " _"]]) -> str:
    digest = hashlib.sha256(f"{_VERSION}\n{images.source.resolve()}\n{image_size} {images.max_pixels}\n".encode())
    for name in images.files:
        found = os.stat(os.path.join(images.source, name))
        digest.update(f"{name}\n{found.st_size} {found.st_mtime_ns}\n".encode(errors="surrogateescape"))
    for rows in every:
        digest.update(f"{len(rows)}\n".encode())
        digest.update(rows.data)
    return digest.hexdigest()[:24]


def _open(cache: Path) -> Decoded:
    try:
        pixels = np.load(cache / _PIXELS, mmap_mode="r")
        with np.load(cache / _INDEX) as index:
            rejected = zip(index["rejected"].tolist(), index["reasons"].tolist(), strict=True)
            changes = dict(zip(index["changes"].tolist(), index["num_changed"].tolist(), strict=True))
            ends = index["ends"].tolist()
            return Decoded(pixels.transpose(0, 3, 1, 2), index["rows"], ends, tuple(rejected), changes)
    except (OSError, ValueError, KeyError, BadZipFile) as error:
        raise UserError(f"the cache {cache} cannot be read ({error}): delete this folder, it is built again") from error


def _build_alone(
    cache: Path,
    images: EncodedImages,
    image_size: int | None,
    size: tuple[int, int],
    every: list[Int64[np.ndarray, " _"]],
) -> None:
    lock, part = FileLock(f"{cache}.lock"), Path(f"{cache}.part")
    try:
        lock.acquire(timeout=0)
    except Timeout:
        _say(f"Waiting for another process, which is building {cache}")
        lock.acquire()
    try:
        if cache.is_dir():
            return
        shutil.rmtree(part, ignore_errors=True)
        _check_room(cache.parent, images, size)
        part.mkdir()
        _build(part, cache, images, image_size, size, every)
        part.rename(cache)
    except BaseException:
        shutil.rmtree(part, ignore_errors=True)
        raise
    finally:
        lock.release()


def _check_room(folder: Path, images: EncodedImages, size: tuple[int, int]) -> None:
    # Half a KiB an image for the index, which is far less without reasons.
    needed, free = len(images) * (size[0] * size[1] * 3 + 512), shutil.disk_usage(folder).free
    if free < needed:
        raise UserError(
            f"{images.source} has {len(images):,} images, which at {size[1]}x{size[0]} pixels need {needed:,} bytes in "
            f"{folder}, where {free:,} are free: make room, name another folder with --cache DIR, or choose a smaller "
            "--image-size"
        )


def _build(
    part: Path,
    cache: Path,
    images: EncodedImages,
    image_size: int | None,
    size: tuple[int, int],
    every: list[Int64[np.ndarray, " _"]],
) -> None:
    shape = (len(images), *size, 3)
    num_bytes = math.prod(shape)
    _say(f"Building {cache}: {shape[0]:,} images of {size[1]}x{size[0]} pixels, {num_bytes / 1e9:,.1f} GB")
    started = time.monotonic()
    order = np.concatenate(every)
    places = np.empty_like(order)
    places[order] = np.arange(len(order))
    file = PixelFile(part / _PIXELS, _write_header(part / _PIXELS, shape), size)
    os.truncate(file.path, file.offset + num_bytes)
    written = write_images(images, image_size, file, places)
    splits = every
    if written.rejected:
        splits = images.splits(written.rows)
        _move_rows(np.memmap(file.path, np.uint8, "r+", file.offset, shape), places[np.concatenate(splits)])
    shape = (len(written.rows), *size, written.num_channels)
    if written.num_channels == 1:
        _drop_equal_channels(file, len(written.rows))
    os.truncate(file.path, file.offset + math.prod(shape))
    _write_header(file.path, shape)
    np.savez(
        part / _INDEX,
        rows=np.concatenate(splits),
        ends=np.cumsum([len(rows) for rows in splits]),
        rejected=np.array([row for row, _ in written.rejected], np.int64),
        reasons=np.array([reason for _, reason in written.rejected], np.str_),
        changes=np.array(list(written.changes), np.str_),
        num_changed=np.array(list(written.changes.values()), np.int64),
    )
    for name in (_PIXELS, _INDEX):
        with (part / name).open("rb") as done:
            os.fsync(done.fileno())
    seconds = time.monotonic() - started
    _say(f"Built in {seconds:,.0f} s, {len(images) / seconds:,.0f} images/s")


def _write_header(path: Path, shape: tuple[int, ...]) -> int:
    """Writes or replaces it, and returns its length, which NumPy makes the same for any number of rows."""
    with path.open("r+b" if path.exists() else "wb") as file:
        np.lib.format.write_array_header_1_0(file, {"descr": "|u1", "fortran_order": False, "shape": shape})
        return file.tell()


def _move_rows(array: UInt8[np.ndarray, "N H W C"], source: Int64[np.ndarray, " M"]) -> None:
    """Row i becomes what row `source[i]` was, for i below M <= N, in place. `source` has no row twice."""
    num_rows = len(source)
    wanted = np.zeros(len(array), dtype=bool)
    wanted[source] = True
    pending = source != np.arange(num_rows)

    def fill(row: int, first: int) -> int:
        """Fills `row`, then the row that this freed, and so on, until row `first` is asked for, or none is below M."""
        while row < num_rows and source[row] != first:
            array[row] = array[source[row]]
            pending[row] = False
            row = int(source[row])
        return row

    # Chains start at rows that nobody wants, and end beyond M; all others run in circles.
    for row in np.flatnonzero(~wanted[:num_rows]).tolist():
        fill(row, -1)
    for row in range(num_rows):
        if pending[row]:
            first = array[row].copy()
            last = fill(row, row)
            array[last] = first
            pending[last] = False


def _drop_equal_channels(file: PixelFile, num_rows: int) -> None:
    """Gray images `[N, H, W, 3]` become `[N, H, W, 1]`, in place: what is written is never ahead of what is read."""
    shape = (num_rows, *file.size)
    colour = np.memmap(file.path, np.uint8, "r+", file.offset, (*shape, 3))
    gray = np.memmap(file.path, np.uint8, "r+", file.offset, shape)
    for start in range(0, num_rows, _BLOCK):
        block = slice(start, start + _BLOCK)
        gray[block] = colour[block, ..., 0].copy()


def _say(line: str) -> None:
    print(line, file=sys.stderr, flush=True)
