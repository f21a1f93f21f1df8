"""Eight training examples under each corruption, as pictures for the page."""

from __future__ import annotations

import base64
import io
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np
from jaxtyping import Int64, Shaped, UInt8
from PIL import Image

from byrote.data.corruptions.application import apply_corruptions
from byrote.data.dataset import Dataset, Split
from byrote.data.subsets import subset
from byrote.input_parts import first_images
from byrote.training.spec import TrainSpec

NUM_EXAMPLES = 8


@dataclass(frozen=True)
class Example:
    """A training example with its labels, as the page shows it."""

    picture: str
    """A PNG as a data URI, one pixel a pixel (or a feature)."""
    label: str
    true_label: str
    changed_label: bool
    changed_input: bool
    place: str
    """Where it came from, in words."""


@dataclass(frozen=True)
class ExampleRow:
    """The same examples under one setting."""

    setting: str
    examples: tuple[Example, ...]


def example_rows(data: Dataset, specs: Sequence[TrainSpec]) -> list[ExampleRow]:
    """The same examples of the training set under each corruption in `specs`.

    They are drawn exactly as the model that sees the fewest examples is trained on them, with its first seed. Of
    several partial corruptions the one nearest to one half stands for all.
    """
    smallest = min(specs, key=lambda spec: len(data.train) if spec.n_train is None else spec.n_train)
    chosen: dict[str, TrainSpec] = {}
    for spec in specs:
        known = chosen.get(spec.corruption)
        if known is None or abs(spec.corruption_rate - 0.5) < abs(known.corruption_rate - 0.5):
            chosen[spec.corruption] = spec
    clean = subset(data, smallest.n_train, smallest.data_seed)
    rows = _one_of_each_class(clean.train.labels)
    draw = painter(clean)
    result = []
    for spec in chosen.values():
        shown = apply_corruptions(clean, spec.corruptions, smallest.seed).train.take(rows)
        result.append(
            ExampleRow(
                spec.setting,
                tuple(
                    Example(
                        draw(shown.inputs[i]),
                        clean.class_names[shown.labels[i]],
                        clean.class_names[shown.true_labels[i]],
                        bool(shown.changed_labels[i]),
                        bool(shown.changed_inputs[i]),
                        shown.place(i),
                    )
                    for i in range(len(shown))
                ),
            )
        )
    return result


def painter(data: Dataset) -> Callable[[Shaped[np.ndarray, " ..."]], str]:
    """What turns an input of `data` into a picture, as `Example.picture` is; of several inputs, the first image."""
    if data.parts and (part := first_images(data.parts)):
        return lambda values: picture_of(part.alone(np.asarray(values)[None])[0], part.pixel_max)
    draw = partial(_image, pixel_max=data.pixel_max) if data.is_images else _features(data.train)
    return lambda values: _data_uri(draw(values))


def picture_of(pixels: Shaped[np.ndarray, "C H W"], pixel_max: float) -> str:
    """An image as `Example.picture` is."""
    return _data_uri(_image(pixels, pixel_max))


def _one_of_each_class(labels: Int64[np.ndarray, " N"]) -> Int64[np.ndarray, " M"]:
    """The first example of each class, then the second of each, until there are eight."""
    occurrence = np.zeros(len(labels), dtype=np.int64)
    for label in np.unique(labels):
        rows = np.flatnonzero(labels == label)
        occurrence[rows] = np.arange(len(rows))
    return np.lexsort((labels, occurrence))[:NUM_EXAMPLES]


def _image(pixels: Shaped[np.ndarray, "C H W"], pixel_max: float) -> UInt8[np.ndarray, "H W *C"]:
    """Grey or RGB (further channels are left out), clipped to what a screen can show."""
    scaled = np.clip(pixels.astype(np.float64) / pixel_max, 0, 1)
    shown = scaled[0] if len(scaled) < 3 else scaled[:3].transpose(1, 2, 0)
    return np.round(255 * shown).astype(np.uint8)


def _features(train: Split) -> Callable[[Shaped[np.ndarray, " D"]], UInt8[np.ndarray, "H W"]]:
    """Draws each feature as a square, from dark (its smallest value in `train`) to light (its largest)."""
    low = train.inputs.min(axis=0).astype(np.float64)
    high = train.inputs.max(axis=0).astype(np.float64)

    def draw(vector: Shaped[np.ndarray, " D"]) -> UInt8[np.ndarray, "H W"]:
        scaled = np.clip((vector - low) / np.where(high > low, high - low, 1), 0, 1)
        side = int(np.ceil(np.sqrt(len(vector))))
        grid = np.zeros(side * int(np.ceil(len(vector) / side)), dtype=np.uint8)
        grid[: len(vector)] = np.round(255 * scaled)
        return grid.reshape(-1, side)

    return draw


def _data_uri(pixels: UInt8[np.ndarray, "H W *C"]) -> str:
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, "PNG", optimize=True)
    return "data:image/png;base64," + base64.b64encode(buffer.getvalue()).decode("ascii")
