"""Every measure of one trained network."""

from __future__ import annotations

import math
from functools import partial
from typing import ClassVar

from byrote.data.dataset import Dataset
from byrote.records import Count
from byrote.theory.calculation import Calculation, Context, Result, Value
from byrote.theory.measures.catalog import MEASURES
from byrote.theory.measures.measure import VERSION, MeasureFunction, why_not
from byrote.theory.measures.pac_bayes import NUM_DRAWS, NUM_STEPS, pac_bayes_bound
from byrote.theory.measures.trained import trained_network, training_set
from byrote.training.cost import Work, step_work
from byrote.training.outcome import TrainOutcome
from byrote.training.spec import TrainSpec


class NetworkMeasures(Calculation):
    """All MEASURES of the network that the run of `spec` leaves."""

    name: ClassVar[str] = "network-measures"
    version: ClassVar[int | str] = VERSION
    side_by_side: ClassVar[bool] = True

    spec: TrainSpec
    pac_bayes_steps: Count = NUM_STEPS
    pac_bayes_draws: Count = NUM_DRAWS

    @property
    def label(self) -> str:
        return f"measures of {self.spec.label}"

    @property
    def reads(self) -> tuple[TrainSpec]:
        return (self.spec,)

    def work(self, data: Dataset) -> Work:
        """Mostly the PAC-Bayes posterior, by steps on batches, and draws of it; sharpness and curvature take some more
        passes over all examples."""
        one = step_work(self.spec, data, float(self.spec.batch_size))
        return one.times(1.5 * self.pac_bayes_steps + self.pac_bayes_draws / 2 + 100)

    def compute(self, data: Dataset, context: Context) -> Result:
        """values: of the run, n_train, num_classes, train_accuracy, test_accuracy, generalization_gap, fitted,
        interpolated, epochs_run, stop_reason and failed_checks; and each measure by its `column`, NaN where it does not
        exist, with the reason in its `column_of_reason`: the network's architecture, or what went wrong with it."""
        (outcome,) = context.runs(self.reads, data, weights=True)
        values = _of_run(outcome) | {column(name): math.nan for name in MEASURES}
        values |= {column_of_reason(name): "" for name in MEASURES}
        if outcome.stop_reason == "non-finite loss":
            return Result(values)
        network, seen = trained_network(outcome, data), training_set(self.spec, data)
        for number, (name, measure) in enumerate(MEASURES.items()):
            context.on_stage(measure.title, number / len(MEASURES))
            try:
                values[column(name)] = self._function(name)(network, outcome.initial_state or {}, seen, outcome)
            except Exception as error:  # of whatever the user's own modules make of it: the others are kept
                values[column_of_reason(name)] = why_not(error)
        return Result(values)

    def _function(self, name: str) -> MeasureFunction:
        if name != "pac-bayes":
            return MEASURES[name].function
        return partial(pac_bayes_bound, steps=self.pac_bayes_steps, draws=self.pac_bayes_draws, seed=self.spec.seed)


def column(measure: str) -> str:
    """Of the table: that of the values of "path-norm" is path_norm."""
    return measure.replace("-", "_")


def column_of_reason(measure: str) -> str:
    """That which says why a measure does not exist."""
    return f"{column(measure)}_why_not"


def column_of_bound(measure: str) -> str:
    """That of what a bound says of the error on new examples."""
    return f"{column(measure)}_error_bound"


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
