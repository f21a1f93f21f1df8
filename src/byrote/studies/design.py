"""What studies of several models and seeds have in common: their arguments, and the runs that follow from them."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any, TypeAlias, TypeVar

import pandas as pd

from byrote.data.classes import refuse_too_few
from byrote.data.corruptions.record import Corruption
from byrote.data.dataset import Dataset, require_dataset
from byrote.errors import UserError
from byrote.evidence.columns import as_declared
from byrote.references import name_of
from byrote.studies.model_choice import DEFAULT_MODEL, choice_in_words, chosen_models
from byrote.studies.seeds import seed_list
from byrote.studies.study import Results, Study, tabulate
from byrote.training.outcome import TrainOutcome
from byrote.training.recipe import Recipe
from byrote.training.spec import TrainSpec

T = TypeVar("T")
S = TypeVar("S", bound="ModelStudy")
PerModel: TypeAlias = T | Mapping[str, T]
"""One value for all models, or each model's own by its name."""

PAPER_RECIPE: Recipe = Recipe()
NO_REGULARIZERS: Mapping[str, Any] = {"augmentation": "none", "dropout": 0.0, "weight_decay": 0.0}
"""The fields of a recipe that regularise, with what each is in a network without explicit regularisers."""


@dataclass(frozen=True, eq=False)
class ModelStudy(Study):
    """A study that trains each of several models with each of several seeds. Abstract.

    >>> import byrote
    >>> study = byrote.ImplicitStudy(byrote.load("digits"), ["mlp-1x16"], seeds=3)
    >>> isinstance(study, byrote.ModelStudy), study.model_names, study.seed_list
    (True, ['mlp-1x16'], [0, 1, 2])

    Args:
        data: clean; each run draws its own subset and corruption.
        models: catalogue names, FILE.py:NAME, package.module:NAME, or functions, classes and other objects
            that make a network, or networks themselves: see `byrote.name_of` and `byrote.build_model`; None takes
            those of `defaults` that go with the data.
        seeds: how many (0, 1, ...), or which.
        recipe: how networks are trained.
        n_train: the size of the stratified training subset; None takes all.
        data_seed: draws that subset.
        defaults: names of the catalogue, for want of models.

    Recipe and n_train take one value for all models or a mapping with one for each.

    Raises:
        UserError: models or seeds that repeat, a mapping that lacks a model, too large an n_train, or one
            below the number of classes.
    """

    data: Dataset
    models: Sequence[str | Callable[..., Any]] | None = None
    seeds: int | Sequence[int] = 1
    recipe: PerModel[Recipe] = PAPER_RECIPE
    n_train: PerModel[int | None] = None
    data_seed: int = 0
    defaults: Sequence[str] = (DEFAULT_MODEL,)

    def __post_init__(self) -> None:
        require_dataset(self.data)
        if isinstance(self.models, str) or not isinstance(self.models, Sequence | None):
            own = getattr(self.models, "__name__", "'mlp-1x512', 'alexnet'")
            raise UserError(f"got models={self.models!r}, expected a list of different names or models: [{own}]")
        if wrong := [model for model in self.models or () if not isinstance(model, str) and not callable(model)]:
            raise UserError(
                f"got the model {wrong[0]!r}, expected a name, a class, a function that makes a network, or a network"
            )
        if self.models is not None and not 0 < len(self.models) == len(set(self.chosen)):
            raise UserError(f"got models={self.models!r}, expected a list of different names: ['mlp-1x512', 'alexnet']")
        seed_list(self.seeds)
        for model in self.model_names:
            n_train, available = self.own(self.n_train, "n_train", model), len(self.data.train)
            if n_train is not None and not 1 <= n_train <= available:
                raise UserError(f"got n_train={n_train} for {self.data.name}, which has {available} training examples")
            refuse_too_few(self.data, n_train)

    @cached_property
    def chosen(self) -> list[str]:
        """The names of `models`, or of those that byrote uses for want of them."""
        return [name_of(model) for model in chosen_models(self.models, self.data, self.defaults)]

    @property
    def model_names(self) -> list[str]:
        """As specs carry them."""
        return self.chosen

    def choices(self) -> list[str]:
        return [choice_in_words(self.chosen, self.data, asked_for=self.models is not None)]

    @property
    def seed_list(self) -> list[int]:
        """The seeds, one by one."""
        return seed_list(self.seeds)

    def summarise(self, results: Sequence[TrainOutcome]) -> pd.DataFrame:
        """A row is a run, with what the study says of it in `completed`."""
        results = Results.of(self, results)
        table = tabulate(self.name, results)
        return as_declared(self.completed(table, results.outcomes) if len(table) else table, self.columns)

    def completed(self, table: pd.DataFrame, outcomes: Sequence[TrainOutcome]) -> pd.DataFrame:  # noqa: ARG002
        """The table of these runs, of which there are some, with the columns that the study declares beside OF_RUNS."""
        return table

    def with_recipe(self: S, **changes: Any) -> S:
        """The same study with these fields of every model's recipe changed.

        Raises:
            UserError: a field or value that no recipe has, or a field that a recipe does not heed.
        """
        recipes = {model: self.own(self.recipe, "recipe", model).changed(**changes) for model in self.model_names}
        return replace(self, recipe=recipes)

    def own(self, value: PerModel[T], name: str, model: str) -> T:
        """The value of the argument `name` for `model`."""
        if not isinstance(value, Mapping):
            return value
        if model not in value:
            raise UserError(f"got {name} for {', '.join(value)} but not for the model {model}: give one for each")
        return value[model]

    def require_steps(self, model: str, why: str) -> None:
        """Raises UserError where the recipe of `model` does not stop after a number of steps, with the reason."""
        stop = self.own(self.recipe, "recipe", model).stop
        if stop != "at_steps":
            raise UserError(f"got stop={stop!r} for {model}, but {why}: give stop='at_steps' and a number of steps")

    def require_no_validation(self, model: str) -> None:
        """Raises UserError where the recipe of `model` holds examples out."""
        if validation := self.own(self.recipe, "recipe", model).validation:
            raise UserError(
                f"got validation={validation:g} for {model}, but every n of the ladder is trained on in full: "
                "leave it out"
            )

    def require_unregularized(self, model: str, *, but: Collection[str] = ()) -> None:
        """Raises UserError where the recipe of `model` regularises in a field other than `but`, those that the study
        varies itself: runs that are said to have no regulariser would have it."""
        recipe = self.own(self.recipe, "recipe", model)
        for name, off in NO_REGULARIZERS.items():
            if name not in but and (value := getattr(recipe, name)) != off:
                raise UserError(
                    f"got {name}={value!r} for {model}, but {self.name} chooses the regularisers of each run itself: "
                    "leave it out"
                )

    def make_spec(self, model: str, seed: int, corruptions: tuple[Corruption, ...] = (), **changes: Any) -> TrainSpec:
        """The run of `model` with `seed` under `corruptions`, with `changes` of its recipe or of n_train."""
        fields = {"n_train": self.own(self.n_train, "n_train", model), "data_seed": self.data_seed} | changes
        recipe = self.own(self.recipe, "recipe", model).model_dump()
        spec = TrainSpec.model_validate(recipe | fields | {"model": model, "seed": seed, "corruptions": corruptions})
        return spec.resolved(self.data)


def label_corruptions(rate: float) -> tuple[Corruption, ...]:
    """True labels at rate 0, random ones at rate 1, in between each label redrawn with that chance."""
    if rate == 0:
        return ()
    name = "random-labels" if rate == 1 else "partial-labels"
    return (Corruption.model_validate({"name": name, "rate": rate}),)
