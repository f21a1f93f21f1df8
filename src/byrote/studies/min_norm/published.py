"""The numbers of section 5 beside ours."""

from __future__ import annotations

import pandas as pd

from byrote.data.dataset import Dataset
from byrote.evidence.intervals import Interval
from byrote.evidence.published import Ours, PublishedFigure, in_percent
from byrote.studies.min_norm.findings import error_interval, fits_of
from byrote.studies.min_norm.rows import PUBLISHED_FEATURES, KernelRow
from byrote.studies.paper_numbers import CIFAR10_TRAIN, MNIST_TRAIN, as_printed, is_cifar10, is_mnist

_DATA = {"mnist": ("MNIST", MNIST_TRAIN, is_mnist), "cifar10": ("CIFAR-10", CIFAR10_TRAIN, is_cifar10)}


def published_figures(data: Dataset, table: pd.DataFrame) -> list[PublishedFigure]:
    """The test error of each row, and the norm where the paper has one; ours on most examples.

    Args:
        data: what ours were computed on.
        table: of the study; empty where nothing was computed.
    """
    found = []
    for dataset, features, l2, error, norm in as_printed("linear").itertuples(index=False):
        title, n_train, is_same = _DATA[dataset]
        row = KernelRow(PUBLISHED_FEATURES[features], l2 == "yes")
        fits = fits_of(table, row, "true labels")
        fits = fits[fits["n_train"] == fits["n_train"].max()] if len(fits) else fits
        others = () if is_same(data) else ("data",)
        ours: dict[str, Ours] = {}
        if len(fits):
            size, norm_of_ours = int(fits["n_train"].iloc[0]), float(fits["scaled_norm"].iloc[0])
            nothing = float("nan")
            intervals = {"error": in_percent(error_interval(fits)), "norm": Interval(norm_of_ours, nothing, nothing, 1)}
            blocked = "" if row.regularized or fits["interpolated"].all() else "not interpolated"
            ours = {name: Ours(interval, size, 1, others, blocked) for name, interval in intervals.items()}
        place = ("Section 5", title, row.name)
        found.append(PublishedFigure(*place, "test error", error, n_train, ours.get("error")))
        if norm:
            found.append(PublishedFigure(*place, "norm", norm, n_train, ours.get("norm"), in_percent=False))
    return found
