"""Corrupting a data set: pure functions of the data, of what is asked for, and of a seed.

A corruption is drawn once, before preprocessing, and stays fixed for all of training. For one seed the examples that
change at a lower rate are among those that change at a higher one, and change in the same way. Test labels are never
touched; a corruption of inputs acts on both splits alike.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, nullcontext
from dataclasses import replace
from typing import Any

import numpy as np
from jaxtyping import Bool, Shaped

from byrote.data.corruptions.by_part import context_of, of_part
from byrote.data.corruptions.catalog import (
    CORRUPTIONS,
    TRUE_LABELS,
    find_corruption,
    instead_of,
    is_known,
    partial_name_of,
)
from byrote.data.corruptions.contract import AnyCorruption, CorruptionContext, InputCorruption, LabelCorruption
from byrote.data.corruptions.record import Corruption
from byrote.data.dataset import Dataset, Split, require_dataset
from byrote.errors import UserError
from byrote.isolation import undisturbed
from byrote.randomness import stream
from byrote.references import is_reference, short_name, users_code

# Images worked on at a time: bounds the memory of the sort keys (8 bytes a pixel) to a few MiB.
_BLOCK = 1024


def corrupt(data: Dataset, name: Any, *, rate: float = 1.0, strength: float | None = None, seed: int = 0) -> Dataset:
    """A new data set, with the corruption `name` drawn from `seed`.

    Of the result's splits, `true_labels` are the labels before and `changed` says which examples differ.

    >>> import byrote
    >>> noisy = byrote.corrupt(byrote.load("digits"), "partial-labels", rate=0.4, seed=0)
    >>> (noisy.train.labels != noisy.train.true_labels).mean().round(2).item()
    0.36

    Args:
        name: as `byrote list corruptions` has them, FILE.py:NAME or package.module:NAME, or a LabelCorruption or
            InputCorruption of your own, the class or an object.
        rate: of a label corruption, per label; of an input corruption, the chance that an example is corrupted.
        strength: of a corruption that has one; None is its own default.

    Raises:
        UserError: an unknown name, a rate outside [0, 1], a strength that is not its, or a corruption that the inputs
            cannot have.
    """
    require_dataset(data)
    if isinstance(name, str) and name == TRUE_LABELS:
        return data
    if isinstance(name, str) and not is_known(name):
        raise UserError(f"got corruption {name!r}, {instead_of(name)}")
    if not 0 <= rate <= 1:
        raise UserError(f"got corruption rate {rate}, expected a probability between 0 and 1")
    if isinstance(name, str) and (partial := partial_name_of(name)) and rate != 1:
        raise UserError(f"got rate {rate} for {name}, which has rate 1: use {partial} for a rate")
    return apply_corruptions(data, (Corruption(name=name, rate=rate, strength=strength),), seed)


def refuse_impossible(corruptions: Sequence[Corruption], data: Dataset) -> None:
    """Raises UserError for corruptions that are not there, that do not go together, or that inputs like those of `data`
    cannot have."""
    found: dict[str, str] = {}
    for corruption in corruptions:
        method = corruption.method
        if method.changes in found:
            raise UserError(
                f"got {found[method.changes]} and {corruption.name}: a run takes at most one {method.changes[:-1]} "
                "corruption"
            )
        found[method.changes] = corruption.name
        if method.strength is None and corruption.strength is not None:
            raise UserError(f"got strength={corruption.strength:g} for {corruption.name}, which has none")
        if data.parts and isinstance(method, InputCorruption):
            _refuse_for_parts(corruption.name, method, data)
        elif not method.goes_with(data.kind):
            known = ", ".join(
                name for name in CORRUPTIONS if is_reference(name) or name == TRUE_LABELS
                or find_corruption(name).goes_with(data.kind)
            )  # fmt: skip
            raise UserError(
                f"got {corruption.name} for {data.name}, whose inputs are token ids and have no mean or variance; "
                f"choose among {known}"
            )


def goes_with(method: AnyCorruption, data: Dataset) -> bool:
    """Whether inputs like those of `data` can have it: of several, each."""
    if data.parts and isinstance(method, InputCorruption):
        return all(of_part(method, part) for part in data.parts)
    return method.goes_with(data.kind)


def _refuse_for_parts(name: str, method: InputCorruption, data: Dataset) -> None:
    for part in data.parts:
        if of_part(method, part) is None:
            is_alone = method.of_places and part.num_places < 2
            what = "a single number, which has no other place" if is_alone else "token ids, which are names"
            raise UserError(
                f"got {name} for {data.name}, whose input {part.name} is {what}; choose another, as gaussian, or leave "
                "that input out"
            )


def apply_corruptions(data: Dataset, corruptions: tuple[Corruption, ...], seed: int) -> Dataset:
    """All of `corruptions`, in their order. Means and variances are those of the training pixels in `data`.

    Raises:
        UserError: a corruption that is not there, that these inputs cannot have, or whose code fails.
    """
    refuse_impossible(corruptions, data)
    for corruption in corruptions:
        method = corruption.method
        strength = corruption.strength or method.strength or 1.0
        is_users = is_reference(corruption.name)
        context = CorruptionContext(read_only(data) if is_users else data, seed, strength)
        with _as_its_own(corruption.name, seed) if is_users else nullcontext():
            if isinstance(method, LabelCorruption):
                data = replace(data, train=_with_labels(data.train, method, corruption, context))
            else:
                data = _with_inputs(data, method, corruption, context)
        level = f"rate={corruption.rate:g}" + ("" if method.strength is None else f", strength={strength:g}")
        data = replace(data, corruptions=(*data.corruptions, f"{corruption.name}({level}, seed={seed})"))
    return data


@contextmanager
def _as_its_own(name: str, seed: int) -> Iterator[None]:
    """Around the user's code behind `name`."""
    with users_code(name, f"the corruption {name!r}"), undisturbed(seed):
        yield


