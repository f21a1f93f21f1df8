"""Encoded images with labels -> Unassembled; and folders of them."""

from __future__ import annotations

import os
import unicodedata
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from itertools import pairwise
from pathlib import Path

import numpy as np

from byrote.data.assembly import Examples, NothingLeft, Unassembled
from byrote.data.columns import Column
from byrote.data.decoding import EncodedImages, decode_images, first_size
from byrote.data.image_cache import are_too_large, find_or_build
from byrote.data.labels import ordered_names
from byrote.data.picture import MAX_PIXELS
from byrote.data.split_names import HELD_OUT, TRAIN, listed, split_of
from byrote.errors import UserError

_BATCH = 64  # files decoded in one go
_IMAGE_ENDS = (
    *(".jpg", ".jpeg", ".jfif", ".png", ".bmp", ".gif", ".ppm", ".pgm", ".pbm", ".tif", ".tiff", ".webp"),
    *(".heic", ".heif", ".avif", ".jp2", ".jxl"),
)
_OF_PROGRAMS = ("__macosx", "__pycache__")
"""Folders that other programs leave; a class may be called __background__."""


def read_encoded(images: EncodedImages, image_size: int | None, cache: Path | None) -> Unassembled:
    """The images decoded: in a memory-mapped file where `cache` is given or they are too large, else in memory.

    Raises:
        UserError: sizes differ and no image_size is given; no file could be decoded; there is no room for the cache.
    """
    size = first_size(images, image_size)
    if cache is None and not are_too_large(len(images), size):
        decoded = decode_images(images, image_size)
    else:
        decoded = find_or_build(images, image_size, size, cache)
    pixels, rows, ends = decoded.pixels, decoded.rows, decoded.ends
    # What a cache has divided already came in one split.
    origins = (*images.origins, *images.origins[-1:] * (len(ends) - len(images.origins)))
    splits = []
    for origin, (first, last) in zip(origins, pairwise((0, *ends)), strict=True):
        labels = images.labels.take(rows[first:last])
        inputs = Column(pixels[first:last], labels.name, labels.place)
        splits.append(Examples(inputs, labels, images.sources[rows[first:last]], origin))
    told = "; ".join(what.format(f"{count:,}") for what, count in decoded.changes.items())
    return Unassembled(
        tuple(splits),
        images.class_names,
        channels="first",
        mapped=isinstance(pixels, np.memmap),
        rejected=images.all_left_out(decoded.rejected),
        notes=(f"to have all {len(rows):,} images of {images.source} alike, {told}",) * bool(told),
    )


@dataclass(frozen=True)
class FilesBelow:
    """Some files, by their names below a folder; a batch of images."""

    folder: str
    names: tuple[str, ...]

    def __len__(self) -> int:
        return len(self.names)

    def __iter__(self) -> Iterator[str]:
        return (os.path.join(self.folder, name) for name in self.names)


def read_image_folder(
    folder: Path, image_size: int | None, cache: Path | None = None, max_pixels: int | None = None
) -> Unassembled:
    """FOLDER/CLASS/image; or train/ and test/ (or val/ and the like) with that below them.

    Deeper folders belong to the class on top, as in torchvision. Links are followed.
    """
    if not folder.is_dir():
        raise UserError(f"no folder {folder}; expected one with a folder of images for each class")
    found = _Found(str(folder))
    parts = _parts(found)
    class_names = ordered_names(parts[0])
    codes = {name: code for code, name in enumerate(class_names)}
    names = [name for part in parts for files in part.values() for name in files]
    counts = [(codes[name], len(files)) for part in parts for name, files in part.items() if files]
    labels = np.repeat(*np.array(counts, np.int64).T)
    batches = [FilesBelow(str(folder), tuple(names[at : at + _BATCH])) for at in range(0, len(names), _BATCH)]
    images = EncodedImages(
        folder,
        names,
        batches,
        Column(labels, str(folder), lambda row: os.path.join(folder, names[row])),
        np.cumsum([sum(map(len, part.values())) for part in parts]).tolist(),
        class_names,
        tuple(found.left_out),
        MAX_PIXELS if max_pixels is None else max_pixels,
        np.array(names, dtype=object),  # the strings are there already; fixed widths would take four bytes a letter
        ("{}",) * len(parts),
    )
    reading = read_encoded(images, image_size, cache)
    _refuse_lost_classes(images, reading, class_names)
    return replace(reading, notes=(*found.notes, *reading.notes))


def _refuse_lost_classes(images: EncodedImages, reading: Unassembled, class_names: tuple[str, ...]) -> None:
    left = np.concatenate([part.labels.values for part in reading.splits])
    lost = np.setdiff1d(images.labels.values, left)
    if len(lost):
        names = listed(class_names[code] for code in lost)
        raise NothingLeft(
            f"no image is left of {names} in {images.source}, since none could be decoded (the first of all: "
            f"{reading.rejected[0][0]}: {reading.rejected[0][1]}); mend them, or remove the class",
            reading.rejected,
        )


