"""The smallest network that training makes fit: the width of a family at which SGD gets all random labels right."""

from __future__ import annotations

import math
from typing import ClassVar

from byrote.data.dataset import Dataset
from byrote.data.subsets import subset
from byrote.models.matching import matched_width
from byrote.theory.calculation import Context, Result
from byrote.theory.complexity.random_labels import (
    RandomLabels,
    best_accuracy,
    failed_checks,
    fit_random_labels,
    without_test,
)
from byrote.training.key import network_input_shape
from byrote.training.outcome import TrainOutcome
from byrote.training.spec import TrainSpec

STEPS_AN_OCTAVE = 4
"""The grid of sizes: neighbours differ by a fifth, 2^(1/4), as far as whole widths allow."""
_FIRST = STEPS_AN_OCTAVE
"""The first size tried: two parameters a label."""
_LARGEST = 10 * STEPS_AN_OCTAVE
"""And the last: a thousand, for where few examples have many features, each unit has many parameters."""


class FittingWidth(RandomLabels):
    """Of a family ("mlp-1x{width}" in `model`), on `n_train` examples with one draw of random labels.

    Sizes double, or halve, from two parameters a label until one fits and one does not, and are bisected between: a
    larger size is taken to fit where a smaller one does. Each size gets the recipe's limit of epochs. All labels must
    come out right in evaluation mode, or as many as identical inputs allow.
    """

    name: ClassVar[str] = "fitting-width"

    @property
    def label(self) -> str:
        return f"{self.model}, n = {self.n_train:,}, seed {self.seed}"

    def compute(self, data: Dataset, context: Context) -> Result:
        """values: d (of what the network sees); of the smallest size that fits fitting_model, parameters,
        steps_to_interpolate ("" and NaN if none does); of the largest found too small, if any, too_small_model,
        too_small_parameters, too_small_accuracy (the best along its run) and too_small_stop; limit_steps (the most any
        took), num_probes, failed_checks."""
        points = without_test(subset(data, self.n_train, self.data_seed))
        tried: dict[str, TrainOutcome] = {}

        def fits(index: int) -> bool:
            model = self._model(index, points)
            if model not in tried:
                stage = f"trying {model}"
                (tried[model],) = fit_random_labels(
                    model,
                    self.recipe,
                    points,
                    [self.seed],
                    device=context.device,
                    on_stage=context.on_stage,
                    stage=stage,
                )
            return tried[model].interpolated

        high = _FIRST
        low = high
        if fits(high):
            while fits(low) and self._model(low - STEPS_AN_OCTAVE, points) != self._model(low, points):
                high, low = low, low - STEPS_AN_OCTAVE
        else:
            while not fits(high) and high < _LARGEST:
                low, high = high, high + STEPS_AN_OCTAVE
        while fits(high) and not fits(low) and high - low > 1:
            middle = (low + high) // 2
            if fits(middle):
                high = middle
            else:
                low = middle
        fitting = [outcome for outcome in tried.values() if outcome.interpolated]
        smallest = min(fitting, key=lambda outcome: outcome.parameters, default=None)
        small = [
            outcome
            for outcome in tried.values()
            if not outcome.interpolated and (smallest is None or outcome.parameters < smallest.parameters)
        ]
        largest = max(small, key=lambda outcome: outcome.parameters, default=None)
        missing = float("nan")
        return Result(
            {
                "d": math.prod(self._input_shape(points)),
                "fitting_model": smallest.spec.model if smallest else "",
                "parameters": smallest.parameters if smallest else missing,
                "steps_to_interpolate": (smallest.steps_to_interpolate or missing) if smallest else missing,
                "too_small_model": largest.spec.model if largest else "",
                "too_small_parameters": largest.parameters if largest else missing,
                "too_small_accuracy": best_accuracy(largest) if largest else missing,
                "too_small_stop": largest.stop_reason if largest else "",
                "limit_steps": max(outcome.steps_run for outcome in tried.values()),
                "num_probes": len(tried),
                "failed_checks": failed_checks(list(tried.values())),
            }
        )

    def _model(self, index: int, points: Dataset) -> str:
        """The member with about n 2^(index / 4) parameters."""
        wanted = max(1, round(self.n_train * 2 ** (index / STEPS_AN_OCTAVE)))
        shape = self._input_shape(points)
        return matched_width(self.model, wanted, input_shape=shape, num_classes=points.num_classes)

    def _input_shape(self, points: Dataset) -> tuple[int, ...]:
        spec = TrainSpec.model_validate(self.recipe.model_dump() | {"model": self.model})
        return network_input_shape(spec, points)