def read_only(data: Dataset) -> Dataset:
    """The same arrays for code that is not to write into them: all later runs are made on these data."""
    train, test = (
        replace(
            split,
            inputs=_view(split.inputs),
            labels=_view(split.labels),
            true_labels=_view(split.true_labels),
            changed_inputs=_view(split.changed_inputs),
        )
        for split in (data.train, data.test)
    )
    return replace(data, train=train, test=test)


def _view(array: Shaped[np.ndarray, "N ..."]) -> Shaped[np.ndarray, "N ..."]:
    # Of the array itself, the mark could not be taken back where a tensor owns the memory.
    view = array.view()
    view.flags.writeable = False
    return view


def _with_labels(split: Split, method: LabelCorruption, corruption: Corruption, context: CorruptionContext) -> Split:
    num_classes = context.data.num_classes
    labels = np.asarray(method.corrupt(split.labels.copy(), corruption.rate, context))
    if labels.shape != split.labels.shape or labels.dtype.kind not in "iu":
        raise UserError(
            f"got labels of shape {labels.shape} and type {labels.dtype} from the corruption {corruption.name}, "
            f"expected {len(split)} whole numbers"
        )
    if len(labels) and not 0 <= labels.min() <= labels.max() < num_classes:
        raise UserError(
            f"got labels from {labels.min()} to {labels.max()} from the corruption {corruption.name}, expected 0 to "
            f"{num_classes - 1}"
        )
    return replace(split, labels=labels.astype(np.int64))


def _with_inputs(data: Dataset, method: InputCorruption, corruption: Corruption, context: CorruptionContext) -> Dataset:
    chosen = {
        name: stream(context.seed, "inputs", "chosen", name).random(len(split)) < corruption.rate
        for name, split in (("train", data.train), ("test", data.test))
    }
    if data.parts:
        inputs = {"train": data.train.inputs.copy(), "test": data.test.inputs.copy()}
        for part in data.parts:
            if own := of_part(method, part):
                for name, found in _redrawn(own, corruption, context_of(context, part), chosen).items():
                    inputs[name][:, part.columns] = part.packed(found)
    else:
        inputs = _redrawn(method, corruption, context, chosen)
    train, test = (
        replace(split, inputs=inputs[name], changed_inputs=split.changed_inputs | chosen[name])
        for name, split in (("train", data.train), ("test", data.test))
    )
    return replace(data, train=train, test=test)


def _redrawn(
    method: InputCorruption,
    corruption: Corruption,
    context: CorruptionContext,
    chosen_of: Mapping[str, Bool[np.ndarray, " _"]],
) -> dict[str, Shaped[np.ndarray, "_ ..."]]:
    """The inputs of each split of the context, with the chosen examples redrawn."""
    data, seed, is_users = context.data, context.seed, is_reference(corruption.name)
    dtype = np.float32 if method.of_quantities else data.train.inputs.dtype
    redrawn: dict[str, np.ndarray] = {}
    for name, split in (("train", data.train), ("test", data.test)):
        chosen = chosen_of[name]
        inputs = split.inputs.astype(dtype, order="C")  # others would be reshaped into copies

        def redraw_block(
            start: int, name: str = name, inputs: np.ndarray = inputs, chosen: np.ndarray = chosen
        ) -> None:
            block = slice(start, start + _BLOCK)
            if chosen[block].any():
                # Of a name, not a path: the same wherever the user's file lies.
                generator = stream(seed, "inputs", short_name(corruption.name), name, start)
                given = inputs[block].copy() if is_users else inputs[block]
                _put(corruption.name, inputs[block], method.redraw(given, generator, context), chosen[block])

        starts = range(0, len(split), _BLOCK)
        if is_users:  # whose code need not be made for threads
            for start in starts:
                redraw_block(start)
        else:
            # Each block has a stream of its own, so that the order in which threads take them does not matter.
            if method.of_quantities:
                _ = context.moments  # once, and not in each thread
            with ThreadPoolExecutor() as threads:
                list(threads.map(redraw_block, starts))
        redrawn[name] = inputs
    return redrawn


def _put(name: str, inputs: np.ndarray, redrawn: object, chosen: np.ndarray) -> None:
    """Those of a block that are `chosen`, in their place."""
    new = np.asarray(redrawn)
    if new.shape != inputs.shape:
        raise UserError(f"got inputs of shape {new.shape} from the corruption {name}, expected {inputs.shape}")
    if inputs.dtype.kind in "iu" and new.dtype.kind not in "iu":
        raise UserError(
            f"got inputs of type {new.dtype} from the corruption {name}, expected {inputs.dtype}: give it "
            "of_quantities = True, which makes them float32"
        )
    with np.errstate(over="ignore"):
        inputs[chosen] = new if chosen.all() else new[chosen]
    # As they are kept: what is too large for their type is infinite there.
    if inputs.dtype.kind == "f" and not np.isfinite(inputs[chosen]).all():
        raise UserError(f"got inputs that are not finite in {inputs.dtype} from the corruption {name}")
