"""The contract of a study, and the table that all studies share."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from importlib import import_module
from typing import Any, ClassVar

import numpy as np
import pandas as pd

from byrote.data.dataset import Dataset
from byrote.evidence.finding import Finding
from byrote.training.outcome import TrainOutcome
from byrote.training.spec import TrainSpec


class Study(ABC):
    """Which runs to make, how to read them, what they show. Subclasses are frozen dataclasses."""

    name: ClassVar[str]
    """The column `study`, and the name on the command line."""
    title: ClassVar[str]
    data: Dataset

    def __init_subclass__(cls, **arguments: Any) -> None:
        super().__init_subclass__(**arguments)
        # What a dataclass would write instead holds all arrays.
        cls.__repr__ = cls.__dict__.get("__repr__", Study.__repr__)  # type: ignore[method-assign]

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.name!r} on {self.data.label}: {len(self.plan())} runs>"

    def _repr_html_(self) -> str:
        # Pages know studies, not the other way round: only a notebook asks for one here.
        return import_module("byrote.report.notebook").study_html(self)

    @abstractmethod
    def plan(self) -> list[TrainSpec]:
        """All runs of the study, in a fixed order and without repeats."""

    @abstractmethod
    def summarise(self, outcomes: Sequence[TrainOutcome]) -> pd.DataFrame:
        """The tidy table, one row per run: `tabulate` and whatever the study adds."""

    @abstractmethod
    def verdict(self, table: pd.DataFrame) -> list[Finding]:
        """What the table of `summarise` shows. Runs that did not fit or failed a check support nothing."""

    def choices(self) -> list[str]:
        """Which models were used and why, in sentences for the page's setup."""
        return []


def tabulate(study: str, outcomes: Sequence[TrainOutcome]) -> pd.DataFrame:
    """One row per run, with the columns of results.csv. Accuracies are fractions."""
    return pd.DataFrame([_row(study, outcome) for outcome in outcomes])


def _row(study: str, outcome: TrainOutcome) -> dict[str, object]:
    spec = outcome.spec
    return {
        "study": study,
        "model": spec.model,
        "parameters": outcome.parameters,
        "corruption": spec.corruption,
        "corruption_rate": spec.corruption_rate,
        "augmentation": spec.augmentation,
        "dropout": spec.dropout,
        "weight_decay": spec.weight_decay,
        "batch_norm": outcome.batch_norm,
        "seed": spec.seed,
        "n_train": outcome.n_train,
        "train_accuracy": outcome.train_accuracy,
        "train_accuracy_true_labels": outcome.train_accuracy_true_labels,
        "test_accuracy": outcome.test_accuracy,
        "generalization_gap": outcome.generalization_gap,
        "fitted": outcome.fitted,
        "interpolated": outcome.interpolated,
        "epochs_to_fit": _missing_as_nan(outcome.epochs_to_fit),
        "steps_to_fit": _missing_as_nan(outcome.steps_to_fit),
        "epochs_run": outcome.epochs_run,
        "stop": spec.stop,
        "stop_reason": outcome.stop_reason,
        "replicas": outcome.replicas,
        "seconds": outcome.seconds,
        "epochs_to_interpolate": _missing_as_nan(outcome.epochs_to_interpolate),
        "steps_to_interpolate": _missing_as_nan(outcome.steps_to_interpolate),
        "steps_run": outcome.steps_run,
        "label_rate": spec.label_rate,
        "train_loss": outcome.train_loss,
        "test_loss": outcome.test_loss,
        "ceiling": outcome.ceiling,
        "n_test": outcome.n_test,
        "num_classes": outcome.num_classes,
        "data": outcome.data,
        "data_seed": spec.data_seed,
        "learning_rate": spec.learning_rate,
        "precision": spec.precision,
        "failed_checks": "; ".join(check.name for check in outcome.failed_checks),
        "key": outcome.key,
        "validation": spec.validation,
        "train_top5_accuracy": outcome.train_top5_accuracy,
        "test_top5_accuracy": outcome.test_top5_accuracy,
        "batch_size": spec.batch_size,
        "momentum": spec.momentum,
        "optimizer": spec.optimizer,
        "preprocessing": spec.preprocessing,
        "num_test_leaked": len(outcome.test_leaked),
        "test_accuracy_unleaked": outcome.test_accuracy_unleaked,
    }


def _missing_as_nan(count: int | None) -> float:
    return np.nan if count is None else float(count)
