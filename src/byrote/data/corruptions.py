"""The randomisations of the paper (section 2): pure functions of a data set and a seed.

A corruption is drawn once, before preprocessing, and stays fixed for all of training. For one seed the examples that
change at a lower rate are among those that change at a higher one, and change in the same way. Test labels are never
touched; a corruption of inputs acts on both splits alike.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import Annotated, Literal, get_args

import numpy as np
from jaxtyping import Bool, Shaped
from pydantic import Field, model_validator

from byrote.data.dataset import Dataset, Kind, Split, moments, require_dataset
from byrote.errors import UserError, suggestion
from byrote.randomness import permutation, permutations, stream
from byrote.records import Record

CorruptionName = Literal["partial-labels", "random-labels", "shuffled-pixels", "random-pixels", "gaussian"]

CORRUPTIONS: dict[str, str] = {
    "true-labels": "the data as they are",
    "partial-labels": "each training label, with probability RATE, becomes a class drawn uniformly from all K",
    "random-labels": "every training label becomes a class drawn uniformly from all K",
    "shuffled-pixels": "one permutation of the pixel positions (of features, of places in a sequence of tokens), the "
    "same for all images",
    "random-pixels": "a permutation of the pixel positions for each image of its own",
    "gaussian": "Gaussian noise with the mean and variance of each channel of the training set; not for tokens",
}
LABEL_CORRUPTIONS = ("partial-labels", "random-labels")
INPUT_CORRUPTIONS = ("shuffled-pixels", "random-pixels", "gaussian")

_OF_QUANTITIES = ("gaussian",)
"""Those that calculate with the values, and so have no meaning for token ids."""

# Images worked on at a time: bounds the memory of the sort keys (8 bytes a pixel) to a few MiB.
_BLOCK = 1024


class Corruption(Record):
    """One randomisation of the data."""

    name: CorruptionName
    rate: Annotated[float, Field(ge=0, le=1)] = 1.0
    """Of a label corruption, per label; of an input corruption, the chance that an image is corrupted."""

    @model_validator(mode="after")
    def _random_labels_are_all_random(self) -> Corruption:
        if self.name == "random-labels" and self.rate != 1:
            raise ValueError(f"random-labels has rate 1, got {self.rate}; use partial-labels for a rate")
        return self


def has_meaning(name: str, kind: Kind) -> bool:
    """Whether a corruption can be made of inputs of this kind."""
    return kind != "tokens" or name not in _OF_QUANTITIES


def refuse_meaningless(corruptions: Sequence[Corruption], data: Dataset) -> None:
    """Raises UserError for a corruption that inputs like those of `data` cannot have."""
    for corruption in corruptions:
        if not has_meaning(corruption.name, data.kind):
            known = ", ".join(name for name in CORRUPTIONS if has_meaning(name, data.kind))
            raise UserError(
                f"got {corruption.name} for {data.name}, whose inputs are token ids and have no mean or variance; "
                f"choose among {known}"
            )


def corrupt(data: Dataset, name: str, *, rate: float = 1.0, seed: int = 0) -> Dataset:
    """A new data set, with the corruption `name` (a key of CORRUPTIONS) drawn from `seed`.

    Of the result's splits, `true_labels` are the labels before and `changed` says which examples differ.

    Raises:
        UserError: an unknown name, a rate outside [0, 1], or Gaussian token ids.
    """
    require_dataset(data)
    if name == "true-labels":
        return data
    if name not in get_args(CorruptionName):
        known = ", ".join(CORRUPTIONS)
        raise UserError(f"got corruption {name!r}, expected one of {known}{suggestion(name, CORRUPTIONS)}")
    if not 0 <= rate <= 1:
        raise UserError(f"got corruption rate {rate}, expected a probability between 0 and 1")
    if name == "random-labels" and rate != 1:
        raise UserError(f"got rate {rate} for random-labels, which has rate 1: use partial-labels for a rate")
    return apply_corruptions(data, (Corruption.model_validate({"name": name, "rate": rate}),), seed)


def apply_corruptions(data: Dataset, corruptions: tuple[Corruption, ...], seed: int) -> Dataset:
    """All of `corruptions`, in their order. Means and variances are those of the training pixels in `data`.

    Raises:
        UserError: Gaussian token ids.
    """
    refuse_meaningless(corruptions, data)
    for corruption in corruptions:
        if corruption.name in LABEL_CORRUPTIONS:
            data = replace(data, train=_redraw_labels(data.train, data.num_classes, corruption.rate, seed))
        else:
            data = _redraw_inputs(data, corruption, seed)
        note = f"{corruption.name}(rate={corruption.rate:g}, seed={seed})"
        data = replace(data, corruptions=(*data.corruptions, note))
    return data


def _redraw_labels(split: Split, num_classes: int, rate: float, seed: int) -> Split:
    uniform = stream(seed, "labels").random((2, len(split)))
    # floor(uK) < K even for u = 1 - 2^-53, for every K below 2^52.
    drawn = (uniform[1] * num_classes).astype(np.int64)
    return replace(split, labels=np.where(uniform[0] < rate, drawn, split.labels))


# Replaces the chosen images of one block; `block` numbers it within its split.
_Redraw = Callable[[Shaped[np.ndarray, "B ..."], Bool[np.ndarray, " B"], np.random.Generator], None]


def _redraw_inputs(data: Dataset, corruption: Corruption, seed: int) -> Dataset:
    make = {"shuffled-pixels": _shuffle, "random-pixels": _shuffle_each, "gaussian": _draw_gaussian}
    redraw = make[corruption.name](data.train, seed)
    dtype = np.float32 if corruption.name == "gaussian" else data.train.inputs.dtype
    splits: dict[str, Split] = {}
    for name, split in (("train", data.train), ("test", data.test)):
        chosen = stream(seed, "inputs", "chosen", name).random(len(split)) < corruption.rate
        inputs = split.inputs.astype(dtype, order="C")  # others would be reshaped into copies

        def redraw_block(
            start: int, name: str = name, inputs: np.ndarray = inputs, chosen: np.ndarray = chosen
        ) -> None:
            block = slice(start, start + _BLOCK)
            if chosen[block].any():
                redraw(inputs[block], chosen[block], stream(seed, "inputs", corruption.name, name, start))

        # Each block has a stream of its own, so that the order in which threads take them does not matter.
        with ThreadPoolExecutor() as threads:
            list(threads.map(redraw_block, range(0, len(split), _BLOCK)))
        splits[name] = replace(split, inputs=inputs, changed_inputs=split.changed_inputs | chosen)
    return replace(data, train=splits["train"], test=splits["test"])


def _as_pixels(inputs: Shaped[np.ndarray, "B ..."]) -> Shaped[np.ndarray, "B C P"]:
    """A view with all pixel positions on one axis; the features of vectors are pixels of one channel."""
    channels = inputs.shape[1] if inputs.ndim == 4 else 1
    return inputs.reshape(len(inputs), channels, -1)


def _shuffle(train: Split, seed: int) -> _Redraw:
    order = permutation(stream(seed, "inputs", "permutation"), _as_pixels(train.inputs[:1]).shape[2])

    def redraw(block: np.ndarray, chosen: np.ndarray, generator: np.random.Generator) -> None:  # noqa: ARG001
        pixels = _as_pixels(block)
        np.copyto(pixels, np.take(pixels, order, axis=2), where=chosen[:, None, None])

    return redraw


def _shuffle_each(train: Split, seed: int) -> _Redraw:  # noqa: ARG001
    def redraw(block: np.ndarray, chosen: np.ndarray, generator: np.random.Generator) -> None:
        pixels = _as_pixels(block)
        num_images, num_channels, num_pixels = pixels.shape
        orders = permutations(generator, num_images, num_pixels)[chosen]
        orders += np.flatnonzero(chosen)[:, None] * num_pixels
        for channel in range(num_channels):
            pixels[chosen, channel] = np.take(np.ascontiguousarray(pixels[:, channel]), orders)

    return redraw


def _draw_gaussian(train: Split, seed: int) -> _Redraw:  # noqa: ARG001
    mean, deviation = (moment.astype(np.float32) for moment in moments(train.inputs))

    def redraw(block: np.ndarray, chosen: np.ndarray, generator: np.random.Generator) -> None:
        noise = generator.standard_normal(block.shape, dtype=np.float32)
        noise *= deviation
        noise += mean
        block[chosen] = noise if chosen.all() else noise[chosen]

    return redraw
