"""What an audit is about besides the model: the examples of two splits, with groups and times, as they came."""

from __future__ import annotations

import hashlib
import warnings
from dataclasses import dataclass, replace
from functools import cache, cached_property
from typing import Any, Literal, TypeAlias

import numpy as np
import pandas as pd
from jaxtyping import Bool, Float64, Int64, Shaped

from byrote.data.dataset import Dataset, Split
from byrote.data.sources import from_arrays

Kind: TypeAlias = Literal["images", "vectors", "tokens", "table"]
"""What an input is; a table's columns may hold anything."""


@dataclass(frozen=True, eq=False)
class Rows:
    """N examples: what a subject is fitted on, or asked about."""

    inputs: Shaped[np.ndarray, "N ..."] | pd.DataFrame
    """Images `[N, C, H, W]`, vectors `[N, D]`, token ids `[N, T]`; or a table with its columns as they came."""
    labels: Int64[np.ndarray, " N"]
    sources: Shaped[np.ndarray, " N"]
    """Where each came from, as of a `Split`."""
    origin: str = "row {}"
    groups: Int64[np.ndarray, " N"] | None = None
    """Equal numbers for what belongs together, as all images of a patient do."""
    times: Float64[np.ndarray, " N"] | None = None
    """Any unit; NaN where it is not known."""

    def __len__(self) -> int:
        return len(self.labels)

    def take(self, rows: Int64[np.ndarray, " M"] | Bool[np.ndarray, " N"]) -> Rows:
        return Rows(
            self.inputs.iloc[rows] if isinstance(self.inputs, pd.DataFrame) else self.inputs[rows],
            self.labels[rows],
            self.sources[rows],
            self.origin,
            None if self.groups is None else self.groups[rows],
            None if self.times is None else self.times[rows],
        )

    def relabelled(self, labels: Int64[np.ndarray, " N"]) -> Rows:
        """The same with other labels."""
        return replace(self, labels=labels)

    def place(self, row: int) -> str:
        """Where the example in `row` came from, in words."""
        return self.origin.replace("{}", str(self.sources[row]), 1)


@dataclass(frozen=True, eq=False)
class Material:
    """Both splits, over the same K classes."""

    name: str
    title: str
    kind: Kind
    train: Rows
    test: Rows
    class_names: tuple[str, ...]
    pixel_max: float = 255.0
    split_in_words: str = ""
    """How test examples were chosen, where byrote did it."""
    group_column: str = ""
    """The column of a table that holds the groups: no feature."""
    group_names: tuple[str, ...] = ()
    """What groups 0..G-1 are called."""

    @property
    def num_classes(self) -> int:
        return len(self.class_names)

    @cached_property
    def fingerprint(self) -> str:
        """SHA-256 over all that is here."""
        digest = hashlib.sha256(f"{self.class_names}{self.pixel_max}{self.kind}{self.group_names}".encode())
        for rows in (self.train, self.test):
            for part in (rows.inputs, rows.labels, rows.groups, rows.times):
                digest.update(_content(part))
        return digest.hexdigest()

    def dataset(self, train: Rows, test: Rows) -> Dataset:
        """As byrote's own networks take them.

        Raises:
            UserError: a table that is not all numbers.
        """
        arrays = [self.network_inputs(rows) for rows in (train, test)]
        first, second = (
            Split.clean(array, rows.labels, rows.sources, rows.origin)
            for array, rows in zip(arrays, (train, test), strict=True)
        )
        return Dataset(self.name, first, second, self.class_names, self.pixel_max, self.title)

    def network_inputs(self, rows: Rows) -> Shaped[np.ndarray, "N ..."]:
        """Numbers: of a table, its columns in float32 but for that of the groups."""
        if not isinstance(rows.inputs, pd.DataFrame):
            return rows.inputs
        self._check_numbers()
        return self.features(rows.inputs).to_numpy(np.float32)

    def features(self, table: pd.DataFrame) -> pd.DataFrame:
        """Without the column of groups."""
        return table.drop(columns=[self.group_column]) if self.group_column in table else table

    @cache  # noqa: B019 - there is one material an audit
    def _check_numbers(self) -> None:
        """Raises UserError where a column is something else, or lacks values."""
        whole = pd.concat([self.features(pd.DataFrame(rows.inputs)) for rows in (self.train, self.test)])
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            from_arrays(whole.reset_index(drop=True), np.arange(len(whole)) % 2, name=self.name)


def _content(part: Any) -> bytes:
    if part is None:
        return b"none"
    if isinstance(part, pd.DataFrame):
        hashes = pd.util.hash_pandas_object(part.astype(str), index=False).to_numpy()
        return str(list(zip(part.columns, part.dtypes, strict=True))).encode() + hashes.tobytes()
    digest = hashlib.sha256(f"{part.dtype.str}{part.shape}".encode())
    for start in range(0, len(part), 256):
        digest.update(np.ascontiguousarray(part[start : start + 256]).data)
    return digest.digest()
