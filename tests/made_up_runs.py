"""Outcomes that look like trained ones, made in microseconds."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd
import pytest
from made_up_predictions import chance_of_made_up_predictions  # noqa: F401  (a fixture for all tests here)

from byrote.data.check import Check
from byrote.data.corruptions.record import Corruption
from byrote.data.dataset import Dataset, Split
from byrote.evidence.finding import Finding
from byrote.studies.randomization.study import RandomizationStudy
from byrote.training.outcome import CURVE_COLUMNS, EARLY_COLUMNS, TrainOutcome
from byrote.training.spec import TrainSpec

DIFFICULTY = {"shuffled-pixels": 1.4, "random-pixels": 3.5, "gaussian": 5.5, "random-labels": 8.0}


@dataclass(frozen=True, eq=False)
class WrittenStudy(RandomizationStudy):
    """The randomisation test with findings that are given."""

    findings: tuple[Finding, ...] = ()

    def verdict(self, table: pd.DataFrame) -> list[Finding]:
        return list(self.findings)


def make_data(n: int = 64, shape: tuple[int, ...] = (1, 8, 8), num_classes: int = 10, **fields: Any) -> Dataset:
    generator = np.random.default_rng(0)
    inputs = generator.integers(0, 256, (n, *shape)).astype(np.uint8 if len(shape) == 3 else np.float32)
    labels = (np.arange(n) % num_classes).astype(np.int64)
    split = Split.clean(inputs, labels)
    names = fields.pop("class_names", tuple(str(k) for k in range(num_classes)))
    return Dataset(name=fields.pop("name", "digits"), train=split, test=split, class_names=names, **fields)


def make_outcome(
    corruption: str = "true-labels",
    rate: float = 1.0,
    *,
    model: str = "mlp-1x512",
    seed: int = 0,
    n_train: int = 64,
    fitted: bool = True,
    checks: tuple[Check, ...] = (Check("fresh weights", True, "Digests agree."),),
    epoch_steps: int = 23,
    **fields: Any,
) -> TrainOutcome:
    corruptions = (
        () if corruption == "true-labels" else (Corruption.model_validate({"name": corruption, "rate": rate}),)
    )
    spec = TrainSpec(model=model, corruptions=corruptions, seed=seed, n_train=n_train)
    generator = np.random.default_rng([seed, int(100 * spec.label_rate), len(corruption)])
    hard = 1 + 7 * spec.label_rate if spec.label_rate else DIFFICULTY.get(corruption, 1.0)
    hard *= 1 + 0.05 * generator.standard_normal()
    epochs = int(8 * hard) if fitted else 30
    epoch = np.arange(1, epochs + 1, dtype=np.float64)
    scale = 70 * hard

    def loss(step: np.ndarray) -> np.ndarray:
        wait = scale / 2 if corruption in ("random-labels", "partial-labels") else scale / 5
        return 2.3 / (1 + (step / (wait + scale / 2)) ** 3) * (1 if fitted else 0.3) + (0 if fitted else 1.5)

    curve = {name: np.full(epochs, np.nan) for name in CURVE_COLUMNS}
    curve |= {"epoch": epoch, "step": epoch * epoch_steps, "train_loss": loss(epoch * epoch_steps)}
    curve["running_accuracy"] = 1 - curve["train_loss"] / 2.6
    curve["train_accuracy"][-1] = 1.0 if fitted else 0.4
    step = np.arange(1, min(1000, epochs * epoch_steps) + 1, dtype=np.float64)
    early = {name: np.abs(generator.standard_normal(len(step))) for name in EARLY_COLUMNS}
    early |= {"step": step, "train_loss": loss(step) + 0.1 * generator.standard_normal(len(step))}
    early["gradient_norm"] = (0.6 + spec.label_rate) * np.exp(-step / scale / 3) + 0.05 * generator.random(len(step))
    early["update_norm"] = early["gradient_norm"] * 0.04
    early["gradient_cosine"] = 0.5 * (1 - 0.8 * spec.label_rate) + 0.1 * generator.standard_normal(len(step))
    labels_are_true = spec.label_rate == 0 and corruption != "random-pixels"
    test = 0.1 + 0.86 * (1 - spec.label_rate) ** 1.2 if labels_are_true or spec.label_rate else 0.12
    values: dict[str, Any] = {
        "key": f"{model}-{corruption}-{rate}-{seed}-{n_train}",
        "spec": spec,
        "data": "digits",
        "n_train": n_train,
        "n_test": 360,
        "num_classes": 10,
        "parameters": 1_209_866,
        "batch_norm": False,
        "train_loss": 0.01,
        "train_accuracy": 1.0 if fitted else 0.4,
        "train_accuracy_true_labels": 1.0,
        "train_top5_accuracy": 1.0,
        "test_loss": 1.0,
        "test_accuracy": test + 0.005 * generator.standard_normal(),
        "test_top5_accuracy": 0.5,
        "ceiling": 1.0,
        "epochs_to_fit": epochs - 1 if fitted else None,
        "steps_to_fit": (epochs - 1) * epoch_steps if fitted else None,
        "epochs_to_interpolate": epochs if fitted else None,
        "steps_to_interpolate": epochs * epoch_steps if fitted else None,
        "epochs_run": epochs,
        "steps_run": epochs * epoch_steps,
        "stop_reason": "interpolated" if fitted else "epochs",
        "replicas": 1,
        "seconds": 3.2,
        "curve": curve,
        "early": early,
        "train_predictions": np.zeros(n_train, dtype=np.int64),
        "test_predictions": np.zeros(360, dtype=np.int64),
        "checks": checks,
        "initial_weights": "abc",
        "environment": {
            "device": "cpu",
            "hardware": "A fine processor, 2 threads",
            "byrote": "0.1.0",
            "torch": "2.13.0",
        },
    }
    return TrainOutcome(**(values | fields))


def make_outcomes(**fields: Any) -> list[TrainOutcome]:
    """The five settings and three rates between."""
    names = ["true-labels", "random-labels", "shuffled-pixels", "random-pixels", "gaussian"]
    settings = [*((name, 1.0) for name in names), *(("partial-labels", rate) for rate in (0.25, 0.5, 0.75))]
    return [make_outcome(name, rate, **fields) for name, rate in settings]


def make_evaluated(
    spec: TrainSpec, *, epochs: int = 12, peak: float = 0.6, last: float = 0.5, every: int = 1, **fields: Any
) -> TrainOutcome:
    """A run of `spec` that is best in the middle; tested (and validated if `spec` says so) after `every` epochs."""
    made = make_outcome(seed=spec.seed, model=spec.model)
    epoch = np.arange(1.0, epochs + 1)
    test = np.interp(epoch, [1, epochs // 2, epochs], [0.1, peak, last])
    test[[number % every != 0 and number != epochs for number in range(1, epochs + 1)]] = np.nan
    curve = {name: np.full(epochs, np.nan) for name in CURVE_COLUMNS}
    curve |= {"epoch": epoch, "step": 10 * epoch, "test_accuracy": test, "running_accuracy": epoch / epochs}
    curve["train_accuracy"] = np.where(np.isnan(test), np.nan, (epoch / epochs) ** 2)
    if spec.validation:
        curve["validation_accuracy"] = np.roll(test, 1) if every == 1 else test
    n = spec.n_train or 64
    whole = {"spec": spec, "curve": curve, "test_accuracy": last, "epochs_run": epochs, "steps_run": 10 * epochs}
    whole |= {"key": spec.canonical_json(), "stop_reason": "steps", "n_train": n - round(n * spec.validation)}
    whole |= {"n_test": 64, "test_predictions": np.arange(64) % 10}
    return replace(made, **(whole | fields))


@pytest.fixture
def evaluated() -> Callable[..., TrainOutcome]:
    return make_evaluated


@pytest.fixture
def outcome() -> Callable[..., TrainOutcome]:
    return make_outcome


@pytest.fixture
def outcomes() -> Callable[..., list[TrainOutcome]]:
    return make_outcomes


@pytest.fixture
def data() -> Callable[..., Dataset]:
    return make_data


@pytest.fixture
def study() -> Callable[..., RandomizationStudy]:
    return lambda models=("mlp-1x512",), **fields: RandomizationStudy(make_data(**fields), models=models)


@pytest.fixture
def written_study() -> Callable[..., WrittenStudy]:
    return lambda findings, **fields: WrittenStudy(make_data(**fields), findings=findings)
