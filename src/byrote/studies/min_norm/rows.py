"""The rows of section 5: on which features, with or without l2, and the paper's figures for them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

from byrote.data.dataset import Dataset
from byrote.studies.paper_numbers import is_cifar10, is_mnist, published
from byrote.theory.kernels.feature_maps import Features
from byrote.theory.kernels.random_convolutions import PATCH_SIZE

FEWEST_PIXELS = PATCH_SIZE + 1
"""Along each side of an image, for random convolutions: both halves have a place for a patch then."""


@dataclass(frozen=True)
class Row:
    """A row of the paper's, but for its data."""

    features: Features
    regularized: bool = False

    @property
    def name(self) -> str:
        return f"{FEATURES[self.features]}, with l2" if self.regularized else FEATURES[self.features]


FEATURES: dict[Features, str] = {
    "inputs": "raw inputs",
    "gabor": "Gabor wavelets",
    "random-convolutions": "random convolutions",
}
"""What tables and figures call them."""

PUBLISHED_FEATURES: dict[str, Features] = {
    "raw pixels (kernel)": "inputs",
    "raw pixels (gaussian kernel)": "inputs",
    "gabor wavelet": "gabor",
    "random conv net with 32000 filters": "random-convolutions",
}


class PublishedRow(NamedTuple):
    """What the paper reports of one row."""

    test_error: float
    """As a fraction."""
    norm: float
    """NaN where it gives none."""


def published_rows(data: Dataset) -> dict[Row, PublishedRow]:
    """The paper's rows on this data; none on data other than its own two sets."""
    name = "mnist" if is_mnist(data) else "cifar10" if is_cifar10(data) else ""
    found = {}
    for dataset, features, l2, error_percent, norm in published("linear").itertuples(index=False):
        if dataset == name:
            found[Row(PUBLISHED_FEATURES[features], l2 == "yes")] = PublishedRow(error_percent / 100, norm)
    return found


def rows_of(data: Dataset) -> tuple[Row, ...]:
    """The rows to try on `data`: the paper's where it has some; else all that the inputs allow."""
    if known := published_rows(data):
        return tuple(known)
    if not data.is_images:
        return (Row("inputs"),)
    rows = (Row("inputs"), Row("gabor"))
    if min(data.input_shape[1:]) < FEWEST_PIXELS:
        return rows
    return (*rows, Row("random-convolutions"), Row("random-convolutions", regularized=True))
