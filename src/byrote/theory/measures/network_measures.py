"""One network trained on true or on random labels, and every measure of it."""

from __future__ import annotations

import math
from functools import partial
from typing import ClassVar

from byrote.data.dataset import Dataset
from byrote.theory.calculation import Context, Result, Value
from byrote.theory.measures.catalog import MEASURES
from byrote.theory.measures.measure import VERSION, MeasureFunction, why_not
from byrote.theory.measures.pac_bayes import NUM_DRAWS, NUM_STEPS, pac_bayes_bound
from byrote.theory.measures.trained import trained_network, training_set
from byrote.theory.trained_calculation import TrainedOnLabels
from byrote.training.engine import train
from byrote.training.key import SEMANTICS
from byrote.training.outcome import Progress, TrainOutcome
from byrote.training.spec import Count, TrainSpec


class NetworkMeasures(TrainedOnLabels):
    """Trains one network, alone, and evaluates all MEASURES on it."""

    name: ClassVar[str] = "network-measures"
    version: ClassVar[int | str] = f"{SEMANTICS}.{VERSION}"
    """Its numbers are the engine's and the measures'."""

    n_train: Count | None = None
    pac_bayes_steps: Count = NUM_STEPS
    pac_bayes_draws: Count = NUM_DRAWS

    @property
    def spec(self) -> TrainSpec:
        """Of the run."""
        own = {name: getattr(self, name) for name in ("model", "n_train", "seed", "data_seed")}
        return TrainSpec.model_validate(self.recipe.model_dump() | own | {"corruptions": self.corruptions})

    def compute(self, data: Dataset, context: Context) -> Result:
        """values: of the run, n_train, num_classes, train_accuracy, test_accuracy, generalization_gap, fitted,
        interpolated, epochs_run, stop_reason and failed_checks; and each measure by its name, NaN where it does not
        exist, with the reason as `NAME (why not)`: the network's architecture, or what went wrong with it."""

        def report(progress: Progress) -> None:
            limit, done = (spec.steps, progress.step) if spec.steps else (spec.epochs, progress.epoch)
            context.on_stage("training", min(done / limit, 1.0))

        spec = self.spec
        (outcome,) = train([spec], data, device=context.device, keep_weights=True, on_progress=report)
        values = _of_run(outcome)
        if outcome.stop_reason == "non-finite loss":
            return Result(values | dict.fromkeys(MEASURES, math.nan))
        network, seen = trained_network(outcome, data), training_set(spec, data)
        for number, (name, measure) in enumerate(MEASURES.items()):
            context.on_stage(measure.title, number / len(MEASURES))
            try:
                values[name] = self._function(name)(network, outcome.initial_state or {}, seen, outcome)
            except Exception as error:  # of whatever the user's own modules make of it: the others are kept
                values |= {name: math.nan, f"{name} (why not)": why_not(error)}
        return Result(values)

    def _function(self, name: str) -> MeasureFunction:
        if name != "pac-bayes":
            return MEASURES[name].function
        return partial(pac_bayes_bound, steps=self.pac_bayes_steps, draws=self.pac_bayes_draws, seed=self.seed)


def _of_run(outcome: TrainOutcome) -> dict[str, Value]:
    return {
        "n_train": outcome.n_train,
        "num_classes": outcome.num_classes,
        "train_accuracy": outcome.train_accuracy,
        "test_accuracy": outcome.test_accuracy,
        "generalization_gap": outcome.generalization_gap,
        "fitted": outcome.fitted,
        "interpolated": outcome.interpolated,
        "epochs_run": outcome.epochs_run,
        "stop_reason": outcome.stop_reason,
        "failed_checks": "; ".join(check.name for check in outcome.failed_checks),
    }
