"""Data sets of PyTorch, Hugging Face, scikit-learn -> arrays: known by what they can do, not by type."""

from __future__ import annotations

import numbers
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from difflib import get_close_matches
from typing import Any

import numpy as np

from byrote.data.arrays import as_array, image_array, is_lazy_list, is_pillow
from byrote.data.columns import Column
from byrote.data.labels import has_no_label
from byrote.data.memory import refuse_too_large
from byrote.data.roles import HELD_OUT, INPUT_WORDS, LABEL_WORDS, SPLITS, role_of
from byrote.errors import UserError, kind_of
from byrote.references import users_code

_READ_TWICE = 16
"""Rows that are read twice: a flip at random leaves so many unchanged once in 65,000 times."""


@dataclass(frozen=True, eq=False)
class ExampleSet:
    """The examples of one split."""

    inputs: Any
    labels: Any
    class_names: tuple[str, ...] | None = None
    is_tokens: bool = False
    channels_last: bool = False
    notes: tuple[str, ...] = ()


def is_example_set(value: Any) -> bool:
    """Whether it has inputs and labels both: a data set, a loader, a mapping, a pair of arrays, or of a dict of inputs
    and its labels."""
    if _is_pair(value) or isinstance(value, Mapping) or _is_loader(value):
        return True
    is_array = hasattr(value, "__array__") or hasattr(value, "dtype") or isinstance(value, list | tuple | str | bytes)
    return not (is_array or is_lazy_list(value)) and (hasattr(value, "__getitem__") or is_stream(value))


def example_sets(given: Any, test: Any, label: str | None, names: tuple[str, str]) -> list[ExampleSet]:
    """The training split and, where there is one, the split to test on.

    Args:
        given: a data set, loader or pair; or a mapping of several splits to them.
        test: another, or None.
        label: which of its columns holds the labels, where that is not called "label" or the like.

    Raises:
        UserError: with what came, and what to give in its place.
    """
    if test is not None:
        return [_read(value, label, name) for value, name in zip((given, test), names, strict=True)]
    if not isinstance(given, Mapping) or "target" in given:
        return [_read(given, label, names[0])]
    return _splits(given, label, names[0])


def labelled_table(table: Any, label: str, name: str) -> ExampleSet:
    """A table of pandas that has its labels in the column `label`."""
    columns = [str(column) for column in getattr(table, "columns", ())]
    if label not in columns:
        near = get_close_matches(label, columns, 1)
        raise UserError(
            f"{name} has no column {label!r}{f', did you mean {near[0]!r}?' if near else ';'} its columns are "
            f"{', '.join(columns)}"
        )
    if columns.count(label) > 1:
        raise UserError(f"{name} has the column {label!r} {columns.count(label)} times: give each a name of its own")
    position = columns.index(label)
    return ExampleSet(table.drop(columns=[table.columns[position]]), table.iloc[:, position])


def _splits(given: Mapping[Any, Any], label: str | None, name: str) -> list[ExampleSet]:
    by_split: dict[str, Any] = {SPLITS[key.lower()]: key for key in map(str, given) if key.lower() in SPLITS}
    if not by_split:
        return _splits_of_arrays(given, name)
    if "train" not in by_split:
        raise UserError(f"{name} has the splits {', '.join(map(str, given))}, expected one called train")
    found = [_read(given[by_split["train"]], label, f"{name}[{by_split['train']!r}]")]
    held_out = [split for split in HELD_OUT if split in by_split]
    return _with_held_out(
        found, name, held_out, lambda split: _read(given[by_split[split]], label, f"{name}[{by_split[split]!r}]")
    )


def _splits_of_arrays(given: Mapping[Any, Any], name: str) -> list[ExampleSet]:
    """{"x_train": ..., "y_train": ..., ...}, or {"data": ..., "label": ...}."""
    by_role = {role: key for key in given if (role := role_of(str(key)))}
    train = "train" if ("train", "inputs") in by_role else ""
    if (train, "inputs") not in by_role or (train, "labels") not in by_role:
        raise UserError(
            f"{name} is {kind_of(given)} of {', '.join(map(str, list(given)[:10])) or 'nothing'}, expected "
            "x_train, y_train, x_test, y_test, or splits called train and test; give arrays, or a data set"
        )
    pairs = {
        split: ExampleSet(given[by_role[split, "inputs"]], given[by_role[split, "labels"]])
        for split in (train, *HELD_OUT)
        if (split, "inputs") in by_role and (split, "labels") in by_role
    }
    return _with_held_out([pairs[train]], name, [split for split in HELD_OUT if split in pairs], pairs.__getitem__)


