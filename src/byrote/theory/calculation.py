"""A calculation: something of the theory computed on one data set, and what it leaves behind."""

from __future__ import annotations

import hashlib
import inspect
import json
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar, TypeAlias

import numpy as np

from byrote.data.dataset import Dataset
from byrote.errors import UserError
from byrote.records import Record
from byrote.references import is_reference, name_of, source_digest
from byrote.training.replica_run import environment

Value: TypeAlias = str | int | float | bool | None
OnStage: TypeAlias = Callable[[str, float], None]
"""Called with the name of a stage and the share of it that is done."""


@dataclass(frozen=True, eq=False)
class Result:
    """What a calculation finds.

    >>> Result({"largest_n": 512, "seconds": 3.5}, {"accuracy": np.array([1.0, 0.8])}).values["largest_n"]
    512
    """

    values: Mapping[str, Value]
    """One row of the table; NaN where a figure does not exist."""
    arrays: Mapping[str, np.ndarray] = field(default_factory=dict)
    """What pictures are drawn from."""


class Calculation(Record, ABC):
    """Everything that defines one calculation on a data set: its fields, and `compute`. Frozen, hashable, validated.

    It may take minutes, and is kept in the store under its key: a calculation that is there is not made again.

    >>> import byrote
    >>> from byrote.theory.memorizers.worked_example import WorkedExample
    >>> calculation = WorkedExample(num_points=8)
    >>> calculation.label
    'worked example, n = 8, seed 0'
    >>> digits = byrote.load("digits")
    >>> calculation.key(digits) == WorkedExample(num_points=8, seed=0).key(digits)
    True

    Raises:
        UserError: a subclass that can be computed and has no name of its own.
    """

    name: ClassVar[str]
    """Stands for the class in the key, wherever its file may lie: "kernel-interpolation"."""
    version: ClassVar[int | str] = 1
    """Changed whenever a change of ours changes its numbers."""

    @classmethod
    def __pydantic_init_subclass__(cls, **arguments: Any) -> None:
        super().__pydantic_init_subclass__(**arguments)
        if not inspect.isabstract(cls) and not isinstance(cls.__dict__.get("name"), str):
            raise UserError(
                f"got the calculation {cls.__qualname__}, which has no name of its own; its results are stored under "
                'it: give it name: ClassVar[str] = "..."'
            )

    @property
    @abstractmethod
    def label(self) -> str:
        """What progress and failures call it: "gaussian kernel, random labels, seed 0"."""

    @abstractmethod
    def compute(self, data: Dataset, *, device: str, on_stage: OnStage) -> Result:
        """Makes the calculation. Random choices follow from fields alone."""

    @property
    def references(self) -> tuple[str, ...]:
        """Names that may be the user's own code (FILE.py:NAME), whose source is part of the key."""
        return ()

    def key(self, data: Dataset) -> str:
        """SHA-256 over name and version, the fields, the data's arrays and the user's source."""
        parts = [
            f"{self.name} {self.version}",
            json.dumps(self.model_dump(mode="json"), sort_keys=True, separators=(",", ":")),
            data.fingerprint,
            *(source_digest(name) for name in self.references if is_reference(name)),
        ]
        if not type(self).__module__.startswith("byrote."):
            parts.append(source_digest(name_of(type(self))))
        return hashlib.sha256("\n".join(parts).encode()).hexdigest()


@dataclass(frozen=True, eq=False)
class Computed:
    """A finished calculation.

    >>> import byrote
    >>> from byrote.theory.memorizers.worked_example import WorkedExample
    >>> computed = compute(WorkedExample(num_points=8), byrote.load("digits"))
    >>> computed.values["num_weights"], computed.arrays["matrix"].shape  # 2n + d, and Theorem 1's matrix
    (80, (8, 8))
    """

    key: str
    calculation: Calculation
    data: str
    """What figures call the data."""
    values: Mapping[str, Value]
    arrays: Mapping[str, np.ndarray]
    seconds: float
    environment: Mapping[str, str]
    """As of a TrainOutcome."""


def compute(
    calculation: Calculation, data: Dataset, *, device: str = "cpu", on_stage: OnStage | None = None
) -> Computed:
    """Makes the calculation, and notes where and how long."""
    started = time.monotonic()
    result = calculation.compute(data, device=device, on_stage=on_stage or (lambda *_: None))
    return Computed(
        key=calculation.key(data),
        calculation=calculation,
        data=data.label,
        values=result.values,
        arrays=result.arrays,
        seconds=time.monotonic() - started,
        environment=environment(device),
    )
