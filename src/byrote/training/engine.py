"""The one training loop: R replicas of a model at once, each with its own labels, inputs, seed and step size."""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import replace
from functools import partial

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor, nn

from byrote.data.augmentations import find_augmentation
from byrote.data.dataset import Dataset
from byrote.errors import UserError
from byrote.models.number_types import input_type
from byrote.training.batches import EpochBatches, TrainingBatch
from byrote.training.checkpoints import Checkpoints, Keeper, Unusable
from byrote.training.compiled import CompiledStep
from byrote.training.conditions import labels_digest, make_conditions
from byrote.training.course import Course
from byrote.training.course_recorder import CourseRecorder, StepProbe, is_early_row
from byrote.training.epoch_evaluation import evaluate_epoch
from byrote.training.epochs import batch_bounds, most_steps
from byrote.training.evaluation import to_numpy
from byrote.training.evaluation_schedule import EvaluationSchedule
from byrote.training.group_state import GroupSetup, GroupState, Position, Splits
from byrote.training.key import network_input_shape
from byrote.training.learning_rate_schedule import learning_rate_factors
from byrote.training.optimizers import ReplicaOptimizer, is_elementwise
from byrote.training.outcome import EARLY_COLUMNS, Progress, StopReason, TrainOutcome
from byrote.training.own_draws import restore_all
from byrote.training.planner import Compile, is_convolutional, pays_to_compile, resolve_device
from byrote.training.precision import make_numerics, weights_dtype
from byrote.training.ranks import Ranks
from byrote.training.replica_run import Origin, ReplicaRun, build_network, environment
from byrote.training.replicas import Replicas
from byrote.training.spec import FIELDS_OF_REPLICAS, TrainSpec
from byrote.training.step import Step, take_step
from byrote.training.streams import Streams
from byrote.training.tally import EpochTally
from byrote.training.trial import goes_with_channels_last, refuse_parts, trial_inputs, verify, why_not_stackable
from byrote.training.whole_batch import with_whole_batches

_SECONDS_BETWEEN_REPORTS = 0.5


def train(
    specs: Sequence[TrainSpec],
    data: Dataset,
    *,
    device: str = "auto",
    compile: Compile = "auto",  # noqa: A002
    keep_weights: bool = False,
    on_progress: Callable[[Progress], None] | None = None,
    on_log: Callable[[str], None] | None = None,
    ranks: Ranks | None = None,
    checkpoints: Checkpoints | None = None,
    finished: Collection[str] = (),
) -> Iterator[TrainOutcome]:
    """Trains one group of runs side by side and yields each outcome as soon as its replica is done.

    `specs` differ at most in FIELDS_OF_REPLICAS (`plan_groups` makes such groups); `data` is clean and whole: each
    run takes its own subset, corruption and preprocessing. A group that cannot be stacked is trained one by one, and
    the log says why.

    >>> import byrote
    >>> specs = [TrainSpec(model="mlp-1x16", n_train=60, learning_rate=0.1, seed=seed) for seed in range(2)]
    >>> [outcome.stop_reason for outcome in train(specs, byrote.load("digits"), device="cpu")]
    ['interpolated', 'interpolated']

    Args:
        device: auto, cpu, cuda, cuda:N or mps.
        compile: whether steps are compiled: on, off, or auto, where the work is estimated to pay for it.
        keep_weights: whether outcomes have `initial_state` and `final_state`.
        on_progress: called at the end of every epoch, and about twice a second within long ones.
        on_log: called with sentences that a user should know of.
        ranks: the processes that share every batch, all of which call this with equal arguments.
        checkpoints: where the group keeps what it carries, to go on from there after a kill; nowhere without. They
            are removed once all outcomes have been taken.
        finished: the keys of runs whose outcomes the caller has from before: they are not trained where that changes
            nothing for the others.

    Raises:
        UserError: a model, optimiser or crop that does not go with the data, or specs that differ in anything else; a
            model that processes cannot share the batches of.
        RankLost: one of the processes has ended.
    """
    log = on_log or (lambda _: None)
    device = resolve_device(device)
    specs = tuple(specs)
    if not specs:
        return
    common = TrainSpec.model_fields.keys() - set(FIELDS_OF_REPLICAS)
    if differing := [name for name in sorted(common) if len({repr(getattr(spec, name)) for spec in specs}) > 1]:
        raise UserError(
            f"got a group of runs that differ in {', '.join(differing)}; runs trained side by side may differ in "
            f"{', '.join(FIELDS_OF_REPLICAS)}: let plan_groups make the groups"
        )
    again = partial(
        train,
        data=data,
        device=device,
        compile=compile,
        keep_weights=keep_weights,
        on_progress=on_progress,
        on_log=on_log,
        ranks=ranks,
        checkpoints=checkpoints,
        finished=finished,
    )
    built = [build_network(spec, data, device, log if position == 0 else None) for position, spec in enumerate(specs)]
    networks, origins = [network for network, _ in built], [origin for _, origin in built]
    if len(specs) > 1 and (refusal := _why_not_stackable(specs[0], networks, data, device)):
        log(f"{specs[0].model}: trained one by one, since {refusal}")
        for spec, origin in zip(specs, origins, strict=True):
            if origin.key not in finished:
                yield from again((spec,))
        return
    setup, state = _start(networks, origins, data, device, keep_weights, ranks)
    pays = partial(pays_to_compile, specs[0], networks[0], len(specs), setup.total_steps, device)
    if ranks is not None:
        if compile == "on":
            log(f"{specs[0].model}: its steps are not compiled, since several processes share each of them")
    elif compile == "on" or (compile == "auto" and pays()):
        log(f"{specs[0].model}: its steps are compiled, which takes up to half a minute before the second one")
        state = replace(state, take=CompiledStep(state.take, lambda reason: log(f"{specs[0].model}: {reason}")))
    if checkpoints is None:
        yield from _outcomes(setup, state, on_progress or (lambda _: None))
        return
    keeper = Keeper(checkpoints, setup, state, log)
    try:
        setup, state = keeper.resumed(setup, state, finished)
    except Unusable as reason:
        log(f"{specs[0].model}: starts over, since its checkpoint {keeper.path} {reason}")
        yield from again(specs, checkpoints=checkpoints if keeper.remove() else None)
        return
    yield from _outcomes(setup, state, on_progress or (lambda _: None), keeper)
    keeper.remove()