def _with_held_out(
    found: list[ExampleSet], name: str, held_out: Sequence[str], read: Callable[[str], ExampleSet]
) -> list[ExampleSet]:
    """The first of them that has labels; what is passed over is said."""
    notes = []
    for number, split in enumerate(held_out):
        examples = read(split)
        labels = as_array(examples.labels, f"{name}, labels of the {split} split")
        if len(labels) and has_no_label(Column(labels, name)):
            notes.append(f"{name}: all labels of the {split} split are missing, so that it is passed over")
            continue
        notes += [f"{name}: the {other} split is not used" for other in held_out[number + 1 :]]
        found = [*found, examples]
        break
    return [replace(found[0], notes=(*found[0].notes, *notes)), *found[1:]]


def _read(value: Any, label: str | None, name: str) -> ExampleSet:
    if _is_pair(value):
        return ExampleSet(*value)
    if isinstance(value, Mapping):
        return _from_bunch(value, name) if "target" in value else _splits_of_arrays(value, name)[0]
    rows: Sequence[int] | None = None
    if _is_loader(value):
        value, rows = _behind_loader(value, name)
    if not (hasattr(value, "__getitem__") and hasattr(value, "__len__")):
        raise UserError(
            f"{name} is {kind_of(value)}, which gives its examples one after the other and has no length; make "
            "arrays of them, or a Dataset with __len__ and __getitem__"
        )
    tensors = getattr(value, "tensors", None)
    if isinstance(tensors, tuple) and type(value).__name__ == "TensorDataset":
        if len(tensors) != 2:
            raise UserError(f"{name} is a TensorDataset of {len(tensors)} tensors, expected two, inputs and labels")
        return ExampleSet(*(tensor if rows is None else tensor[list(rows)] for tensor in tensors))
    return _from_items(value, range(len(value)) if rows is None else rows, label, name)


def _is_pair(value: Any) -> bool:
    if not (isinstance(value, tuple) and len(value) == 2 and _is_array(value[1])):
        return False
    if isinstance(value[0], Mapping):
        return True
    return _is_array(value[0]) and len(getattr(value[0], "shape", None) or np.shape(value[0])) > 1


def _is_array(value: Any) -> bool:
    return hasattr(value, "__array__") or hasattr(value, "detach") or isinstance(value, list)


def is_dict_of_inputs(inputs: Any, labels: Any) -> bool:
    """Whether these are several inputs by their names, beside their labels."""
    return isinstance(inputs, Mapping) and _is_array(labels) and not _is_pair(labels)


def _is_loader(value: Any) -> bool:
    return hasattr(value, "dataset") and hasattr(value, "batch_size") and hasattr(value, "collate_fn")


def is_stream(value: Any) -> bool:
    """Whether it gives one thing after the other."""
    return hasattr(value, "__iter__") or hasattr(value, "__next__")


def _behind_loader(loader: Any, name: str) -> tuple[Any, Sequence[int] | None]:
    """The data set of a loader and the rows that it takes, in their order: batches and shuffling are byrote's own."""
    remedy = f"give its data set as it is to be used: {name}.dataset, or arrays"
    if not str(getattr(loader.collate_fn, "__module__", "")).startswith("torch.utils.data"):
        raise UserError(f"{name} is {kind_of(loader)} with a collate_fn of its own; {remedy}")
    sampler: Any = getattr(loader, "sampler", None)
    batches = getattr(loader, "batch_sampler", None)
    if batches is not None and type(batches).__name__ != "BatchSampler":
        raise UserError(f"{name} is {kind_of(loader)} with batches by {type(batches).__name__}; {remedy}")
    match type(sampler).__name__:
        case "SequentialSampler":
            return loader.dataset, None
        case "RandomSampler" if not sampler.replacement and sampler.num_samples == len(loader.dataset):
            return loader.dataset, None
        case "SubsetRandomSampler":
            return loader.dataset, sorted(int(row) for row in sampler.indices)
        case "_InfiniteConstantSampler":  # of an IterableDataset
            return loader.dataset, None
    raise UserError(f"{name} is {kind_of(loader)} that draws examples by {type(sampler).__name__}; {remedy}")


def _from_bunch(bunch: Mapping[str, Any], name: str) -> ExampleSet:
    """scikit-learn's: `data` and `target`, and what the classes are called."""
    if bunch.get("data") is None:
        raise UserError(f"{name} is {kind_of(bunch)} with target and without data; give arrays")
    target = as_array(bunch["target"], f"{name}.target")
    return ExampleSet(bunch["data"], target, _names_for(target, bunch.get("target_names")))


