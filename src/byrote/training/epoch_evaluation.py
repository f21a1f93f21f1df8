"""What follows an epoch: which replicas are evaluated on which splits, and which of them stop."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from itertools import pairwise

from byrote.training.conditions import SplitTensors
from byrote.training.evaluation import Evaluation, count_correct, evaluate
from byrote.training.evaluation_schedule import sizes_of_samples
from byrote.training.group_state import GroupSetup, GroupState, Position
from byrote.training.outcome import StopReason
from byrote.training.spec import TrainSpec


def evaluate_epoch(setup: GroupSetup, state: GroupState) -> tuple[GroupState, list[StopReason | None]]:
    """Evaluates whom it is due for after an epoch; and says of each replica why it stops, or None."""
    stops = [_stop_without_evaluation(setup.recipe, state.position, loss) for loss in state.tally.mean_loss()]
    scheduled = state.evaluations.is_due(state.position.epoch)
    certain = {position for position, stop in enumerate(stops) if scheduled or stop}
    others = set(range(len(state.active))) - certain
    due = sorted(certain | _may_have_reached(setup, state, others))
    for position, evaluation in zip(due, _evaluate(setup, state, state.splits.train, due), strict=True):
        run = state.active[position]
        course = state.course(position).after_train(
            evaluation,
            most_correct=setup.runs[run].most_correct,
            epoch=state.position.epoch,
            step=state.position.step,
        )
        state = state.with_course(position, course)
        if setup.recipe.stop == "at_interpolation" and course.steps_to_interpolate is not None:
            stops[position] = "interpolated"
        state.recorder.amend_epoch(
            run,
            {
                "evaluated_train_loss": evaluation.loss,
                "train_accuracy": evaluation.accuracy,
                "train_accuracy_true_labels": evaluation.accuracy_true_labels,
            },
        )
    whole = [position for position in due if scheduled or stops[position]]
    for name, split in state.splits.unseen.items():
        for position, evaluation in zip(whole, _evaluate(setup, state, split, whole), strict=True):
            figures = {f"{name}_loss": evaluation.loss, f"{name}_accuracy": evaluation.accuracy}
            state.recorder.amend_epoch(state.active[position], figures)
            if name == "test":
                state = state.with_course(position, replace(state.course(position), test=evaluation))
    if (left_out := state.splits.left_out) is not None:
        ended = [position for position, stop in enumerate(stops) if stop is not None]
        for position, evaluation in zip(ended, _evaluate(setup, state, left_out, ended), strict=True):
            state = state.with_course(position, replace(state.course(position), left_out=evaluation))
    return state, stops


def _may_have_reached(setup: GroupSetup, state: GroupState, positions: set[int]) -> set[int]:
    """Those that have reached their next threshold, or had in training mode: of each replica as if it were alone."""
    train, n = state.splits.train, state.splits.train.num_examples
    runs = {position: setup.runs[state.active[position]] for position in positions}
    needed = {position: state.course(position).fewest_correct(runs[position].most_correct) for position in positions}
    allowed = {position: n - fewest for position, fewest in needed.items() if fewest is not None}
    in_training = state.tally.num_wrong()
    found = {position for position, num in allowed.items() if in_training[position] <= num}
    unclear, wrong = sorted(allowed.keys() - found), dict.fromkeys(allowed, 0)
    if not unclear:
        return found
    suspects = state.tally.suspects().to(train.inputs.home)
    for first, last in pairwise((0, *sizes_of_samples(max(allowed[position] for position in unclear), n))):
        sample = train.at(suspects[:, first:last])
        correct = count_correct(
            state.replicas, sample, unclear, dtype=setup.dtype, numerics=setup.numerics, ranks=setup.ranks
        )
        for position, num_correct in zip(unclear, correct, strict=True):
            wrong[position] += sample.num_examples - num_correct
        unclear = [position for position in unclear if wrong[position] <= allowed[position]]
        if not unclear:
            break
    return found | set(unclear)


def _evaluate(setup: GroupSetup, state: GroupState, split: SplitTensors, due: Sequence[int]) -> list[Evaluation]:
    if not due:
        return []
    return evaluate(
        state.replicas,
        split,
        due,
        loss=setup.recipe.loss,
        dtype=setup.dtype,
        numerics=setup.numerics,
        with_margins=state.splits.left_out is not None,
        ranks=setup.ranks,
    )


def _stop_without_evaluation(recipe: TrainSpec, position: Position, loss: float) -> StopReason | None:
    if not math.isfinite(loss):
        return "non-finite loss"
    if recipe.stop == "at_steps":
        return "steps" if position.step == recipe.steps else None
    return "epochs" if position.epoch == recipe.epochs else None
