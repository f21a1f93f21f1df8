"""One replica's own record, from its first weights to what its outcome says of it."""

from __future__ import annotations

import platform
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from jaxtyping import Int64
from torch import Tensor

from byrote import __version__
from byrote.data.check import Check
from byrote.data.dataset import Dataset
from byrote.models.catalog import build_model
from byrote.training.checks import digest, fresh_weights, same_labels
from byrote.training.course import Course
from byrote.training.key import network_input_shape
from byrote.training.planner import hardware
from byrote.training.precision import said_of_precision, with_precision
from byrote.training.replicas import prepare
from byrote.training.spec import TrainSpec


@dataclass(frozen=True, slots=True, eq=False)
class Origin:
    """What is known of a replica from its network alone, as its seed made it."""

    spec: TrainSpec
    key: str
    initial_weights: str
    """Digest of the weights."""
    batch_norm: bool
    num_trained_weights: int
    num_frozen_weights: int
    check: Check
    """That the weights are fresh."""


@dataclass(frozen=True, slots=True, eq=False)
class ReplicaRun:
    """All that is known of a replica before its first step; what follows is its `Course`."""

    origin: Origin
    num_examples: int
    """That are trained on."""
    most_correct: int
    """How many of their labels any function of the inputs can get right."""
    test_leaked: Int64[np.ndarray, " L"]
    """Rows of the test split whose input is trained on."""
    leaked_labels: Int64[np.ndarray, " L"]
    labels_at_start: str
    """Digest of the labels trained on."""
    checks: tuple[Check, ...]
    initial_state: dict[str, Tensor] | None
    """Weights and buffers, where they are to be kept."""

    @property
    def spec(self) -> TrainSpec:
        """Of its origin."""
        return self.origin.spec

    @property
    def ceiling(self) -> float:
        """The attainable training accuracy."""
        return self.most_correct / self.num_examples

    def figures(self, course: Course, labels_at_end: str) -> dict[str, Any]:
        """The fields of TrainOutcome that are this replica's own."""
        train, test = course.train, course.test
        if train is None or test is None:
            raise RuntimeError("a run ended without a full evaluation")
        found = [evaluation for evaluation in (train, test, course.left_out) if evaluation is not None]
        kind = np.min_scalar_type(max(int(evaluation.predictions.max()) for evaluation in found))
        of_all: dict[str, Any] = {}
        if (left_out := course.left_out) is not None:
            of_all = {
                "left_out_predictions": left_out.predictions.astype(kind),
                "train_margins": train.margins,
                "left_out_margins": left_out.margins,
                "test_margins": test.margins,
            }
        return of_all | {
            "key": self.origin.key,
            "parameters": self.origin.num_trained_weights,
            "frozen_parameters": self.origin.num_frozen_weights,
            "diverged_at_step": course.diverged_at_step,
            "batch_norm": self.origin.batch_norm,
            "train_loss": train.loss,
            "train_accuracy": train.accuracy,
            "train_accuracy_true_labels": train.accuracy_true_labels,
            "train_top5_accuracy": train.top5_accuracy,
            "test_loss": test.loss,
            "test_accuracy": test.accuracy,
            "test_top5_accuracy": test.top5_accuracy,
            "ceiling": self.ceiling,
            "epochs_to_fit": course.epochs_to_fit,
            "steps_to_fit": course.steps_to_fit,
            "epochs_to_interpolate": course.epochs_to_interpolate,
            "steps_to_interpolate": course.steps_to_interpolate,
            "train_predictions": train.predictions.astype(kind),
            "test_predictions": test.predictions.astype(kind),
            "test_leaked": self.test_leaked,
            "test_leaked_correct": int((test.predictions[self.test_leaked] == self.leaked_labels).sum()),
            "checks": (*self.checks, same_labels(self.labels_at_start, labels_at_end)),
            "initial_weights": self.origin.initial_weights,
            "initial_state": self.initial_state,
        }


@torch.inference_mode(False)
def build_network(
    spec: TrainSpec, data: Dataset, device: str, on_log: Callable[[str], None] | None
) -> tuple[torch.nn.Module, Origin]:
    """A fresh network of `spec` on the device, ready for the engine, and what there is to say of it.

    Raises:
        UserError: as of its key.
    """

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
    if on_log is not None:
        for note in notes:
            on_log(f"{spec.model}: {note}")
    origin = Origin(
        spec=spec,
        # Now, not when the run ends: the user may have edited the source by then.
        key=spec.key(data),
        initial_weights=first,
        batch_norm=any(isinstance(m, torch.nn.modules.batchnorm._BatchNorm) for m in network.modules()),
        num_trained_weights=sum(weight.numel() for weight in network.parameters() if weight.requires_grad),
        num_frozen_weights=sum(weight.numel() for weight in network.parameters() if not weight.requires_grad),
        check=check,
    )
    return with_precision(network, spec.precision).to(device), origin


def tensors_digest(tensors: Iterable[Tensor]) -> str:
    """SHA-256 of all values, wherever they are."""
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
    """What numbers depend on beside the spec: device, hardware, threads and versions."""
    return {
        "device": device,
        "hardware": hardware(device),
        "threads": str(torch.get_num_threads()),
        "byrote": __version__,
        "torch": torch.__version__,
        "numpy": np.__version__,
        "python": platform.python_version(),
    }
