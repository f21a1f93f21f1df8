"""Files of arrays -> Reading: idx (MNIST), CIFAR-10 batches, npz, csv."""

from __future__ import annotations

import gzip
import io
import math
import pickle
import zipfile
import zlib
from collections.abc import Callable
from difflib import get_close_matches
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import UInt8

from byrote.data.assembly import Column, Examples, Reading
from byrote.errors import UserError

_CIFAR_ROW = 1 + 3 * 32 * 32
# What stands for a missing number in a csv file.
_MISSING = ("", "?", "NA", "N/A", "NaN", "nan", "None", "null")


def read_bytes(path: Path) -> bytes:
    """The content of a file; UserError where it cannot be had."""
    try:
        return path.read_bytes()
    except OSError as error:
        remedy = f"{path.parent} has {_listing(path.parent)}" if path.parent.is_dir() else "check the path"
        raise UserError(f"cannot read {path} ({error.strerror}); {remedy}") from error


def _listing(folder: Path) -> str:
    names = sorted(path.name for path in folder.iterdir())
    return ", ".join(names[:8] + ["…"] * (len(names) > 8)) or "no files"


# ---------------------------------------------------------------------------------------------------------------- idx


def read_idx_folder(folder: Path, class_names: tuple[str, ...]) -> Reading:
    """The four files of MNIST and its kin (http://yann.lecun.com/exdb/mnist), gzipped or not."""

    def examples(part: str) -> Examples:
        columns = []
        for kind, num_axes in (("images", 3), ("labels", 1)):
            stem = f"{part}-{kind}"
            names = [f"{stem}{dot}idx{num_axes}-ubyte{end}" for dot in "-." for end in ("", ".gz")]
            path = next((folder / name for name in names if (folder / name).is_file()), folder / names[1])
            columns.append(Column(read_idx(path, num_axes), str(path)))
        return Examples(*columns)

    return Reading((examples("train"), examples("t10k")), class_names)


def read_idx(path: Path, num_axes: int) -> UInt8[np.ndarray, "*shape"]:
    """One idx file of bytes. Its magic number is 00 00 08 (unsigned bytes) and the number of axes."""
    content = read_bytes(path)
    if content.startswith(b"\x1f\x8b"):
        try:
            content = gzip.decompress(content)
        except (EOFError, OSError, zlib.error) as error:
            raise UserError(f"{path} is damaged or truncated ({error}); fetch the file again") from error
    magic = bytes((0, 0, 8, num_axes))
    if content[:4] != magic:
        raise UserError(
            f"{path} starts with {content[:4].hex(' ') or 'nothing'}, expected the magic number {magic.hex(' ')} "
            f"of an idx file of unsigned bytes with {num_axes} axes; fetch the file again"
        )
    header = 4 + 4 * num_axes
    shape = tuple(int.from_bytes(content[at : at + 4], "big") for at in range(4, header, 4))
    if len(content) - header != math.prod(shape):
        raise UserError(
            f"{path} holds {len(content) - header} bytes of data, expected {math.prod(shape)} for shape {shape}: "
            "the file is truncated or damaged; fetch it again"
        )
    return np.frombuffer(content, np.uint8, offset=header).reshape(shape)


# --------------------------------------------------------------------------------------------------- CIFAR-10 batches


def read_cifar10(folder: Path) -> Reading:
    """The python or the binary version (https://www.cs.toronto.edu/~kriz/cifar.html), in `folder` or right below."""
    layouts = (("data_batch_1", _read_python_cifar), ("data_batch_1.bin", _read_binary_cifar))
    for place in (folder, folder / "cifar-10-batches-py", folder / "cifar-10-batches-bin"):
        for first_file, read in layouts:
            if (place / first_file).is_file():
                return read(place)
    has = _listing(folder) if folder.is_dir() else "no such folder"
    raise UserError(
        f"no data_batch_1 (python version) and no data_batch_1.bin (binary version) of CIFAR-10 in {folder} ({has}); "
        "unpack cifar-10-python.tar.gz there, or use parquet:DIR for parquet files"
    )


