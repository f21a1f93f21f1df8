"""Encoded images with labels -> Reading; and folders of them."""

from __future__ import annotations

import os
from collections.abc import Sequence
from itertools import chain, pairwise
from pathlib import Path

import numpy as np

from byrote.data.assembly import Examples, Reading
from byrote.data.columns import Column
from byrote.data.decoding import EncodedImages, decode_images, first_size
from byrote.data.image_cache import are_too_large, find_or_build
from byrote.errors import UserError

_BATCH = 64  # files decoded in one go
HELD_OUT = ("test", "validation", "valid", "val")
"""Names of the split to test on, the first that is there."""


def read_encoded(images: EncodedImages, image_size: int | None, cache: Path | None) -> Reading:
    """The images decoded: in a memory-mapped file where `cache` is given or they are too large, else in memory.

    Raises:
        UserError: sizes differ and no image_size is given; no file could be decoded; there is no room for the cache.
    """
    size = first_size(images, image_size)
    if cache is None and not are_too_large(len(images), size):
        decoded = decode_images(images, image_size)
        pixels, rows, rejected = decoded.pixels, decoded.rows, decoded.rejected
        ends = np.searchsorted(rows, images.ends).tolist()
    else:
        cached = find_or_build(images, image_size, size, cache)
        pixels, rows, rejected, ends = cached.pixels, cached.rows, cached.rejected, cached.ends
    splits = []
    for first, last in pairwise((0, *ends)):
        labels = images.labels.take(rows[first:last])
        splits.append(Examples(Column(pixels[first:last], labels.name, labels.place), labels))
    return Reading(
        tuple(splits),
        images.class_names,
        channels="first",
        mapped=isinstance(pixels, np.memmap),
        rejected=tuple((images.labels.place(row), reason) for row, reason in rejected),
    )


def read_image_folder(folder: Path, image_size: int | None, cache: Path | None = None) -> Reading:
    """FOLDER/CLASS/image; or train/ and test/ (or val/) with that below them."""
    if not folder.is_dir():
        raise UserError(f"no folder {folder}; expected one with a folder of images for each class")
    below = {path.name.lower(): path for path in _visible(folder) if path.is_dir()}
    parts = [str(folder)]
    # Only splits: a class may be called "train" as well.
    if "train" in below and below.keys() <= {"train", *HELD_OUT}:
        parts = [below["train"].path, *(below[name].path for name in HELD_OUT if name in below)][:2]
    found = [_labelled_files(part) for part in parts]
    files = [file for part_files, _ in found for file in part_files]
    labels = Column(np.concatenate([labels for _, labels in found]), str(folder), files.__getitem__)
    batches = [files[at : at + _BATCH] for at in range(0, len(files), _BATCH)]
    ends = np.cumsum([len(part_files) for part_files, _ in found]).tolist()
    return read_encoded(EncodedImages(folder, files, batches, labels, ends), image_size, cache)


def _labelled_files(folder: str) -> tuple[list[str], np.ndarray]:
    """The files one folder further down, and the name of that folder for each."""
    classes = [entry for entry in _visible(folder) if entry.is_dir()]
    if not classes:
        raise UserError(f"{folder} has no folders, expected one for each class with its images in it")
    files = {entry.name: [file.path for file in _visible(entry) if file.is_file()] for entry in classes}
    for name, of_class in files.items():
        if not of_class:
            raise UserError(
                f"{folder}/{name} has no images, expected {folder}/CLASS/image; fill the folder or remove it"
            )
    return list(chain(*files.values())), np.repeat(list(files), [len(of_class) for of_class in files.values()])


def _visible(folder: str | os.PathLike[str]) -> Sequence[os.DirEntry[str]]:
    with os.scandir(folder) as entries:
        return sorted(
            (entry for entry in entries if not entry.name.startswith((".", "__"))), key=lambda entry: entry.name
        )