def _why_not_stackable(spec: TrainSpec, networks: Sequence[nn.Module], data: Dataset, device: str) -> str | None:
    if not is_elementwise(spec.optimizer):
        return f"{spec.optimizer} is not known to treat each weight by itself"
    inputs = trial_inputs(spec, data, device, input_type(networks[0], weights_dtype(spec.precision)))
    with Streams((spec.seed,), device).opened("trial", 0):
        return why_not_stackable(networks, inputs, spec.precision)


@torch.inference_mode(False)
def _start(
    networks: Sequence[nn.Module],
    origins: Sequence[Origin],
    data: Dataset,
    device: str,
    keep_weights: bool,
    ranks: Ranks | None,
) -> tuple[GroupSetup, GroupState]:
    """A group at the beginning of its first epoch."""
    started = time.perf_counter()
    specs = [origin.spec for origin in origins]
    recipe = specs[0]
    streams = Streams(tuple(spec.seed for spec in specs), device)
    dtype = input_type(networks[0], weights_dtype(recipe.precision))
    channels_last = False
    if is_convolutional(networks[0]) and len(network_input_shape(recipe, data)) == 3:
        with streams.opened("trial", 0):
            channels_last = goes_with_channels_last(
                networks, trial_inputs(recipe, data, device, dtype), recipe.precision
            )
    conditions = make_conditions(specs, data, device=device, channels_last=channels_last)
    splits = Splits(conditions.train, {"test": conditions.test}, conditions.left_out)
    if conditions.validation is not None:
        splits.unseen["validation"] = conditions.validation
    n = splits.train.num_examples
    num_unseen = sum(split.num_examples for split in splits.unseen.values())
    augment = find_augmentation(recipe.augmentation, data.input_shape)
    bounds = batch_bounds(n, recipe.batch_size)

    # On the first examples of the first run.
    examples = torch.arange(min(2, n), device=splits.train.inputs.home)
    examples = examples.repeat(len(specs), 1)
    inputs = splits.train.gather(examples, dtype)[0]
    if augmentation := streams.augmentation(recipe.augmentation, augment, epoch=0):
        splits.train.picked(examples, dtype, augmentation).verify()
    with streams.opened("trial", 0):
        smallest = min(last - first for first, last in bounds)
        verify(networks[0], inputs, spec=recipe, data=data, smallest_batch=smallest)
    if ranks is not None:
        refuse_parts(networks, recipe, data, streams, dtype, smallest, ranks)
    numerics = with_whole_batches(make_numerics(recipe.precision, device), ranks)

    replicas = Replicas(networks)
    runs = [
        ReplicaRun(
            origin=origin,
            num_examples=n,
            most_correct=conditions.most_correct[position],
            test_leaked=conditions.test_leaked[position],
            leaked_labels=data.test.true_labels[conditions.test_leaked[position]],
            labels_at_start=labels_digest(splits.train, position),
            checks=(*conditions.checks[position], origin.check),
            initial_state=replicas.state(position) if keep_weights else None,
        )
        for position, origin in enumerate(origins)
    ]
    setup = GroupSetup(
        runs=tuple(runs),
        data_label=data.label,
        num_classes=data.num_classes,
        device=device,
        dtype=dtype,
        numerics=numerics,
        augment=augment,
        bounds=tuple(bounds),
        total_steps=most_steps(recipe, n),
        keep_weights=keep_weights,
        started_seconds=started,
        ranks=ranks,
    )
    state = GroupState(
        position=Position(epoch=1),
        active=tuple(range(len(specs))),
        leavings=(),
        replicas=replicas,
        optimizer=ReplicaOptimizer(specs, replicas.parameters),
        take=partial(take_step, loss=recipe.loss, numerics=numerics, ranks=ranks),
        streams=streams,
        recorder=CourseRecorder(len(specs)),
        probe=StepProbe(replicas.parameters),
        courses=(Course(),) * len(specs),
        evaluations=EvaluationSchedule(recipe, num_trained=n, num_evaluated=n + num_unseen),
        tally=EpochTally.of_epoch(splits.train, streams.batch_order(1, n)),
        splits=splits,
    )
    return setup, state


