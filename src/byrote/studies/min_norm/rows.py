"""The rows of section 5: on which features, with or without l2, and the paper's figures for them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

from byrote.data.dataset import Dataset
from byrote.evidence.columns import Column
from byrote.studies.paper_numbers import is_cifar10, is_mnist, published
from byrote.theory.kernels.feature_maps import Features
from byrote.theory.kernels.random_convolutions import PATCH_SIZE

FEWEST_PIXELS = PATCH_SIZE + 1
"""Along each side of an image, for random convolutions: both halves have a place for a patch then."""


@dataclass(frozen=True)
class KernelRow:
    """A row of the paper's, but for its data."""

    features: Features
    regularized: bool = False

    @property
    def name(self) -> str:
        """What tables call it."""
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


RIVALS = ("no_l2", *FEATURES)
"""What the predictions of a row are compared with: those without l2, or of the same machine on other features."""


def against(rival: str) -> tuple[Column, Column]:
    """The columns of a comparison with one of RIVALS on true labels, by the test examples that one alone gets right."""
    name, beside = rival.replace("-", "_"), "the same without l2" if rival == "no_l2" else f"the row of {rival}"
    return (
        Column(
            f"won_against_{name}",
            "float64",
            f"The unseen test examples that it gets right on true labels, and not {beside} with as many training "
            "examples.",
        ),
        Column(
            f"lost_against_{name}",
            "float64",
            f"The unseen test examples that it gets wrong on true labels, and not {beside} with as many training "
            "examples.",
        ),
    )


def published_rows(data: Dataset) -> dict[KernelRow, PublishedRow]:
    """The paper's rows on this data; none on data other than its own two sets."""
    name = "mnist" if is_mnist(data) else "cifar10" if is_cifar10(data) else ""
    found = {}
    for dataset, features, l2, error_percent, norm in published("linear").itertuples(index=False):
        if dataset == name:
            found[KernelRow(PUBLISHED_FEATURES[features], l2 == "yes")] = PublishedRow(error_percent / 100, norm)
    return found


def rows_of(data: Dataset) -> tuple[KernelRow, ...]:
    """The rows to try on `data`: the paper's where it has some; else all that the inputs allow."""
    if known := published_rows(data):
        return tuple(known)
    if not data.is_images:
        return (KernelRow("inputs"),)
    rows = (KernelRow("inputs"), KernelRow("gabor"))
    if min(data.input_shape[1:]) < FEWEST_PIXELS:
        return rows
    return (*rows, KernelRow("random-convolutions"), KernelRow("random-convolutions", regularized=True))
