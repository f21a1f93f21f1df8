"""TrainOutcome: all that one finished run leaves behind."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from importlib import import_module
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import torch

from byrote.data.check import Check
from byrote.references import short_name
from byrote.training.spec import TrainSpec

StopReason = Literal["interpolated", "steps", "epochs", "non-finite loss"]

CURVE_COLUMNS = (
    "epoch",
    "step",
    "learning_rate",
    "train_loss",  # mean over the epoch's batches, train mode, while weights move
    "running_accuracy",  # likewise, against the labels trained on
    "running_accuracy_true_labels",
    "gradient_norm",  # of the epoch's last batch
    "update_norm",  # of the epoch's last step
    "distance_from_initialization",
    "evaluated_train_loss",  # the rest: evaluation mode over the whole set, NaN in epochs not evaluated
    "train_accuracy",
    "train_accuracy_true_labels",
    "test_loss",
    "test_accuracy",
    "validation_loss",  # NaN throughout without a validation share
    "validation_accuracy",
)
EARLY_COLUMNS = (
    "step",
    "train_loss",  # mean over the batches since the row before, within the epoch
    "train_accuracy",
    "gradient_norm",  # of this step's batch
    "update_norm",
    "gradient_cosine",  # between the gradients of this batch and of the batch before
)

LOADED_WHEN_ASKED_FOR = (
    "curve",
    "early",
    "train_predictions",
    "test_predictions",
    "left_out_predictions",
    "train_margins",
    "left_out_margins",
    "test_margins",
    "checks",
)
"""What takes nearly all the memory of an outcome, and few readers need of many runs."""
LoadFields = Callable[[str], Mapping[str, Any]]
"""From the key of a run to these of its fields."""
CheckResults = tuple[tuple[str, bool], ...]


class _Deferred:
    """Where the rest of an outcome comes from that was made without it. These are no fields: a copy has all fields."""

    __slots__ = ("_load", "_told")


@dataclass(frozen=True, eq=False, slots=True)
class TrainOutcome(_Deferred):
    """A finished run. Accuracies are fractions; times are in seconds, epochs and optimiser steps.

    Of runs that a store has, beyond the first 256 that are read together, curves, predictions and checks are read when
    they are asked for, each time anew: the store must be there then.

    >>> import byrote
    >>> spec = TrainSpec(model="mlp-1x16", n_train=60, learning_rate=0.1)
    >>> (outcome,) = byrote.train([spec], byrote.load("digits"), device="cpu")
    >>> outcome.train_accuracy, outcome.fitted, len(outcome.curve["train_loss"]) == outcome.epochs_run
    (1.0, True, True)
    """

    key: str
    spec: TrainSpec
    data: str
    """What figures call the data."""
    n_train: int
    """How many examples were trained on: without those held out for validation."""
    n_test: int
    num_classes: int
    parameters: int
    """Weights that are trained; frozen ones are `frozen_parameters`."""
    batch_norm: bool

    # Final figures: the last weights, evaluation mode, whole splits, no augmentation.
    train_loss: float
    train_accuracy: float
    train_accuracy_true_labels: float
    train_top5_accuracy: float
    """The label trained on is among the min(5, K) classes with the largest scores."""
    test_loss: float
    test_accuracy: float
    test_top5_accuracy: float
    ceiling: float
    """The training accuracy that identical inputs with different labels leave; 1.0 without such."""

    # Fitted: 0.99 of the ceiling; interpolated: all of it.
    epochs_to_fit: int | None
    steps_to_fit: int | None
    epochs_to_interpolate: int | None
    steps_to_interpolate: int | None

    epochs_run: int
    steps_run: int
    stop_reason: StopReason
    replicas: int
    """How many networks were trained side by side in this run's group."""
    seconds: float
    """Wall-clock time from the group's start until this replica left it."""

    curve: dict[str, np.ndarray]
    """CURVE_COLUMNS, one entry an epoch."""
    early: dict[str, np.ndarray]
    """EARLY_COLUMNS, over the first `dense_steps` steps."""
    train_predictions: np.ndarray
    """The class predicted for each training example by the last weights."""
    test_predictions: np.ndarray
    checks: tuple[Check, ...]
    initial_weights: str
    """Digest of the initial weights: equal for equal models and seeds, whatever the corruption."""
    environment: dict[str, str]
    """device, hardware, threads, whether steps were compiled, how many processes shared each batch, and the versions of
    byrote, torch, numpy and python."""
    test_leaked: np.ndarray = field(default_factory=lambda: np.zeros(0, dtype=np.int64))
    """[L] rows of the test examples whose input, after preprocessing, is one that was trained on,
    exactly or, of vectors, but for rounding. What is right
    there may be memory: `test_accuracy_unleaked` is the accuracy on the others."""
    test_leaked_correct: int = 0
    """How many of them are predicted right."""
    left_out_predictions: np.ndarray = field(default_factory=lambda: np.zeros(0, dtype=np.uint8))
    """Of a run on half of the training set, the class predicted for each of the others, in the order of
    `half_rows`; else empty, as the three below."""
    train_margins: np.ndarray = field(default_factory=lambda: np.zeros(0, dtype=np.float16))
    """The log-odds of the label that the last weights give to each training example; float16."""
    left_out_margins: np.ndarray = field(default_factory=lambda: np.zeros(0, dtype=np.float16))
    """Of the others, by the labels that they would have been trained on with."""
    test_margins: np.ndarray = field(default_factory=lambda: np.zeros(0, dtype=np.float16))
    frozen_parameters: int = 0
    """Weights that are not trained (requires_grad=False)."""
    diverged_at_step: int | None = None
    """The first optimiser step whose loss was not a finite number; None where all were."""
    initial_state: dict[str, torch.Tensor] | None = None
    """Weights and buffers before the first step, where the caller asked to keep them."""
    final_state: dict[str, torch.Tensor] | None = None

    @classmethod
    def without_arrays(cls, load: LoadFields, check_results: CheckResults, fields: Mapping[str, Any]) -> TrainOutcome:
        """The outcome with all other fields, which calls `load` for those of LOADED_WHEN_ASKED_FOR."""
        made, put = object.__new__(cls), object.__setattr__
        for name, value in fields.items():
            put(made, name, value)
        for name, value in (("initial_state", None), ("final_state", None), ("_load", load), ("_told", check_results)):
            put(made, name, value)
        return made

    if not TYPE_CHECKING:  # else any name would be one of its attributes

        def __getattr__(self, name: str) -> Any:
            """Called for what it was made without."""
            if name in LOADED_WHEN_ASKED_FOR:
                return self._load(self.key)[name]
            raise AttributeError(f"{type(self).__name__!r} object has no attribute {name!r}")

    @property
    def check_results(self) -> CheckResults:
        """Of each of `checks`, its name and whether it passed; of a run that a store has, without reading them."""
        told: CheckResults | None = getattr(self, "_told", None)
        return tuple((check.name, check.passed) for check in self.checks) if told is None else told

    def __repr__(self) -> str:
        spec, fitted = self.spec, "fitted" if self.fitted else "not fitted"
        model = short_name(spec.model)
        when = f"after {self.steps_to_fit:,} steps" if self.fitted else f"in {self.steps_run:,} steps"
        rate = f" {spec.corruption_rate:g}" if 0 < spec.corruption_rate < 1 else ""
        return (
            f"<TrainOutcome {model}, {spec.corruption}{rate}, seed {spec.seed}, n = {self.n_train:,}: {fitted} "
            f"{when}, train accuracy {self.train_accuracy:.3f}, test accuracy {self.test_accuracy:.3f}>"
        )

    def _repr_html_(self) -> str:
        # Pages know outcomes, not the other way round: only a notebook asks for one here.
        return str(import_module("byrote.report.notebook").outcome_html(self))

    @property
    def task(self) -> TrainSpec:
        return self.spec

    @property
    def fitted(self) -> bool:
        """Whether training accuracy was 0.99 of the ceiling or more after some epoch."""
        return self.steps_to_fit is not None

    @property
    def interpolated(self) -> bool:
        """Whether training accuracy was all of the ceiling after some epoch."""
        return self.steps_to_interpolate is not None

    @property
    def generalization_gap(self) -> float:
        """Accuracy on the labels trained on, minus test accuracy on true labels."""
        return self.train_accuracy - self.test_accuracy

    @property
    def test_accuracy_unleaked(self) -> float:
        """`test_accuracy` on the test examples whose input was not trained on; NaN where there is none. Equal to it
        where nothing is leaked."""
        num_others = self.n_test - len(self.test_leaked)
        if num_others == self.n_test or not num_others:
            return self.test_accuracy if num_others else math.nan
        return (round(self.test_accuracy * self.n_test) - self.test_leaked_correct) / num_others

    @property
    def failed_checks(self) -> tuple[Check, ...]:
        """Those that block every conclusion; () of a sound run."""
        if all(passed for _, passed in self.check_results):
            return ()
        return tuple(check for check in self.checks if not check.passed)


@dataclass(frozen=True, eq=False)
class Progress:
    """Where a group stands; sent at the end of every epoch, and about twice a second within long ones.

    >>> import byrote
    >>> seen = []
    >>> spec = TrainSpec(model="mlp-1x16", n_train=60, steps=2)
    >>> _ = list(byrote.train([spec], byrote.load("digits"), device="cpu", on_progress=seen.append))
    >>> seen[-1].epoch, seen[-1].step, seen[-1].running_accuracy.shape
    (2, 2, (1,))
    """

    specs: tuple[TrainSpec, ...]
    """The replicas still training, in the order of the arrays below."""
    epoch: int
    """Epochs finished."""
    fraction: float
    """Share of the current epoch that is done; 0.0 right after an epoch ended."""
    step: int
    train_loss: np.ndarray
    """[R] mean over the batches of the epoch (so far)."""
    running_accuracy: np.ndarray
    """[R]"""
    examples_per_second: float
    """Over all replicas, since the group started."""
    time_left: str = ""
    """Of the whole plan, in words, where `run` knows it."""