def _outcomes(
    setup: GroupSetup, state: GroupState, report: Callable[[Progress], None], keeper: Keeper | None = None
) -> Iterator[TrainOutcome]:
    is_over = False
    while not is_over:
        finished: list[TrainOutcome] = []
        with state.streams.opened("dropout", state.position.epoch) as open_streams:
            while not finished:
                epoch = state.position.epoch
                state = _train_epoch(setup, state, report, keeper)
                open_streams("evaluation", epoch)
                state, stops = evaluate_epoch(setup, state)
                report(_progress(setup, state))
                finished = [
                    _finish(setup, state, position, stop) for position, stop in enumerate(stops) if stop is not None
                ]
                kept = [position for position, stop in enumerate(stops) if stop is None]
                is_over = not kept
                if kept:
                    state = _next_epoch(state.keep(kept) if finished else state)
                open_streams("dropout", epoch + 1)
        # Only now: a caller that stops here leaves nothing half done. The next checkpoint comes after they are stored.
        yield from finished


@torch.inference_mode(False)  # labels of the epoch are kept for backward passes
def _next_epoch(state: GroupState) -> GroupState:
    position = replace(state.position, epoch=state.position.epoch + 1)
    order = state.streams.batch_order(position.epoch, state.splits.train.num_examples)
    return replace(state, position=position, tally=EpochTally.of_epoch(state.splits.train, order))


def _train_epoch(
    setup: GroupSetup, state: GroupState, report: Callable[[Progress], None], keeper: Keeper | None = None
) -> GroupState:
    """One epoch, what is left of one, or what is left of the run's steps."""
    recipe, train, done = setup.recipe, state.splits.train, len(state.tally.losses)
    first_step = state.position.step - done
    if state.drawn is not None:
        restore_all([state.replicas.network], setup.device, state.drawn)
        state = replace(state, drawn=None)
    bounds = setup.bounds[: setup.total_steps - first_step]
    factors = learning_rate_factors(recipe, first=first_step, num=len(bounds), total=setup.total_steps)
    augmentation = state.streams.augmentation(recipe.augmentation, setup.augment, state.position.epoch)
    arriving = EpochBatches(
        train, state.tally.order, state.tally.labels, bounds, setup.dtype, augmentation, setup.ranks
    )
    reported, figures, index = time.perf_counter(), dict[str, Tensor](), done
    while index < len(bounds):
        number, is_last = first_step + index + 1, index == len(bounds) - 1
        if keeper is not None:
            keeper.look(setup, state, step=number - 1, is_last=is_last)
        take, most, last_step = state.take, len(bounds) - index, first_step + len(bounds)
        if isinstance(take, CompiledStep) and (
            num := _num_unobserved(number, min(take.num_together, most), recipe.dense_steps, last=last_step)
        ):
            ahead = [arriving[each] for each in range(index, index + num)]
            for step in take.several(state.replicas, state.optimizer, ahead, factors[index : index + num]):
                state.tally.add(step.losses, step.predictions)
        else:
            num = 1
            step, figures = _step(setup, state, number, arriving[index], factors[index], is_last=is_last)
            _record_step(state, number, step, figures, recipe.dense_steps)
        index += num
        if time.perf_counter() - reported > _SECONDS_BETWEEN_REPORTS:
            reported = time.perf_counter()
            at_step = replace(state, position=replace(state.position, step=first_step + index))
            report(_progress(setup, at_step, fraction=bounds[index - 1][1] / train.num_examples))
    number, factor = first_step + len(bounds), factors[-1]
    state = replace(state, position=replace(state.position, step=number))
    return _record_epoch(setup, state, figures, factor)


def _num_unobserved(first: int, most: int, dense_steps: int, *, last: int) -> int:
    """Of the steps from `first` on, `most` at most, how many there are up to one that is looked into: the epoch's
    `last`, an early row, or the one before that."""
    found = 0
    while found < most and not (
        first + found == last
        or is_early_row(first + found, dense_steps)
        or is_early_row(first + found + 1, dense_steps)
    ):
        found += 1
    return found


