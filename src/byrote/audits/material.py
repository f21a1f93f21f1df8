"""What an audit is about besides the model: the examples of two splits, with groups and times, as they came."""

from __future__ import annotations

import hashlib
import warnings
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cache, cached_property
from typing import Any, Literal, NamedTuple, TypeAlias

import numpy as np
import pandas as pd
from jaxtyping import Bool, Float64, Int64, Real, Shaped

from byrote.data.dataset import Dataset, Split
from byrote.data.sources import from_arrays
from byrote.data.subsets import stratified_rows
from byrote.input_parts import Part, first_images, names_in_words, names_of_columns, side_by_side
from byrote.randomness import stream

MaterialKind: TypeAlias = Literal["images", "vectors", "tokens", "dict", "table"]
"""What an input is; of several inputs by name "dict"; a table's columns may hold anything."""


@dataclass(frozen=True, eq=False)
class Rows:
    """N examples: what a subject is fitted on, or asked about."""

    inputs: Shaped[np.ndarray, "N ..."] | pd.DataFrame
    """Images `[N, C, H, W]`, vectors `[N, D]`, token ids `[N, T]`, several inputs in packed rows `[N, W]`; or a table
    with its columns as they came."""
    labels: Real[np.ndarray, " N"]
    """Classes 0..K-1 (int64), or targets that are quantities (float64)."""
    sources: Shaped[np.ndarray, " N"]
    """Where each came from, as of a `Split`."""
    origin: str = "row {}"
    groups: Int64[np.ndarray, " N"] | None = None
    """Equal numbers for what belongs together, as all images of a patient do."""
    times: Float64[np.ndarray, " N"] | None = None
    """Any unit; NaN where it is not known."""
    copies: Int64[np.ndarray, " N"] | None = None
    """Equal numbers for rows that are copies of one another; None where there are none, or nobody has looked."""

    @property
    def units(self) -> Int64[np.ndarray, " N"] | None:
        """Equal numbers for rows that are no independent witnesses: of one group, or else copies of one another."""
        return self.copies if self.groups is None else self.groups

    @property
    def assumption(self) -> str:
        """What intervals over these rows take for granted, in a sentence; empty where they heed what is told of rows
        that belong together."""
        if self.times is None or self.groups is not None:
            return ""
        return "Intervals take neighbours in time for independent, and are too short where they are alike."

    def __len__(self) -> int:
        return len(self.labels)

    def take(self, rows: Int64[np.ndarray, " M"] | Bool[np.ndarray, " N"]) -> Rows:
        """Those of these numbers, or where the mask is true."""
        return Rows(
            self.inputs.iloc[rows] if isinstance(self.inputs, pd.DataFrame) else self.inputs[rows],
            self.labels[rows],
            self.sources[rows],
            self.origin,
            None if self.groups is None else self.groups[rows],
            None if self.times is None else self.times[rows],
            None if self.copies is None else self.copies[rows],
        )

    def relabelled(self, labels: Real[np.ndarray, " N"]) -> Rows:
        """The same with other labels."""
        return replace(self, labels=labels)

    def place(self, row: int) -> str:
        """Where the example in `row` came from, in words."""
        return self.origin.replace("{}", str(self.sources[row]), 1)


class Look(NamedTuple):
    """At a part of inputs."""

    kind: MaterialKind
    pixel_max: float
    in_words: str
    """Which of several inputs it is, "" where all are looked at: "the pixels of image"."""
    take: Callable[[Any], Any]
    """That part of inputs, in the form that it has alone."""


