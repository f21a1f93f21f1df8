"""A network, trained by byrote's own engine, as a subject; its runs are stored as all others."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any, ClassVar, NamedTuple

import numpy as np
import pandas as pd
import torch

from byrote.audits.material import Material, Rows
from byrote.audits.metric import Prediction
from byrote.audits.subject import Fit, Predictor, Subject, SubjectFailed, finite
from byrote.data.dataset import Dataset
from byrote.data.preprocessing import preprocess
from byrote.evidence.finding import Finding
from byrote.references import is_reference, name_of, short_name, source_digest
from byrote.runs.run import RunsFailed, run
from byrote.runs.store import Store
from byrote.runs.workloads import forecast, probe_plan
from byrote.studies.paper_settings import paper_recipe
from byrote.studies.study import Planned, Results, Study, tabulate
from byrote.theory.measures.trained import trained_network
from byrote.training.engine import train as train_runs
from byrote.training.outcome import TrainOutcome
from byrote.training.planner import resolve_device
from byrote.training.precision import weights_dtype
from byrote.training.recipe import Recipe
from byrote.training.spec import TrainSpec

_BATCH = 512
_STEPS, _FEWEST, _MOST = 4000, 10, 500
"""Unless the recipe says otherwise, a run may take as many epochs as have 4,000 steps, 10 to 500 of them: byrote's
networks fit digits and 5,000 images of MNIST within that, and 142 rows of wine. More epochs of large data would cost
much and change their test accuracy little."""
_BRIEF_STEPS, _BRIEF_EPOCHS = 1000, 2
"""A brief run has at most so many steps or epochs, whichever are more: 300 steps miss more errors on digits than whole
runs do, and on MNIST whole ones take five times as long."""

_TRIED_ROWS, _TRIED_STEPS, _TRIED_SECONDS = 1024, 1000, 20.0
_FEWER_TRIED_ROWS, _FEW_STEPS = 512, 500
"""Of the run that tells how long others take; it has fewer rows where it may take fewer steps than that."""
_MOST_PACE = 10.0
"""By so much a trial corrects a forecast, on a machine that does other things too; a few steps may measure anything."""
_NOISY_EPOCHS = 5.0
"""Random labels, and half as many, take so many times the epochs of true ones: on digits 3.6 to 4.5 times of a small
convolutional network, 5.7 to 8 of mlp-1x512."""
_UNFITTED_SHARE = 0.5
"""Of the most epochs, what a run is taken to need where the tried one has not fitted."""


class _Tried(NamedTuple):
    """What a short run on some rows has told."""

    epochs: float
    """Until all labels were right; infinite where they were not."""
    pace: float
    """Its seconds, by those that its forecast had."""
    seconds_a_step: float


@dataclass(frozen=True, eq=False)
class _Fits(Study):
    """The fits of a subject, as a study that runs can be made of."""

    name: ClassVar[str] = "audit"
    title: ClassVar[str] = "Fits of an audit"
    data: Dataset
    planned: tuple[Planned, ...]

    def plan(self) -> list[Planned]:
        return list(self.planned)

    def summarise(self, results: Sequence[Any]) -> pd.DataFrame:
        return tabulate(self.name, results)

    def verdict(self, table: pd.DataFrame) -> list[Finding]:  # noqa: ARG002
        return []


class NetworkSubject(Subject):
    """Trains on rows as they are, and predicts with the last weights. `spec` and `dataset` are for stages that plan
    runs of their own: all of them lie in `store`.

    Raises:
        UserError: a network or recipe that cannot be trained on these data, as two examples tell.
    """

    def __init__(self, model: Any, material: Material, store: Store, *, device: str = "auto", **recipe: Any) -> None:
        self.model = name_of(model)
        self.name = short_name(self.model)
        self.store = store
        self.device = resolve_device(device)
        self._material = material
        data = self.dataset(material.train)
        limited = {"steps", "epochs"} & {name for name, value in recipe.items() if value is not None}
        self._is_limited = bool(limited) or recipe.get("stop") == "at_steps"
        limit = {} if self._is_limited else {"epochs": _most_epochs(len(material.train))}
        self.recipe = paper_recipe(self.model, data, **(limit | recipe))
        source = source_digest(self.model) if is_reference(self.model) else ""
        self.identity = f"{self.spec(0).canonical_json()} {source}"
        planned = Planned(self.spec(0))
        planned.task.key(data)
        notes = probe_plan([planned], data, self.device)
        ends = (
            f"after {self.recipe.steps:,} steps"
            if self.recipe.steps
            else f"when all training labels are right, or after {self.recipe.epochs} epochs"
        )
        self.in_words = (
            f"The network is trained by {self.recipe.optimizer} at a learning rate of {self.recipe.learning_rate:g}, "
            f"in batches of {self.recipe.batch_size}, and stops {ends}.{''.join(f' {note}.' for note in notes)}"
        )

    def spec(self, seed: int, **changes: Any) -> TrainSpec:
        """How it is trained."""
        return TrainSpec.model_validate(self.recipe.model_dump() | {"model": self.model, "seed": seed} | changes)

    def dataset(self, train: Rows) -> Dataset:
        """These rows to train on, and all of the test split."""
        return self._material.dataset(train, self._material.test)

    def recipe_for(self, num_rows: int) -> Recipe:
        """The recipe for so many training rows: of fewer, a run may take more epochs, unless the user limits them."""
        return self.recipe if self._is_limited else self.recipe.changed(epochs=_most_epochs(num_rows))

    def fit(self, train: Rows, seed: int) -> Predictor:
        return self.fit_all([Fit(train, seed)])[0]

    def fit_all(self, fits: Sequence[Fit]) -> list[Predictor]:
        return self._fit_all(fits, lambda rows: self.recipe_for(len(rows)))

    def fit_all_briefly(self, fits: Sequence[Fit]) -> list[Predictor]:
        return self._fit_all(fits, self._brief_recipe)

    def _brief_recipe(self, rows: Rows) -> Recipe:
        if self.recipe.stop == "at_steps":
            return self.recipe.changed(steps=self._brief_steps(len(rows)))
        an_epoch = math.ceil(len(rows) / self.recipe.batch_size)
        return self.recipe.changed(epochs=max(round(self._brief_steps(len(rows)) / an_epoch), 1))

    def _brief_steps(self, num_rows: int) -> int:
        an_epoch = math.ceil(num_rows / self.recipe.batch_size)
        most = self.recipe.steps or an_epoch * self.recipe_for(num_rows).epochs
        return min(max(_BRIEF_STEPS, _BRIEF_EPOCHS * an_epoch), most)

    def _fit_all(self, fits: Sequence[Fit], recipe: Callable[[Rows], Recipe]) -> list[Predictor]:
        datasets: dict[int, Dataset] = {}
        for each in fits:
            if id(each.train) not in datasets:
                datasets[id(each.train)] = self.dataset(each.train)
        specs = [self.spec(each.seed, **recipe(each.train).model_dump()) for each in fits]
        keys = [spec.key(datasets[id(each.train)]) for spec, each in zip(specs, fits, strict=True)]
        planned: dict[str, Planned] = {}
        for key, spec, each in zip(keys, specs, fits, strict=True):
            planned.setdefault(key, Planned(spec, {}, datasets[id(each.train)]))
        study = _Fits(self.dataset(self._material.train), tuple(planned.values()))
        outcomes = {outcome.key: outcome for outcome in self.run(study, keep_weights=True).outcomes}
        return [self.predictor(outcomes[key], datasets[id(each.train)]) for key, each in zip(keys, fits, strict=True)]

    def run(self, study: Study, *, keep_weights: bool = False) -> Results:
        """What the store has of this study's runs, and the others, which are stored in it.

        Raises:
            SubjectFailed: a run failed.
        """
        try:
            return run(
                study, self.store, device=self.device, keep_weights=keep_weights, quiet=True, on_log=lambda _: None
            )
        except RunsFailed as failed:
            raise SubjectFailed(self.name, failed.failures[0].trace) from failed

    def predictor(self, outcome: TrainOutcome, data: Dataset) -> Predictor:
        """What a stored run with its weights says of any rows.

        Args:
            data: what it was trained on.
        """

        def predict(rows: Rows) -> Prediction:
            initial, final = self.store.weights(outcome.key)
            kept = replace(outcome, initial_state=initial, final_state=final)
            network = trained_network(kept, data).to(self.device)
            asked = self._material.dataset(rows, rows).test
            inputs = preprocess(replace(data, test=asked), outcome.spec.preprocessing, outcome.spec.crop)[1]
            dtype = weights_dtype(outcome.spec.precision)
            scores = []
            with torch.inference_mode():
                for part in torch.arange(len(rows)).split(_BATCH):
                    batch = inputs.gather(part, dtype).to(self.device)
                    scores.append(torch.softmax(network(batch).double(), dim=1).cpu())
            probabilities = torch.cat(scores).numpy() if scores else np.zeros((0, data.num_classes))
            return finite(self.name, Prediction(probabilities.argmax(axis=1), probabilities))

        return predict

    def seconds_of_fit(self, train: Rows) -> float:
        return self._seconds_of_fits(train, self.recipe_for(len(train)), 1)

    def seconds_of_brief_fits(self, train: Rows, num: int) -> float:
        return self._seconds_of_fits(train, self._brief_recipe(train), num)

    def _seconds_of_fits(self, train: Rows, recipe: Recipe, num: int) -> float:
        specs = [self.spec(seed, **recipe.model_dump()) for seed in range(num)]
        return self.seconds_of(_Fits(self.dataset(train), tuple(map(Planned, specs))))

    def seconds_of(self, study: Study) -> float:
        """About how long the runs of a study take on this machine: as they are forecast, by the epochs and the pace of
        a short run on some rows."""
        foreseen = forecast(study, None, device=self.device)
        seconds = [
            share * (self._share_needed(task) if isinstance(task, TrainSpec) else 1.0)
            for task, share in foreseen.seconds.items()
        ]
        return self._tried.pace * math.fsum(seconds)

    @property
    def seconds_of_step(self) -> float:
        """Of one network alone."""
        return self._tried.seconds_a_step

    def _share_needed(self, spec: TrainSpec) -> float:
        """Of the most epochs, those that a run is taken to need."""
        if spec.stop == "at_steps":
            return 1.0
        if math.isinf(self._tried.epochs):
            return 1.0 if spec.corruptions else _UNFITTED_SHARE
        return min(self._tried.epochs * (_NOISY_EPOCHS if spec.corruptions else 1.0) / spec.epochs, 1.0)

    @cached_property
    def _tried(self) -> _Tried:
        data, an_epoch, steps = self._trial(_TRIED_ROWS)
        if steps < _FEW_STEPS:
            data, an_epoch, steps = self._trial(_FEWER_TRIED_ROWS)
        spec = self.spec(0, dense_steps=0, validation=0.0, stop="at_steps", steps=an_epoch)
        if self.recipe.stop == "at_interpolation":
            spec = self.spec(0, dense_steps=0, validation=0.0, epochs=max(steps // an_epoch, 1))
        (outcome,) = train_runs([spec], data, device=self.device)
        foreseen = self._forecast(spec, data) * outcome.steps_run / (an_epoch * (spec.epochs or 1))
        epochs = math.inf if outcome.epochs_to_interpolate is None else float(outcome.epochs_to_interpolate)
        pace = min(max(outcome.seconds / foreseen, 1 / _MOST_PACE), _MOST_PACE)
        return _Tried(epochs, pace, outcome.seconds / outcome.steps_run)

    def _trial(self, num_rows: int) -> tuple[Dataset, int, int]:
        """Some training rows, the steps of an epoch of them, and how many steps the trial may take."""
        train, test = (
            side.take(np.linspace(0, len(side) - 1, min(len(side), num_rows)).astype(np.int64))
            for side in (self._material.train, self._material.test)
        )
        data = self._material.dataset(train, test)
        an_epoch = math.ceil(len(data.train) / self.recipe.batch_size)
        seconds = self._forecast(self.spec(0, dense_steps=0, validation=0.0, stop="at_steps", steps=an_epoch), data)
        return data, an_epoch, min(int(an_epoch * _TRIED_SECONDS / max(seconds, 1e-3)), _TRIED_STEPS)

    def _forecast(self, spec: TrainSpec, data: Dataset) -> float:
        return forecast(_Fits(data, (Planned(spec),)), None, device=self.device).total_seconds


def _most_epochs(num_rows: int) -> int:
    return min(max(math.ceil(_STEPS / math.ceil(num_rows / 128)), _FEWEST), _MOST)