def _names_for(labels: np.ndarray, names: Any) -> tuple[str, ...] | None:
    """The names of classes 0..K-1, where all K of them occur."""
    if names is None or isinstance(names, str) or labels.dtype.kind not in "iu" or labels.ndim != 1:
        return None
    found = tuple(map(str, names))
    return found if set(np.unique(labels).tolist()) == set(range(len(found))) else None


def _from_items(dataset: Any, rows: Sequence[int], label: str | None, name: str) -> ExampleSet:
    if not len(rows):
        raise UserError(f"{name} has no rows, expected at least one example")
    take, about = _taker(dataset, _item(dataset, rows[0], name), label, name)
    first = _example(take, dataset, rows[0], name)
    refuse_too_large(sum(part.nbytes for part in first[0].values()) * len(rows), name)
    for row in rows[:_READ_TWICE]:
        once, again = (_example(take, dataset, row, name) for _ in range(2))
        is_same = once[0].keys() == again[0].keys() and _same(once[1], again[1])
        if not (is_same and all(_same(part, again[0][key]) for key, part in once[0].items())):
            raise UserError(
                f"{name}, row {row} (counting from 0), is another each time that it is read, as by an augmentation at "
                "random: give the data set without it, and name an augmentation in the recipe"
            )
    inputs = {key: np.empty((len(rows), *part.shape), part.dtype) for key, part in first[0].items()}
    labels = []
    for number, row in enumerate(rows):
        x, y = _example(take, dataset, row, name)
        if x.keys() != first[0].keys():
            raise UserError(
                f"{name}, row {row} (counting from 0), has the inputs {', '.join(x)}, where row {rows[0]} has "
                f"{', '.join(first[0])}; give all rows the same"
            )
        for key, part in x.items():
            known = first[0][key]
            if part.shape != known.shape or part.dtype != known.dtype:
                what = f"an input {key!r}" if key else "an input"
                raise UserError(
                    f"{name}, row {row} (counting from 0), has {what} of {part.dtype} {part.shape}, where row "
                    f"{rows[0]} has {known.dtype} {known.shape}; give all rows one shape and type"
                )
            inputs[key][number] = part
        labels.append(y.item() if y.ndim == 0 else y)
    codes = np.array(labels) if all(type(value) is int for value in labels) else None
    class_names = None if codes is None else _names_for(codes, about.class_names)
    if about.columns:
        import pandas as pd

        table = pd.DataFrame(inputs[_ALONE], columns=list(about.columns))
        return ExampleSet(table, labels, class_names, notes=about.notes)
    found = inputs[_ALONE] if about.is_one else inputs
    return ExampleSet(found, labels, class_names, about.is_tokens, about.channels_last, about.notes)


@dataclass(frozen=True)
class _About:
    """What one example tells of all."""

    class_names: Any = None
    is_tokens: bool = False
    channels_last: bool = False
    notes: tuple[str, ...] = ()
    columns: tuple[str, ...] = ()
    """Of a table of numbers, the names of its features."""
    is_one: bool = True
    """Whether an example has one input, and no dict of them."""


def _taker(dataset: Any, item: Any, label: str | None, name: str) -> tuple[Callable[[Any], tuple[Any, Any]], _About]:
    """How an example is taken from an item: a pair, or a mapping of named values."""
    if isinstance(item, Mapping):
        return _named_taker(dataset, item, label, name)
    if label is not None:
        raise UserError(f"got label={label!r}, but {name} has no names for the parts of an example: leave label out")
    if not isinstance(item, tuple | list) or len(item) != 2:
        what = f"{len(item)} values" if isinstance(item, tuple | list) else kind_of(item)
        raise UserError(f"{name} is {kind_of(dataset)} whose examples are {what} each, expected two, input and label")
    owner = dataset
    while not hasattr(owner, "classes") and hasattr(owner, "dataset"):  # a Subset
        owner = owner.dataset
    is_one = not isinstance(item[0], Mapping)
    if not (is_one or item[0]):
        raise UserError(f"{name} is {kind_of(dataset)} whose inputs are empty dicts, expected arrays by name")
    return tuple, _About(getattr(owner, "classes", None), channels_last=is_pillow(item[0]), is_one=is_one)