def _read_cifar(folder: Path, read: Callable[[Path], Examples], end: str, class_names: tuple[str, ...]) -> Reading:
    batches = [read(folder / f"data_batch_{number}{end}") for number in range(1, 6)]
    train = Examples(
        Column.joined([batch.inputs for batch in batches], str(folder)),
        Column.joined([batch.labels for batch in batches], str(folder)),
    )
    return Reading((train, read(folder / f"test_batch{end}")), class_names, channels="first")


def _read_python_cifar(folder: Path) -> Reading:
    def read(path: Path) -> Examples:
        batch = _unpickle(path)
        pixels, labels = batch.get("data"), batch.get("labels")
        if not (isinstance(pixels, np.ndarray) and pixels.dtype == np.uint8 and pixels.shape[1:] == (3072,)):
            got = f"{pixels.dtype} {pixels.shape}" if isinstance(pixels, np.ndarray) else type(pixels).__name__
            raise UserError(f"{path} holds 'data' {got}, expected uint8 (N, 3072); fetch the file again")
        if not isinstance(labels, list):
            raise UserError(f"{path} has no list of 'labels'; fetch the file again")
        return Examples(
            Column(pixels.reshape(-1, 3, 32, 32), str(path)), Column(np.array(labels, dtype=object), str(path))
        )

    names = _unpickle(folder / "batches.meta").get("label_names")
    if not isinstance(names, list):
        raise UserError(f"{folder / 'batches.meta'} has no list of 'label_names'; fetch the file again")
    return _read_cifar(folder, read, "", tuple(map(str, names)))


def _read_binary_cifar(folder: Path) -> Reading:
    def read(path: Path) -> Examples:
        content = read_bytes(path)
        if len(content) % _CIFAR_ROW:
            raise UserError(
                f"{path} has {len(content)} bytes, expected a multiple of {_CIFAR_ROW} (a label and 32x32x3 pixels): "
                "the file is truncated; fetch it again"
            )
        rows = np.frombuffer(content, np.uint8).reshape(-1, _CIFAR_ROW)
        return Examples(Column(rows[:, 1:].reshape(-1, 3, 32, 32), str(path)), Column(rows[:, 0], str(path)))

    names = read_bytes(folder / "batches.meta.txt").decode("utf-8", "replace").split()
    return _read_cifar(folder, read, ".bin", tuple(names))


class _ArrayUnpickler(pickle.Unpickler):
    """Admits arrays and built-in containers; any other global in the file, hence any code, is refused."""

    _admitted: dict[tuple[str, str], Any] = {  # noqa: RUF012
        # Their modules were renamed in NumPy 2; protocol 5 pickles use the second.
        ("numpy.core.multiarray", "_reconstruct"): np.empty(0).__reduce__()[0],
        ("numpy._core.multiarray", "_reconstruct"): np.empty(0).__reduce__()[0],
        ("numpy.core.numeric", "_frombuffer"): np.empty(0).__reduce_ex__(5)[0],
        ("numpy._core.numeric", "_frombuffer"): np.empty(0).__reduce_ex__(5)[0],
        ("numpy", "ndarray"): np.ndarray,
        ("numpy", "dtype"): np.dtype,
        # How Python 3 writes bytes into pickles that Python 2 can read.
        ("__builtin__", "bytes"): bytes,
        ("_codecs", "encode"): lambda text, encoding: text.encode("latin1"),  # noqa: ARG005
    }

    def find_class(self, module: str, name: str) -> Any:
        if (module, name) not in self._admitted:
            raise pickle.UnpicklingError(f"it asks for {module}.{name}, and only arrays are admitted")
        return self._admitted[module, name]


