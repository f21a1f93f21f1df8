"""A name, a path or the user's arrays -> Dataset."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from byrote.data.arrays import columns_of, label_column, refuse_other_order
from byrote.data.assembly import (
    Channels,
    Examples,
    NothingLeft,
    Unassembled,
    assemble,
    could_be_tokens,
    refuse_unknown_kind,
)
from byrote.data.cifar import read_cifar10, read_cifar100
from byrote.data.columns import Column
from byrote.data.csv_table import read_csv
from byrote.data.dataset import Dataset
from byrote.data.download import DOWNLOADS, find_or_fetch
from byrote.data.example_sets import (
    ExampleSet,
    example_sets,
    is_dict_of_inputs,
    is_example_set,
    is_stream,
    labelled_table,
)
from byrote.data.idx import read_idx_folder
from byrote.data.npz import read_npz
from byrote.data.several_inputs import packed_inputs
from byrote.errors import UserError, kind_of, suggestion, warn
from byrote.files import make_folder, write_rows
from byrote.input_parts import PartKind

_DIGITS = tuple("0123456789")
_FASHION = (
    "T-shirt/top",
    "Trouser",
    "Pullover",
    "Dress",
    "Coat",
    "Sandal",
    "Shirt",
    "Sneaker",
    "Bag",
    "Ankle boot",
)


@dataclass(frozen=True)
class _Options:
    label: str | None
    image_size: int | None
    cache: Path | None
    max_pixels: int | None


@dataclass(frozen=True)
class _Source:
    pattern: str
    description: str
    read: Callable[[Path, _Options], Unassembled]
    title: str = ""
    takes: tuple[str, ...] = ()
    """Which of the options have a meaning here."""


def _read_digits(_: Path, __: _Options) -> Unassembled:
    from sklearn.datasets import load_digits

    digits = load_digits()
    examples = Examples(Column(digits.images.astype(np.uint8), "digits"), Column(digits.target, "digits"))
    return Unassembled((examples,), _DIGITS, pixel_max=16.0)


def _read_parquet(path: Path, options: _Options) -> Unassembled:
    from byrote.data.parquet import read_parquet

    return read_parquet(path, options.label, options.image_size, options.cache, options.max_pixels)


def _read_images(path: Path, options: _Options) -> Unassembled:
    from byrote.data.images import read_image_folder

    return read_image_folder(path, options.image_size, options.cache, options.max_pixels)


_SOURCES = {
    source.pattern.partition(":")[0]: source
    for source in (
        _Source("digits", "1,797 handwritten digits of 8x8 pixels, part of scikit-learn", _read_digits, "Digits"),
        _Source(
            "mnist:DIR",
            "the four idx files of MNIST, gzipped or not, in DIR or below it; without DIR from the cache",
            lambda path, _: read_idx_folder(path, _DIGITS, "MNIST"),
            "MNIST",
        ),
        _Source(
            "fashion-mnist:DIR",
            "the four idx files of Fashion-MNIST, gzipped or not, in DIR or below it; without DIR from the cache",
            lambda path, _: read_idx_folder(path, _FASHION, "FashionMNIST"),
            "Fashion-MNIST",
        ),
        _Source(
            "cifar10:DIR",
            "the python or binary batches of CIFAR-10; without DIR from the cache",
            lambda path, _: read_cifar10(path),
            "CIFAR-10",
        ),
        _Source(
            "cifar100:DIR",
            "the python or binary version of CIFAR-100, 100 classes, or 20 with --label coarse; without DIR from the "
            "cache",
            lambda path, options: read_cifar100(path, options.label),
            "CIFAR-100",
            takes=("label",),
        ),
        _Source(
            "parquet:DIR",
            "train-*.parquet and test-*.parquet with images or arrays and labels, as on the Hugging Face hub",
            _read_parquet,
            takes=("label", "image_size", "cache", "max_pixels", "kind"),
        ),
        _Source(
            "images:DIR",
            "DIR/CLASS/image, at any depth, or the same below DIR/train and DIR/test (or val)",
            _read_images,
            takes=("image_size", "cache", "max_pixels"),
        ),
        _Source(
            "npz:FILE",
            "arrays x_train, y_train, x_test, y_test (train_images, ... as well), or x, y, which are split",
            lambda path, _: read_npz(path),
            takes=("kind",),
        ),
        _Source(
            "csv:FILE",
            "numbers with a header; the label column is named by --label",
            lambda path, options: read_csv(path, options.label),
            takes=("label", "kind"),
        ),
    )
}
SOURCES: dict[str, str] = {source.pattern: source.description for source in _SOURCES.values()}
"""What `load` takes -> what that is."""


def load(
    name: str,
    *,
    label: str | None = None,
    title: str | None = None,
    image_size: int | None = None,
    cache: str | Path | None = None,
    max_pixels: int | None = None,
    rejected: str | Path | None = None,
    kind: PartKind | None = None,
) -> Dataset:
    """The data set of a source, one of SOURCES: "digits", "mnist:DIR", "csv:FILE".

    Data without a test split are split 4 to 1, stratified, always in the same way. Where there is a test split, a
    validation split is not used; where there is none, it takes its place.

    Images are turned as their EXIF tag says; transparency is laid on white; of several frames the first is taken; where
    any is in colour all are; 16 bits are scaled alike to 8, by the highest value among them. What was done to how many,
    and what was left out or not used, are warnings.

    >>> import byrote
    >>> byrote.load("digits").train.inputs.shape
    (1437, 1, 8, 8)

    Args:
        label: the column of labels (csv; parquet, if it is not called "label"); "fine" or "coarse" (CIFAR-100).
        title: what figures call the data.
        image_size: scales the shorter side of images to so many pixels and crops the other centrally.
        cache: a folder to keep the decoded images in (images, parquet): the first load writes them there once, later
            ones map the file, and no memory is taken. Images that would take more than a quarter of the memory are
            kept in the user's cache folder in any case.
        max_pixels: larger images, by what their header says, are not decoded but left out (images, parquet).
        rejected: a csv file to list the images in that are left out, undecodable ones above all; a warning counts them.
        kind: "vectors" or "tokens": what the numbers of an example are (csv, npz, parquet); by default quantities,
            whatever the column is called. Whole numbers of more than 8 bits may be meant as token ids, and a warning
            asks which (npz, parquet), until kind is given.

    Raises:
        UserError: naming the file, the row and the remedy.
    """
    reading, own_title = read_source(
        name, label=label, image_size=image_size, cache=cache, max_pixels=max_pixels, rejected=rejected, kind=kind
    )
    return assemble(reading, name=name, title=own_title if title is None else title)


def read_source(
    name: str,
    *,
    label: str | None = None,
    image_size: int | None = None,
    cache: str | Path | None = None,
    max_pixels: int | None = None,
    rejected: str | Path | None = None,
    kind: PartKind | None = None,
) -> tuple[Unassembled, str]:
    """What a source holds, before its labels are taken for classes, and what figures call it; as `load`."""
    refuse_other_types(name, label=label, image_size=image_size, max_pixels=max_pixels)
    scheme, colon, place = name.partition(":")
    source = _SOURCES.get(scheme)
    if source is None:
        known = ", ".join(SOURCES)
        near = [
            f"; did you mean '{end}:{name}'?"
            for end in ("csv", "npz", "parquet")
            if name.endswith((f".{end}", f".{end}.gz"))
        ]
        raise UserError(f"got data {name!r}, expected one of {known}{''.join(near) or suggestion(scheme, _SOURCES)}")
    for option, value in (
        ("label", label),
        ("image_size", image_size),
        ("cache", cache),
        ("max_pixels", max_pixels),
        ("kind", kind),
    ):
        if value is not None and option not in source.takes:
            shown = str(value) if isinstance(value, Path) else value
            raise UserError(f"got {option}={shown!r}, which has no meaning for {source.pattern}: leave it out")
    if image_size is not None and image_size < 1:
        raise UserError(f"got image_size={image_size}, expected a number of pixels of at least 1")
    if bool(place) != (":" in source.pattern) and not (scheme in DOWNLOADS and not colon):
        raise UserError(f"got data {name!r}, expected {source.pattern}: {source.description}")
    path = find_or_fetch(scheme) if scheme in DOWNLOADS and not place else Path(place).expanduser()
    options = _Options(label, image_size, None if cache is None else Path(cache), max_pixels)
    list_of_rejected = None if rejected is None else Path(rejected)
    if list_of_rejected is not None:
        list_of_rejected.unlink(missing_ok=True)
    try:
        reading = source.read(path, options)
    except NothingLeft as error:
        _write_rejected(error.rejected, list_of_rejected)
        raise
    if refuse_unknown_kind(kind) is not None:
        reading = replace(reading, kind=kind)
    elif "kind" in source.takes:
        _warn_of_possible_tokens(reading)
    _write_rejected(reading.rejected, list_of_rejected)
    if reading.rejected:
        reading = replace(reading, notes=(*reading.notes, _left_out(reading.rejected, list_of_rejected)))
    return reading, source.title or path.name


def refuse_other_types(name: object, *, label: object, **pixels: object) -> None:
    """Raises UserError where an argument of `load` is of another type than it says."""
    if not isinstance(name, str):
        raise UserError(
            f"got {kind_of(name)} as the name of data, expected text, one of {', '.join(SOURCES)}; arrays and "
            "data sets are for byrote.from_arrays"
        )
    if not isinstance(label, str | None):
        raise UserError(f"got label={label!r}, expected the name of the column of labels, as text")
    for option, value in pixels.items():
        if not isinstance(value, int | None) or isinstance(value, bool):
            raise UserError(f"got {option}={value!r}, expected a whole number of pixels")


def _write_rejected(found: Sequence[tuple[str, str]], path: Path | None) -> None:
    if path is None or not found:
        return
    make_folder(path.parent)
    write_rows(path, [("file", "reason"), *found])


def _left_out(found: Sequence[tuple[str, str]], path: Path | None) -> str:
    """How many images are left out, and an example of each of up to three reasons."""
    of_reason = {reason: place for place, reason in reversed(found)}
    examples = [f"{place} ({reason})" for reason, place in reversed(of_reason.items())][:3]
    which = "1 image is left out, " if len(found) == 1 else f"{len(found):,} images are left out, such as "
    return which + ", ".join(examples) + (f"; the list is {path}" if path else "")


def from_arrays(
    x_train: Any,
    y_train: Any = None,
    x_test: Any = None,
    y_test: Any = None,
    *,
    label: str | None = None,
    name: str = "arrays",
    title: str = "",
    class_names: Sequence[str] | None = None,
    pixel_max: float | None = None,
    channels: Channels | None = None,
    kind: PartKind | Mapping[str, PartKind] | None = None,
    split_seed: int = 0,
) -> Dataset:
    """The user's arrays as a data set; without a test split they are split 4 to 1.

    Takes arrays of NumPy, torch, pandas and SciPy (sparse ones are filled in), nested lists; or, in place of x_train
    and y_train, one object that has both, and in place of x_test and y_test another: a map-style Dataset or DataLoader
    of PyTorch, a Bunch of scikit-learn, a Dataset or DatasetDict of Hugging Face, a DataFrame with its label, a pair of
    arrays, a dictionary of splits. Of a loader, the examples are taken, and neither its batches nor its order.

    Several inputs an example: x_train is a dict of arrays by name, or examples of a Dataset are ({"image": ..., "age":
    ...}, label). The network gets them by name: as one dict where its forward takes one argument, by keyword where its
    arguments are called as they are. Each comes in its own shape: 8-bit pixels as float32 in [0, 1], other numbers as
    float32, whole numbers of more than 8 bits as token ids in int64, bools as bools, and nothing is normalised. `kind`
    then says of some by name what they are. See `byrote.data.several_inputs`.

    Shapes: `[N, D]` are vectors; `[N, H, W]`, `[N, C, H, W]` and `[N, H, W, C]` are images. Where both or neither of
    axes 1 and 3 have 1 or 3 entries, `channels` must say which axis holds the channels.

    Types: vectors become float32, whole numbers too, unless kind="tokens" says that they are token ids, which stay
    int64 up to the network's `forward`. Images of whole numbers 0..255 become uint8; floats stay, as float32. Arrays
    that need no conversion are not copied: do not write to them afterwards. Columns of tables are matched by name.

    Labels are whole numbers, names, bools or one-hot rows, and none may be missing.

    >>> import byrote
    >>> import numpy as np
    >>> data = byrote.from_arrays(np.zeros((60, 4)), ["cat", "dog", "bird"] * 20)
    >>> data.class_names, len(data.train), len(data.test)
    (('bird', 'cat', 'dog'), 48, 12)

    Args:
        label: which column holds the labels, of a DataFrame or a data set with named columns.
        class_names: what labels 0..K-1 are called; else the labels found, whole numbers or names, are the classes.
        pixel_max: the value of a full pixel. By default 255 for whole numbers and for floats between 0 and 255 that
            exceed 1; 1 for all other floats.
        kind: "images", "vectors" or "tokens"; by default `[N, D]` are vectors, of whatever type. Whole numbers of more
            than 8 bits may be meant as token ids, and a warning asks which, until kind is given. Of several inputs, a
            dict of these by name.
        split_seed: draws the test split where none is given.

    Raises:
        UserError: naming the array, the row and the remedy.
    """
    reading = read_arrays(
        x_train,
        y_train,
        x_test,
        y_test,
        label=label,
        class_names=class_names,
        pixel_max=pixel_max,
        channels=channels,
        kind=kind,
    )
    return assemble(reading, name=name, title=title, split_seed=split_seed)


def read_arrays(
    x_train: Any,
    y_train: Any = None,
    x_test: Any = None,
    y_test: Any = None,
    *,
    label: str | None = None,
    class_names: Sequence[str] | None = None,
    pixel_max: float | None = None,
    channels: Channels | None = None,
    kind: PartKind | Mapping[str, PartKind] | None = None,
) -> Unassembled:
    """What the user's arrays hold, before their labels are taken for classes; as `from_arrays`."""
    sets = _example_sets(x_train, y_train, x_test, y_test, label)
    first = sets[0]
    names = [("x_train", "y_train"), ("x_test", "y_test")][: len(sets)]
    if any(isinstance(found.inputs, Mapping) for found in sets):
        return _of_dicts(sets, names, class_names, kind, channels, pixel_max)
    columns, notes = columns_of([(found.inputs, found.labels) for found in sets], names)
    found_names = first.class_names if all(found.class_names == first.class_names for found in sets) else None
    reading = Unassembled(
        tuple(Examples(*pair) for pair in zip(columns[::2], columns[1::2], strict=True)),
        found_names if class_names is None else tuple(map(str, class_names)),
        pixel_max,
        channels or ("last" if first.channels_last and columns[0].values.ndim == 4 else None),
        refuse_unknown_kind(kind) or ("tokens" if first.is_tokens else None),
        notes=tuple(dict.fromkeys((*(note for found in sets for note in found.notes), *notes))),
    )
    if kind is None and not first.is_tokens:
        _warn_of_possible_tokens(reading)
    return reading


