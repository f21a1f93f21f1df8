"""One replica's own record, from its first weights to what its outcome says of it."""

from __future__ import annotations

import platform
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from torch import Tensor

from byrote import __version__
from byrote.data.check import Check
from byrote.data.dataset import Dataset
from byrote.models.catalog import build_model
from byrote.training.checks import digest, fresh_weights, same_labels
from byrote.training.evaluation import Evaluation
from byrote.training.key import network_input_shape, run_key
from byrote.training.planner import hardware
from byrote.training.precision import said_of_precision, with_precision
from byrote.training.replicas import prepare
from byrote.training.spec import TrainSpec

FIT = 0.99
"""A run has fitted at this share of the attainable training accuracy."""
_NEAR = 0.02
"""Full evaluation runs in every epoch whose running accuracy is at most this far below the next threshold."""
_DEVIATIONS = 5
"""So many standard deviations a sample of training examples may fall short of a threshold that all of them reach."""


@dataclass
class ReplicaRun:
    spec: TrainSpec
    key: str
    network: torch.nn.Module
    initial_weights: str
    batch_norm: bool
    num_trained_weights: int
    num_frozen_weights: int
    checks: list[Check]

    # Set once the group's data are on the device.
    num_examples: int = 0
    most_correct: int = 0
    test_leaked: np.ndarray = field(default_factory=lambda: np.zeros(0, dtype=np.int64))
    leaked_labels: np.ndarray = field(default_factory=lambda: np.zeros(0, dtype=np.int64))
    labels_at_start: str = ""
    initial_state: dict[str, Tensor] | None = None

    # Follow the evaluations.
    epochs_to_fit: int | None = None
    steps_to_fit: int | None = None
    epochs_to_interpolate: int | None = None
    steps_to_interpolate: int | None = None
    diverged_at_step: int | None = None
    train: Evaluation | None = None
    test: Evaluation | None = None

    @property
    def ceiling(self) -> float:
        return self.most_correct / self.num_examples

    def is_near_threshold(self, running_accuracy: float) -> bool:
        if self.steps_to_interpolate is not None:
            return False
        return running_accuracy >= self._next_share * self.ceiling - _NEAR

    def is_near_in_sample(self, num_correct: int, num_sampled: int) -> bool:
        """Whether the run may have reached its next threshold, given a sample of its training examples in evaluation
        mode: always if it has interpolated, and with a chance of 0.999 if it has just fitted."""
        if self.steps_to_interpolate is not None:
            return False
        share = self._next_share
        if share == 1 and self.most_correct == self.num_examples:
            return num_correct == num_sampled
        expected = share * self.ceiling
        variance = max(expected * (1 - expected), FIT * (1 - FIT))
        margin = max(_NEAR, _DEVIATIONS * (variance / num_sampled) ** 0.5)
        return num_correct >= (expected - margin) * num_sampled

    @property
    def _next_share(self) -> float:
        return 1.0 if self.steps_to_fit is not None else FIT

    def note_train(self, train: Evaluation, *, epoch: int, step: int) -> None:
        """Takes in an evaluation of the training split made after `epoch` epochs and `step` steps."""
        self.train = train
        if self.steps_to_fit is None and train.num_correct >= FIT * self.most_correct:
            self.epochs_to_fit, self.steps_to_fit = epoch, step
        if self.steps_to_interpolate is None and train.num_correct >= self.most_correct:
            self.epochs_to_interpolate, self.steps_to_interpolate = epoch, step

    def figures(self, labels_at_end: str) -> dict[str, Any]:
        """The fields of TrainOutcome that are this replica's own."""
        if self.train is None or self.test is None:
            raise RuntimeError("a run ended without a full evaluation")
        kind = np.min_scalar_type(int(max(self.train.predictions.max(), self.test.predictions.max())))
        return {
            "key": self.key,
            "parameters": self.num_trained_weights,
            "frozen_parameters": self.num_frozen_weights,
            "diverged_at_step": self.diverged_at_step,
            "batch_norm": self.batch_norm,
            "train_loss": self.train.loss,
            "train_accuracy": self.train.accuracy,
            "train_accuracy_true_labels": self.train.accuracy_true_labels,
            "train_top5_accuracy": self.train.top5_accuracy,
            "test_loss": self.test.loss,
            "test_accuracy": self.test.accuracy,
            "test_top5_accuracy": self.test.top5_accuracy,
            "ceiling": self.ceiling,
            "epochs_to_fit": self.epochs_to_fit,
            "steps_to_fit": self.steps_to_fit,
            "epochs_to_interpolate": self.epochs_to_interpolate,
            "steps_to_interpolate": self.steps_to_interpolate,
            "train_predictions": self.train.predictions.astype(kind),
            "test_predictions": self.test.predictions.astype(kind),
            "test_leaked": self.test_leaked,
            "test_leaked_correct": int((self.test.predictions[self.test_leaked] == self.leaked_labels).sum()),
            "checks": (*self.checks, same_labels(self.labels_at_start, labels_at_end)),
            "initial_weights": self.initial_weights,
            "initial_state": self.initial_state,
        }


