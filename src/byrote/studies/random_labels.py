"""What studies share that train one model on random labels: their arguments, the sizes of a family of models, and what
searches ask for."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, ClassVar

import pandas as pd

from byrote.data.dataset import Dataset, require_dataset
from byrote.errors import UserError
from byrote.evidence.columns import as_declared
from byrote.models.matching import matched_width, num_parameters
from byrote.records import Count, Seed
from byrote.references import name_of
from byrote.studies.design import PAPER_RECIPE
from byrote.studies.families import is_family
from byrote.studies.model_choice import DEFAULT_MODEL, choice_in_words, chosen_models
from byrote.studies.paper_settings import paper_recipe
from byrote.studies.random_label_runs import RANDOM_LABELS
from byrote.studies.seeds import at_most
from byrote.studies.study import Finished, Study, tabulate_calculations
from byrote.theory.calculation import Calculation
from byrote.training.key import SEMANTICS, network_input_shape
from byrote.training.recipe import Recipe
from byrote.training.spec import TrainSpec

_FEW_FEATURES = 1000
RATIOS = (0.25, 1.0, 4.0, 16.0)
"""Parameters per example of the members of a family, at the largest n: about where fitting begins, and on."""


@dataclass(frozen=True, eq=False)
class RandomLabelStudy(Study):
    """One model, or a family named with {width} for its width ("mlp-1x{width}"), on random labels. Abstract.

    Args:
        data: clean.
        model: a catalogue name, FILE.py:NAME, package.module:NAME, a function or class at the top of a module, or a
            family, of which the members with 1/4, 1, 4 and 16 parameters per example are taken; None takes mlp-1x512.
        recipe: how networks are trained.
        seeds: how many times all draws are made anew.
        n_train: the largest number of examples; None takes all, or the analysis's own choice.
        data_seed: draws the subsets.

    Raises:
        UserError: a model that is not there, no seeds, n_train beyond the data, or a recipe that holds examples out.
    """

    one_class: ClassVar[str] = ""
    """Why data of one class are refused; "" where they are not."""

    data: Dataset
    model: str | Callable[..., Any] | None = None
    recipe: Recipe = PAPER_RECIPE
    seeds: int = 1
    n_train: int | None = None
    data_seed: int = 0

    def __post_init__(self) -> None:
        require_dataset(self.data)
        if self.one_class and self.data.num_classes < 2:
            raise UserError(f"got {self.data.name} with one class, {self.one_class}: expected at least 2")
        object.__setattr__(self, "recipe", self.recipe.resolved(self.data))  # calculations say what was done
        at_most(self.seeds, "seeds")
        available = len(self.data.train)
        if self.n_train is not None and not 1 <= self.n_train <= available:
            raise UserError(f"got n_train={self.n_train} for {self.data.name}, which has {available} training examples")
        if self.recipe.validation:
            raise UserError(
                f"got validation={self.recipe.validation:g}, but all n examples are to be fitted: leave it out"
            )
        _ = self.models  # of a family, there must be members

    @property
    def num_classes(self) -> int:
        """Of the labels that are trained on."""
        return self.data.num_classes

    @property
    def largest(self) -> int:
        """The largest n."""
        return self.n_train or len(self.data.train)

    @cached_property
    def chosen(self) -> str:
        """The name of `model`, or of the one that byrote uses for want of it."""
        (model,) = chosen_models(None if self.model is None else (self.model,), self.data, (DEFAULT_MODEL,))
        return name_of(model)

    def choices(self) -> list[str]:
        return [choice_in_words([self.chosen], self.data, asked_for=self.model is not None)]

    @cached_property
    def models(self) -> list[str]:
        """The model, or the members of the family from the narrowest on."""
        model = self.chosen
        shape = network_input_shape(self.recipe, self.data)
        if not is_family(model):
            num_parameters(model, input_shape=shape, num_classes=self.num_classes)  # there must be such a model
            return [model]
        sizes = [max(1, round(ratio * self.largest)) for ratio in RATIOS]
        widths = [matched_width(model, size, input_shape=shape, num_classes=self.num_classes) for size in sizes]
        return list(dict.fromkeys(widths))

    def summarise(self, results: Sequence[Finished]) -> pd.DataFrame:
        """A row for each calculation."""
        return as_declared(tabulate_calculations(self.name, results), self.columns)


class RandomLabelSearch(Calculation):
    """A calculation that asks for runs of one model with one recipe on random labels. Abstract."""

    version: ClassVar[int | str] = SEMANTICS
    """Its numbers are the engine's."""
    side_by_side: ClassVar[bool] = True

    model: str
    """As of a TrainSpec."""
    recipe: Recipe
    n_train: Count
    """Of so many examples at most, a stratified subset of the training split."""
    seed: Seed = 0
    """Labels, initial weights and batch order follow from it."""
    data_seed: Seed = 0
    """Draws the training subset."""

    @property
    def references(self) -> tuple[str, ...]:
        return (self.model, *self.recipe.references)

    @property
    def tried(self) -> tuple[TrainSpec, ...]:
        """The model with the recipe, unless it is a family."""
        return () if is_family(self.model) else (self.spec(),)

    def spec(self, **changes: Any) -> TrainSpec:
        """A run on random labels of `n_train` examples, but for the changes.

        Gradients are not recorded: nobody would look at them.
        """
        own = {name: getattr(self, name) for name in ("model", "n_train", "seed", "data_seed")}
        own |= {"corruptions": RANDOM_LABELS, "dense_steps": 0}
        return TrainSpec.model_validate(self.recipe.model_dump() | own | changes)


def memorizing_recipe(model: str, data: Dataset, **changes: Any) -> Recipe:
    """`paper_recipe` with a limit of 500 epochs, and for perceptrons on few features a rate of 0.05.

    Coin flips on all 1,437 digits are fitted by mlp-1x512 in about 100 epochs at 0.05 and 0.1, not in 300 at 0.2, and
    not in 200 at the paper's 0.01 (two draws).
    """
    is_small = model.startswith("mlp-") and math.prod(data.input_shape) <= _FEW_FEATURES
    return paper_recipe(model, data, **({"epochs": 500} | ({"learning_rate": 0.05} if is_small else {}) | changes))


def refuse_draws(draws: int) -> None:
    """Raises UserError unless there is one at least."""
    at_most(draws, "draws")
