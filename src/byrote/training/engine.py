"""The one training loop: R replicas of a model at once, each with its own labels, inputs, seed and step size."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field

import numpy as np
import torch
from jaxtyping import Float, Int64
from torch import Tensor, nn

from byrote.data.augmentations import find_augmentation
from byrote.data.dataset import Dataset
from byrote.errors import UserError
from byrote.isolation import undisturbed
from byrote.models.number_types import input_type
from byrote.randomness import permutation, stream, stream_seed
from byrote.training.batches import EpochAugmentation, batches
from byrote.training.conditions import SplitTensors, labels_digest, make_conditions
from byrote.training.epochs import batch_bounds, most_steps
from byrote.training.evaluation import (
    Evaluation,
    evaluate,
    loss_per_replica,
    share_equal,
    to_numpy,
    weighted_mean,
)
from byrote.training.evaluation_schedule import EvaluationSchedule, sample_strides
from byrote.training.key import network_input_shape
from byrote.training.learning_rate_schedule import learning_rate_factors
from byrote.training.optimizers import ReplicaOptimizer, is_elementwise
from byrote.training.outcome import Progress, StopReason, TrainOutcome
from byrote.training.planner import is_convolutional, resolve_device
from byrote.training.precision import make_numerics, weights_dtype, widened
from byrote.training.recorder import Recorder, StepProbe, is_early_row
from byrote.training.replica_run import ReplicaRun, build_run, environment
from byrote.training.replicas import Replicas
from byrote.training.spec import FIELDS_OF_REPLICAS, TrainSpec
from byrote.training.trial import goes_with_channels_last, trial_inputs, verify, why_not_stackable

_SECONDS_BETWEEN_REPORTS = 0.5


def train(
    specs: Sequence[TrainSpec],
    data: Dataset,
    *,
    device: str = "auto",
    keep_weights: bool = False,
    on_progress: Callable[[Progress], None] | None = None,
    on_log: Callable[[str], None] | None = None,
) -> Iterator[TrainOutcome]:
    """Trains one group of runs side by side and yields each outcome as soon as its replica is done.

    `specs` differ at most in FIELDS_OF_REPLICAS (`plan_groups` makes such groups); `data` is clean and whole: each
    run takes its own subset, corruption and preprocessing. A group that cannot be stacked is trained one by one, and
    the log says why.

    Raises:
        UserError: a model, optimiser or crop that does not go with the data, or specs that differ in anything else.
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
    runs = [build_run(spec, data, device, log if position == 0 else None) for position, spec in enumerate(specs)]
    if len(specs) > 1 and (refusal := _why_not_stackable(specs[0], runs, data, device)):
        log(f"{specs[0].model}: trained one by one, since {refusal}")
        for spec in specs:
            yield from train(
                (spec,), data, device=device, keep_weights=keep_weights, on_progress=on_progress, on_log=on_log
            )
        return
    yield from _Group(specs, runs, data, device, keep_weights, on_progress or (lambda _: None)).outcomes()


def _why_not_stackable(spec: TrainSpec, runs: Sequence[ReplicaRun], data: Dataset, device: str) -> str | None:
    if not is_elementwise(spec.optimizer):
        return f"{spec.optimizer} is not known to treat each weight by itself"
    networks = [run.network for run in runs]
    inputs = trial_inputs(spec, data, device, input_type(networks[0], weights_dtype(spec.precision)))
    with _seeded(spec.seed, "trial", device):
        return why_not_stackable(networks, inputs, spec.precision)


@contextmanager
def _seeded(seed: int, purpose: str, device: str, epoch: int = 0) -> Iterator[None]:
    """For modules that draw from global generators, which are never stacked, or change global settings; and for
    cuDNN."""
    if device.startswith("cuda"):
        torch.cuda.init()  # else its random state would be passed over
    with (
        undisturbed(stream_seed(seed, purpose, epoch)),
        # Without its first argument, flags() turns cuDNN off.
        torch.backends.cudnn.flags(enabled=torch.backends.cudnn.enabled, deterministic=True, benchmark=False),
    ):
        yield


