"""npz files of NumPy -> Unassembled."""

from __future__ import annotations

import math
import re
import zipfile
import zlib
from pathlib import Path
from typing import Any

import numpy as np
from numpy.lib import format as npy

from byrote.data.assembly import Examples, Unassembled
from byrote.data.columns import Column
from byrote.data.files import listing
from byrote.data.labels import has_no_label
from byrote.data.memory import refuse_too_large
from byrote.data.roles import HELD_OUT, role_of
from byrote.errors import UserError

_CLASS_NAMES = ("classes", "names", "classnames", "labelnames", "targetnames")
_EXPECTED = "x_train, y_train, x_test, y_test, or x, y"


def read_npz(path: Path) -> Unassembled:
    """x_train, y_train, x_test, y_test under the names that are usual; or x, y, which are split.

    Of a validation and a test split the test split is taken, as long as it has labels.
    """
    try:
        with open(path, "rb") as file:
            magic = file.read(6)
        if magic == npy.MAGIC_PREFIX:
            raise UserError(f"{path} is a single array, expected an .npz file with {_EXPECTED}")
        with zipfile.ZipFile(path) as archive:
            return _read(path, archive)
    except UserError:
        raise
    except FileNotFoundError as error:
        remedy = f"{path.parent} has {listing(path.parent)}" if path.parent.is_dir() else "check the path"
        raise UserError(f"cannot read {path} ({error.strerror}); {remedy}") from error
    # RuntimeError: a password; NotImplementedError: a compression that Python has not.
    except (
        OSError,
        ValueError,
        EOFError,
        RuntimeError,
        NotImplementedError,
        MemoryError,
        KeyError,
        SyntaxError,
        zipfile.BadZipFile,
        zlib.error,
    ) as error:
        raise UserError(
            f"{path} cannot be read as an .npz file of plain arrays: {str(error) or 'no memory'}; save it again"
        ) from error


def _read(path: Path, archive: zipfile.ZipFile) -> Unassembled:
    members = {info.filename.removesuffix(".npy"): info for info in archive.infolist()}
    names = list(members)
    found: dict[tuple[str, str], str] = {}
    class_names_in, unused = None, []
    for name in names:
        role = role_of(name)
        if role is None:
            if re.sub(r"[^a-z]", "", name.lower()) in _CLASS_NAMES:
                class_names_in = name
            else:
                unused.append(name)
        elif role in found:
            raise UserError(
                f"{path} has {found[role]} and {name}, and either may be the {role[1]} of the "
                f"{role[0] or 'whole'} data: keep one of them, or name them {_EXPECTED}"
            )
        else:
            found[role] = name
    chosen, notes = _chosen_splits(path, archive, members, found)
    unused += [name for role, name in found.items() if role[0] not in chosen]
    if unused:
        notes.append(f"{path} has {', '.join(unused)}, which {'is' if len(unused) == 1 else 'are'} not used")
    wanted = [found[split, kind] for split in chosen for kind in ("inputs", "labels")]
    shapes = {name: _header(path, archive, members[name]) for name in wanted}
    refuse_too_large(sum(math.prod(shape) * kind.itemsize for shape, kind in shapes.values()), str(path))
    columns = [Column(_array(path, archive, members[name]), f"{path}: {name}") for name in wanted]
    return Unassembled(
        tuple(Examples(*pair) for pair in zip(columns[::2], columns[1::2], strict=True)),
        None if class_names_in is None else _class_names(path, archive, members[class_names_in]),
        notes=tuple(notes),
    )


def _chosen_splits(
    path: Path,
    archive: zipfile.ZipFile,
    members: dict[str, zipfile.ZipInfo],
    found: dict[tuple[str, str], str],
) -> tuple[list[str], list[str]]:
    """The splits to read, training first, and what is to be said about the others."""
    names = ", ".join(members) or "none"
    advice = f"expected {_EXPECTED}; save it with numpy.savez(FILE, x_train=..., y_train=..., x_test=..., y_test=...)"
    train = "train" if ("train", "inputs") in found or ("train", "labels") in found else ""
    lacking = [kind for kind in ("inputs", "labels") if (train, kind) not in found]
    if lacking:
        raise UserError(f"{path} has arrays {names} and lacks {' and '.join(lacking)} to train on, {advice}")
    notes = []
    for split in HELD_OUT:
        if (split, "labels") in found and (split, "inputs") not in found:
            raise UserError(f"{path} has {found[split, 'labels']} and no inputs for it, {advice}")
        if (split, "inputs") not in found:
            continue
        if (split, "labels") not in found:
            notes.append(f"{path}: {found[split, 'inputs']} has no labels and is passed over")
            continue
        labels = Column(_array(path, archive, members[found[split, "labels"]]), path.name)
        if len(labels.values) and has_no_label(labels):
            notes.append(
                f"{path}: all labels in {found[split, 'labels']} are missing (-1 or nan), so that the {split} split "
                "is passed over"
            )
            continue
        return [train, split], notes
    return [train], notes


def _header(path: Path, archive: zipfile.ZipFile, info: zipfile.ZipInfo) -> tuple[tuple[int, ...], np.dtype[Any]]:
    """Shape and dtype of a member, which has as many bytes as they say."""
    with archive.open(info) as file:
        shape, kind = _npy_header(file)
        start = file.tell()
    if kind.hasobject:
        raise UserError(
            f"{path}: {info.filename} holds Python objects, which byrote does not unpickle: save plain arrays "
            "(numbers, or text as dtype=str)"
        )
    if math.prod(shape) * kind.itemsize != info.file_size - start:
        raise UserError(
            f"{path}: {info.filename} is said to have shape {shape} of {kind}, and has {info.file_size - start:,} "
            f"bytes in place of {math.prod(shape) * kind.itemsize:,}: the file is damaged; save it again"
        )
    return shape, kind


def _npy_header(file: Any) -> tuple[tuple[int, ...], np.dtype[Any]]:
    version = npy.read_magic(file)
    read = npy.read_array_header_1_0 if version == (1, 0) else npy.read_array_header_2_0
    shape, _, kind = read(file)
    return shape, kind


def _array(path: Path, archive: zipfile.ZipFile, info: zipfile.ZipInfo) -> np.ndarray:
    shape, kind = _header(path, archive, info)
    refuse_too_large(math.prod(shape) * kind.itemsize, f"{path}: {info.filename}")
    with archive.open(info) as file:
        return npy.read_array(file, allow_pickle=False)


def _class_names(path: Path, archive: zipfile.ZipFile, info: zipfile.ZipInfo) -> tuple[str, ...]:
    names = _array(path, archive, info)
    if names.ndim != 1 or names.dtype.kind not in "US":
        raise UserError(f"{path}: {info.filename} holds {names.dtype} {names.shape}, expected the names of the classes")
    return tuple(names.astype(str).tolist())