_Part = dict[str, list[str]]
"""The files of each class, by their names below the folder that was given."""


@dataclass
class _Found:
    """What is seen while a folder is looked through."""

    root: str
    left_out: list[tuple[str, str]] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    seen: dict[str, tuple[list[str], list[str]]] = field(default_factory=dict)

    def shown(self, name: str) -> str:
        return os.path.join(self.root, name) if name else self.root

    def entries(self, name: str) -> tuple[list[str], list[str]]:
        """The folders and the files in a folder, by their names below the root; the rest is noted, once."""
        if name in self.seen:
            return self.seen[name]
        folders, files = self.seen[name] = ([], [])
        for entry in self._scanned(name):
            below = os.path.join(name, entry.name)
            try:
                is_folder, is_file = entry.is_dir(), entry.is_file()
            except OSError as error:  # a link to itself, a folder that may not be entered
                self.left_out.append((self.shown(below), f"it cannot be reached ({error.strerror})"))
                continue
            if entry.name.startswith(".") or entry.name.lower() in _OF_PROGRAMS:
                self._note_hidden(below, is_folder)
            elif is_folder:
                folders.append(below)
            elif is_file:
                files.append(below)
            elif entry.is_symlink():
                self.left_out.append((self.shown(below), f"a link to {os.readlink(entry)}, which is not there"))
            else:
                self.left_out.append((self.shown(below), "neither a file nor a folder"))
        return folders, files

    def files(self, name: str) -> list[str]:
        """All files below a folder, however deep."""
        folder, above = os.path.dirname(name), {self._identity("")}
        while folder:
            above.add(self._identity(folder))
            folder = os.path.dirname(folder)
        return self._files(name, frozenset(above))

    def _files(self, name: str, above: frozenset[tuple[int, int]]) -> list[str]:
        this = self._identity(name)
        if this in above:
            self.left_out.append((self.shown(name), "a link that leads back to a folder above it"))
            return []
        folders, files = self.entries(name)
        return files + [file for below in folders for file in self._files(below, above | {this})]

    def _identity(self, name: str) -> tuple[int, int]:
        status = os.stat(self.shown(name))
        return status.st_dev, status.st_ino

    def num_images(self, name: str) -> int:
        """Those below a folder that is not read, by their names."""
        return sum(is_image_name(file) for _, _, files in os.walk(self.shown(name)) for file in files)

    def _scanned(self, name: str) -> list[os.DirEntry[str]]:
        try:
            with os.scandir(self.shown(name)) as entries:
                return sorted(entries, key=lambda entry: entry.name)
        except OSError as error:
            raise UserError(
                f"cannot read the folder {self.shown(name)} ({error.strerror}): make it readable, or remove it"
            ) from error

    def _note_hidden(self, name: str, is_folder: bool) -> None:
        if is_folder:
            if count := self.num_images(name):
                self.notes.append(
                    f"the folder {self.shown(name)} ({_images(count)}) is left out, as its name is that of a hidden "
                    "one or of another program; rename it if it is a class"
                )
        elif is_image_name(name):
            self.left_out.append((self.shown(name), "a hidden file; rename it if it is an image"))


def is_image_name(name: str) -> bool:
    """Whether a file is an image by the end of its name."""
    return name.lower().endswith(_IMAGE_ENDS)


def _images(count: int) -> str:
    return "1 image" if count == 1 else f"{count:,} images"


def _parts(found: _Found) -> list[_Part]:
    """The training split and, if there is one, that to test on."""
    folders, files = found.entries("")
    splits: dict[str, str] = {}
    for name in folders:
        if name.lower() in (*TRAIN, *HELD_OUT):
            split = TRAIN[0] if name.lower() in TRAIN else name.lower()
            if split in splits:
                raise UserError(
                    f"{found.root} has both {splits[split]} and {name}, expected one folder of this split; join them"
                )
            splits[split] = name
    others = [name for name in folders if name not in splits.values()]
    train = splits.pop(TRAIN[0], None)
    if train is None or (not splits and others):
        _refuse_unclear_splits(found, folders, train, splits)
        return [_classes(found, "", folders, files)]
    part = _classes(found, train, *found.entries(train))
    if others:
        are = "is no split and is" if len(others) == 1 else "are no splits and are"
        told = listed(f"{name} ({_images(found.num_images(name))})" for name in others)
        found.notes.append(f"what lies beside the splits in {found.root}, {told}, {are} not used")
    return [part, *_held_out(found, train, part, splits)]


