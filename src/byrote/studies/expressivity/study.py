"""Finite-sample expressivity: how many weights represent any labels of n examples, by construction and by training.

Claim      A two-layer ReLU network with 2n + d weights represents any function on n points in d dimensions (Theorem 1),
           and for every depth k there is one with width O(n/k) and O(n + d) weights (Corollary 1).
Command    byrote reproduce expressivity --data digits --scale laptop    (or mnist:DIR, cifar10:DIR, --scale paper)
Cost       Digits two minutes, CIFAR-10 13 minutes on one of two AMD EPYC cores that others used too. All 50,000 random
           labels are built in and tried in 8 s (2n + d) and 150 s (hyperplanes); most of the rest is training.
Expected   Exactly 2n + d weights and all labels right at every n, by the ordinary float64 forward pass; which says
           nothing about test examples. Trained networks need more. Any prediction is overridden by a few weights.
Source     Zhang et al., Understanding deep learning requires rethinking generalization (ICLR 2017), section 4 and
           appendix C; for constructions with fewer weights or units see `memorization_bounds.py`.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar, get_args

import pandas as pd

from byrote.data.dataset import Dataset, require_dataset
from byrote.errors import UserError
from byrote.evidence.finding import Finding
from byrote.studies.expressivity.calculations import FittingWidth, Manipulation
from byrote.studies.expressivity.findings import findings
from byrote.studies.families import is_family
from byrote.studies.model_choice import choice_in_words, chosen_models
from byrote.studies.paper_settings import Scale, paper_recipe
from byrote.studies.random_labels import tabulate_with_recipes
from byrote.studies.seeds import at_most
from byrote.studies.study import Finished, Planned, Results, Study
from byrote.theory.memorizers.built_network import BuiltNetwork, ConstructionName
from byrote.theory.memorizers.worked_example import WorkedExample
from byrote.training.spec import Recipe, TrainSpec

WORKED = 8
FAMILIES = ("mlp-1x{width}", "mlp-2x{width}")
OVERRIDDEN = (1, 10, 100)
_RUNG = 4
"""n grows by this factor."""
_FEWEST_TRAINED = 128
"""Below, a single unit more or less decides."""
_NETWORK = "mlp-1x64"
"""Whose predictions are overridden."""


@dataclass(frozen=True, eq=False)
class ExpressivityStudy(Study):
    """Constructions and trained networks on random labels at growing n, Theorem 1 on 8 points, overridden predictions.

    Args:
        data: clean; of its training split, stratified subsets are taken.
        families: models with {width} for their width, of which the smallest that fits is sought; None takes FAMILIES.
        seeds: how many draws of labels.
        n_train: the largest n; None takes all.
        most_trained: the largest n at which networks are trained.
        chosen: how many predictions are overridden.

    Raises:
        UserError: a family without {width}, or fewer than 8 examples or more than there are.
    """

    name: ClassVar[str] = "expressivity"
    title: ClassVar[str] = "Finite-sample expressivity"
    presented_by: ClassVar[str] = "byrote.studies.expressivity.page"

    data: Dataset
    families: Sequence[str] | None = None
    seeds: int = 1
    n_train: int | None = None
    most_trained: int | None = 2048
    chosen: Sequence[int] = OVERRIDDEN

    def __post_init__(self) -> None:
        require_dataset(self.data)
        if unknown := [family for family in self.sought if not is_family(family)]:
            raise UserError(
                f"got model {unknown[0]!r}, expected a family whose width is open, of which the smallest that fits is "
                'sought: "mlp-1x{width}"'
            )
        at_most(self.seeds, "seeds")
        if not WORKED <= self.largest <= len(self.data.train):
            raise UserError(
                f"got n_train={self.largest} for {self.data.name}, which has {len(self.data.train)} training examples; "
                f"choose between {WORKED} and {len(self.data.train)}"
            )

    @property
    def sought(self) -> list[str]:
        """`families`, or those that byrote uses for want of them."""
        return list(chosen_models(self.families, self.data, FAMILIES))

    def choices(self) -> list[str]:
        return [choice_in_words(self.sought, self.data, asked_for=self.families is not None)]

    @property
    def largest(self) -> int:
        return len(self.data.train) if self.n_train is None else self.n_train

    @property
    def sizes(self) -> list[int]:
        """8, 32, 128 ... and the largest n."""
        num_rungs = math.ceil(math.log(self.largest / WORKED, _RUNG)) + 1
        rungs = {WORKED * _RUNG**power for power in range(num_rungs)}
        return sorted({n for n in rungs if n < self.largest} | {self.largest})

    def plan(self) -> list[Planned]:
        """The worked example, what is built, the network that is overridden with each number of predictions, and what
        is sought."""
        seeds = range(self.seeds)
        built = [
            BuiltNetwork(construction=name, n_train=n, seed=seed)
            for name in get_args(ConstructionName)
            for n in self.sizes
            for seed in seeds
        ]
        sought = [
            FittingWidth(model=family, recipe=self._fitting_recipe(family, n), n_train=n, seed=seed)
            for family in self.sought
            for n in self.trained_sizes
            for seed in seeds
        ]
        return [
            Planned(WorkedExample(num_points=WORKED)),
            *map(Planned, built),
            *self._overridden(),
            *map(Planned, sought),
        ]

    def _overridden(self) -> list[Planned]:
        """One run, and what reads its network."""
        recipe = paper_recipe(_NETWORK, self.data, learning_rate=self._rate, dense_steps=0)
        own = {"model": _NETWORK, "n_train": min(self.largest, self.most_trained or self.largest), "seed": 0}
        spec = TrainSpec.model_validate(recipe.model_dump() | own)
        numbers = [number for number in self.chosen if 2 * number <= len(self.data.test)]
        reading = [Planned(Manipulation(spec=spec, num_chosen=number), own | {"data_seed": 0}) for number in numbers]
        return [Planned(spec), *reading] if reading else []

    @property
    def trained_sizes(self) -> list[int]:
        """Those of `sizes` up to `most_trained`, and that itself; small n only if there are no others."""
        most = min(self.largest, self.most_trained or self.largest)
        return [n for n in sorted({*self.sizes, most}) if min(_FEWEST_TRAINED, most) <= n <= most]

    def summarise(self, results: Sequence[Finished]) -> pd.DataFrame:
        """`tabulate_with_recipes`: a row for each network built, width sought, set of predictions, and the example.

        n_test is the size of the test set.
        """
        results = results if isinstance(results, Results) else Results.of(self, results)
        table = tabulate_with_recipes(self.name, results)
        return table.assign(n_test=len(self.data.test)) if len(table) else table

    def verdict(self, table: pd.DataFrame) -> list[Finding]:
        return findings(table, self.sought)

    @property
    def _rate(self) -> float:
        """As in overparameterization, whose networks are these."""
        return 0.02 if math.prod(self.data.input_shape) > _MANY_INPUTS else 0.05

    def _fitting_recipe(self, family: str, n: int) -> Recipe:
        """A constant rate, and so many steps that the smallest networks which fit take a small part of them."""
        own = {"learning_rate": self._rate} if family.startswith("mlp-") else {}
        steps = max(_FEWEST_STEPS, _STEPS_AN_EXAMPLE * n)
        epochs = math.ceil(steps / math.ceil(n / Recipe().batch_size))
        return paper_recipe(family, self.data, schedule="constant", epochs=epochs, dense_steps=0, **own)


_MANY_INPUTS = 1000
_FEWEST_STEPS = 1500
_STEPS_AN_EXAMPLE = 4


def expressivity_study(
    data: Dataset, scale: Scale, seeds: int = 1, models: Sequence[str] | None = None
) -> ExpressivityStudy:
    """Constructions at n = 8, 32, 128 ... up to all examples, and the smallest perceptrons that fit by SGD.

    Args:
        scale: "paper" trains networks at all n, "laptop" up to n = 2,048.
        models: other families ("mlp-3x{width}") in place of perceptrons with one and with two hidden layers.
    """
    most = 2048 if scale == "laptop" else None
    return ExpressivityStudy(data=data, families=models, seeds=seeds, most_trained=most)