def _step(
    setup: GroupSetup,
    state: GroupState,
    number: int,
    batch: TrainingBatch,
    factor: float,
    *,
    is_last: bool,
) -> tuple[Step, dict[str, Float[Tensor, " R"]]]:
    """Step `number` (from 1) of all replicas, at `factor` times their learning rates, in place; with it the norms of
    gradients and updates, where they are recorded."""
    dense_steps = setup.recipe.dense_steps
    measure, remember = is_last or is_early_row(number, dense_steps), is_early_row(number + 1, dense_steps)
    if not (measure or remember):
        return state.take(state.replicas, state.optimizer, batch, factor), {}
    return _observed_step(state, batch, factor, measure=measure, remember=remember, is_last=is_last)


def _observed_step(
    state: GroupState, batch: TrainingBatch, factor: float, *, measure: bool, remember: bool, is_last: bool
) -> tuple[Step, dict[str, Float[Tensor, " R"]]]:
    figures: dict[str, Tensor] = {}

    def look(gradients: list[Tensor]) -> None:
        figures.update(state.probe.in_step(gradients, measure=measure, remember=remember))

    if measure:
        state.probe.before_step(state.replicas.parameters)
    step = state.take(state.replicas, state.optimizer, batch, factor, look=look)
    if measure:
        figures |= state.probe.after_step(state.replicas.parameters, from_initial=is_last)
    return step, figures


def _record_step(state: GroupState, number: int, step: Step, figures: dict[str, Tensor], dense_steps: int) -> None:
    state.tally.add(step.losses, step.predictions)
    if is_early_row(number, dense_steps):
        found = {name: to_numpy(value) for name, value in figures.items() if name in EARLY_COLUMNS}
        state.recorder.add_early(state.active, {"step": number, **state.tally.take_early(), **found})


def _record_epoch(setup: GroupSetup, state: GroupState, figures: dict[str, Tensor], factor: float) -> GroupState:
    """At the end of the epoch, with the figures of its last step, taken at `factor` times the learning rates."""
    tally, position = state.tally, state.position
    for replica, number in enumerate(tally.first_non_finite()):
        if number is not None:
            diverged = position.step - len(tally.losses) + number + 1
            state = state.with_course(replica, replace(state.course(replica), diverged_at_step=diverged))
    state.recorder.add_epoch(
        state.active,
        {
            "epoch": position.epoch,
            "step": position.step,
            "learning_rate": np.array([setup.runs[run].spec.learning_rate * factor for run in state.active]),
            "train_loss": tally.mean_loss(),
            "running_accuracy": tally.accuracy(),
            "running_accuracy_true_labels": tally.accuracy_true_labels(),
            "gradient_norm": to_numpy(figures["gradient_norm"]),
            "update_norm": to_numpy(figures["update_norm"]),
            "distance_from_initialization": to_numpy(figures["distance_from_initialization"]),
        },
    )
    return replace(state, position=replace(position, examples=position.examples + tally.seen * len(state.active)))


def _finish(setup: GroupSetup, state: GroupState, position: int, stop_reason: StopReason) -> TrainOutcome:
    index = state.active[position]
    run = setup.runs[index]
    return TrainOutcome(
        spec=run.spec,
        data=setup.data_label,
        n_train=run.num_examples,
        n_test=state.splits.unseen["test"].num_examples,
        num_classes=setup.num_classes,
        epochs_run=state.position.epoch,
        steps_run=state.position.step,
        stop_reason=stop_reason,
        replicas=len(setup.runs),
        seconds=time.perf_counter() - setup.started_seconds,
        curve=state.recorder.curve(index),
        early=state.recorder.early(index),
        environment=environment(setup.device)
        | {
            "compiled": "yes" if state.is_compiled else "no",
            "processes": str(setup.ranks.size if setup.ranks else 1),
        },
        final_state=state.replicas.state(position) if setup.keep_weights else None,
        **run.figures(state.courses[index], labels_at_end=labels_digest(state.splits.train, position)),
    )


def _progress(setup: GroupSetup, state: GroupState, fraction: float = 0.0) -> Progress:
    """With a fraction, within an epoch; else at its end."""
    position, tally = state.position, state.tally
    examples = position.examples + (tally.seen * len(state.active) if fraction else 0)
    return Progress(
        specs=tuple(setup.runs[run].spec for run in state.active),
        epoch=position.epoch - 1 if fraction else position.epoch,
        fraction=fraction,
        step=position.step,
        train_loss=tally.mean_loss(),
        running_accuracy=tally.accuracy(),
        examples_per_second=examples / (time.perf_counter() - setup.started_seconds),
    )
