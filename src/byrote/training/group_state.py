"""What a running group carries: what stays the same while it trains, and what changes from step to step."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from typing import Any

import torch

from byrote.data.augmentations import Augmentation
from byrote.training.compiled import CompiledStep
from byrote.training.conditions import SplitTensors
from byrote.training.course import Course
from byrote.training.course_recorder import CourseRecorder, StepProbe
from byrote.training.evaluation_schedule import EvaluationSchedule
from byrote.training.optimizers import ReplicaOptimizer
from byrote.training.ranks import Ranks
from byrote.training.replica_run import ReplicaRun
from byrote.training.replicas import Replicas
from byrote.training.spec import TrainSpec
from byrote.training.step import TakeStep
from byrote.training.streams import Streams
from byrote.training.tally import EpochTally


@dataclass(frozen=True, slots=True, eq=False)
class GroupSetup:
    """What stays the same while a group trains: it follows from the specs, the data and the device."""

    runs: tuple[ReplicaRun, ...]
    data_label: str
    num_classes: int
    device: str
    dtype: torch.dtype
    """Of network inputs."""
    numerics: Callable[[], AbstractContextManager[object]]
    """The context of forward passes."""
    augment: Augmentation | None
    bounds: tuple[tuple[int, int], ...]
    """Where each batch of an epoch begins and ends."""
    total_steps: int
    """The most that the group takes."""
    keep_weights: bool
    started_seconds: float
    """When, by time.perf_counter."""
    ranks: Ranks | None = None
    """The processes that share its batches, where there are several."""

    @property
    def recipe(self) -> TrainSpec:
        """What all replicas share of their specs."""
        return self.runs[0].spec


@dataclass(frozen=True, slots=True)
class Position:
    """How far a group is."""

    epoch: int
    """The current one, from 1 on."""
    step: int = 0
    """Optimiser steps taken. Those of the current epoch are as many as its tally has losses."""
    examples: int = 0
    """Examples trained on in the epochs that have ended, over all replicas."""


@dataclass(frozen=True, slots=True, eq=False)
class Splits:
    """The data of the replicas still training."""

    train: SplitTensors
    unseen: dict[str, SplitTensors]
    """test, and validation where there is one."""
    left_out: SplitTensors | None = None
    """What is in no run's half: the last weights alone are asked about it."""

    def keep(self, kept: Sequence[int]) -> Splits:
        """Those of the replicas at these positions."""
        unseen = {name: split.keep(kept) for name, split in self.unseen.items()}
        return Splits(self.train.keep(kept), unseen, self.left_out and self.left_out.keep(kept))


@dataclass(frozen=True, slots=True, eq=False)
class GroupState:
    """All that changes while a group trains: with `GroupSetup`, whatever its next step depends on.

    Weights, the optimiser's state and what is recorded change in place; the rest is replaced.
    """

    position: Position
    active: tuple[int, ...]
    """[R] which of the runs still train; the axis R of all tensors below follows it."""
    leavings: tuple[tuple[int, ...], ...]
    """What `active` was after each time that runs left: where in memory weights lie may depend on it."""
    replicas: Replicas
    """Weights and buffers."""
    optimizer: ReplicaOptimizer
    """Its state of each weight."""
    take: TakeStep
    """How a step is taken: operation by operation, or by a compiled graph."""
    streams: Streams
    """What random numbers come from."""
    recorder: CourseRecorder
    """Curves and early rows, of all runs."""
    probe: StepProbe
    """The initial weights, and the gradients of the last step where the next one is compared with them."""
    courses: tuple[Course, ...]
    """What evaluations have shown, of all runs."""
    evaluations: EvaluationSchedule
    """When full evaluation is due next."""
    tally: EpochTally
    """What is counted of the current epoch."""
    splits: Splits
    """Rebuilt from the specs, the data and `active`."""
    drawn: dict[str, Any] | None = None
    """Where the epoch goes on in its middle, what random generators were at: see `own_draws`."""

    @property
    def is_compiled(self) -> bool:
        """Whether the last step was taken by a compiled graph."""
        return isinstance(self.take, CompiledStep) and self.take.is_compiled

    def course(self, position: int) -> Course:
        """That of the replica at this position of the axis R."""
        return self.courses[self.active[position]]

    def with_course(self, position: int, course: Course) -> GroupState:
        """The same, with another course of the replica at this position."""
        courses = list(self.courses)
        courses[self.active[position]] = course
        return replace(self, courses=tuple(courses))

    @torch.inference_mode(False)
    def keep(self, kept: Sequence[int]) -> GroupState:
        """Goes on with the replicas at these positions alone; the others leave the stack."""
        self.replicas.keep(kept)
        self.optimizer.keep(kept, self.replicas.parameters)
        self.probe.keep(kept)
        if isinstance(self.take, CompiledStep):
            self.take.keep()
        active = tuple(self.active[position] for position in kept)
        return replace(
            self,
            active=active,
            leavings=(*self.leavings, active),
            streams=self.streams.keep(kept),
            splits=self.splits.keep(kept),
        )