@torch.inference_mode(False)
def build_run(spec: TrainSpec, data: Dataset, device: str, log: Callable[[str], None] | None) -> ReplicaRun:
    def fresh(seed: int) -> torch.nn.Module:
        return build_model(
            spec.model,
            input_shape=network_input_shape(spec, data),
            num_classes=data.num_classes,
            seed=seed,
            dropout=spec.dropout,
        )

    network, again, other = fresh(spec.seed), fresh(spec.seed), fresh(spec.seed ^ 1)
    first = tensors_digest(network.parameters())
    check = fresh_weights(
        tensors_digest(_all_tensors(network)),
        tensors_digest(_all_tensors(again)),
        tensors_digest(other.parameters()) == first,
        is_drawn=any(bool((weight != weight.flatten()[:1]).any()) for weight in _trained(network)),
    )
    if not {id(weight) for weight in _trained(network)}.isdisjoint(map(id, _trained(again))):
        detail = f"model {spec.model!r} gave two networks the same weights to train; it must build new ones"
        check = Check(check.name, False, detail)
    notes = [note] if (note := said_of_precision(network, spec.precision)) else []
    notes += prepare(network, seed=spec.seed, momentum=spec.batch_norm_momentum, epsilon=spec.batch_norm_epsilon)
    for note in notes if log else ():
        log(f"{spec.model}: {note}")  # type: ignore[misc]
    return ReplicaRun(
        spec=spec,
        # Now, not when the run ends: the user may have edited the source by then.
        key=run_key(spec, data),
        network=with_precision(network, spec.precision).to(device),
        initial_weights=first,
        batch_norm=any(isinstance(m, torch.nn.modules.batchnorm._BatchNorm) for m in network.modules()),
        num_trained_weights=sum(weight.numel() for weight in network.parameters() if weight.requires_grad),
        num_frozen_weights=sum(weight.numel() for weight in network.parameters() if not weight.requires_grad),
        checks=[check],
    )


def tensors_digest(tensors: Iterable[Tensor]) -> str:
    found = (tensor.detach().cpu() for tensor in tensors)
    # NumPy knows no bfloat16.
    return digest(*((tensor.float() if tensor.dtype == torch.bfloat16 else tensor).numpy() for tensor in found))


def _trained(network: torch.nn.Module) -> list[Tensor]:
    return [weight for weight in network.parameters() if weight.requires_grad]


def _all_tensors(network: torch.nn.Module) -> list[Tensor]:
    """Parameters, buffers, and tensors that are plain attributes."""
    own = (value for module in network.modules() for value in vars(module).values() if isinstance(value, Tensor))
    return [*network.parameters(), *network.buffers(), *own]


def environment(device: str) -> dict[str, str]:
    return {
        "device": device,
        "hardware": hardware(device),
        "threads": str(torch.get_num_threads()),
        "byrote": __version__,
        "torch": torch.__version__,
        "numpy": np.__version__,
        "python": platform.python_version(),
    }
