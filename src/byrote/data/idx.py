"""The idx files of MNIST and its kin -> Unassembled (http://yann.lecun.com/exdb/mnist)."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
from jaxtyping import UInt8

from byrote.data.assembly import Examples, Unassembled
from byrote.data.columns import Column
from byrote.data.files import listing, read_inflated
from byrote.data.memory import refuse_too_large
from byrote.errors import UserError


def read_idx_folder(folder: Path, class_names: tuple[str, ...], torchvision_name: str) -> Unassembled:
    """The four files, gzipped or not, in `folder`, or as torchvision lays them out below its root."""
    place = _place(folder, torchvision_name)

    def column(part: str, kind: str, num_axes: int) -> Column:
        path = _find(place, part, kind, num_axes) or place / f"{part}-{kind}-idx{num_axes}-ubyte.gz"
        return Column(read_idx(path, num_axes), str(path))

    def examples(part: str) -> Examples:
        return Examples(column(part, "images", 3), column(part, "labels", 1))

    return Unassembled((examples("train"), examples("t10k")), class_names)


def _place(folder: Path, torchvision_name: str) -> Path:
    places = (folder, folder / "raw", folder / torchvision_name / "raw", folder / torchvision_name)
    for place in places:
        if _find(place, "train", "images", 3):
            return place
    if not folder.is_dir():
        raise UserError(f"no folder {folder}; expected one with train-images-idx3-ubyte.gz and its three companions")
    if any(_find(place, part, kind, axes) for place in places for part, kind, axes in _FOUR):
        return folder  # some of the four are missing: reading says which
    others = [path.parent.name for path in sorted(folder.glob("*/raw")) if _find(path, "train", "images", 3)]
    raise UserError(
        f"no train-images-idx3-ubyte(.gz) in {folder} ({listing(folder)}), nor in raw/ or {torchvision_name}/raw/ "
        f"below it; {f'{others[0]} there is another data set' if others else 'fetch the four files into it'}"
    )


_FOUR = tuple((part, kind, axes) for part in ("train", "t10k") for kind, axes in (("images", 3), ("labels", 1)))


def _find(folder: Path, part: str, kind: str, num_axes: int) -> Path | None:
    names = [f"{part}-{kind}{dot}idx{num_axes}-ubyte{end}" for dot in "-." for end in ("", ".gz")]
    return next((folder / name for name in names if (folder / name).is_file()), None)


def read_idx(path: Path, num_axes: int) -> UInt8[np.ndarray, "*shape"]:
    """One idx file of bytes. Its magic number is 00 00 08 (unsigned bytes) and the number of axes."""
    magic, header = bytes((0, 0, 8, num_axes)), 4 + 4 * num_axes
    start = read_inflated(path, most_bytes=header)
    if start[:4] != magic:
        raise UserError(
            f"{path} starts with {start[:4].hex(' ') or 'nothing'}, expected the magic number {magic.hex(' ')} "
            f"of an idx file of unsigned bytes with {num_axes} axes; fetch the file again"
        )
    shape = tuple(int.from_bytes(start[at : at + 4], "big") for at in range(4, header, 4))
    size = math.prod(shape)
    refuse_too_large(size, f"{path}, of shape {shape},")
    content = read_inflated(path, most_bytes=header + size)
    if len(content) - header != size:
        at_least = "at least " if len(content) - header > size else ""
        raise UserError(
            f"{path} holds {at_least}{len(content) - header} bytes of data, expected {size} for shape {shape}: "
            "the file is truncated or damaged; fetch it again"
        )
    return np.frombuffer(content, np.uint8, offset=header).reshape(shape)
