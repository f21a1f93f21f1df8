"""A calculation: something computed on one data set, and what it leaves behind."""

from __future__ import annotations

import hashlib
import inspect
import json
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar, Protocol, TypeAlias, TypeVar, runtime_checkable

import numpy as np

from byrote.data.dataset import Dataset
from byrote.errors import UserError
from byrote.records import Record
from byrote.references import is_reference, name_of, source_digest
from byrote.training.cost import Work
from byrote.training.key import SEMANTICS
from byrote.training.outcome import TrainOutcome
from byrote.training.replica_run import environment
from byrote.training.spec import TrainSpec

T = TypeVar("T")
Value: TypeAlias = str | int | float | bool | None
OnStage: TypeAlias = Callable[[str, float], None]
"""Called with the name of a stage and the share of it that is done."""


@runtime_checkable
class StoredRuns(Protocol):
    """Gives runs in the order of their specs; those that the store lacks are trained first, and stored."""

    def __call__(
        self, specs: Sequence[TrainSpec], data: Dataset, *, weights: bool = False, stage: str = "training"
    ) -> Iterator[TrainOutcome]: ...


def _no_store(
    specs: Sequence[TrainSpec],
    data: Dataset,  # noqa: ARG001
    *,
    weights: bool = False,  # noqa: ARG001
    stage: str = "training",  # noqa: ARG001
) -> Iterator[TrainOutcome]:
    raise RuntimeError(f"{len(specs)} runs were asked for where there is no store: make the calculation with `run`")


def _untold(stage: str, share: float) -> None:
    """Nobody asks how far it is."""


class Steps(Protocol):
    """Gives what a step has found, by its name: where a process that was killed had finished it, it is not made again.
    That is of plain values, NumPy arrays and tensors, in tuples, lists and dictionaries."""

    def __call__(self, name: str, make: Callable[[], T]) -> T: ...


def _made(name: str, make: Callable[[], T]) -> T:  # noqa: ARG001
    return make()


@dataclass(frozen=True)
class Context:
    """Where a calculation is made, and what it may ask for.

    >>> Context(device="cpu").device
    'cpu'
    """

    device: str = "cpu"
    on_stage: OnStage = _untold
    runs: StoredRuns = _no_store
    """The way to trained networks: a calculation itself trains none."""
    steps: Steps = _made


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
    side_by_side: ClassVar[bool] = False
    """Whether several are made at once, each with its share of all threads: so where these gain little, and memory
    holds several. Any other has the machine for itself."""

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
    def compute(self, data: Dataset, context: Context) -> Result:
        """Makes the calculation. Random choices follow from fields alone."""

    def refuse(self, data: Dataset, device: str) -> None:
        """Tries, before the runs that it `reads` are trained, what of the user's own it will call.

        Raises:
            UserError: that cannot be used.
        """

    @property
    def reads(self) -> Sequence[TrainSpec]:
        """Runs whose weights it asks its context for: they are trained before it begins."""
        return ()

    @property
    def references(self) -> tuple[str, ...]:
        """Names that may be the user's own code (FILE.py:NAME), beside those of the runs that it reads."""
        return ()

    @property
    def all_references(self) -> tuple[str, ...]:
        """Names that may be the user's own code, whose source is part of the key."""
        return tuple(dict.fromkeys([*self.references, *(name for spec in self.reads for name in spec.references)]))

    @property
    def tried(self) -> Sequence[TrainSpec]:
        """Runs like those that it asks for, of whose models it is found out beforehand whether they can be trained."""
        return self.reads

    def work(self, data: Dataset) -> Work | None:  # noqa: ARG002
        """About what it takes, runs that it asks for included but not those that it `reads`; None if nobody knows.

        It is told before time is spent, and says whether processes are worth their start; it decides no number.
        """
        return None

    def key(self, data: Dataset) -> str:
        """SHA-256 over name and version, the fields, the data's arrays, the user's source, and where runs are read the
        engine's SEMANTICS, for the numbers of the calculation are then the engine's too."""
        parts = [
            f"{self.name} {self.version}",
            json.dumps(self.model_dump(mode="json"), sort_keys=True, separators=(",", ":")),
            data.fingerprint,
            *(source_digest(name) for name in self.all_references if is_reference(name)),
            *([f"semantics {SEMANTICS}"] if self.reads else []),
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

    @property
    def task(self) -> Calculation:
        """As of a run's outcome: what was asked for."""
        return self.calculation


def compute(calculation: Calculation, data: Dataset, context: Context | None = None) -> Computed:
    """Makes the calculation, and notes where and how long."""
    context = context or Context()
    started = time.monotonic()
    result = calculation.compute(data, context)
    return Computed(
        key=calculation.key(data),
        calculation=calculation,
        data=data.label,
        values=result.values,
        arrays=result.arrays,
        seconds=time.monotonic() - started,
        environment=environment(context.device),
    )
