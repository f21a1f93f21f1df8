"""What evaluations have shown of a replica so far: whether and when it fitted, interpolated, diverged."""

from __future__ import annotations

from dataclasses import dataclass, replace

from byrote.training.evaluation import Evaluation

FIT = 0.99
"""A run has fitted at this share of the attainable training accuracy."""
_NEAR = 0.02
"""Full evaluation runs in every epoch whose running accuracy is at most this far below the next threshold."""
_DEVIATIONS = 5
"""So many standard deviations a sample of training examples may fall short of a threshold that all of them reach."""


@dataclass(frozen=True, slots=True, eq=False)
class Course:
    """Of one replica; each evaluation gives a new one. A `ceiling` is the attainable share of training labels."""

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

    def is_near_threshold(self, running_accuracy: float, ceiling: float) -> bool:
        """Whether the run may have reached its next threshold, given its accuracy in training mode over an epoch."""
        if self.steps_to_interpolate is not None:
            return False
        return running_accuracy >= self._next_share * ceiling - _NEAR

    def is_near_in_sample(self, num_correct: int, num_sampled: int, ceiling: float) -> bool:
        """Whether the run may have reached its next threshold, given a sample of its training examples in evaluation
        mode: always if it has interpolated, and with a chance of 0.999 if it has just fitted."""
        if self.steps_to_interpolate is not None:
            return False
        share = self._next_share
        if share == 1 and ceiling == 1:
            return num_correct == num_sampled
        expected = share * ceiling
        variance = max(expected * (1 - expected), FIT * (1 - FIT))
        margin = max(_NEAR, _DEVIATIONS * (variance / num_sampled) ** 0.5)
        return bool(num_correct >= (expected - margin) * num_sampled)

    @property
    def _next_share(self) -> float:
        return 1.0 if self.steps_to_fit is not None else FIT