@dataclass
class _Group:
    specs: tuple[TrainSpec, ...]
    runs: list[ReplicaRun]
    data: Dataset
    device: str
    keep_weights: bool
    report: Callable[[Progress], None]
    active: list[int] = field(init=False)
    """The runs still training; axis R of all tensors below follows it."""
    step: int = field(default=0, init=False)

    @torch.inference_mode(False)
    def __post_init__(self) -> None:
        self.started = time.perf_counter()
        self.recipe = self.specs[0]
        self.numerics = make_numerics(self.recipe.precision, self.device)
        self.active = list(range(len(self.specs)))
        networks = [run.network for run in self.runs]
        self.dtype = input_type(networks[0], weights_dtype(self.recipe.precision))
        channels_last = False
        if is_convolutional(networks[0]) and len(network_input_shape(self.recipe, self.data)) == 3:
            inputs = trial_inputs(self.recipe, self.data, self.device, self.dtype)
            with self._reproducibly("trial", 0):
                channels_last = goes_with_channels_last(networks, inputs, self.recipe.precision)
        conditions = make_conditions(self.specs, self.data, device=self.device, channels_last=channels_last)
        self.train_split = conditions.train
        self.unseen = {"test": conditions.test}
        if conditions.validation is not None:
            self.unseen["validation"] = conditions.validation
        self.augment = find_augmentation(self.recipe.augmentation, self.data.input_shape)
        self.bounds = batch_bounds(self.train_split.num_examples, self.recipe.batch_size)
        self._verify(networks[0])
        self.replicas = Replicas(networks)
        for position, run in enumerate(self.runs):
            run.num_examples = self.train_split.num_examples
            run.most_correct = conditions.most_correct[position]
            run.test_leaked = conditions.test_leaked[position]
            run.leaked_labels = self.data.test.true_labels[run.test_leaked]
            run.labels_at_start = labels_digest(self.train_split, position)
            run.checks[:0] = conditions.checks[position]
            if self.keep_weights:
                run.initial_state = self.replicas.state(position)
        self.optimizer = ReplicaOptimizer(self.specs, self.replicas.parameters)
        self.recorder = Recorder(len(self.specs))
        self.probe = StepProbe(self.replicas.parameters)
        self.examples_done = 0
        n = self.train_split.num_examples
        num_unseen = sum(split.num_examples for split in self.unseen.values())
        self.schedule = EvaluationSchedule(self.recipe, num_trained=n, num_evaluated=n + num_unseen)

    def outcomes(self) -> Iterator[TrainOutcome]:
        epoch = 0
        while self.active:
            epoch += 1
            order = self._batch_order(epoch)
            with self._reproducibly("dropout", epoch):
                losses, running = self._train_epoch(epoch, order)
            stops: list[StopReason | None] = [self._stop_without_evaluation(epoch, loss) for loss in losses.tolist()]
            scheduled = self.schedule.is_due(epoch)
            with self._reproducibly("evaluation", epoch):
                certain = {position for position, stop in enumerate(stops) if scheduled or stop}
                others = set(range(len(self.active))) - certain
                due = sorted(certain | self._near_threshold(others, order, running))
                self._evaluate_train(due, epoch)
                for position in due:
                    run = self.runs[self.active[position]]
                    if self.recipe.stop == "at_interpolation" and run.steps_to_interpolate is not None:
                        stops[position] = "interpolated"
                self._evaluate_unseen([position for position in due if scheduled or stops[position]])
            self.report(self._progress(epoch, 0.0, losses, running))
            finished = [self._finish(position, epoch, stop) for position, stop in enumerate(stops) if stop is not None]
            kept = [position for position, stop in enumerate(stops) if stop is None]
            if finished and kept:
                self._keep(kept)
            self.active = [self.active[position] for position in kept]
            # Only now: a caller that stops here leaves nothing half done.
            yield from finished

    def _train_epoch(
        self, epoch: int, order: Int64[Tensor, "R N"]
    ) -> tuple[Float[np.ndarray, " R"], Float[np.ndarray, " R"]]:
        """One epoch, or what is left of the run's steps; returns mean loss and running accuracy."""
        recipe, parameters = self.recipe, self.replicas.parameters
        labels = self.train_split.labels.gather(1, order.to(self.device))
        predictions = torch.full_like(labels, -1)
        losses: list[Tensor] = []
        sizes: list[int] = []
        early_start, seen = 0, 0
        figures: dict[str, Tensor] = {}
        last_report = time.perf_counter()
        total = most_steps(recipe, order.shape[1])
        bounds = self.bounds[: total - self.step]
        own_order = order.to(self.train_split.inputs.home)
        parts = (own_order[:, first:last] for first, last in bounds)
        arriving = batches(self.train_split, parts, self.dtype, self._augmentation(epoch))
        factors = learning_rate_factors(recipe, first=self.step, num=len(bounds), total=total)
        for (first, last), factor, inputs in zip(bounds, factors, arriving, strict=True):
            is_last = last == bounds[-1][1]
            early = is_early_row(self.step + 1, recipe.dense_steps)
            measure = early or is_last
            with self.numerics():
                logits = widened(self.replicas(inputs, training=True))
            loss = loss_per_replica(logits, labels[:, first:last], recipe.loss)
            loss.sum().backward()
            self.replicas.collect_gradients()
            # Were each batch shared by several processes, they would average the gradients here.
            if measure or is_early_row(self.step + 2, recipe.dense_steps):
                figures = self.probe.before_step(
                    parameters, measure=measure, remember=is_early_row(self.step + 2, recipe.dense_steps)
                )
            self.optimizer.step(factor)
            self.replicas.clear_gradients()
            if measure:
                figures |= self.probe.after_step(parameters)
            self.step += 1
            losses.append(loss.detach())
            sizes.append(last - first)
            predictions[:, first:last] = logits.argmax(-1)
            seen = last
            if early:
                window = slice(early_start, len(losses))
                span = slice(sum(sizes[:early_start]), seen)
                self.recorder.add_early(
                    self.active,
                    {
                        "step": self.step,
                        "train_loss": weighted_mean(losses[window], sizes[window]),
                        "train_accuracy": share_equal(predictions[:, span], labels[:, span]),
                        **{name: to_numpy(value) for name, value in figures.items()},
                    },
                )
                early_start = len(losses)
            if time.perf_counter() - last_report > _SECONDS_BETWEEN_REPORTS:
                last_report = time.perf_counter()
                running = share_equal(predictions[:, :seen], labels[:, :seen])
                self.report(self._progress(epoch - 1, seen / order.shape[1], weighted_mean(losses, sizes), running))
        self.examples_done += seen * len(self.active)
        mean_loss = weighted_mean(losses, sizes)
        self._note_divergence(torch.stack(losses))
        running = share_equal(predictions[:, :seen], labels[:, :seen])
        true_labels = self.train_split.true_labels.gather(1, order.to(self.device))
        self.recorder.add_epoch(
            self.active,
            {
                "epoch": epoch,
                "step": self.step,
                "learning_rate": np.array([self.specs[run].learning_rate * factor for run in self.active]),
                "train_loss": mean_loss,
                "running_accuracy": running,
                "running_accuracy_true_labels": share_equal(predictions[:, :seen], true_labels[:, :seen]),
                "gradient_norm": to_numpy(figures["gradient_norm"]),
                "update_norm": to_numpy(figures["update_norm"]),
                "distance_from_initialization": to_numpy(self.probe.distance(parameters)),
            },
        )
        return mean_loss, running

    def _note_divergence(self, losses: Float[Tensor, "S R"]) -> None:
        """Of the losses of this epoch's S steps."""
        for run, finite in zip(self.active, losses.isfinite().cpu().T, strict=True):
            if not finite.all():
                self.runs[run].diverged_at_step = self.step - len(losses) + int(finite.int().argmin()) + 1

    def _reproducibly(self, purpose: str, epoch: int) -> AbstractContextManager[None]:
        return _seeded(self.specs[self.active[0]].seed, purpose, self.device, epoch)

    def _batch_order(self, epoch: int) -> Int64[Tensor, "R N"]:
        n = self.train_split.num_examples
        orders = [
            permutation(stream(self.specs[run].seed, "batches", epoch), n).astype(np.int64) for run in self.active
        ]
        return torch.from_numpy(np.stack(orders))

    def _augmentation(self, epoch: int) -> EpochAugmentation | None:
        if self.augment is None:
            return None
        seeds = [self.specs[run].seed for run in self.active]
        return EpochAugmentation.of_epoch(self.recipe.augmentation, self.augment, seeds, epoch, self.device)

    def _stop_without_evaluation(self, epoch: int, loss: float) -> StopReason | None:
        if not math.isfinite(loss):
            return "non-finite loss"
        if self.recipe.stop == "at_steps":
            return "steps" if self.step == self.recipe.steps else None
        return "epochs" if epoch == self.recipe.epochs else None

    def _near_threshold(
        self, positions: set[int], order: Int64[Tensor, "R N"], running: Float[np.ndarray, " R"]
    ) -> set[int]:
        """Those that may have fitted or interpolated in this epoch."""
        runs = {position: self.runs[self.active[position]] for position in positions}
        near = {position for position, run in runs.items() if run.is_near_threshold(float(running[position]))}
        unclear = [position for position in sorted(positions - near) if runs[position].steps_to_interpolate is None]
        for stride in sample_strides(order.shape[1]):
            if not unclear:
                break
            sample = self.train_split.at(order[:, ::stride].to(self.train_split.inputs.home))
            found = self._evaluate(sample, unclear)
            unclear = [
                position
                for position, evaluation in zip(unclear, found, strict=True)
                if runs[position].is_near_in_sample(evaluation.num_correct, sample.num_examples)
            ]
        return near | set(unclear)

    def _evaluate_train(self, due: Sequence[int], epoch: int) -> None:
        for position, evaluation in zip(due, self._evaluate(self.train_split, due), strict=True):
            run = self.runs[self.active[position]]
            run.note_train(evaluation, epoch=epoch, step=self.step)
            self.recorder.amend_epoch(
                self.active[position],
                {
                    "evaluated_train_loss": evaluation.loss,
                    "train_accuracy": evaluation.accuracy,
                    "train_accuracy_true_labels": evaluation.accuracy_true_labels,
                },
            )

    def _evaluate_unseen(self, due: Sequence[int]) -> None:
        for name, split in self.unseen.items():
            for position, evaluation in zip(due, self._evaluate(split, due), strict=True):
                figures = {f"{name}_loss": evaluation.loss, f"{name}_accuracy": evaluation.accuracy}
                self.recorder.amend_epoch(self.active[position], figures)
                if name == "test":
                    self.runs[self.active[position]].test = evaluation

    def _evaluate(self, split: SplitTensors, due: Sequence[int]) -> list[Evaluation]:
        if not due:
            return []
        return evaluate(self.replicas, split, due, loss=self.recipe.loss, dtype=self.dtype, numerics=self.numerics)

    def _finish(self, position: int, epoch: int, stop_reason: StopReason) -> TrainOutcome:
        index = self.active[position]
        run = self.runs[index]
        return TrainOutcome(
            spec=run.spec,
            data=self.data.label,
            n_train=self.train_split.num_examples,
            n_test=self.unseen["test"].num_examples,
            num_classes=self.data.num_classes,
            epochs_run=epoch,
            steps_run=self.step,
            stop_reason=stop_reason,
            replicas=len(self.specs),
            seconds=time.perf_counter() - self.started,
            curve=self.recorder.curve(index),
            early=self.recorder.early(index),
            environment=environment(self.device),
            final_state=self.replicas.state(position) if self.keep_weights else None,
            **run.figures(labels_at_end=labels_digest(self.train_split, position)),
        )

    @torch.inference_mode(False)
    def _keep(self, kept: Sequence[int]) -> None:
        self.replicas.keep(kept)
        self.optimizer.keep(kept, self.replicas.parameters)
        self.probe.keep(kept)
        self.train_split = self.train_split.keep(kept)
        self.unseen = {name: split.keep(kept) for name, split in self.unseen.items()}

    def _verify(self, network: nn.Module) -> None:
        """On the first examples of the first run."""
        examples = torch.arange(min(2, self.train_split.num_examples), device=self.train_split.inputs.home)
        inputs = self.train_split.gather(examples.expand(len(self.active), -1), self.dtype)[0]
        if augmentation := self._augmentation(epoch=0):
            augmentation.verify(self.train_split, examples.repeat(len(self.active), 1), self.dtype)
        smallest = min(last - first for first, last in self.bounds)
        with self._reproducibly("trial", 0):
            verify(network, inputs, spec=self.recipe, data=self.data, smallest_batch=smallest)

    def _progress(
        self, epoch: int, fraction: float, losses: Float[np.ndarray, " R"], running: Float[np.ndarray, " R"]
    ) -> Progress:
        n = self.train_split.num_examples
        done = self.examples_done + int(fraction * n) * len(self.active)
        return Progress(
            specs=tuple(self.specs[run] for run in self.active),
            epoch=epoch,
            fraction=fraction,
            step=self.step,
            train_loss=losses,
            running_accuracy=running,
            examples_per_second=done / (time.perf_counter() - self.started),
        )
