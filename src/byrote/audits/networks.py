"""A network, trained by byrote's own engine, as a subject; its runs are stored as all others."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, ClassVar

import numpy as np
import pandas as pd
import torch

from byrote.audits.material import Material, Rows
from byrote.audits.metric import Prediction
from byrote.audits.subject import Fit, Predictor, Subject, SubjectFailed
from byrote.data.dataset import Dataset
from byrote.data.preprocessing import preprocess
from byrote.evidence.finding import Finding
from byrote.references import is_reference, name_of, short_name, source_digest
from byrote.runs.run import RunsFailed, run
from byrote.runs.store import Store
from byrote.studies.paper_settings import paper_recipe
from byrote.studies.study import Planned, Results, Study, tabulate
from byrote.theory.measures.trained import trained_network
from byrote.training.engine import train as train_runs
from byrote.training.outcome import TrainOutcome
from byrote.training.planner import resolve_device
from byrote.training.precision import weights_dtype
from byrote.training.spec import TrainSpec

_BATCH = 512
_STEPS, _FEWEST, _MOST = 4000, 30, 200
"""Unless the recipe says otherwise, a run may take as many epochs as have 4,000 steps, 30 to 200 of them: byrote's
networks fit digits and MNIST within that."""


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
    runs of their own: all of them lie in `store`."""

    def __init__(self, model: Any, material: Material, store: Store, *, device: str = "auto", **recipe: Any) -> None:
        self.model = name_of(model)
        self.name = short_name(self.model)
        self.store = store
        self.device = resolve_device(device)
        self._material = material
        data = self.dataset(material.train)
        epochs = min(max(math.ceil(_STEPS / math.ceil(len(material.train) / 128)), _FEWEST), _MOST)
        limit = {} if recipe.get("steps") is not None or recipe.get("stop") == "at_steps" else {"epochs": epochs}
        self.recipe = paper_recipe(self.model, data, **(limit | recipe))
        source = source_digest(self.model) if is_reference(self.model) else ""
        self.identity = f"{self.spec(0).canonical_json()} {source}"
        ends = (
            f"after {self.recipe.steps:,} steps"
            if self.recipe.steps
            else f"when all training labels are right, or after {self.recipe.epochs} epochs"
        )
        self.in_words = (
            f"The network is trained by {self.recipe.optimizer} at a learning rate of {self.recipe.learning_rate:g}, "
            f"in batches of {self.recipe.batch_size}, and stops {ends}."
        )

    def spec(self, seed: int, **changes: Any) -> TrainSpec:
        return TrainSpec.model_validate(self.recipe.model_dump() | {"model": self.model, "seed": seed} | changes)

    def dataset(self, train: Rows) -> Dataset:
        """These rows to train on, and all of the test split."""
        return self._material.dataset(train, self._material.test)

    def fit(self, train: Rows, seed: int) -> Predictor:
        return self.fit_all([Fit(train, seed)])[0]

    def fit_all(self, fits: Sequence[Fit]) -> list[Predictor]:
        datasets: dict[int, Dataset] = {}
        for each in fits:
            if id(each.train) not in datasets:
                datasets[id(each.train)] = self.dataset(each.train)
        planned: dict[str, Planned] = {}
        for each in fits:
            spec, data = self.spec(each.seed), datasets[id(each.train)]
            planned.setdefault(spec.key(data), Planned(spec, {}, data))
        study = _Fits(self.dataset(self._material.train), tuple(planned.values()))
        outcomes = {outcome.key: outcome for outcome in self.run(study, keep_weights=True).outcomes}
        return [
            self.predictor(outcomes[self.spec(each.seed).key(data)], data)
            for each, data in ((each, datasets[id(each.train)]) for each in fits)
        ]

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
            return Prediction(probabilities.argmax(axis=1), probabilities)

        return predict

    def seconds_of_fit(self, train: Rows) -> float:
        """By one epoch of some rows, times half of the most epochs."""
        an_epoch = math.ceil(len(train) / self.recipe.batch_size)
        return self.seconds_of_step(train) * (self.recipe.steps or an_epoch * math.ceil(self.recipe.epochs / 2))

    def seconds_of_step(self, train: Rows) -> float:
        """Of one network alone, by one epoch of some rows."""
        rows = np.linspace(0, len(train) - 1, min(len(train), 1024)).astype(np.int64)
        part = train.take(rows)
        fields = self.recipe.model_dump() | {"stop": "at_steps", "steps": max(len(part) // self.recipe.batch_size, 1)}
        spec = TrainSpec.model_validate(fields | {"model": self.model, "seed": 0, "dense_steps": 0})
        (outcome,) = train_runs([spec], self.dataset(part), device=self.device)
        return outcome.seconds / outcome.steps_run
