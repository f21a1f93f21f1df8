"""Features of a table that are the label under another name."""

from __future__ import annotations

import numpy as np

from byrote.data.dataset import Dataset

_NAMED = 5


def label_copies(data: Dataset) -> list[int]:
    """The features of vectors, counting from 0, that have one value in each class of the training set, another in each.

    None where a class has a single example: every feature has one value there.
    """
    labels = data.train.true_labels
    classes, first, codes, counts = np.unique(labels, return_index=True, return_inverse=True, return_counts=True)
    if data.kind != "vectors" or len(classes) < 2 or counts.min() < 2:
        return []
    inputs = data.train.inputs
    same = np.ones(inputs.shape[1], dtype=bool)
    for start in range(0, len(inputs), 1024):
        part = slice(start, start + 1024)
        same &= (inputs[part] == inputs[first[codes[part]]]).all(axis=0)
    return [int(j) for j in np.flatnonzero(same) if len(np.unique(inputs[first, j])) == len(classes)]


def label_copy_remarks(data: Dataset) -> list[str]:
    """A sentence on such features, where there are any."""
    found = label_copies(data)
    if not found:
        return []
    shown = ", ".join(map(str, found[:_NAMED])) + (f" and {len(found) - _NAMED} more" if len(found) > _NAMED else "")
    subject, each = (f"Feature {shown}", "it has") if len(found) == 1 else (f"Features {shown}", "each has")
    remark = (
        f"{subject} (counting from 0) {'tells' if len(found) == 1 else 'tell'} the label: in the training set {each} "
        "one value for each class. If that is a copy of the label, as a column of codes is, drop it: what is learned "
        "from it is no use on examples whose label is not known."
    )
    return [remark]
