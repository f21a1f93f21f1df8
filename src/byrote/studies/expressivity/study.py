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

import numpy as np
import pandas as pd

from byrote.data.dataset import Dataset, require_dataset
from byrote.errors import UserError
from byrote.evidence.columns import Column, as_declared, nullable
from byrote.evidence.finding import Finding
from byrote.evidence.learning import top_guessing
from byrote.evidence.tested import EFFECTIVE, worth
from byrote.studies.columns import CALCULATION_KEY, DATA, FAILED_CHECKS, N_TEST, NUM_LEAKED, OF_RECIPE, STUDY
from byrote.studies.expressivity.calculations import FittingWidth, Manipulation
from byrote.studies.expressivity.findings import findings
from byrote.studies.families import is_family
from byrote.studies.model_choice import choice_in_words, chosen_models
from byrote.studies.paper_settings import Scale, paper_recipe
from byrote.studies.seeds import at_most
from byrote.studies.study import Finished, Planned, Results, Study, tabulate_calculations
from byrote.theory.memorizers.built_network import BuiltNetwork, ConstructionName
from byrote.theory.memorizers.worked_example import WorkedExample
from byrote.training.recipe import Recipe
from byrote.training.spec import TrainSpec

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

    >>> import byrote
    >>> byrote.ExpressivityStudy(byrote.load("digits"), ["mlp-1x{width}"], n_train=64, most_trained=32)
    <ExpressivityStudy 'expressivity' on Digits: 15 runs and calculations>

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
    columns: ClassVar[Sequence[Column]] = (
        STUDY,
        Column(
            "calculation",
            "str",
            "What was computed: WorkedExample, BuiltNetwork, FittingWidth of trained networks, or Manipulation of one "
            "that has learned; what a calculation does not have is missing in its row.",
        ),
        Column("construction", "str", "The way in which a network is built: two-layer, deep or hyperplanes."),
        Column("model", "str", "The family whose width is sought, or the network that is overridden."),
        Column("num_points", "float64", "The points of the worked example."),
        Column("n_train", "float64", "The training examples whose labels are to be represented."),
        Column("seed", "float64", "What random labels and all other draws follow from."),
        Column("data_seed", "float64", "What draws the training examples."),
        Column("num_chosen", "float64", "The predictions that are overridden."),
        Column("n", "float64", "The distinct points among the examples."),
        Column("d", "float64", "The dimensions of a point."),
        Column("num_classes", "float64", "The number of classes."),
        Column("num_weights", "float64", "The free weights of a network that is built."),
        Column("num_connections", "float64", "The weights of the same network with none shared."),
        Column("num_units", "float64", "The number of its hidden units."),
        Column("depth", "float64", "The number of its layers."),
        Column("width", "float64", "The units of its widest layer."),
        Column("slabs", "float64", "The slabs that hyperplanes cut the points into."),
        Column("thinnest_slab", "float64", "The width of the thinnest of them."),
        Column("largest_weight", "float64", "The largest of its weights."),
        Column(
            "relative_gap", "float64", "The smallest gap between the points' projections, as a share of their range."
        ),
        Column("accuracy", "float64", "The share of the labels that its ordinary float64 forward pass gives."),
        Column("largest_error", "float64", "The largest error of an output, where 0.5 would be another class."),
        Column(
            "test_accuracy_true_labels",
            "float64",
            "The accuracy on unseen test examples of the network once it holds the true labels.",
        ),
        Column(
            "solution_difference",
            "float64",
            "The largest difference between the weights of the worked example and those by forward substitution, as a "
            "share of the largest.",
        ),
        Column("fitting_model", "str", "The smallest model of the family that fits; empty if none does."),
        Column("parameters", "float64", "The number of its parameters, or of those of the network that is overridden."),
        Column("steps_to_interpolate", "float64", "The steps until it had all labels right."),
        Column("too_small_model", "str", "The largest model that was found too small; empty without one."),
        Column("too_small_parameters", "float64", "The number of its parameters."),
        Column("too_small_accuracy", "float64", "The best training accuracy along its run."),
        Column("too_small_stop", "str", "Why its training ended."),
        Column("limit_steps", "float64", "The most steps that any model of the family took."),
        Column("num_probes", "float64", "The models of the family that were trained."),
        Column("weights_added", "float64", "The weights that override predictions."),
        Column("num_as_wanted", "float64", "The chosen examples that are predicted as wanted afterwards."),
        Column("num_others", "float64", "The other test examples."),
        Column("others_changed", "float64", "Those of them whose prediction has changed."),
        Column("test_accuracy", "float64", "The test accuracy before."),
        Column("overridden_test_accuracy", "float64", "The test accuracy afterwards."),
        Column("half_width", "float64", "Half the width in which they act, as a share of the range of projections."),
        Column("largest_change", "float64", "The largest change of an output."),
        Column("fitted", "boolean", "Whether the network that is overridden had fitted."),
        Column("train_accuracy", "float64", "The accuracy of the network that is overridden on its training examples."),
        FAILED_CHECKS,
        DATA,
        N_TEST,
        NUM_LEAKED,
        EFFECTIVE,
        Column("guessing", "float64", "The share of the unseen test examples that are of their largest class."),
        Column("seconds", "float64", "The seconds that the calculation took."),
        CALCULATION_KEY,
        *nullable(OF_RECIPE.values()),
    )

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
        chosen = choice_in_words(self.sought, self.data, asked_for=self.families is not None)
        no_network = f"No predictions are overridden: {_NETWORK}, whose they would be, takes one input."
        return [chosen, *([no_network] if self.data.kind == "dict" and self.chosen else [])]

    @property
    def largest(self) -> int:
        """The largest n."""
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
        """One run, and what reads its network; none of several inputs, which that network does not take."""
        if self.data.kind == "dict":
            return []
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
        """A row for each network built, width sought, set of predictions overridden, and for the worked example."""
        table = tabulate_calculations(self.name, Results.of(self, results))
        test, unseen = self.data.test, self.data.unseen
        tested = {
            N_TEST.name: len(test),
            NUM_LEAKED.name: int((~unseen).sum()),
            EFFECTIVE.name: len(test) * worth(test.input_hashes, np.flatnonzero(~unseen)),
            "guessing": top_guessing(test.take(np.flatnonzero(unseen)), 1),
        }
        return as_declared(table.assign(**tested), self.columns)

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
_QUICK_EXAMPLES = 8192


def expressivity_study(
    data: Dataset, scale: Scale, seeds: int = 1, models: Sequence[str] | None = None
) -> ExpressivityStudy:
    """Constructions at n = 8, 32, 128 ... up to all examples, and the smallest perceptrons that fit by SGD.

    Args:
        scale: "paper" trains networks at all n, "laptop" up to n = 2,048, "quick" up to 256; and "quick" builds them up
            to 8,192.
        models: other families ("mlp-3x{width}") in place of perceptrons with one and with two hidden layers.
    """
    most = {"quick": 256, "laptop": 2048}.get(scale)
    largest = _QUICK_EXAMPLES if scale == "quick" and len(data.train) > _QUICK_EXAMPLES else None
    return ExpressivityStudy(data=data, families=models, seeds=seeds, n_train=largest, most_trained=most)
