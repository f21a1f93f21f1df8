"""Whether there are examples of every class, to train on and to test on."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from jaxtyping import Int64

from byrote.data.dataset import Dataset
from byrote.errors import UserError

_NAMED = 5


def refuse_too_few(data: Dataset, n_train: int | None) -> None:
    """Raises UserError where a training subset cannot have an example of each class that is trained on: a network
    cannot name a class that it has never seen, and what it gets right would tell nothing of chance."""
    present = int((_counts(data.train.true_labels, data) > 0).sum())
    if n_train is not None and n_train < present:
        raise UserError(
            f"got n_train={n_train} for {data.name}, whose training examples have {present} classes: choose at least "
            f"{present}, so that each class has one"
        )


def class_remarks(data: Dataset, smallest: int) -> list[str]:
    """Sentences on classes that have no example, or hardly any, where there are such.

    Args:
        smallest: the size of the smallest training subset.
    """
    trained, tested = (_counts(split.true_labels, data) for split in (data.train, data.test))
    remarks = []
    for counts, what, so in (
        (trained, "training", "no network can name it, and guessing is measured over those that are left"),
        (tested, "test", "test accuracy says nothing of it"),
    ):
        if len(missing := np.flatnonzero(counts == 0)):
            remarks.append(f"There is no {what} example of {_named(missing, data.class_names)}: {so}.")
    # A stratified subset leaves one example of each class where it can.
    single = np.flatnonzero((trained > 0) & (trained * smallest < 2 * len(data.train)))
    if len(single):
        remarks.append(
            f"The smallest training set, of {smallest:,}, has one example at most of "
            f"{'each of the ' if len(single) > 1 else ''}{_named(single, data.class_names)}: what is learned of such "
            "a class depends on which one that is."
        )
    return remarks


def _counts(labels: Int64[np.ndarray, " N"], data: Dataset) -> Int64[np.ndarray, " K"]:
    return np.bincount(labels, minlength=data.num_classes)


def _named(classes: Int64[np.ndarray, " M"], names: Sequence[str]) -> str:
    shown = ", ".join(repr(names[number]) for number in classes[:_NAMED])
    more = f" and {len(classes) - _NAMED:,} more" if len(classes) > _NAMED else ""
    return f"class{'es' if len(classes) > 1 else ''} {shown}{more}"