@dataclass(frozen=True, eq=False)
class Material:
    """Both splits, over the same K classes, or with quantities for labels."""

    name: str
    title: str
    kind: MaterialKind
    train: Rows
    test: Rows
    class_names: tuple[str, ...]
    """Empty where labels are quantities."""
    pixel_max: float = 255.0
    split_in_words: str = ""
    """How test examples were chosen, where byrote did it."""
    group_column: str = ""
    """The column of a table that holds the groups: no feature."""
    group_names: tuple[str, ...] = ()
    """What groups 0..G-1 are called."""
    parts: tuple[Part, ...] = ()
    """Of several inputs, how they lie in rows."""

    @property
    def num_classes(self) -> int:
        """0 where labels are quantities."""
        return len(self.class_names)

    @property
    def of_quantities(self) -> bool:
        """Whether labels are quantities, not classes."""
        return not self.class_names

    @property
    def label_word(self) -> str:
        """What a row's label is called, in words."""
        return "target" if self.of_quantities else "label"

    def label_name(self, label: np.integer | np.floating) -> str:
        """A class by its name, a quantity by its digits."""
        return (
            np.format_float_positional(float(label), trim="-") if self.of_quantities else self.class_names[int(label)]
        )

    def some_training_rows(self, num: int, name: str) -> Rows:
        """`num` of them, drawn by the stream `name` so that classes keep their shares; all where there are no more."""
        if num >= len(self.train):
            return self.train
        strata = np.zeros(len(self.train), np.int64) if self.of_quantities else self.train.labels
        return self.train.take(stratified_rows(strata, num, stream(0, name)))

    def whole(self) -> Rows:
        """Training rows, then test rows."""
        found: dict[str, Any] = {}
        for name in ("inputs", "labels", "sources", "groups", "times"):
            parts: list[Any] = [getattr(side, name) for side in (self.train, self.test)]
            if any(part is None for part in parts):
                found[name] = None
            elif isinstance(parts[0], pd.DataFrame):
                found[name] = pd.concat(parts, ignore_index=True)
            else:
                found[name] = np.concatenate(parts)
        return Rows(origin=self.train.origin, **found)

    def side(self, row: int) -> tuple[Literal["train", "test"], Rows, int]:
        """Of a row of `whole`, its split, the rows of that, and its number among them."""
        num_train = len(self.train)
        return ("train", self.train, row) if row < num_train else ("test", self.test, row - num_train)

    @cached_property
    def fingerprint(self) -> str:
        """SHA-256 over all that is here."""
        parts = str(self.parts) if self.parts else ""
        digest = hashlib.sha256(f"{self.class_names}{self.pixel_max}{self.kind}{self.group_names}{parts}".encode())
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
        return Dataset(self.name, first, second, self.class_names, self.pixel_max, self.title, parts=self.parts)

    def network_inputs(self, rows: Rows) -> Shaped[np.ndarray, "N ..."]:
        """Numbers: of a table, its columns in float32 but for that of the groups."""
        if not isinstance(rows.inputs, pd.DataFrame):
            return rows.inputs
        self._check_numbers()
        return self.features(rows.inputs).to_numpy(np.float32)

    @cached_property
    def look(self) -> Look:
        """At what pictures are made of, and near copies are looked for in: of several inputs the first image alone,
        else all quantities side by side, or token ids where there is nothing else."""
        if self.kind != "dict":
            return Look(self.kind, self.pixel_max, "", lambda inputs: inputs)
        if part := first_images(self.parts):
            words = f"the pixels of {part.name}" if len(self.parts) > 1 else ""
            return Look("images", part.pixel_max, words, part.alone)
        quantities = [part for part in self.parts if part.kind == "vectors"]
        words = names_in_words(quantities) if 0 < len(quantities) < len(self.parts) else ""
        if not quantities:
            return Look("tokens", 1.0, "", lambda inputs: inputs)
        return Look("vectors", 1.0, words, self.quantities)

    def quantities(self, rows: Shaped[np.ndarray, "N W"]) -> Shaped[np.ndarray, "N D"]:
        """Of several inputs, those that are neither images nor token ids, side by side."""
        return side_by_side([part for part in self.parts if part.kind == "vectors"], rows)

    @property
    def names_of_quantities(self) -> list[str]:
        """What messages call their columns: "age", "meta[0]"."""
        return names_of_columns([part for part in self.parts if part.kind == "vectors"])

    @property
    def parts_of_columns(self) -> list[Part]:
        """Of several inputs, those whose values mean something each by itself: all but images."""
        return [part for part in self.parts if part.kind != "images"]

    def features(self, table: pd.DataFrame) -> pd.DataFrame:
        """Without the column of groups."""
        return table.drop(columns=[self.group_column]) if self.group_column in table else table

    def columns(self, rows: Rows) -> Any:
        """As estimators take them: a table without the column of groups; of all else an array `[N, V]`."""
        if isinstance(rows.inputs, pd.DataFrame):
            return self.features(rows.inputs)
        return rows.inputs.reshape(len(rows), -1)

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