def _unpickle(path: Path) -> dict[str, Any]:
    content = read_bytes(path)
    try:
        # latin1 keeps the bytes of arrays that Python 2 wrote.
        found = _ArrayUnpickler(io.BytesIO(content), encoding="latin1").load()
    except Exception as error:  # a damaged pickle can raise nearly anything
        raise UserError(f"{path} cannot be read as a CIFAR-10 batch: {error}; fetch the file again") from error
    if not isinstance(found, dict):
        raise UserError(f"{path} holds a {type(found).__name__}, expected a dictionary; fetch the file again")
    return {key.decode("latin1") if isinstance(key, bytes) else key: value for key, value in found.items()}


# --------------------------------------------------------------------------------------------------------- npz and csv


def read_npz(path: Path) -> Reading:
    """x_train, y_train, x_test, y_test; or x, y, which are split."""
    content = io.BytesIO(read_bytes(path))
    try:
        file = np.load(content, allow_pickle=False)
        if isinstance(file, np.ndarray):
            raise UserError(f"{path} is a single array, expected an .npz file with x_train and y_train, or x and y")
        names = ("x_train", "y_train", "x_test", "y_test") if "x_train" in file else ("x", "y")
        missing = [name for name in names if name not in file]
        if missing:
            raise UserError(
                f"{path} has arrays {', '.join(file.files) or 'none'} and lacks {', '.join(missing)}, expected "
                "x_train, y_train, x_test, y_test, or x, y; save it with numpy.savez(FILE, x=..., y=...)"
            )
        columns = [Column(file[name], f"{path}: {name}") for name in names]
    except UserError:
        raise
    except (OSError, ValueError, EOFError, zipfile.BadZipFile, zlib.error) as error:
        raise UserError(f"{path} cannot be read as an .npz file of plain arrays: {error}; save it again") from error
    return Reading(tuple(Examples(*pair) for pair in zip(columns[::2], columns[1::2], strict=True)))


def read_csv(path: Path, label: str | None) -> Reading:
    """A column of labels; all others are features, except `split` where it holds only "train" and "test"."""
    import pandas as pd

    try:
        columns = list(pd.read_csv(path, nrows=0).columns)
        if label is None:
            raise UserError(f"{path} needs the name of its label column: --label NAME, one of {', '.join(columns)}")
        if label not in columns:
            near = get_close_matches(label, columns, 1)
            raise UserError(
                f"{path} has no column {label!r}{f', did you mean {near[0]!r}?' if near else ''} "
                f"Its columns are {', '.join(columns)}"
            )
        # Labels are text, whatever it says: a class may be called "NA".
        table = pd.read_csv(
            path,
            dtype={label: str},
            keep_default_na=False,
            na_values={column: _MISSING for column in columns if column != label},
            index_col=False,
            skipinitialspace=True,
            low_memory=False,
        )
    except UserError:
        raise
    except (ValueError, OSError) as error:
        raise UserError(
            f"{path} cannot be read as csv: {str(error).strip()}; expected comma-separated UTF-8 text with a header"
        ) from error
    labels = table.pop(label).str.strip()
    numbers = pd.to_numeric(labels, errors="coerce")
    if numbers.notna().all():
        labels = numbers
    is_test = np.zeros(len(table), dtype=bool)
    if "split" in table and set(table["split"]) <= {"train", "test"}:
        is_test = (table.pop("split") == "test").to_numpy()
    for column in table.columns:
        if len(table) and table[column].dtype.kind not in "biuf":
            row = int(pd.to_numeric(table[column], errors="coerce").isna().to_numpy().argmax())
            raise UserError(
                f"{path}, row {row} (counting from 0), column {column!r}: got {table[column].iloc[row]!r}, expected a "
                "number; drop the column or encode it"
            )
    with np.errstate(over="ignore"):
        features = table.to_numpy(np.float32)
    everything = Examples(Column(features, str(path)), Column(labels.to_numpy(), str(path)))
    if not is_test.any():
        return Reading((everything,))
    return Reading(tuple(everything.take(np.flatnonzero(chosen)) for chosen in (~is_test, is_test)))