def _of_dicts(
    sets: Sequence[ExampleSet],
    names: Sequence[tuple[str, str]],
    class_names: Sequence[str] | None,
    kind: Any,
    channels: Channels | None,
    pixel_max: float | None,
) -> Unassembled:
    """Of examples that have several inputs."""
    labels = [label_column(found.labels, name) for found, (_, name) in zip(sets, names, strict=True)]
    for found, (x_name, y_name) in zip(sets, names, strict=True):
        for key, values in found.inputs.items() if isinstance(found.inputs, Mapping) else ():
            refuse_other_order(values, found.labels, f"{x_name}[{key!r}]", y_name)
    inputs, parts, notes = packed_inputs(
        [found.inputs for found in sets],
        [name for name, _ in names],
        kind=kind,
        channels=channels,
        pixel_max=pixel_max,
    )
    same = all(found.class_names == sets[0].class_names for found in sets)
    return Unassembled(
        tuple(Examples(*pair) for pair in zip(inputs, labels, strict=True)),
        (sets[0].class_names if same else None) if class_names is None else tuple(map(str, class_names)),
        notes=tuple(dict.fromkeys((*(note for found in sets for note in found.notes), *notes))),
        parts=parts,
    )


def _warn_of_possible_tokens(reading: Unassembled) -> None:
    if could_be_tokens(reading):
        inputs = reading.splits[0].inputs
        warn(
            f"{inputs.name} holds whole numbers from 0 on, which are taken for the quantities of "
            f"{inputs.values.shape[1]} features; if they are token ids, give kind='tokens' (`--kind tokens`), else "
            "kind='vectors'"
        )


