"""The full grid of regularisers: which of them make a network generalise, and does any keep it from memorising?

Claim      Regularisers help a network generalise, augmentation more than weight decay, batch norm a little. None is
           necessary: without any, it still generalises. None is sufficient: with all, it still fits random labels.
Command    byrote reproduce regularization --data cifar10:DIR --scale laptop    (or --scale paper)
Cost       laptop: 96 runs for three seeds, 20 minutes on one AMD EPYC core in bfloat16.
Expected   Augmentation raises test accuracy most, the others by a few points or not at all; the network without any
           loses no more than that; train accuracy on random labels reaches 99% in most combinations, though late.
           On 500 images of CIFAR-10 (JPEG copy), three seeds: random crop +4.0 points (95% interval +1.5 to +6.4) of
           mlp-1x512 and +4.4 (+2.3 to +6.6) of conv-small, by Shapley value; dropout and weight decay not to be told
           from nothing; all 16 combinations fit random labels.
Source     Zhang et al., Understanding deep learning requires rethinking generalization (ICLR 2017),
           section 3, Tables 1 and 2, and appendix E (Table 4).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import product
from typing import Any, ClassVar, TypeAlias

import pandas as pd

from byrote.data.dataset import Dataset
from byrote.errors import UserError
from byrote.evidence.columns import Column
from byrote.evidence.finding import Finding
from byrote.evidence.learning import LEARNING, learning_columns
from byrote.references import name_of
from byrote.studies.columns import OF_RUNS
from byrote.studies.design import ModelStudy, PerModel, label_corruptions
from byrote.studies.factors import MODELS_OF_SCALE, Factors, default_factors
from byrote.studies.paper_settings import PAPER_STEPS, QUICK, Scale, Sizes, sized, sizes_at
from byrote.studies.regularization.findings import findings
from byrote.studies.study import Planned
from byrote.training.outcome import TrainOutcome
from byrote.training.recipe import Recipe
from byrote.training.spec import TrainSpec

FACTORS = ("augmentation", "dropout", "weight_decay", "batch_norm")
"""What a grid may vary: three fields of the recipe, and the model itself."""
Combination: TypeAlias = tuple[bool, ...]
"""A combination: which factors are on, in their order."""

_RECIPE = Recipe(stop="at_steps", steps=PAPER_STEPS)


@dataclass(frozen=True, eq=False)
class RegularizationStudy(ModelStudy):
    """Each model with every combination of regularisers on and off, on true and on random labels, with each seed.

    A model and its twin without batch norm are one architecture, under the name of the model that has it. All
    combinations of an architecture share the recipe, and its number of steps.

    >>> import byrote
    >>> byrote.RegularizationStudy(byrote.load("digits"), ["mlp-1x16"], seeds=2)
    <RegularizationStudy 'regularization' on Digits: 32 runs>

    Args, beside those of every ModelStudy:
        factors: names out of FACTORS, each with its off and its on level, for all models or in a mapping with each
            model's own; None is `default_factors`. A recipe's own value of a factor must be one of the two.

    Raises:
        UserError: factors that are none, a recipe that does not stop after a number of steps or has a regulariser that
            is no factor; or what ModelStudy refuses.
    """

    name: ClassVar[str] = "regularization"
    title: ClassVar[str] = "What makes it generalise?"
    presented_by: ClassVar[str] = "byrote.studies.regularization.page"
    columns: ClassVar[Sequence[Column]] = (
        *OF_RUNS,
        Column("architecture", "str", "The model; for a twin without batch norm, the model with it."),
        *(
            Column(
                f"{name}_on",
                "boolean",
                f"Whether {name} is at its on level; missing where the architecture's grid does not have it.",
            )
            for name in FACTORS
        ),
        Column("num_on", "int64", "The number of regularisers at their on levels."),
        *LEARNING,
    )

    recipe: PerModel[Recipe] = _RECIPE
    factors: PerModel[Factors] | None = None

    def __post_init__(self) -> None:
        super().__post_init__()
        for model in self.architectures:
            self._validate(model)

    @property
    def architectures(self) -> list[str]:
        """The models, without those that are another's twin without batch norm."""
        twins = {twin for model in self.model_names if (twin := self._twin(model)) != model}
        return [model for model in self.model_names if model not in twins]

    def factors_of(self, model: str) -> Factors:
        """Those of a model, each with its two levels."""
        if self.factors is None:
            return default_factors(model, self.data)
        if self.factors and all(isinstance(levels, Mapping) for levels in self.factors.values()):
            return self.own(self.factors, "factors", model)
        return self.factors  # type: ignore[return-value]

    def cells(self, model: str) -> list[Combination]:
        """All combinations, the one without any first and the one with all last."""
        return list(product((False, True), repeat=len(self.factors_of(model))))

    def plan(self) -> list[Planned]:
        return [
            Planned(
                self._spec(model, seed, rate, cell),
                {"architecture": model}
                | {f"{name}_on": on for name, on in zip(self.factors_of(model), cell, strict=True)}
                | {"num_on": sum(cell)},
            )
            for model in self.architectures
            for seed, rate, cell in product(self.seed_list, (0.0, 1.0), self.cells(model))
        ]

    def completed(self, table: pd.DataFrame, outcomes: Sequence[TrainOutcome]) -> pd.DataFrame:
        return table.assign(**learning_columns(outcomes, self.data))

    def verdict(self, table: pd.DataFrame) -> list[Finding]:
        return [
            finding
            for model in self.architectures
            for finding in findings(
                model,
                self.factors_of(model),
                table[table["architecture"] == model] if len(table) else table,
                len(self.seed_list),
            )
        ]

    def _spec(self, model: str, seed: int, rate: float, cell: Combination) -> TrainSpec:
        levels = {name: pair[on] for (name, pair), on in zip(self.factors_of(model).items(), cell, strict=True)}
        trained = levels.pop("batch_norm", model)
        spec = self.make_spec(model, seed, label_corruptions(rate), **levels)
        return spec.model_copy(update={"model": name_of(trained)})

    def _twin(self, model: str) -> str | None:
        pair = self.factors_of(model).get("batch_norm")
        return None if pair is None else name_of(pair[0])

    def _validate(self, model: str) -> None:
        recipe, factors = self.own(self.recipe, "recipe", model), self.factors_of(model)
        if not factors or not set(factors) <= set(FACTORS):
            raise UserError(f"got factors={factors!r} for {model}, expected some out of {', '.join(FACTORS)}")
        self.require_steps(model, "the grid compares final accuracies")
        self.require_unregularized(model, but=factors)
        for name, levels in factors.items():
            if isinstance(levels, str) or len(levels) != 2 or levels[0] == levels[1]:
                raise UserError(f"got {name}={levels!r} for {model}, expected two levels, (off, on)")
            if name != "batch_norm" and (own := getattr(recipe, name)) not in levels:
                raise UserError(
                    f"got {name}={own!r} for {model}, but the grid trains it at {levels[0]} and {levels[1]}: "
                    "leave it out, or give factors"
                )
        if name_of(factors.get("batch_norm", (None, model))[1]) != model:
            raise UserError(
                f"got batch_norm={factors['batch_norm']!r} for {model}, expected the model without it, then {model}"
            )