def _refuse_unclear_splits(found: _Found, folders: list[str], train: str | None, splits: dict[str, str]) -> None:
    """Of folders that are to be classes: where they look like splits, all networks would learn to tell those apart."""
    odd = [name for name in (train, *splits.values()) if name is not None]
    words = {split_of(name) for name in folders}
    for name in odd:
        if found.entries(name)[0] or len(odd) == len(folders):
            raise UserError(
                f"{found.root} has {listed(folders)}, which are neither train and test nor classes alone; name the "
                "splits train and test, and move or rename what belongs to neither"
            )
        found.notes.append(f"the folder {found.shown(name)} is taken for a class like the others beside it")
    if len(folders) > 1 and None not in words and TRAIN[0] in words and len(words) > 1:
        raise UserError(
            f"{found.root} has {listed(folders)}, which look like splits and would be taken for classes; rename them "
            "to train and test"
        )
    nested = {name: {os.path.basename(below).lower() for below in found.entries(name)[0]} for name in folders}
    for name, below in nested.items():
        if below & set(TRAIN) and (below & set(HELD_OUT) or len(folders) == 1) and len(folders) > 1:
            raise UserError(
                f"{found.shown(name)} has {listed(sorted(below))} in it, expected the splits above the classes: move "
                f"its images to {found.shown('train')}/{name} and {found.shown('test')}/{name}"
            )
    if len(folders) == 1 and nested[folders[0]]:
        raise UserError(
            f"{found.root} has one folder, {folders[0]}, and in it {listed(sorted(nested[folders[0]]))}; expected a "
            f"folder for each class: did you mean images:{found.shown(folders[0])}?"
        )


def _classes(found: _Found, name: str, folders: list[str], files: list[str]) -> _Part:
    """What is to be trained on: each folder's images, at any depth."""
    loose = [file for file in files if is_image_name(file)]
    if not folders:
        raise UserError(
            f"{found.shown(name)} has {_images(len(loose))} and no folders, expected one for "
            "each class with its images in it"
        )
    part = {os.path.basename(folder): found.files(folder) for folder in folders}
    for folder, of_class in zip(folders, part.values(), strict=True):
        if not of_class:
            raise UserError(
                f"{found.shown(folder)} has no images, expected {found.shown(os.path.join(name, 'CLASS', 'image'))}; "
                "fill the folder or remove it"
            )
    _note_loose(found, loose)
    alike = defaultdict(list)
    for class_name in part:
        alike[_folded(class_name)].append(class_name)
    for names in alike.values():
        if len(names) > 1:
            found.notes.append(
                f"{listed(names)} in {found.shown(name)} differ in case or form alone, and are classes of their own; "
                "join the folders if they are one"
            )
    _note_equal_subfolders(found, name, part)
    return part


def _note_loose(found: _Found, loose: list[str]) -> None:
    found.left_out += [
        (found.shown(file), "it lies beside the folders of the classes, hence has none") for file in loose
    ]


def _note_equal_subfolders(found: _Found, name: str, part: _Part) -> None:
    below = []
    for class_name, files in part.items():
        rest = [os.path.relpath(file, os.path.join(name, class_name)) for file in files]
        below.append({file.partition(os.sep)[0] if os.sep in file else "" for file in rest})
    shared = set.intersection(*below)
    if len(shared) > 1 and "" not in set.union(*below):
        found.notes.append(
            f"the classes are the folders on top, {listed(part)}, though all images lie deeper in folders of equal "
            f"names, {listed(sorted(shared))}; move those up if they are the classes"
        )


def _held_out(found: _Found, train: str, classes: _Part, splits: dict[str, str]) -> list[_Part]:
    """The first split that has labels; of the others it is said that they are not used."""
    used: list[_Part] = []
    test = ""
    for name in sorted(splits.values(), key=lambda name: HELD_OUT.index(name.lower())):
        if used:
            unused = _images(found.num_images(name))
            found.notes.append(f"{found.shown(name)} ({unused}) is not used, as {test} is the test split")
            continue
        folders, files = found.entries(name)
        loose = [file for file in files if is_image_name(file)]
        part = {os.path.basename(folder): found.files(folder) for folder in folders}
        part = {class_name: of_class for class_name, of_class in part.items() if of_class}
        # A single folder of an unknown name is how unlabelled images are laid out for torchvision.
        if not part or (len(part) == 1 and not part.keys() & classes.keys()):
            count = len(loose) + sum(map(len, part.values()))
            found.notes.append(
                f"{found.shown(name)} ({_images(count)}) is not used, as it has no folders of classes, hence no labels"
            )
            continue
        _refuse_untrained(found, train, name, part, classes)
        _note_loose(found, loose)
        used, test = [part], name
    if splits and not used:
        found.notes.append(f"a fifth of {found.shown(train)} is held out as the test split")
    return used


def _refuse_untrained(found: _Found, train: str, test: str, part: _Part, classes: _Part) -> None:
    for name in part.keys() - classes.keys():
        alike = [other for other in classes if _folded(other) == _folded(name)]
        remedy = f"correct it to {alike[0]!r}" if alike else "add training images of it, or move the folder away"
        raise UserError(
            f"{found.shown(os.path.join(test, name))}: class {name!r} is not among those of the training split, "
            f"{found.shown(train)} ({listed(classes)}); {remedy}"
        )


def _folded(name: str) -> str:
    return unicodedata.normalize("NFC", name).casefold()
