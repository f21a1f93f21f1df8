"""Which parquet files below a folder are the training split, and which one may test on, as the Hugging Face hub lays
them out: CONFIGURATION/SPLIT-00000-of-00002.parquet, CONFIGURATION/SPLIT/0000.parquet, or data/SPLIT-….parquet."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable
from dataclasses import dataclass
from itertools import chain
from pathlib import Path

from byrote.data.split_names import HELD_OUT, TRAIN, listed, split_of
from byrote.errors import UserError

_END = ".parquet"


@dataclass(frozen=True)
class Layout:
    """Which files of a folder belong to which split."""

    train: list[Path]
    held_out: dict[str, list[Path]]
    """Split -> its files; first the one to prefer."""
    unused: list[Path]
    """Files of no split, beside those of splits."""
    notes: tuple[str, ...]


def find_files(folder: Path) -> Layout:
    """The parquet files of each split; files without any split's name are training examples.

    Raises:
        UserError: there is none, no training split, or there are several configurations.
    """
    if folder.is_file():
        return Layout([folder], {}, [], ())
    paths = _parquet_files(folder)
    of_split: dict[str | None, list[Path]] = {}
    for path in paths:
        of_split.setdefault(_split(path, folder), []).append(path)
    unnamed = of_split.pop(None, [])
    named = [path for path in paths if path not in set(unnamed)]
    _refuse_several(folder, named or unnamed)
    if not named and unnamed:
        return Layout(unnamed, {}, [], ())
    if TRAIN[0] not in of_split:
        raise UserError(
            f"no train-*.parquet in {folder} ({len(paths)} other parquet files there); "
            "expected train-*.parquet and test-*.parquet"
        )
    train = of_split.pop(TRAIN[0])
    stems = dict.fromkeys(re.sub(r"[-_.]?\d.*$", "", path.stem) for path in train)
    together = f"{listed(stems)} in {folder} are read together, as the training split"
    held_out = {split: of_split[split] for split in HELD_OUT if split in of_split}
    notes = (together,) * (len(stems) > 1)
    return Layout(train, held_out, unnamed, (*notes, *_missing_shards(chain(train, *held_out.values()))))


def _missing_shards(paths: Iterable[Path]) -> list[str]:
    """What to say of files that are numbered 00000-of-00002 where not all of that number are there."""
    found: dict[tuple[Path, str, int], int] = {}
    for path in paths:
        if numbered := re.fullmatch(r"(.+)-\d+-of-(\d+)", path.stem):
            key = path.parent, numbered[1], int(numbered[2])
            found[key] = found.get(key, 0) + 1
    return [
        f"{there} of {count} files {folder / stem}-….parquet are there: the examples of the others are missing"
        for (folder, stem, count), there in found.items()
        if there < count
    ]


def _parquet_files(folder: Path) -> list[Path]:
    """Below `folder`, hidden folders aside; links are followed, each folder once."""
    found, seen = [], set()
    for place, folders, files in os.walk(folder, followlinks=True):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        real = os.path.realpath(place)
        if real in seen:
            folders.clear()
            continue
        seen.add(real)
        found += [Path(place, name) for name in files if name.lower().endswith(_END) and not name.startswith(".")]
    return sorted(found)


def _split(path: Path, folder: Path) -> str | None:
    """By the name of the file, else of the folder nearest to it."""
    below = path.relative_to(folder)
    return next(filter(None, map(split_of, (below.name[: -len(_END)], *reversed(below.parts[:-1])))), None)


def _refuse_several(folder: Path, paths: list[Path]) -> None:
    of_configuration: dict[str, Path] = {}
    for path in paths:
        below = path.relative_to(folder).parts[:-1]
        mine = [at for at, part in enumerate(below) if split_of(part) is None and part != "data"]
        name = "/".join(below[at] for at in mine)
        of_configuration.setdefault(name, folder.joinpath(*below[: mine[-1] + 1 if mine else 0]))
    if len(of_configuration) > 1:
        names = [name or "the files right in it" for name in of_configuration]
        raise UserError(
            f"{folder} holds several configurations or data sets, {listed(names)}, which may hold the same examples; "
            f"name the folder of one, such as parquet:{of_configuration[max(of_configuration)]}, or move what belongs "
            "together into one folder"
        )