_LAPTOP: Sizes = {
    "mlp": (500, {"steps": 1000}),
    "conv": (500, {"steps": 360, "learning_rate": 0.05}),
    "": (256, {"steps": 200}),
}
"""Training examples, so few that a grid of 32 runs takes seven minutes on one core, and steps, so many that random
labels of CIFAR-10 are fitted under every regulariser. conv-small has the rate of the demonstration, at which it fits
sooner than at 0.01."""
_QUICK_CONV: tuple[int, dict[str, Any]] = (256, {"steps": 180, "learning_rate": 0.05})


def regularization_study(
    data: Dataset, scale: Scale, seeds: int = 1, models: Sequence[str] | None = None
) -> RegularizationStudy:
    """The grid of `default_factors`, with the paper's hyper-parameters.

    Args:
        scale: "paper" is mlp-3x512, alexnet and inception on the whole training set, for as many steps as Table 1
            takes, whose runs are among these. "laptop" is mlp-1x512 and conv-small on 500 examples, "quick" on as many,
            and 256, for fewer steps.
        models: others than these.
    """
    sizes = sizes_at(scale, data, _LAPTOP, {**QUICK, "conv": _QUICK_CONV})
    return RegularizationStudy(**sized(data, models, MODELS_OF_SCALE[scale], sizes), seeds=seeds)
