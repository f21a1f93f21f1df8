"""A value for other processes of this machine: written once, and mapped into the memory of each, not copied into it."""

from __future__ import annotations

import io
import mmap
import pickle
from collections.abc import Callable
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np

from byrote.errors import UserError
from byrote.files import remedy

_ALIGNMENT = 64


class SharedValue:
    """Stands for `value`; what arrives elsewhere is an equal one, whose arrays lie in a file of the folder.

    Its file is written when it is first sent, and goes with this object: who has it mapped keeps it.
    """

    def __init__(self, value: Any, open_folder: Callable[[], Path]) -> None:
        self.value = value
        self._open_folder = open_folder
        self._file: Path | None = None

    def __reduce__(self) -> tuple[Any, ...]:
        if self._file is None:
            file = self._open_folder() / f"{id(self)}.shared"
            try:
                _write(self.value, file)
            except OSError as error:
                file.unlink(missing_ok=True)
                raise UserError(
                    f"cannot share the data with worker processes in {file.parent}: {remedy(error)}; or set TMPDIR to "
                    "a folder elsewhere, or take one process (--processes 1)"
                ) from error
            self._file = file
        return _mapped, (str(self._file),)

    def __del__(self) -> None:
        if self._file is not None:
            self._file.unlink(missing_ok=True)


def _write(value: Any, file: Path) -> None:
    """The buffers of all arrays, each at a multiple of the alignment, then the rest with their places, and its size."""
    buffers: list[pickle.PickleBuffer] = []
    rest = io.BytesIO()
    _Pickler(rest, protocol=5, buffer_callback=buffers.append).dump(value)
    places = []
    with file.open("wb") as stream:
        for buffer in buffers:
            stream.write(bytes(-stream.tell() % _ALIGNMENT))
            raw = buffer.raw()
            places.append((stream.tell(), raw.nbytes))
            stream.write(raw)
        end = stream.tell()
        pickle.dump((places, rest.getvalue()), stream)
        stream.write(end.to_bytes(8, "little"))


@lru_cache(maxsize=2)
def _mapped(file: str) -> Any:
    """Arrays are mapped copy-on-write: whoever writes into one has that page alone."""
    with Path(file).open("rb") as stream:
        # Not np.memmap, which says of an array that it is better left on disk.
        content = memoryview(mmap.mmap(stream.fileno(), 0, access=mmap.ACCESS_COPY))
    end = int.from_bytes(content[-8:], "little")
    places, rest = pickle.loads(content[end:-8])  # noqa: S301 (from our own process)
    return pickle.loads(rest, buffers=[content[start : start + size] for start, size in places])  # noqa: S301


class _Pickler(pickle.Pickler):
    def reducer_override(self, value: Any) -> Any:
        """Arrays keep the order of their axes in memory; what is mapped from a file already, as images of a cache are,
        is mapped from there."""
        if not isinstance(value, np.ndarray):
            return NotImplemented
        if (place := _place_in_file(value)) is not None:
            return place
        outermost_first = np.argsort(value.strides, kind="stable")[::-1]
        ordered = value.transpose(outermost_first)
        if ordered.flags.c_contiguous and not (value.flags.c_contiguous or value.flags.f_contiguous):
            return np.transpose, (ordered, np.argsort(outermost_first))
        return NotImplemented


def _place_in_file(array: np.ndarray) -> tuple[Any, ...] | None:
    root = array
    while isinstance(root.base, np.ndarray):
        root = root.base
    if not (isinstance(root, np.memmap) and isinstance(root.base, mmap.mmap) and root.filename):
        return None
    first, start = (each.__array_interface__["data"][0] for each in (array, root))
    mode = "r" if root.mode == "r" else "c"
    place = root.offset + first - start
    return _array_in_file, (str(root.filename), mode, place, array.dtype, array.shape, array.strides)


def _array_in_file(
    file: str, mode: Any, place: int, dtype: np.dtype, shape: tuple[int, ...], strides: tuple[int, ...]
) -> np.ndarray:
    return np.ndarray(shape, dtype, np.memmap(file, np.uint8, mode), place, strides)
