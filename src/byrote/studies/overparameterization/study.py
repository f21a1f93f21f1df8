"""More parameters than examples: what happens to test error as networks grow past the point where they fit everything.

Claim      Networks have many times more parameters than examples, and yet some show a small gap between training and
           test error: their number explains no generalisation. Test error against size need not have the shape of a U:
           it may peak where networks just begin to fit, most of all under label noise, and fall again beyond.
Command    byrote reproduce overparameterization --data digits --scale laptop    (or cifar10:DIR, --scale paper)
Cost       laptop, cifar10: 30 runs in stacks, 6 minutes on one AMD EPYC core in bfloat16.
Expected   True labels: test error falls and stays low. Noisy labels: it falls, rises to a peak near the interpolation
           threshold, and falls again: on digits, where on CIFAR-10 at laptop scale it only falls. Random labels: fitted
           once networks are large enough, and never learned.
Source     Zhang et al., Understanding deep learning requires rethinking generalization (ICLR 2017), sections 1 and 2;
           Belkin, Hsu, Ma, Mandal, Reconciling modern machine-learning practice and the classical bias-variance
           trade-off (PNAS 2019); Nakkiran et al., Deep double descent (ICLR 2020).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import ClassVar

import pandas as pd

from byrote.data.dataset import Dataset
from byrote.errors import UserError
from byrote.evidence.columns import Column
from byrote.evidence.finding import Finding
from byrote.evidence.learning import LEARNING, learning_columns
from byrote.models.matching import matched_width, num_parameters
from byrote.studies.columns import OF_RUNS
from byrote.studies.design import ModelStudy, PerModel, label_corruptions
from byrote.studies.families import member
from byrote.studies.model_choice import chosen_models
from byrote.studies.overparameterization.findings import findings
from byrote.studies.paper_settings import Scale, paper_recipe
from byrote.studies.study import Planned
from byrote.training.outcome import TrainOutcome
from byrote.training.recipe import Recipe

RATES = (0.0, 0.2, 1.0)
"""True labels; the label noise at which Nakkiran et al. show double descent most; random labels."""
RATIOS = (0.1, 0.2, 0.4, 0.7, 1.0, 1.4, 2.0, 2.8, 4.0, 5.6, 8.0, 12.0, 20.0, 50.0)
"""Parameters per example. Steps are smallest, a factor of 1.4, from 0.7 to 8, where networks begin to fit."""
_FAMILIES = ("mlp-1x{width}",)
_RECIPE = Recipe(schedule="constant", stop="at_steps", steps=10_000, dense_steps=0)


@dataclass(frozen=True, eq=False)
class OverparameterizationStudy(ModelStudy):
    """Networks of growing width on labels of growing noise, with each seed, all for the same number of steps.

    All sizes share the number of steps: a peak of test error shows in networks that were trained as far as they go, and
    stopping early removes it (Nakkiran et al., 2020). The learning rate stays constant: one that decays freezes
    networks near the threshold, which are the slowest to fit, before they have arrived.

    >>> import byrote
    >>> byrote.OverparameterizationStudy(byrote.load("digits"), ["mlp-1x{width}"], ratios=(0.5, 1, 4), rates=(1.0,))
    <OverparameterizationStudy 'overparameterization' on Digits: 3 runs>

    Args, beside those of every ModelStudy:
        models: families, named as in the catalogue with {width} for the width: "mlp-1x{width}".
        ratios: parameters per training example; each becomes the width that comes nearest to it.
        rates: levels of label corruption.

    Raises:
        UserError: a model without {width}, ratios that give a family fewer than three sizes, a rate outside [0, 1], a
            recipe that does not stop after a number of steps, or what ModelStudy refuses.
    """

    name: ClassVar[str] = "overparameterization"
    title: ClassVar[str] = "More parameters than examples"
    presented_by: ClassVar[str] = "byrote.studies.overparameterization.page"
    columns: ClassVar[Sequence[Column]] = (
        *OF_RUNS,
        *LEARNING,
        Column("family", "str", "The model's family, with {width} for its width."),
        Column("parameters_per_example", "float64", "The parameters over the training examples."),
    )

    recipe: PerModel[Recipe] = _RECIPE
    defaults: Sequence[str] = _FAMILIES
    ratios: Sequence[float] = RATIOS
    rates: Sequence[float] = RATES

    def __post_init__(self) -> None:
        super().__post_init__()
        if not self.rates or not all(0 <= rate <= 1 for rate in self.rates):
            raise UserError(f"got rates={self.rates!r}, expected label corruptions between 0 and 1")
        if not self.ratios or min(self.ratios) <= 0:
            raise UserError(f"got ratios={self.ratios!r}, expected positive numbers of parameters per example")
        for family in self.model_names:
            self.require_steps(family, "networks of different size compare after equal training")
        for family, sizes in self.sizes.items():
            if len(sizes) < 3:
                raise UserError(
                    f"got ratios={self.ratios!r}, at which {family} has {len(sizes)} sizes ({', '.join(sizes)}), "
                    "expected at least three: give ratios further apart"
                )

    @cached_property
    def sizes(self) -> dict[str, list[str]]:
        """The models of each family, from the narrowest on."""
        return {
            family: list(
                dict.fromkeys(
                    member(self, family, max(1, round(ratio * self.num_examples(family))))
                    for ratio in sorted(self.ratios)
                )
            )
            for family in self.model_names
        }

    def num_examples(self, family: str) -> int:
        """How many examples a model is trained on."""
        return self.own(self.n_train, "n_train", family) or len(self.data.train)

    def plan(self) -> list[Planned]:
        return [
            Planned(
                self.make_spec(family, seed, label_corruptions(rate)).model_copy(update={"model": model}),
                {"family": family},
            )
            for family, sizes in self.sizes.items()
            for model in sizes
            for rate in dict.fromkeys(self.rates)
            for seed in self.seed_list
        ]

    def completed(self, table: pd.DataFrame, outcomes: Sequence[TrainOutcome]) -> pd.DataFrame:
        per_example = table["parameters"] / table["n_train"]
        return table.assign(**learning_columns(outcomes, self.data), parameters_per_example=per_example)

    def verdict(self, table: pd.DataFrame) -> list[Finding]:
        return [
            finding
            for family, sizes in self.sizes.items()
            for finding in findings(
                family,
                sizes,
                list(dict.fromkeys(self.rates)),
                table[table["family"] == family] if len(table) else table,
                len(self.seed_list),
            )
        ]


_LAPTOP_EXAMPLES = 4000
_QUICK_EXAMPLES = 500
_QUICK_EXAMPLES_AN_INPUT = 2.5
"""The narrowest perceptron has a parameter for each input and a few more: below so many examples, none would have fewer
parameters than examples."""
_QUICK_RATIOS = (0.1, 0.4, 0.7, 1.0, 1.4, 2.0, 4.0, 20.0)
_TIMES_THE_NARROWEST = (2, 4, 8)
_EPOCHS = 300
"""Enough for the peak to show on digits."""
_MANY_INPUTS = 1000


def overparameterization_study(
    data: Dataset, scale: Scale, seeds: int = 1, models: Sequence[str] | None = None
) -> OverparameterizationStudy:
    """Perceptrons of one hidden layer, from a tenth of a parameter per example to fifty, for 300 epochs each.

    Their learning rate has the lowest training loss on noisy and on random labels, of 0.01, 0.02, 0.05 and 0.1: 0.02 on
    CIFAR-10 (width 16, n = 4,000, 2,000 steps), 0.05 on digits (width 24, n = 1,437, 4,000 steps), either on MNIST.

    Args:
        scale: "paper" takes all examples, "laptop" 4,000, or all where there are fewer, "quick" eight sizes and 500, or
            up to 4,000 where inputs have more than 200 values.
        models: other families ("resnet-1x{width}"), trained at the paper's rates.
    """
    of_inputs = math.ceil(_QUICK_EXAMPLES_AN_INPUT * math.prod(data.input_shape))
    quick = min(max(_QUICK_EXAMPLES, of_inputs), _LAPTOP_EXAMPLES)
    most = {"quick": quick, "laptop": _LAPTOP_EXAMPLES}.get(scale, len(data.train))
    n_train = most if most < len(data.train) else None
    families = chosen_models(models, data, _FAMILIES)
    perceptron = {"learning_rate": 0.02 if math.prod(data.input_shape) > _MANY_INPUTS else 0.05}
    return OverparameterizationStudy(
        data=data,
        models=models,
        defaults=_FAMILIES,
        seeds=seeds,
        recipe={
            family: paper_recipe(
                family,
                data,
                schedule="constant",
                stop="at_steps",
                steps=_EPOCHS * math.ceil((n_train or len(data.train)) / Recipe().batch_size),
                dense_steps=0,
                **(perceptron if family.startswith("mlp-1x") else {}),
            )
            for family in families
        },
        n_train=n_train,
        ratios=_reached(_QUICK_RATIOS if scale == "quick" else RATIOS, families, data, n_train or len(data.train)),
    )


def _reached(ratios: Sequence[float], families: Sequence[str], data: Dataset, n: int) -> Sequence[float]:
    """With larger ones, where the narrowest network of a family has more parameters an example than most of them."""
    found = set(ratios)
    for family in families:
        narrowest = matched_width(family, 1, input_shape=data.input_shape, num_classes=data.num_classes)
        least = num_parameters(narrowest, input_shape=data.input_shape, num_classes=data.num_classes) / n
        found |= {round(times * least, 1) for times in _TIMES_THE_NARROWEST if times * least > max(ratios) / 2}
    return tuple(sorted(found))
