"""Regularisers as tuning parameters: does a stronger one shrink what a network can memorise, and what does it cost?

Claim      Explicit regularisers are tuning parameters that help a little and are no bound on what can be memorised: at
           the strength that tests best, random labels are still fitted. Turned up, they may shrink how many before
           they cost test accuracy, or only after.
Command    byrote reproduce strengths --data cifar10:DIR --scale laptop    (or --scale paper)
Cost       laptop: 160 runs, 27 minutes on one AMD EPYC core in bfloat16.
Expected   Test accuracy rises a little with strength and falls at the strongest. Time to fit random labels grows, so
           the largest n fitted within the steps falls, but not to nothing at the strength that tests best. On CIFAR-10
           augmentation is worth more examples than weight decay or dropout, whose worth is near 1.
Source     Zhang et al., Understanding deep learning requires rethinking generalization (ICLR 2017), section 3: it has
           one strength of each; the ladders are ours.
"""

from __future__ import annotations

import math
from collections.abc import Hashable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, TypeAlias

import numpy as np
import pandas as pd

from byrote.data.dataset import Dataset
from byrote.errors import UserError
from byrote.evidence.columns import Column
from byrote.evidence.comparisons import columns_against, discordant_columns, right_where_unseen
from byrote.evidence.finding import Finding
from byrote.models.catalog import takes_dropout
from byrote.studies.columns import OF_RUNS
from byrote.studies.design import ModelStudy, PerModel, label_corruptions
from byrote.studies.factors import MODELS_OF_SCALE
from byrote.studies.paper_settings import PAPER_STEPS, QUICK_MODELS, Scale, Sizes, sized, sizes_at
from byrote.studies.strengths.findings import findings
from byrote.studies.strengths.readings import Ladders
from byrote.studies.study import Planned
from byrote.training.outcome import TrainOutcome
from byrote.training.recipe import Recipe
from byrote.training.spec import TrainSpec

Strengths: TypeAlias = Mapping[str, Sequence[Any]]
"""Fields of the recipe, each with its levels from none to the strongest."""

STRENGTHS: Strengths = {
    "weight_decay": (0.0, 1e-5, 1e-4, 1e-3, 1e-2, 1e-1),
    "dropout": (0.0, 0.2, 0.5, 0.8),
    "augmentation": ("none", "random-crop", "crop-flip-color"),
}
_QUICK_STRENGTHS: Strengths = {
    "weight_decay": (0.0, 1e-3, 1e-1),
    "dropout": (0.0, 0.5),
    "augmentation": ("none", "random-crop"),
}
_RECIPE = Recipe(stop="at_steps", steps=PAPER_STEPS)


