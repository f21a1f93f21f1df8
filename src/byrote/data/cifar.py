"""The batches of CIFAR-10 and CIFAR-100, python or binary version (https://www.cs.toronto.edu/~kriz/cifar.html)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np

from byrote.data.assembly import Examples, Unassembled
from byrote.data.columns import Column
from byrote.data.files import listing, read_bytes
from byrote.data.pickled_arrays import read_pickle
from byrote.errors import UserError, kind_of

_PIXELS = 3 * 32 * 32
Labels = Literal["fine", "coarse"]


@dataclass(frozen=True)
class _Layout:
    """Where one version of one of the two data sets keeps what."""

    subfolder: str
    """What its archive unpacks to."""
    train: tuple[str, ...]
    test: str
    names: str
    labels: str = "labels"
    """The key of the labels in a pickle."""
    class_names: str = "label_names"
    is_binary: bool = False
    label_byte: int = 0
    label_bytes: int = 1
    """Binary rows: how many labels stand before the pixels, and which of them is meant."""


_BATCHES = tuple(f"data_batch_{number}" for number in range(1, 6))
_CIFAR10 = (
    _Layout("cifar-10-batches-py", _BATCHES, "test_batch", "batches.meta"),
    _Layout(
        "cifar-10-batches-bin",
        tuple(f"{name}.bin" for name in _BATCHES),
        "test_batch.bin",
        "batches.meta.txt",
        is_binary=True,
    ),
)


def _cifar100(labels: Labels) -> tuple[_Layout, ...]:
    """In the binary version, the coarse label stands before the fine one."""
    return (
        _Layout("cifar-100-python", ("train",), "test", "meta", f"{labels}_labels", f"{labels}_label_names"),
        _Layout(
            "cifar-100-binary",
            ("train.bin",),
            "test.bin",
            f"{labels}_label_names.txt",
            is_binary=True,
            label_byte=("coarse", "fine").index(labels),
            label_bytes=2,
        ),
    )


def read_cifar10(folder: Path) -> Unassembled:
    """CIFAR-10 in `folder` or right below it."""
    if found := _find(folder, _CIFAR10):
        return _read(*found)
    if _find(folder, _cifar100("fine")):
        raise UserError(f"{folder} holds CIFAR-100; load it as cifar100:{folder}")
    raise _not_found(folder, "CIFAR-10", "data_batch_1", "data_batch_1.bin", "cifar-10-python.tar.gz")


def read_cifar100(folder: Path, label: str | None) -> Unassembled:
    """CIFAR-100 in `folder` or right below it, with its 100 fine labels, or its 20 coarse ones."""
    if label not in (None, "fine", "coarse"):
        raise UserError(f"got label={label!r} for CIFAR-100, expected 'fine' (100 classes) or 'coarse' (20)")
    if found := _find(folder, _cifar100("coarse" if label == "coarse" else "fine")):
        return _read(*found)
    if _find(folder, _CIFAR10):
        raise UserError(f"{folder} holds CIFAR-10; load it as cifar10:{folder}")
    raise _not_found(folder, "CIFAR-100", "train", "train.bin", "cifar-100-python.tar.gz")


def _not_found(folder: Path, title: str, python: str, binary: str, archive: str) -> UserError:
    has = listing(folder) if folder.is_dir() else "no such folder"
    return UserError(
        f"no {python} (python version) and no {binary} (binary version) of {title} in {folder} ({has}); "
        f"unpack {archive} there, or use parquet:DIR for parquet files"
    )


def _find(folder: Path, layouts: Sequence[_Layout]) -> tuple[Path, _Layout] | None:
    """A folder called train/ is no batch, and "train" alone may be any file: the names of classes go with it."""
    for layout in layouts:
        for place in (folder, folder / layout.subfolder):
            telling = (layout.train[0], layout.names)[: 2 if layout.train[0].startswith("train") else 1]
            if all((place / name).is_file() for name in telling):
                return place, layout
    return None


def _read(folder: Path, layout: _Layout) -> Unassembled:
    if layout.is_binary:
        # Whole lines: "aquarium_fish" has no blanks, but other people's names may.
        lines = read_bytes(folder / layout.names).decode("utf-8", "replace").splitlines()
        class_names = [line.strip() for line in lines if line.strip()]
    else:
        class_names = _class_names(folder / layout.names, layout.class_names)
    read = _read_binary if layout.is_binary else _read_python
    batches = [read(folder / name, layout) for name in layout.train]
    train = Examples(
        Column.joined([batch.inputs for batch in batches], str(folder)),
        Column.joined([batch.labels for batch in batches], str(folder)),
    )
    return Unassembled((train, read(folder / layout.test, layout)), tuple(class_names), channels="first")


def _class_names(path: Path, key: str) -> list[str]:
    names = _batch(path).get(key)
    if not isinstance(names, list) or not all(isinstance(name, str | bytes) for name in names):
        raise UserError(f"{path} has no list of {key!r}; fetch the file again")
    return [name.decode("utf-8", "replace") if isinstance(name, bytes) else name for name in names]


def _read_python(path: Path, layout: _Layout) -> Examples:
    batch = _batch(path)
    pixels, labels = batch.get("data"), batch.get(layout.labels)
    if not (isinstance(pixels, np.ndarray) and pixels.shape[1:] == (_PIXELS,)):
        got = f"an array of shape {pixels.shape}" if isinstance(pixels, np.ndarray) else type(pixels).__name__
        raise UserError(f"{path} holds 'data' {got}, expected uint8 (N, {_PIXELS}); fetch the file again")
    if not isinstance(labels, list) or not all(type(label) is int and 0 <= label < 2**31 for label in labels):
        raise UserError(f"{path} has no list of {layout.labels!r}, whole numbers; fetch the file again")
    return Examples(
        Column(pixels.reshape(-1, 3, 32, 32), str(path)), Column(np.array(labels, dtype=np.int64), str(path))
    )


def _batch(path: Path) -> dict[str, Any]:
    found = read_pickle(path)
    if not isinstance(found, dict):
        raise UserError(f"{path} holds {kind_of(found)}, expected a dictionary; fetch the file again")
    return {key.decode("latin1") if isinstance(key, bytes) else key: value for key, value in found.items()}


def _read_binary(path: Path, layout: _Layout) -> Examples:
    content, row_bytes = read_bytes(path), layout.label_bytes + _PIXELS
    if len(content) % row_bytes:
        raise UserError(
            f"{path} has {len(content)} bytes, expected a multiple of {row_bytes} (labels and 32x32x3 pixels): "
            "the file is truncated; fetch it again"
        )
    rows = np.frombuffer(content, np.uint8).reshape(-1, row_bytes)
    pixels = rows[:, layout.label_bytes :].reshape(-1, 3, 32, 32)
    return Examples(Column(pixels, str(path)), Column(rows[:, layout.label_byte], str(path)))
