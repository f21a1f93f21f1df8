"""Effective capacity: the largest n whose random labels a model and its recipe fit, and the bits they memorise.

Source     Arpit et al., A closer look at memorization in deep networks (ICML 2017), for effective capacity; Nakkiran et
           al., Deep double descent (ICLR 2020), definition 1: the largest n on which mean training error is about 0.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import reduce
from operator import add
from typing import ClassVar

import numpy as np

from byrote.data.dataset import Dataset
from byrote.records import Count
from byrote.studies.random_label_runs import failed_checks, with_steps_of
from byrote.studies.random_labels import RandomLabelSearch
from byrote.theory.calculation import Context, Result
from byrote.theory.complexity.bits import memorised_bits
from byrote.training.cost import Work, work_of
from byrote.training.course import FIT
from byrote.training.outcome import TrainOutcome
from byrote.training.spec import TrainSpec

STEPS_AN_OCTAVE = 4
"""The grid of n: neighbours differ by a fifth, 2^(1/4)."""
_RECENT = 0.2
"""Of a run, the last part that says whether accuracy was still rising when its limit ended it."""


class LargestN(RandomLabelSearch):
    """Of one model, up to `n_train` examples, with `draws` of random labels at each n; all n get as many steps.

    n doubles until its labels are not fitted any more, is bisected between, and doubled further, twice where the data
    allow: so the curve of memorised bits goes past the capacity.
    """

    name: ClassVar[str] = "largest-n"

    draws: Count = 4

    @property
    def label(self) -> str:
        return f"{self.model}, up to n = {self.n_train:,}, seed {self.seed}"

    def work(self, data: Dataset) -> Work:
        """Where all n that double and three between are tried, and none is fitted before the end."""
        grid = geometric_grid(data.num_classes, self.n_train)
        tried = [*grid[::-STEPS_AN_OCTAVE], *grid[-3:]]
        return reduce(add, (work_of(self._specs(n), data) for n in tried))

    def compute(self, data: Dataset, context: Context) -> Result:
        """values: largest_n (NaN if not even the smallest n is fitted), and of the smallest n found too large (NaN if
        all are fitted): next_n, next_accuracy, next_gain (of running accuracy over the last fifth of the runs) and
        next_stop; bits (the most memorised at any n), bits_n (where), bits_per_parameter, bits_growth (the factor
        between the last two n, a doubling; NaN without two beyond the capacity), num_probes, parameters, failed_checks.
        arrays, by n: n, accuracy [P draws], fitted, bits."""
        grid = geometric_grid(data.num_classes, self.n_train)
        probes: dict[int, Probe] = {}

        def fits(index: int) -> bool:
            n = grid[index]
            if n not in probes:
                probes[n] = self._probe(data, n, context)
            return probes[n].fitted

        low, high = -1, 0
        while fits(high):
            low = high
            if high == len(grid) - 1:
                break
            high = min(high + STEPS_AN_OCTAVE, len(grid) - 1)
        too_large = high if low < high else None
        if too_large is not None:
            for further in (too_large + STEPS_AN_OCTAVE, too_large + 2 * STEPS_AN_OCTAVE):
                if further < len(grid):
                    fits(further)
            while too_large - low > 1:
                middle = (low + too_large) // 2
                if fits(middle):
                    low = middle
                else:
                    too_large = middle
        curve = [probes[n] for n in sorted(probes)]
        beyond = probes[grid[too_large]] if too_large is not None else None
        most = max(curve, key=lambda probe: probe.bits)
        last = [probe for probe in curve if beyond and probe.n >= beyond.n and not probe.fitted][-2:]
        runs = [outcome for probe in curve for outcome in probe.outcomes]
        missing = float("nan")
        return Result(
            {
                "largest_n": grid[low] if low >= 0 else missing,
                "next_n": beyond.n if beyond else missing,
                "next_accuracy": beyond.accuracy if beyond else missing,
                "next_gain": beyond.gain if beyond else missing,
                "next_stop": ", ".join(sorted({run.stop_reason for run in beyond.outcomes})) if beyond else "",
                "bits": most.bits,
                "bits_n": most.n,
                "bits_per_parameter": most.bits / runs[0].parameters,
                "bits_growth": last[1].bits / last[0].bits if len(last) == 2 and last[0].bits else missing,
                "num_probes": len(curve),
                "parameters": runs[0].parameters,
                "failed_checks": failed_checks(runs),
            },
            {
                "n": np.array([probe.n for probe in curve]),
                "accuracy": np.array([[run.train_accuracy for run in probe.outcomes] for probe in curve]),
                "fitted": np.array([probe.fitted for probe in curve]),
                "bits": np.array([probe.bits for probe in curve]),
            },
        )

    def _probe(self, data: Dataset, n: int, context: Context) -> Probe:
        return Probe(n, tuple(context.runs(self._specs(n), data, stage=f"n = {n:,}")))

    def _specs(self, n: int) -> list[TrainSpec]:
        recipe = with_steps_of(self.recipe, n, self.n_train)
        first = self.spec(n_train=n, epochs=recipe.epochs)
        draws = range(self.seed * self.draws, (self.seed + 1) * self.draws)
        return [first.model_copy(update={"seed": draw}) for draw in draws]


@dataclass(frozen=True, eq=False)
class Probe:
    """The runs on the random labels of n examples."""

    n: int
    outcomes: tuple[TrainOutcome, ...]

    @property
    def accuracy(self) -> float:
        """The mean training accuracy of its runs."""
        return float(np.mean([outcome.train_accuracy for outcome in self.outcomes]))

    @property
    def fitted(self) -> bool:
        """Whether accuracy, as a share of what identical inputs leave, is at least 0.99 in the mean over draws."""
        return bool(np.mean([outcome.train_accuracy / outcome.ceiling for outcome in self.outcomes]) >= FIT)

    @property
    def bits(self) -> float:
        """That they memorise of all labels: `memorised_bits` at their mean accuracy."""
        return memorised_bits(self.n, 1 - self.accuracy, self.outcomes[0].num_classes)

    @property
    def gain(self) -> float:
        """Of running accuracy over the last fifth of the epochs, in the mean over draws."""
        curves = [outcome.curve["running_accuracy"] for outcome in self.outcomes]
        return float(np.mean([curve[-1] - curve[int((1 - _RECENT) * (len(curve) - 1))] for curve in curves]))


def geometric_grid(least: int, most: int) -> list[int]:
    """Whole numbers from `least` to `most`, STEPS_AN_OCTAVE to a doubling counted down from `most`, ascending."""
    if least >= most:
        return [most]
    num_steps = math.floor(STEPS_AN_OCTAVE * math.log2(most / least))
    return sorted({round(most * 2 ** (-step / STEPS_AN_OCTAVE)) for step in range(num_steps + 1)})
