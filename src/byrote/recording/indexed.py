"""A data set whose examples say which row they are."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from jaxtyping import Int64
from torch.utils.data import Dataset

from byrote.errors import UserError

INDEX = "index"
"""The key of the row in examples that are mappings."""


class IndexedDataset(Dataset[Any]):
    """`data[i]` with `i` before it: `(x, y)` becomes `(i, x, y)`, a mapping has its row under "index"."""

    def __init__(self, data: Any) -> None:
        self.data = data

    def __len__(self) -> int:
        return len(self.data)

    def __getitem__(self, row: int) -> Any:
        row = int(row)
        if not 0 <= row < len(self.data):
            raise IndexError(row)  # which also ends a plain loop over it
        example = self.data[row]
        if isinstance(example, Mapping):
            if INDEX in example:
                raise UserError(f"got examples that have a key {INDEX!r} already: give it another name")
            return {**example, INDEX: row}
        return (row, *example) if isinstance(example, tuple | list) else (row, example)


def labels_of(data: Any) -> Int64[np.ndarray, " N"] | None:
    """The labels that a data set holds apart from its examples; None where they cannot be told without reading them."""
    if getattr(data, "target_transform", None) is not None:
        return None
    if type(data).__name__ == "Subset":
        inner = labels_of(data.dataset)
        return None if inner is None else inner[np.asarray(data.indices)]
    tensors = getattr(data, "tensors", None)
    found = tensors[-1] if isinstance(tensors, tuple) and len(tensors) == 2 else None
    for name in ("targets", "labels"):
        found = getattr(data, name, None) if found is None else found
    if found is None or isinstance(found, str) or callable(found):
        return None
    array = np.asarray(found)
    is_labels = array.shape == (len(data),) and array.dtype.kind in "iu" and (not len(array) or array.min() >= 0)
    return array.astype(np.int64) if is_labels else None