def _example_sets(x_train: Any, y_train: Any, x_test: Any, y_test: Any, label: str | None) -> list[ExampleSet]:
    """The arguments as one or two splits, each with inputs and labels."""
    if label is not None and hasattr(x_train, "iloc"):
        tables = [table for table in (x_train, y_train, x_test, y_test) if table is not None]
        if len(tables) > 2 or not all(hasattr(table, "iloc") for table in tables):
            raise UserError("got label= and labels besides, expected one or two tables that have the column of labels")
        return [labelled_table(table, label, name) for table, name in zip(tables, ("x_train", "x_test"), strict=False)]
    if is_dict_of_inputs(x_train, y_train):
        if x_test is not None and not is_dict_of_inputs(x_test, y_test):
            raise UserError(
                f"got x_train, a dict of the inputs {', '.join(map(str, x_train)) or '(none)'}, and x_test, "
                f"{kind_of(x_test)}, with y_test, {kind_of(y_test)}: give the test split in the same form"
            )
        test_set = [] if x_test is None else [ExampleSet(x_test, y_test)]
        return [ExampleSet(x_train, y_train), *test_set]
    if is_example_set(x_train):
        others = [value for value in (y_train, x_test, y_test) if value is not None]
        if len(others) > 1 or not all(map(is_example_set, others)):
            is_loader = hasattr(x_train, "dataset")  # whose data set brings the labels
            if is_stream(x_train) and not hasattr(x_train, "__getitem__") and not is_loader:
                raise UserError(
                    f"x_train is {kind_of(x_train)}, which gives its examples one after the other: make an "
                    "array of them, such as numpy.stack(list(x_train))"
                )
            if isinstance(x_train, Mapping):
                raise UserError(
                    f"x_train is {kind_of(x_train)} of {', '.join(map(repr, list(x_train)[:10]))}, and y_train "
                    f"{kind_of(y_train)}: if these are several inputs, give their labels as an array; if it "
                    "holds the labels too, give it alone"
                )
            if isinstance(x_train, tuple):
                raise UserError(
                    "x_train is a tuple, which stands for a pair of inputs and labels, and labels are given besides: "
                    'give several inputs as a dict by name, as {"image": ..., "meta": ...}'
                )
            raise UserError(
                f"x_train is {kind_of(x_train)} and brings its labels, as any Dataset does: give "
                "byrote.from_arrays(train_set), or byrote.from_arrays(train_set, test_set)"
            )
        return example_sets(x_train, others[0] if others else None, label, ("x_train", "x_test"))
    if label is not None:
        raise UserError(f"got label={label!r} and arrays without columns: give the labels as y_train")
    for name, value in (("y_train", y_train), ("x_test", x_test), ("y_test", y_test)):
        if is_example_set(value):
            raise UserError(f"{name} is {kind_of(value)}, expected an array as x_train is; give arrays alone")
    for name_, value in (("x_train", x_train), ("x_test", x_test)):
        if isinstance(value, str | Path):
            raise UserError(
                f"{name_} is {kind_of(value)}, {str(value)!r}, expected an array; files are for byrote.load"
            )
        if isinstance(value, list | tuple) and len(value) and isinstance(value[0], Mapping):
            raise UserError(
                f"{name_} is a list of dicts, expected one dict of arrays by name, "
                'as {"image": ..., "meta": ...}, and the labels as another argument'
            )
    if isinstance(y_train, str):
        raise UserError(
            f"y_train is a str, {y_train!r}, expected the labels; if it is the name of their column, give "
            f"byrote.from_arrays(table, label={y_train!r})"
        )
    if x_train is None or y_train is None:
        raise UserError("got x_train or y_train alone, expected inputs and labels both")
    if (x_test is None) != (y_test is None):
        raise UserError("got one of x_test and y_test, expected both, or neither to split the training data")
    return [ExampleSet(x_train, y_train), *([] if x_test is None else [ExampleSet(x_test, y_test)])]
