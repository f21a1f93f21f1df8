"""What evaluations have shown of a replica so far: whether and when it fitted, interpolated, diverged."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

from byrote.training.evaluation import Evaluation

FIT = 0.99
"""A run has fitted at this share of the attainable training accuracy."""


@dataclass(frozen=True, slots=True, eq=False)
class Course:
    """Of one replica; each evaluation gives a new one."""

    epochs_to_fit: int | None = None
    steps_to_fit: int | None = None
    epochs_to_interpolate: int | None = None
    steps_to_interpolate: int | None = None
    diverged_at_step: int | None = None
    """The first step whose loss was not a finite number."""
    train: Evaluation | None = None
    """The latest evaluation of the training split."""
    test: Evaluation | None = None
    left_out: Evaluation | None = None
    """Of a run on half of the training set, that of the others by its last weights."""

    def after_train(self, train: Evaluation, *, most_correct: int, epoch: int, step: int) -> Course:
        """With an evaluation of the training split made after `epoch` epochs and `step` steps.

        Args:
            most_correct: how many training labels any function of the inputs can get right.
        """
        course = replace(self, train=train)
        if self.steps_to_fit is None and train.num_correct >= FIT * most_correct:
            course = replace(course, epochs_to_fit=epoch, steps_to_fit=step)
        if self.steps_to_interpolate is None and train.num_correct >= most_correct:
            course = replace(course, epochs_to_interpolate=epoch, steps_to_interpolate=step)
        return course

    def fewest_correct(self, most_correct: int) -> int | None:
        """How many training labels must be right at the next threshold; None for a run that has interpolated."""
        if self.steps_to_interpolate is not None:
            return None
        return most_correct if self.steps_to_fit is not None else math.ceil(FIT * most_correct)
