"""What the study computes of trained networks: the smallest that fits random labels, and how far one that has learned
lends itself to manipulation."""

from __future__ import annotations

import math
from functools import reduce
from operator import add
from typing import ClassVar

import numpy as np
import torch
from jaxtyping import Float, Int64
from torch import Tensor, nn

from byrote.data.dataset import Dataset
from byrote.data.preprocessing import preprocess
from byrote.data.subsets import subset
from byrote.errors import UserError
from byrote.models.matching import matched_width
from byrote.randomness import permutation, stream
from byrote.records import Count
from byrote.studies.random_label_runs import best_accuracy, failed_checks
from byrote.studies.random_labels import RandomLabelSearch
from byrote.theory.calculation import Calculation, Context, Result
from byrote.theory.measures.trained import trained_network
from byrote.theory.memorizers.override import override
from byrote.training.cost import Work, work_of
from byrote.training.key import network_input_shape
from byrote.training.outcome import TrainOutcome
from byrote.training.precision import weights_dtype
from byrote.training.spec import TrainSpec

STEPS_AN_OCTAVE = 4
"""The grid of sizes: neighbours differ by a fifth, 2^(1/4), as far as whole widths allow."""
_FIRST = STEPS_AN_OCTAVE
"""The first size tried: two parameters a label."""
_LARGEST = 10 * STEPS_AN_OCTAVE
"""And the last: a thousand, for where few examples have many features, each unit has many parameters."""
_BATCH = 1024
NUM_SHOWN = 8
"""Changed examples that are kept for a picture."""


class FittingWidth(RandomLabelSearch):
    """Of a family ("mlp-1x{width}" in `model`), on `n_train` examples with one draw of random labels.

    Sizes double, or halve, from two parameters a label until one fits and one does not, and are bisected between: a
    larger size is taken to fit where a smaller one does. Each size gets the recipe's limit of epochs. All labels must
    come out right in evaluation mode, or as many as identical inputs allow.
    """

    name: ClassVar[str] = "fitting-width"

    @property
    def label(self) -> str:
        return f"{self.model}, n = {self.n_train:,}, seed {self.seed}"

    def work(self, data: Dataset) -> Work:
        """Where the first size, one half as large and one twice as large are tried, with three between."""
        places = [_FIRST + place for place in (-STEPS_AN_OCTAVE, -2, -1, 0, 1, STEPS_AN_OCTAVE)]
        return reduce(add, (work_of([self.spec(model=self._model(place, data))], data) for place in places))

    def compute(self, data: Dataset, context: Context) -> Result:
        """values: d (of what the network sees); of the smallest size that fits fitting_model, parameters,
        steps_to_interpolate ("" and NaN if none does); of the largest found too small, if any, too_small_model,
        too_small_parameters, too_small_accuracy (the best along its run) and too_small_stop; limit_steps (the most any
        took), num_probes, failed_checks."""
        tried: dict[str, TrainOutcome] = {}

        def fits(index: int) -> bool:
            model = self._model(index, data)
            if model not in tried:
                (tried[model],) = context.runs([self.spec(model=model)], data, stage=f"trying {model}")
            return tried[model].interpolated

        high = _FIRST
        low = high
        if fits(high):
            while fits(low) and self._model(low - STEPS_AN_OCTAVE, data) != self._model(low, data):
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
                "d": math.prod(self._input_shape(data)),
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

    def _model(self, index: int, data: Dataset) -> str:
        """The member with about n 2^(index / 4) parameters."""
        wanted = max(1, round(self.n_train * 2 ** (index / STEPS_AN_OCTAVE)))
        shape = self._input_shape(data)
        return matched_width(self.model, wanted, input_shape=shape, num_classes=data.num_classes)

    def _input_shape(self, data: Dataset) -> tuple[int, ...]:
        return network_input_shape(self.spec(), data)


class Manipulation(Calculation):
    """The network that the run of `spec` leaves, and `num_chosen` of the test examples it has right, each given a wrong
    class by `byrote.override`, which is told of the chosen ones alone."""

    name: ClassVar[str] = "manipulation"

    spec: TrainSpec
    num_chosen: Count

    @property
    def label(self) -> str:
        return f"override of {self.num_chosen:,}, {self.spec.label}"

    @property
    def reads(self) -> tuple[TrainSpec]:
        return (self.spec,)

    def work(self, data: Dataset) -> Work:  # noqa: ARG002
        return Work(calls=5e3 * (1 + self.num_chosen))

    def compute(self, data: Dataset, context: Context) -> Result:
        """values: parameters (of the network), weights_added, num_as_wanted of the chosen, num_others (further test
        examples) and others_changed, test_accuracy before and overridden_test_accuracy after, half_width (the tents',
        as a share of the range of projections), largest_change of an output, fitted, train_accuracy, failed_checks.
        arrays, of the first chosen ones: inputs, true, wanted, and now (the classes predicted after).

        Raises:
            UserError: the network has fewer than `num_chosen` test examples right.
        """
        (outcome,) = context.runs(self.reads, data, weights=True)
        spec, network = outcome.spec, trained_network(outcome, data)
        context.on_stage("test set", 0.0)
        _, test = preprocess(subset(data, spec.n_train, spec.data_seed), spec.preprocessing, spec.crop)
        inputs = test.gather(torch.arange(len(test)), weights_dtype(spec.precision))
        before = _predictions(network, inputs)
        rows, wanted = self._chosen(before, data.test.true_labels, data.num_classes)
        overridden = override(network, inputs[torch.from_numpy(rows)], wanted, seed=spec.seed)
        after = _predictions(overridden, inputs)
        others = np.ones(len(before), dtype=bool)
        others[rows] = False
        made, true = overridden.intervention, data.test.true_labels
        shown = rows[:NUM_SHOWN]
        return Result(
            {
                "parameters": outcome.parameters,
                "weights_added": made.num_weights,
                "num_as_wanted": int((after[rows] == wanted).sum()),
                "num_others": int(others.sum()),
                "others_changed": int((after != before)[others].sum()),
                "test_accuracy": float((before == true).mean()),
                "overridden_test_accuracy": float((after == true).mean()),
                "half_width": made.smallest_half_width,
                "largest_change": made.largest_change,
                "fitted": outcome.fitted,
                "train_accuracy": outcome.train_accuracy,
                "failed_checks": "; ".join(check.name for check in outcome.failed_checks),
            },
            {"inputs": data.test.inputs[shown], "true": true[shown], "wanted": wanted[:NUM_SHOWN], "now": after[shown]},
        )

    def _chosen(
        self, before: Int64[np.ndarray, " T"], true: Int64[np.ndarray, " T"], num_classes: int
    ) -> tuple[Int64[np.ndarray, " M"], Int64[np.ndarray, " M"]]:
        """Rows of test examples predicted right, and another class for each."""
        right = np.flatnonzero(before == true)
        if len(right) < self.num_chosen:
            raise UserError(
                f"got {self.num_chosen} predictions to override, but {self.spec.model} has only {len(right)} test "
                "examples right: choose fewer, or train it for longer"
            )
        generator = stream(self.spec.seed, "override")
        rows = right[permutation(generator, len(right))[: self.num_chosen]]
        steps = 1 + (generator.random(len(rows)) * (num_classes - 1)).astype(np.int64)
        return rows, (true[rows] + steps) % num_classes


@torch.no_grad()
def _predictions(network: nn.Module, inputs: Float[Tensor, "N ..."]) -> Int64[np.ndarray, " N"]:
    return torch.cat([network(part).argmax(1) for part in inputs.split(_BATCH)]).numpy()
