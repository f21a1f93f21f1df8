"""Outcomes as training would leave them, with figures that a test chooses."""

from collections.abc import Callable

import numpy as np
import pandas as pd
import pytest
from made_up_predictions import chance_of_made_up_predictions  # noqa: F401  (a fixture for all tests here)

from byrote.data.check import Check
from byrote.data.dataset import Dataset, Split
from byrote.studies.strengths.study import StrengthStudy
from byrote.studies.study import Study
from byrote.training.outcome import CURVE_COLUMNS, EARLY_COLUMNS, TrainOutcome
from byrote.training.spec import TrainSpec


@pytest.fixture(scope="session")
def data() -> Dataset:
    """Ten classes, four examples of each in training and in test."""
    labels = np.repeat(np.arange(10), 4)
    images = np.arange(40 * 36, dtype=np.int64).reshape(40, 1, 6, 6).astype(np.uint8)
    split = Split.clean(images, labels)
    return Dataset("made up", split, split, tuple("abcdefghij"))


@pytest.fixture(scope="session")
def unequal(data: Dataset) -> Dataset:
    """The same inputs with two classes: always naming the first has 95% right."""
    split = Split.clean(data.test.inputs, (np.arange(40) % 20 == 0).astype(np.int64))
    return Dataset("unequal", split, split, ("common", "rare"))


@pytest.fixture
def make_outcome() -> Callable[..., TrainOutcome]:
    return _make_outcome


def _make_outcome(
    spec: TrainSpec,
    *,
    steps_to_fit: int | None = 100,
    test_accuracy: float = 0.1,
    losses: np.ndarray | None = None,
    gradient_norm: float = 1.0,
    cosine: float = 0.5,
    failed: tuple[str, ...] = (),
    initial_weights: str = "",
    n_test: int = 1000,
    **changes: object,
) -> TrainOutcome:
    early_losses = np.full(50, 2.3) if losses is None else np.asarray(losses, dtype=float)
    steps = np.arange(1.0, len(early_losses) + 1)
    early = {name: np.full(len(steps), np.nan) for name in EARLY_COLUMNS}
    early |= {"step": steps, "train_loss": early_losses}
    early["gradient_norm"] = np.full(len(steps), gradient_norm)
    early["gradient_cosine"] = np.where(steps > 1, cosine, np.nan)
    curve = {name: np.full(1, np.nan) for name in CURVE_COLUMNS}
    curve |= {"step": np.array([len(steps) + 50.0]), "train_loss": np.array([0.01])}
    fields: dict[str, object] = {
        "key": f"{spec.model}{spec.corruption}{spec.corruption_rate}{spec.seed}",
        "spec": spec,
        "data": "made up",
        "n_train": spec.n_train or 40,
        "n_test": n_test,
        "num_classes": 10,
        "parameters": 7,
        "batch_norm": False,
        "train_loss": 0.01,
        "train_accuracy": 0.4 if steps_to_fit is None else 1.0,
        "train_accuracy_true_labels": 1.0,
        "train_top5_accuracy": 1.0,
        "test_loss": 1.0,
        "test_accuracy": test_accuracy,
        "test_top5_accuracy": 0.5,
        "ceiling": 1.0,
        "epochs_to_fit": steps_to_fit,
        "steps_to_fit": steps_to_fit,
        "epochs_to_interpolate": steps_to_fit,
        "steps_to_interpolate": steps_to_fit,
        "epochs_run": 200,
        "steps_run": 200,
        "stop_reason": "epochs" if steps_to_fit is None else "interpolated",
        "replicas": 1,
        "seconds": 1.0,
        "curve": curve,
        "early": early,
        "train_predictions": np.zeros(40, dtype=np.uint8),
        "test_predictions": np.zeros(n_test, dtype=np.uint8),
        "checks": tuple(Check(name, False, "made to fail") for name in failed),
        "initial_weights": initial_weights or f"{spec.model}{spec.seed}",
        "environment": {},
    }
    return TrainOutcome(**(fields | changes))  # type: ignore[arg-type]


@pytest.fixture
def leaking(monkeypatch) -> Callable[[type[Study]], None]:
    """Of studies of a kind: their verdicts are about tables in which as many test examples again are in training, and
    are right where the others are wrong, so that over all of them every run has half of them right."""

    def leak(table: pd.DataFrame) -> pd.DataFrame:
        half = np.full(len(table), 0.5)
        return table.assign(
            num_test_leaked=table["n_test"],
            n_test=2 * table["n_test"],
            n_test_effective=2 * table["n_test_effective"],
            test_accuracy=half,
            test_accuracy_unleaked=table["test_accuracy"],
            generalization_gap=table["train_accuracy"] - half,
        )

    def make(kind: type[Study]) -> None:
        decide = kind.verdict
        monkeypatch.setattr(kind, "verdict", lambda study, table: decide(study, leak(table)))

    return make


@pytest.fixture
def strengths(data, make_outcome) -> Callable[..., tuple[StrengthStudy, list[TrainOutcome], pd.DataFrame]]:
    """A study of the strengths of dropout on n = 10, 20 and 40, with its outcomes and table.

    Args:
        right: how many of the 40 test examples a run on true labels gets right, beyond 12, 20 and 28 without dropout.
        fits: whether a run on random labels fits; both are functions of the strength and n.
        own: further fields of an outcome, a function of its spec.
    """

    def make(
        right=lambda strength, n: 0, fits=lambda strength, n: n <= 20, *, own=lambda spec: {}, drop=0, **options
    ) -> tuple[StrengthStudy, list[TrainOutcome], pd.DataFrame]:
        fields = {"models": ["net"], "seeds": 3, "sizes": 3, "strengths": {"dropout": (0.0, 0.2, 0.5, 0.8)}} | options
        study = StrengthStudy(data=data, **fields)
        outcomes = []
        for spec in study.tasks():
            strength = (0.0, 0.2, 0.5, 0.8).index(spec.dropout)
            correct = {10: 12, 20: 20, 40: 28}[spec.n_train or 40] + right(strength, spec.n_train)
            labels = data.test.true_labels
            values = {
                "key": str(len(outcomes)),
                "n_test": 40,
                "test_accuracy": correct / 40,
                "test_predictions": np.where(np.arange(40) < correct, labels, (labels + 1) % 10),
            }
            if spec.corruption == "random-labels":
                values["steps_to_fit"] = 100 * (1 + strength) if fits(strength, spec.n_train) else None
            outcomes.append(make_outcome(spec, **(values | own(spec))))
        outcomes = outcomes[drop:]
        return study, outcomes, study.summarise(outcomes)

    return make