@dataclass(frozen=True, eq=False)
class StrengthStudy(ModelStudy):
    """Each model with one regulariser at a time, at each of its strengths, with each seed.

    On *true labels* of the largest n, for test accuracy and time to fit, and of a quarter of it, for what a strength is
    worth in examples: the network without regularisers is trained on every n, which gives its learning curve. These
    runs all take the recipe's number of steps, since their accuracies are compared.

    On *random labels* of every n of the ladder, for the largest n that is fitted. These runs stop when all labels are
    right, and at the latest at the end of the epoch in which they reach the recipe's number of steps. A limit in epochs
    would give small n few steps, and a learning rate that hardly decays (it counts steps): n would not be all that
    differs. With a limit in steps, "the largest n fitted" means within so many steps.

    >>> import byrote
    >>> byrote.StrengthStudy(byrote.load("digits"), ["mlp-1x16"], strengths={"weight_decay": (0.0, 0.1)})
    <StrengthStudy 'strengths' on Digits: 17 runs>

    Args, beside those of every ModelStudy:
        n_train: the largest n of the ladder; None takes all.
        sizes: how many n the ladder has, each half of the next; at least 3.
        strengths: fields of the recipe, each with its levels, none first and then ascending; for all models or in a
            mapping with each model's own. None is STRENGTHS, as far as data and model take them.

    Raises:
        UserError: strengths that are none, a ladder that is too short or starts below the number of classes, a recipe
            that does not stop after a number of steps, holds examples out or regularises by itself; or what ModelStudy
            refuses.
    """

    name: ClassVar[str] = "strengths"
    title: ClassVar[str] = "Regularisers, stronger and stronger"
    presented_by: ClassVar[str] = "byrote.studies.strengths.page"
    columns: ClassVar[Sequence[Column]] = (
        *OF_RUNS,
        Column("regularizer", "str", "The field of the recipe that is not at its first level; empty for none."),
        Column("strength", "int64", "The place of its level in the ladder, from 1; 0 for none."),
        *columns_against(
            "none", "the run without regularisers on true labels with the same model, number of examples and seed"
        ),
    )

    recipe: PerModel[Recipe] = _RECIPE
    sizes: int = 5
    strengths: PerModel[Strengths] | None = None

    def __post_init__(self) -> None:
        super().__post_init__()
        for model in self.model_names:
            self._validate(model)

    def ladders(self, model: str) -> Ladders:
        """The geometric ladder of n, of ratio 2 up to the largest, and all else that `model` is trained on.

        Regularised networks are placed on the learning curve at a quarter of the largest n: worths of up to 4 can be
        read off.
        """
        largest = self.own(self.n_train, "n_train", model) or len(self.data.train)
        sizes = [largest // 2**halvings for halvings in reversed(range(self.sizes))]
        return Ladders(
            model=model,
            strengths=self._strengths(model),
            sizes=sizes,
            worth_size=sizes[-3],
            steps=self.own(self.recipe, "recipe", model).steps or 0,
            num_seeds=len(self.seed_list),
        )

    def _strengths(self, model: str) -> Strengths:
        if self.strengths is None:
            return default_strengths(model, self.data)
        if self.strengths and all(isinstance(levels, Mapping) for levels in self.strengths.values()):
            return self.own(self.strengths, "strengths", model)
        return self.strengths  # type: ignore[return-value]

    def plan(self) -> list[Planned]:
        return [planned for model in self.model_names for planned in self._runs(model)]

    def completed(self, table: pd.DataFrame, outcomes: Sequence[TrainOutcome]) -> pd.DataFrame:
        right = [right_where_unseen(outcome, self.data.test.true_labels) for outcome in outcomes]
        identity = list(zip(table["model"], table["n_train"], table["seed"], table["corruption"], strict=True))
        bases: dict[Hashable, np.ndarray] = {
            own: correct
            for own, correct, name in zip(identity, right, table["regularizer"], strict=True)
            if not name and own[-1] == "true-labels"
        }
        conditions = list(zip(table["model"], table["n_train"], table["regularizer"], table["strength"], strict=True))
        others = [bases.get(key) for key in identity]
        return table.assign(**discordant_columns("none", right, others, conditions))

    def verdict(self, table: pd.DataFrame) -> list[Finding]:
        return [
            finding
            for model in self.model_names
            for finding in findings(self.ladders(model), table[table["model"] == model] if len(table) else table)
        ]

    def _runs(self, model: str) -> Iterator[Planned]:
        ladders = self.ladders(model)
        for seed in self.seed_list:
            for name, strength in ladders.conditions:
                level = {name: ladders.strengths[name][strength]} if name else {}
                labels = {"regularizer": name, "strength": strength}
                for n in ladders.sizes if not name else (ladders.worth_size, ladders.sizes[-1]):
                    yield Planned(self.make_spec(model, seed, n_train=n, **level), labels)
                for n in ladders.sizes:
                    yield Planned(self._on_random_labels(model, seed, n, **level), labels)

    def _on_random_labels(self, model: str, seed: int, n: int, **level: Any) -> TrainSpec:
        recipe = self.own(self.recipe, "recipe", model)
        epochs = math.ceil((recipe.steps or 0) / math.ceil(n / recipe.batch_size))
        stop = {"stop": "at_interpolation", "steps": None, "epochs": epochs}
        return self.make_spec(model, seed, label_corruptions(1.0), n_train=n, **stop, **level)

    def _validate(self, model: str) -> None:
        recipe, strengths = self.own(self.recipe, "recipe", model), self._strengths(model)
        if not strengths or not set(strengths) <= set(STRENGTHS):
            raise UserError(f"got strengths={strengths!r} for {model}, expected some out of {', '.join(STRENGTHS)}")
        if self.sizes < 3 or self.ladders(model).sizes[0] < self.data.num_classes:
            raise UserError(
                f"got sizes={self.sizes} for {model}, expected at least 3, each half of the next, and the smallest "
                f"with an example of each of the {self.data.num_classes} classes"
            )
        self.require_steps(model, "strengths are compared by final accuracies")
        self.require_unregularized(model, but=strengths)
        self.require_no_validation(model)
        for name, levels in strengths.items():
            if isinstance(levels, str) or len(levels) < 2 or len(set(levels)) < len(levels):
                raise UserError(f"got {name}={levels!r} for {model}, expected different levels, none first")
            if (own := getattr(recipe, name)) != levels[0]:
                raise UserError(
                    f"got {name}={own!r} for {model}, but its ladder starts at {levels[0]}: "
                    "leave it out, or give strengths"
                )


def default_strengths(model: str, data: Dataset, strengths: Strengths = STRENGTHS) -> Strengths:
    """`strengths`, without dropout where the model takes no rate, nor augmentations where there are no images."""
    left_out = {"dropout": not takes_dropout(model), "augmentation": not data.is_images}
    return {name: levels for name, levels in strengths.items() if not left_out.get(name)}


_LAPTOP: Sizes = {
    "mlp": (8000, {"steps": 1200}),
    "conv": (2000, {"steps": 320, "learning_rate": 0.05}),
    "": (512, {"steps": 80}),
}
"""The largest n, and steps: some twenty epochs of it, in which a network without regularisers fits the random labels of
a half, so that there is room above and below. 80 runs of each take some fifteen minutes on one core. conv-small has the
rate of the demonstration, at which it fits sooner than at 0.01."""


def strengths_study(data: Dataset, scale: Scale, seeds: int = 1, models: Sequence[str] | None = None) -> StrengthStudy:
    """STRENGTHS on a ladder of five n, with the paper's hyper-parameters.

    Args:
        scale: "paper" is mlp-3x512, alexnet and inception up to the whole training set, for as many steps as Table 1
            takes. "laptop" is mlp-1x512 up to 8,000 and conv-small up to 2,000 examples. "quick" is mlp-1x512 alone, up
            to 500 examples, with half of the strengths. Where there are many classes, up to as many examples as the
            smallest n needs to have one of each.
        models: others than these.
    """
    quick = scale == "quick"
    defaults = QUICK_MODELS[:1] if quick else MODELS_OF_SCALE[scale]
    own = sized(data, models, defaults, sizes_at(scale, data, _LAPTOP))
    num_sizes = 4 if quick else 5
    least = data.num_classes * 2 ** (num_sizes - 1)
    enough = least if least < len(data.train) else None
    own["n_train"] = {model: n if n is None or n >= least else enough for model, n in own["n_train"].items()}
    strengths = {model: default_strengths(model, data, _QUICK_STRENGTHS) for model in own["recipe"]} if quick else None
    return StrengthStudy(**own, seeds=seeds, sizes=num_sizes, strengths=strengths)