def _named_taker(
    dataset: Any, item: Mapping[Any, Any], label: str | None, name: str
) -> tuple[Callable[[Any], tuple[Any, Any]], _About]:
    kinds = getattr(dataset, "features", None)
    kinds = kinds if isinstance(kinds, Mapping) else {}
    columns = [str(column) for column in item]
    if label is None:
        named = [column for column in columns if column.lower() in LABEL_WORDS]
        named = named or [column for column in columns if getattr(kinds.get(column), "names", None)]
        if len(named) != 1:
            raise UserError(
                f"{name} has the columns {', '.join(columns)}, and {' or '.join(named) or 'none of them'} may be the "
                "label; say which: byrote.from_arrays(..., label=...)"
            )
        label = named[0]
    elif label not in columns:
        raise UserError(f"{name} has no column {label!r}; its columns are {', '.join(columns)}")
    others = [column for column in columns if column != label]
    arrays = [column for column in others if is_pillow(item[column]) or np.ndim(_plain(item[column], name)) > 0]
    for preferred in (("input_ids",), INPUT_WORDS):
        if len(arrays) > 1 and len(chosen := [column for column in arrays if column.lower() in preferred]) == 1:
            arrays = chosen
    class_names = getattr(kinds.get(label), "names", None)
    unused = [column for column in others if column not in arrays]
    notes = (f"{name}: columns {', '.join(unused)} are not used",) if unused else ()
    if len(arrays) > 1:
        about = _About(class_names, notes=notes, is_one=False)
        return lambda found: ({column: found[column] for column in arrays}, found[label]), about
    if arrays:
        about = _About(class_names, arrays[0] == "input_ids", is_pillow(item[arrays[0]]), notes)
        return lambda found: (found[arrays[0]], found[label]), about
    for column in others:
        if not isinstance(item[column], numbers.Real | np.generic | None) and not hasattr(item[column], "detach"):
            what = "text" if isinstance(item[column], str | bytes) else f"values of type {type(item[column]).__name__}"
            raise UserError(
                f"{name}, column {column!r}, holds {what}, expected numbers or images; encode it or drop it"
            )
    if not others:
        raise UserError(f"{name} has the column {label!r} alone, expected inputs as well")
    about = _About(class_names, columns=tuple(others))
    return lambda found: (np.array([found[column] for column in others], np.float64), found[label]), about


_ALONE = ""
"""What an input is called that has no name."""


def _example(
    take: Callable[[Any], tuple[Any, Any]], dataset: Any, row: int, name: str
) -> tuple[dict[str, np.ndarray], np.ndarray]:
    """Its inputs by their names, and its label."""
    x, y = take(_item(dataset, row, name))
    place = f"{name}, row {row} (counting from 0)"
    if isinstance(x, tuple | list) and _are_several(x):
        raise UserError(
            f"{place}: got {kind_of(x)} of {len(x)} arrays as the input, expected one array; give several "
            'inputs as a dict by name, as {"image": ..., "meta": ...}'
        )
    if not isinstance(x, Mapping):
        return {_ALONE: _plain(x, place)}, _plain(y, name)
    for key, part in x.items():
        if isinstance(part, Mapping | str | bytes | None):
            raise UserError(
                f"{place}, input {key!r}: got {kind_of(part)}, expected an array of numbers; encode it, or leave it out"
            )
    return {str(key): _plain(part, f"{place}, input {key!r}") for key, part in x.items()}, _plain(y, name)


def _are_several(values: Sequence[Any]) -> bool:
    """Whether these are inputs side by side: arrays in a tuple, or of different shapes."""
    shapes = [tuple(value.shape) for value in values if hasattr(value, "shape")]
    return any(shapes) and (isinstance(values, tuple) or len(set(shapes)) > 1 or len(shapes) < len(values))


def _item(dataset: Any, row: int, name: str) -> Any:
    with users_code("", f"{name}, row {row} (counting from 0): {type(dataset).__name__}.__getitem__"):
        return dataset[row]


def _plain(value: Any, name: str) -> np.ndarray:
    """One input or one label as an array, of no axes where it is a number."""
    if is_pillow(value):
        return image_array(value, name)
    if value is None or (np.ndim(value) == 0 and not hasattr(value, "detach")):
        return np.asarray(value, dtype=object if value is None or isinstance(value, str | bytes) else None)
    if hasattr(value, "detach") and value.ndim == 0:
        return np.asarray(value.detach().cpu().item())
    return as_array(value, name)


def _same(a: np.ndarray, b: np.ndarray) -> bool:
    return a.shape == b.shape and np.array_equal(a, b, equal_nan=a.dtype.kind in "fc" and b.dtype.kind in "fc")
