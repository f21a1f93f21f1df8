"""What is done to images, to vectors and to token ids before a network sees them, and why.

Whitening is for images: their brightness is no part of what they show. Of a row of features it would take what all of
them share, and a quantity in the thousands would leave nothing of one below 1; each column is standardised instead.
Token ids are names, of which no mean can be taken.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, TypeAlias

import numpy as np
from jaxtyping import Int64

from byrote.data.dataset import Dataset, Kind
from byrote.errors import UserError
from byrote.input_parts import Part, names_in_words

Preprocessing: TypeAlias = Literal["auto", "whiten", "standardize", "none"]
BY_KIND: dict[Kind, Preprocessing] = {"images": "whiten", "vectors": "standardize", "tokens": "none", "dict": "none"}
"""What is done to inputs of each kind unless something else is asked for."""


def preprocessing_of(data: Dataset, asked: Preprocessing) -> Preprocessing:
    """What is done to the inputs of `data` where `asked` is asked for: for "auto", by their kind.

    Raises:
        UserError: whitening of vectors, or arithmetic on token ids.
    """
    if asked == "auto":
        return BY_KIND[data.kind]
    if data.kind == "tokens" and asked != "none":
        raise UserError(
            f"got preprocessing={asked!r} for {data.name}, whose inputs are token ids: they are names, and arithmetic "
            "would mix them up; leave preprocessing out"
        )
    if data.kind == "dict" and asked != "none":
        raise UserError(
            f"got preprocessing={asked!r} for {data.name}, whose inputs are {names_in_words(data.parts)}: the network "
            "gets several inputs as they come; leave preprocessing out, and scale them before, or in the network"
        )
    if data.kind == "vectors" and asked == "whiten":
        raise UserError(
            f"got preprocessing='whiten' for {data.name}, whose inputs are vectors: it would normalise each row by "
            "itself, and what all features of a row share would be lost; leave preprocessing out, which standardises "
            "each column, or give pixels the shape of their image, [N, H, W]"
        )
    return asked


def in_words(data: Dataset, done: Preprocessing) -> str:
    """What `done` does to the inputs of `data`, and why, in one sentence."""
    if data.kind == "tokens":
        return f"Inputs are sequences of {data.input_shape[0]} token ids, whole numbers up to the network."
    if data.kind == "dict":
        return in_words_of_parts(data.parts)
    what = (
        f"images of {' x '.join(map(str, data.input_shape))} values"
        if data.is_images
        else f"vectors of {data.input_shape[0]:,} features"
    )
    by = "channel" if data.is_images else "feature"
    how = {
        "whiten": "each image has its own mean subtracted and is divided by its own deviation, as in the paper",
        "standardize": f"each {by} has its mean over the training set subtracted and is divided by its deviation there"
        f"{_constants_in_words(data)}",
        "none": "they reach the network as they are" + (", scaled to [0, 1]" if data.pixel_max != 1 else ""),
    }[done]
    why = "" if done != BY_KIND[data.kind] else f" (what {data.kind} get unless something else is asked for)"
    return f"Inputs are {what}; {how}{why}."


def in_words_of_parts(parts: Sequence[Part]) -> str:
    """What several inputs are, and how the network gets them, in one sentence."""
    said = "; ".join(f"{part.name}, {_part_in_words(part)}" for part in parts)
    return f"The network gets several inputs by name, each as it comes: {said}."


def _part_in_words(part: Part) -> str:
    size = " x ".join(map(str, part.shape)) or "one"
    if part.kind == "images":
        return f"images of {size} values" + (", scaled to [0, 1]" if part.is_scaled else "")
    one, several = _VALUES["bool" if part.dtype == "bool" else part.kind]
    return f"{size} {one if part.size == 1 else several}"


_VALUES = {"bool": ("bool", "bools"), "tokens": ("token id", "token ids"), "vectors": ("quantity", "quantities")}


def constant_features(data: Dataset) -> Int64[np.ndarray, " M"]:
    """The features of vectors that never vary in the training set, and so carry nothing."""
    return np.flatnonzero((data.train.inputs == data.train.inputs[:1]).all(axis=0))


def _constants_in_words(data: Dataset) -> str:
    if data.is_images or not (num := len(constant_features(data))):
        return ""
    return f", but for {num:,} that never {'varies there and is' if num == 1 else 'vary there and are'} left at 0"
